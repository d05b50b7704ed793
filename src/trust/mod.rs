//! Whom we believe and whom we ask: the documents of a Sigstore instance and their look-ups.

pub mod embedded;
pub mod export;
pub mod instance;
pub mod metadata_files;
pub mod root;
pub mod signing_config;
pub mod tuf;

pub use export::{Export, ExportError};
pub use instance::{Definition, DefinitionError, Instance, InstanceError, InstanceName};
pub use metadata_files::MetadataFiles;
pub use root::{Authority, LogKey, TrustedRoot, TrustedRootError};
pub use signing_config::{SelectError, SigningConfig, SigningConfigError};
pub use tuf::{TrustedSet, TufError};
