//! The waist of the hourglass: everything signed becomes one plain value, and everything judged is that value.
//!
//! What a git signature signs is not the commit but the DER of the CMS signed attributes, and that is exactly a
//! Sigstore message signature: so commits, tags, push certificates and files all share this one type. Nothing in it is
//! believed; only [`Verifier`](crate::verify::Verifier) turns it into something that is.

pub mod bundle;
pub mod cms;

use crate::crypto::{Digest, HashAlgorithm, PublicKey};
use crate::format::dsse::Envelope;
use crate::format::log_entry::LogEntry;
use crate::format::x509::Certificate;

/// The bytes that were signed, or their digest where only that is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Artifact {
    /// The bytes.
    Bytes(Vec<u8>),
    /// Their digest.
    Digest(Digest),
}

impl Artifact {
    /// The digest by `algorithm`; `None` when only a digest by another one is known.
    #[must_use]
    pub fn digest(&self, algorithm: HashAlgorithm) -> Option<Digest> {
        match self {
            Artifact::Bytes(bytes) => Some(algorithm.digest(bytes)),
            Artifact::Digest(digest) => (digest.algorithm() == algorithm).then(|| digest.clone()),
        }
    }
}

/// The signature itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SignatureContent {
    /// Over the artifact.
    Message(Vec<u8>),
    /// Over a statement about the artifact.
    Dsse(Envelope),
}

impl SignatureContent {
    /// The signature's own bytes: what logs log and authorities stamp.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        match self {
            SignatureContent::Message(signature) => signature,
            SignatureContent::Dsse(envelope) => &envelope.signature,
        }
    }
}

/// Whose key it is said to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SignerKey {
    /// A certificate's: keyless signing.
    Certificate(Box<Certificate>),
    /// A key that the verifier brought along.
    PublicKey(PublicKey),
}

/// Evidence that travels with a signature, not yet believed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerificationMaterial {
    /// The signer.
    pub signer: SignerKey,
    /// Further certificates, none of them needed: the trusted root has the chain.
    pub chain: Vec<Certificate>,
    /// Transparency log entries.
    pub log_entries: Vec<LogEntry>,
    /// RFC 3161 TimeStampTokens in DER, over the signature.
    pub timestamps: Vec<Vec<u8>>,
}

/// Something signed, with its evidence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedEntity {
    /// What was signed.
    pub artifact: Artifact,
    /// The signature.
    pub signature: SignatureContent,
    /// The evidence.
    pub material: VerificationMaterial,
}
