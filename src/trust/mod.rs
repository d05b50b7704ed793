//! Whom we believe and whom we ask: the documents of a Sigstore instance and their look-ups.

pub mod embedded;
pub mod signing_config;

pub use signing_config::{SelectError, SigningConfig, SigningConfigError};
