//! A whole Sigstore in one process, on loopback: an OIDC issuer, a Fulcio-compatible authority with a CT log, Rekor v1
//! and v2, a timestamp authority, and a TUF repository (DESIGN section 5).
//!
//! For trying things out offline, for tests, and for CI without secrets. It shares the formats with the clients and
//! nothing else: production code knows it only by the documents that it writes, as it knows the public instance.
//!
//! ```text
//! DIR/lock                        one server at a time
//! DIR/keys/                       private keys (0600) and the authorities' certificates
//! DIR/rekor-v1.journal  -v2       the logs, append only; second-* are those of the second operator
//! DIR/trusted_root.json  signing_config.json  ...   what clients are given; see documents.rs
//! DIR/env                         the same as shell variables
//! DIR/ready                       the base URL, while it listens
//! ```

mod connection;
mod documents;
mod entry_request;
mod environment;
pub mod faults;
mod folder;
mod fulcio;
mod journal;
mod log;
mod oidc;
mod operator;
mod rekor_v1;
mod rekor_v2;
mod reply;
mod request_log;
mod server;
mod tsa;
mod tuf;

pub use environment::{AGENT_DIRECTORY, Variable};
pub use folder::FolderError;
pub use fulcio::FulcioError;
pub use journal::JournalError;
pub use log::LogError;
pub use oidc::{AUDIENCE, MAX_LIFETIME};
pub use rekor_v1::{FIRST_INDEX, RekorError};
pub use server::{DEFAULT_IDENTITY, Options, RekorVersion, Running, Sandbox, SandboxError};
