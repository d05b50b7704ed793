//! Digests, key pairs, public keys and randomness: the only folder that names a cryptographic library.
//!
//! p256 makes keys and signatures; aws-lc-rs checks them and serves the keys of the sandbox's services. Nothing here
//! knows ASN.1 beyond the SubjectPublicKeyInfo of a key, and nothing here does I/O.

pub mod digest;
pub mod ephemeral_key;
mod locked_page;
pub mod passphrase;
pub mod post_quantum;
pub mod public_key;
pub mod random;
#[cfg(feature = "sandbox")]
pub mod service_key;

pub use digest::{Digest, HashAlgorithm, sha256};
pub use ephemeral_key::{EphemeralKey, Keypair};
pub use passphrase::HashedPassphrase;
pub use post_quantum::{MlDsaKey, MlDsaKind};
pub use public_key::{KeyError, KeyKind, PublicKey, SignatureInvalid, SignatureScheme};
#[cfg(feature = "sandbox")]
pub use service_key::ServiceKey;
