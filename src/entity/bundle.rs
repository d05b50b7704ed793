//! From a Sigstore bundle to a [`SignedEntity`], and back.
//!
//! A bundle does not hold the artifact, and says of a bare key only a hint: both come from the reader. Its log entries
//! bring their bodies along; that they are about this signature is for the verifier to see.

use base64ct::{Base64, Encoding as _};

use super::{Artifact, SignatureContent, SignedEntity, SignerKey, VerificationMaterial};
use crate::crypto::{HashAlgorithm, PublicKey};
use crate::format::bundle::{Bundle, Content, KeyMaterial};
use crate::format::timestamp::{self, TimestampError};
use crate::format::x509::{Certificate, X509Error};

/// Why a bundle, an artifact and a key do not make an entity.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BundleMismatch {
    /// The bundle was made with a bare key, and the reader has none.
    #[error("the bundle was signed with a key of its own, and no key was given")]
    KeyMissing,
    /// The reader has a key, and the bundle was made with a certificate.
    #[error("a key was given, and the bundle was signed with a certificate")]
    KeyUnexpected,
    /// The digest that the bundle states is not the artifact's.
    #[error("the bundle was made for an artifact with digest {stated}, not for this one with digest {found}")]
    MessageDigest {
        /// The digest in the bundle, in hexadecimal.
        stated: String,
        /// The digest of the artifact, in hexadecimal.
        found: String,
    },
    /// A certificate that cannot be read.
    #[error("a certificate of the bundle is malformed: {0}")]
    Certificate(#[from] X509Error),
    /// A timestamp that cannot be read, or that the authority refused to give.
    #[error("a timestamp of the bundle is malformed: {0}")]
    Timestamp(#[from] TimestampError),
}

/// The entity that `bundle` and `artifact` make; `key` for a bundle that was signed with a bare key.
///
/// # Errors
/// [`BundleMismatch`]
pub fn from_bundle(bundle: Bundle, artifact: Artifact, key: Option<PublicKey>) -> Result<SignedEntity, BundleMismatch> {
    let (signer, chain) = match (bundle.key, key) {
        (KeyMaterial::PublicKeyHint(_), Some(key)) => (SignerKey::PublicKey(key), Vec::new()),
        (KeyMaterial::PublicKeyHint(_), None) => return Err(BundleMismatch::KeyMissing),
        (KeyMaterial::Certificates(_), Some(_)) => return Err(BundleMismatch::KeyUnexpected),
        (KeyMaterial::Certificates(chain), None) => {
            // The signer's certificate is the first, by the specification.
            let (leaf, others) = chain.split_first().ok_or(BundleMismatch::KeyMissing)?;
            let others = others.iter().map(|der| Certificate::from_der(der)).collect::<Result<_, _>>()?;
            (SignerKey::Certificate(Box::new(Certificate::from_der(leaf)?)), others)
        }
    };
    let signature = match bundle.content {
        Content::Message { digest, signature } => {
            // Only a hint, but one that misleads: other readers find the artifact by it.
            if let Some(stated) = digest
                && let Some(found) = artifact.digest(stated.algorithm())
                && stated != found
            {
                return Err(BundleMismatch::MessageDigest { stated: stated.to_hex(), found: found.to_hex() });
            }
            SignatureContent::Message(signature)
        }
        Content::Dsse(envelope) => SignatureContent::Dsse(envelope),
    };
    let timestamps =
        bundle.timestamps.iter().map(|response| timestamp::token_of_response(response).map(<[u8]>::to_vec));
    Ok(SignedEntity {
        artifact,
        signature,
        material: VerificationMaterial {
            signer,
            chain,
            timestamps: timestamps.collect::<Result<_, _>>()?,
            log_entries: bundle.log_entries,
        },
    })
}

/// The bundle of `entity`; certificates beyond the signer's stay behind, since version 0.3 has no place for them.
#[must_use]
pub fn to_bundle(entity: &SignedEntity) -> Bundle {
    let material = &entity.material;
    let key = match &material.signer {
        SignerKey::Certificate(leaf) => KeyMaterial::Certificates(vec![leaf.der().to_vec()]),
        // cosign's way to hint at a key.
        SignerKey::PublicKey(key) => KeyMaterial::PublicKeyHint(Base64::encode_string(&key.spki_sha256())),
    };
    let content = match &entity.signature {
        SignatureContent::Message(signature) => {
            let digest = match &entity.artifact {
                Artifact::Digest(digest) => digest.clone(),
                Artifact::Bytes(bytes) => HashAlgorithm::Sha256.digest(bytes),
            };
            Content::Message { digest: Some(digest), signature: signature.clone() }
        }
        SignatureContent::Dsse(envelope) => Content::Dsse(envelope.clone()),
    };
    Bundle {
        key,
        content,
        log_entries: material.log_entries.clone(),
        timestamps: material.timestamps.iter().map(|token| timestamp::grant(token)).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::{EphemeralKey, Keypair as _};

    fn entity(key: PublicKey) -> SignedEntity {
        SignedEntity {
            artifact: Artifact::Bytes(b"artifact".to_vec()),
            signature: SignatureContent::Message(b"signature".to_vec()),
            material: VerificationMaterial {
                signer: SignerKey::PublicKey(key),
                chain: vec![],
                log_entries: vec![],
                timestamps: vec![vec![0x30, 0]],
            },
        }
    }

    #[test]
    fn there_and_back_is_the_same() {
        let key = EphemeralKey::generate().public_key().clone();
        let entity = entity(key.clone());
        assert_eq!(from_bundle(to_bundle(&entity), entity.artifact.clone(), Some(key)), Ok(entity));
    }

    #[test]
    fn a_bare_key_must_be_given_and_no_other_may() {
        let key = EphemeralKey::generate().public_key().clone();
        let bundle = to_bundle(&entity(key.clone()));
        let artifact = || Artifact::Bytes(b"artifact".to_vec());
        assert_eq!(from_bundle(bundle.clone(), artifact(), None), Err(BundleMismatch::KeyMissing));
        let certified = Bundle { key: KeyMaterial::Certificates(vec![vec![]]), ..bundle };
        assert_eq!(from_bundle(certified, artifact(), Some(key)), Err(BundleMismatch::KeyUnexpected));
    }

    #[test]
    fn a_stated_digest_must_be_the_artifacts() {
        let key = EphemeralKey::generate().public_key().clone();
        let bundle = to_bundle(&entity(key.clone()));
        for other in [Artifact::Bytes(b"another".to_vec()), Artifact::Digest(HashAlgorithm::Sha256.digest(b"another"))]
        {
            let read = from_bundle(bundle.clone(), other, Some(key.clone()));
            assert!(matches!(read, Err(BundleMismatch::MessageDigest { .. })));
        }
    }
}
