//! Clients of Sigstore's services: Fulcio, Rekor v1 and v2, timestamp authorities, and the tokens they ask for.
//!
//! What they return is evidence. It is parsed strictly and bounded here, and believed only after
//! [`verify`](crate::verify) has judged it.

pub mod ambient;
pub mod error;
pub mod fulcio;
pub mod id_token;
pub mod look_up;
pub mod oidc;
pub mod reachability;
pub mod rekor_v1;
pub mod rekor_v2;
pub mod session;
pub mod timestamp_authority;
pub mod transparency_log;
pub mod tuf;

pub use error::{Peer, ServiceError};
pub use fulcio::Fulcio;
pub use id_token::{IdToken, TokenError};
pub use rekor_v1::RekorV1;
pub use rekor_v2::RekorV2;
pub use session::{Session, wait};
pub use timestamp_authority::TimestampAuthority;
pub use transparency_log::{Record, TransparencyLog};
pub use tuf::{TufRepository, UpdateError};
