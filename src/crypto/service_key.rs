//! The long-lived keys of the sandbox's services: P-256, P-384 or Ed25519, kept as PKCS#8 (RFC 5958).
//!
//! Only the sandbox has such keys. A user's key is an [`EphemeralKey`](super::EphemeralKey), which has no encoding.

use std::fmt;

use aws_lc_rs::encoding::AsDer as _;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{self as backend, KeyPair as _};
use zeroize::Zeroizing;

use super::ephemeral_key::Keypair;
use super::public_key::{KeyError, KeyKind, PublicKey, SignatureScheme};

/// A key pair of one of the sandbox's services.
pub struct ServiceKey {
    secret: Secret,
    public: PublicKey,
    pkcs8: Zeroizing<Vec<u8>>,
}

enum Secret {
    Ecdsa(backend::EcdsaKeyPair, SignatureScheme),
    Ed25519(backend::Ed25519KeyPair),
}

impl ServiceKey {
    /// Make a new key pair.
    ///
    /// # Errors
    /// [`KeyError::Unsupported`] for a kind that no service of the sandbox uses.
    pub fn generate(kind: KeyKind) -> Result<Self, KeyError> {
        let random = SystemRandom::new();
        let pkcs8 = match kind {
            KeyKind::EcdsaP256 => {
                backend::EcdsaKeyPair::generate_pkcs8(&backend::ECDSA_P256_SHA256_ASN1_SIGNING, &random)
            }
            KeyKind::EcdsaP384 => {
                backend::EcdsaKeyPair::generate_pkcs8(&backend::ECDSA_P384_SHA384_ASN1_SIGNING, &random)
            }
            KeyKind::Ed25519 => backend::Ed25519KeyPair::generate_pkcs8(&random),
            KeyKind::EcdsaP521 | KeyKind::Rsa => return Err(KeyError::Unsupported(format!("{kind:?}"))),
        };
        Self::from_pkcs8(kind, pkcs8.map_err(|_| KeyError::Malformed)?.as_ref())
    }

    /// Read a key pair that [`ServiceKey::pkcs8`] gave.
    ///
    /// # Errors
    /// [`KeyError::Malformed`] when it is not a PKCS#8 key of that kind.
    pub fn from_pkcs8(kind: KeyKind, pkcs8: &[u8]) -> Result<Self, KeyError> {
        let malformed = |_| KeyError::Malformed;
        let ecdsa = |algorithm| backend::EcdsaKeyPair::from_pkcs8(algorithm, pkcs8).map_err(malformed);
        let (secret, spki) = match kind {
            KeyKind::EcdsaP256 => {
                let pair = ecdsa(&backend::ECDSA_P256_SHA256_ASN1_SIGNING)?;
                let spki = pair.public_key().as_der().map_err(|_| KeyError::Malformed)?.as_ref().to_vec();
                (Secret::Ecdsa(pair, SignatureScheme::EcdsaSha256), spki)
            }
            KeyKind::EcdsaP384 => {
                let pair = ecdsa(&backend::ECDSA_P384_SHA384_ASN1_SIGNING)?;
                let spki = pair.public_key().as_der().map_err(|_| KeyError::Malformed)?.as_ref().to_vec();
                (Secret::Ecdsa(pair, SignatureScheme::EcdsaSha384), spki)
            }
            KeyKind::Ed25519 => {
                let pair = backend::Ed25519KeyPair::from_pkcs8(pkcs8).map_err(malformed)?;
                let spki = pair.public_key().as_der().map_err(|_| KeyError::Malformed)?.as_ref().to_vec();
                (Secret::Ed25519(pair), spki)
            }
            KeyKind::EcdsaP521 | KeyKind::Rsa => return Err(KeyError::Unsupported(format!("{kind:?}"))),
        };
        let public = PublicKey::from_spki_der(&spki)?;
        Ok(ServiceKey { secret, public, pkcs8: Zeroizing::new(pkcs8.to_vec()) })
    }

    /// The PKCS#8 encoding, for the sandbox's own folder.
    #[must_use]
    pub fn pkcs8(&self) -> &[u8] {
        &self.pkcs8
    }
}

impl Keypair for ServiceKey {
    fn public_key(&self) -> &PublicKey {
        &self.public
    }

    fn scheme(&self) -> SignatureScheme {
        match self.secret {
            Secret::Ecdsa(_, scheme) => scheme,
            Secret::Ed25519(_) => SignatureScheme::Ed25519,
        }
    }

    fn sign(&self, message: &[u8]) -> Vec<u8> {
        match &self.secret {
            Secret::Ecdsa(pair, _) => pair
                .sign(&SystemRandom::new(), message)
                .expect("the operating system provides randomness")
                .as_ref()
                .to_vec(),
            Secret::Ed25519(pair) => pair.sign(message).as_ref().to_vec(),
        }
    }
}

impl fmt::Debug for ServiceKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ServiceKey({:?}, redacted)", self.public.kind())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_survives_its_encoding_and_signs() {
        for kind in [KeyKind::EcdsaP256, KeyKind::EcdsaP384, KeyKind::Ed25519] {
            let made = ServiceKey::generate(kind).unwrap();
            let read = ServiceKey::from_pkcs8(kind, made.pkcs8()).unwrap();
            let signature = read.sign(b"message");
            assert!(made.public_key().verify(made.scheme(), b"message", &signature).is_ok(), "{kind:?}");
            assert!(made.public_key().verify(made.scheme(), b"massage", &signature).is_err(), "{kind:?}");
        }
    }
}
