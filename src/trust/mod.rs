//! Whom we believe and whom we ask: the documents of a Sigstore instance and their look-ups.

pub mod embedded;
pub mod instance;
pub mod root;
pub mod signing_config;

pub use instance::{Instance, InstanceError};
pub use root::{Authority, LogKey, TrustedRoot, TrustedRootError};
pub use signing_config::{SelectError, SigningConfig, SigningConfigError};
