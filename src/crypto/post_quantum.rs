//! ML-DSA public keys (FIPS 204) in a SubjectPublicKeyInfo (RFC 9881): TUF repositories begin to sign with them.
//!
//! Beside [`PublicKey`](super::PublicKey) and not one of its kinds: no certificate, log or stamp of Sigstore uses them, so
//! nothing that judges those may come upon one.

use std::fmt;

use aws_lc_rs::signature as backend;
use const_oid::ObjectIdentifier;
use der::Decode as _;
use spki::SubjectPublicKeyInfoRef;

use super::public_key::{KeyError, SignatureInvalid};

const ML_DSA_44: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.3.17");
const ML_DSA_65: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.3.18");
const ML_DSA_87: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.3.19");
/// No SubjectPublicKeyInfo of one is longer, in bytes: ML-DSA-87 has 2614.
const MAX_SPKI_LEN: usize = 3072;

/// The parameter sets of FIPS 204 section 4, with the lengths of their keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MlDsaKind {
    /// Category 2.
    MlDsa44,
    /// Category 3.
    MlDsa65,
    /// Category 5.
    MlDsa87,
}

impl MlDsaKind {
    fn key_len(self) -> usize {
        match self {
            MlDsaKind::MlDsa44 => 1312,
            MlDsaKind::MlDsa65 => 1952,
            MlDsaKind::MlDsa87 => 2592,
        }
    }
}

/// An ML-DSA public key.
#[derive(Clone, PartialEq, Eq)]
pub struct MlDsaKey {
    kind: MlDsaKind,
    raw: Vec<u8>,
}

impl MlDsaKey {
    /// Read a SubjectPublicKeyInfo in DER; its algorithm has no parameters.
    ///
    /// # Errors
    /// [`KeyError`] when it is malformed or of another algorithm.
    pub fn from_spki_der(spki: &[u8]) -> Result<Self, KeyError> {
        if spki.len() > MAX_SPKI_LEN {
            return Err(KeyError::Malformed);
        }
        let info = SubjectPublicKeyInfoRef::from_der(spki).map_err(|_| KeyError::Malformed)?;
        let kind = match info.algorithm.oid {
            ML_DSA_44 => MlDsaKind::MlDsa44,
            ML_DSA_65 => MlDsaKind::MlDsa65,
            ML_DSA_87 => MlDsaKind::MlDsa87,
            other => return Err(KeyError::Unsupported(other.to_string())),
        };
        let raw = info.subject_public_key.as_bytes().ok_or(KeyError::Malformed)?.to_vec();
        if info.algorithm.parameters.is_some() || raw.len() != kind.key_len() {
            return Err(KeyError::Malformed);
        }
        Ok(MlDsaKey { kind, raw })
    }

    /// Which parameter set it is of.
    #[must_use]
    pub fn kind(&self) -> MlDsaKind {
        self.kind
    }

    /// Check a pure ML-DSA `signature` with an empty context over `message` (FIPS 204 section 5.3).
    ///
    /// # Errors
    /// [`SignatureInvalid`].
    pub fn verify(&self, message: &[u8], signature: &[u8]) -> Result<(), SignatureInvalid> {
        let algorithm = match self.kind {
            MlDsaKind::MlDsa44 => &backend::ML_DSA_44,
            MlDsaKind::MlDsa65 => &backend::ML_DSA_65,
            MlDsaKind::MlDsa87 => &backend::ML_DSA_87,
        };
        let key = backend::UnparsedPublicKey::new(algorithm, &self.raw);
        key.verify(message, signature).map_err(|_| SignatureInvalid)
    }
}

impl fmt::Debug for MlDsaKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MlDsaKey({:?}, {})", self.kind, super::digest::hex(&super::sha256(&self.raw)))
    }
}

#[cfg(test)]
mod tests {
    use aws_lc_rs::encoding::AsDer as _;
    use aws_lc_rs::signature::KeyPair as _;

    use super::*;

    #[test]
    fn every_parameter_set_verifies_what_its_key_signed() {
        for (kind, signing) in [
            (MlDsaKind::MlDsa44, &backend::ML_DSA_44_SIGNING),
            (MlDsaKind::MlDsa65, &backend::ML_DSA_65_SIGNING),
            (MlDsaKind::MlDsa87, &backend::ML_DSA_87_SIGNING),
        ] {
            let pair = backend::PqdsaKeyPair::generate(signing).unwrap();
            let spki = pair.public_key().as_der().unwrap();
            let key = MlDsaKey::from_spki_der(spki.as_ref()).unwrap();
            assert_eq!(key.kind(), kind);
            let mut signature = vec![0; signing.signature_len()];
            pair.sign(b"message", &mut signature).unwrap();
            assert!(key.verify(b"message", &signature).is_ok());
            assert!(key.verify(b"massage", &signature).is_err());
            assert!(key.verify(b"message", &signature[1..]).is_err());
            assert!(super::super::PublicKey::from_spki_der(spki.as_ref()).is_err(), "one reader for each kind of key");
        }
        assert!(MlDsaKey::from_spki_der(&[0x30, 0]).is_err());
    }
}
