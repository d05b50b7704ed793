//! The keys of TUF roles (TUF specification section 4.2): how each kind is spelt, and which signatures it makes.

use super::fields::{Fields, MetadataError};
use super::json::Json;
use crate::crypto::digest::unhex;
use crate::crypto::{HashAlgorithm, KeyKind, MlDsaKey, MlDsaKind, PublicKey, SignatureScheme};
use crate::format::pem;

/// A key that metadata lists.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Key {
    /// One that can be used.
    Usable {
        /// The key.
        key: PublicKey,
        /// How it signs.
        scheme: SignatureScheme,
    },
    /// One of ML-DSA (TAP 21), which signs a digest of the message.
    PostQuantum(MlDsaKey),
    /// Of a kind that this program does not know, or not readable: it supports no signature. The metadata may be
    /// good all the same, for it can run ahead of its readers and other keys may reach the threshold.
    Unusable,
}

impl Key {
    pub(super) fn read(value: &Json) -> Result<Self, MetadataError> {
        let fields = Fields::of(value, "a key")?;
        let (kind, scheme) = (fields.text("keytype")?, fields.text("scheme")?);
        let public = fields.object("keyval")?.text("public")?;
        if let Some(key) = post_quantum(kind, scheme, public) {
            return Ok(Key::PostQuantum(key));
        }
        Ok(usable(kind, scheme, public).map_or(Key::Unusable, |(key, scheme)| Key::Usable { key, scheme }))
    }

    /// Whether both are the same key, whatever they are called; a key that cannot be used is like no other.
    #[must_use]
    pub fn is_same(&self, other: &Key) -> bool {
        match (self, other) {
            (Key::Usable { key, .. }, Key::Usable { key: other, .. }) => key == other,
            (Key::PostQuantum(key), Key::PostQuantum(other)) => key == other,
            _ => false,
        }
    }

    /// Whether this key made `signature` over `message`.
    #[must_use]
    pub fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        match self {
            Key::Usable { key, scheme } => key.verify(*scheme, message, signature).is_ok(),
            Key::PostQuantum(key) => {
                // TAP 21: the domain, the version of this construction, the digest of the canonical form.
                let digest = HashAlgorithm::Sha512.digest(message);
                let message = [b"tuf\x01", digest.as_bytes()].concat();
                key.verify(&message, signature).is_ok()
            }
            Key::Unusable => false,
        }
    }
}

fn post_quantum(kind: &str, scheme: &str, public: &str) -> Option<MlDsaKey> {
    let wanted = match (kind, scheme) {
        ("ml-dsa", "ml-dsa-44/1") => MlDsaKind::MlDsa44,
        ("ml-dsa", "ml-dsa-65/1") => MlDsaKind::MlDsa65,
        ("ml-dsa", "ml-dsa-87/1") => MlDsaKind::MlDsa87,
        _ => return None,
    };
    let [spki] = &pem::decode_all("PUBLIC KEY", public).ok()?[..] else { return None };
    MlDsaKey::from_spki_der(spki).ok().filter(|key| key.kind() == wanted)
}

/// Both names of ECDSA keys are in use: the specification's `ecdsa`, and `ecdsa-sha2-nistp256` of older repositories.
fn usable(kind: &str, scheme: &str, public: &str) -> Option<(PublicKey, SignatureScheme)> {
    use SignatureScheme as S;
    match (kind, scheme) {
        ("ed25519", "ed25519") => Some((PublicKey::from_raw(KeyKind::Ed25519, &unhex(public)?).ok()?, S::Ed25519)),
        ("ecdsa" | "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp256") => Some((ecdsa(public)?, S::EcdsaSha256)),
        ("ecdsa" | "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp384") => Some((ecdsa(public)?, S::EcdsaSha384)),
        ("ecdsa", "ecdsa-sha2-nistp521") => Some((from_pem(public)?, S::EcdsaSha512)),
        ("rsa", "rsassa-pss-sha256") => Some((from_pem(public)?, S::RsaPssSha256)),
        ("rsa", "rsassa-pss-sha384") => Some((from_pem(public)?, S::RsaPssSha384)),
        ("rsa", "rsassa-pss-sha512") => Some((from_pem(public)?, S::RsaPssSha512)),
        ("rsa", "rsa-pkcs1v15-sha256") => Some((from_pem(public)?, S::RsaPkcs1Sha256)),
        ("rsa", "rsa-pkcs1v15-sha384") => Some((from_pem(public)?, S::RsaPkcs1Sha384)),
        ("rsa", "rsa-pkcs1v15-sha512") => Some((from_pem(public)?, S::RsaPkcs1Sha512)),
        _ => None,
    }
}

/// A P-256 or P-384 key in PEM, or, as the first four roots of the public instance have it, a P-256 point in
/// hexadecimal.
fn ecdsa(public: &str) -> Option<PublicKey> {
    match unhex(public) {
        Some(point) => PublicKey::from_raw(KeyKind::EcdsaP256, &point).ok(),
        None => from_pem(public),
    }
}

fn from_pem(public: &str) -> Option<PublicKey> {
    let [spki] = &pem::decode_all("PUBLIC KEY", public).ok()?[..] else { return None };
    PublicKey::from_spki_der(spki).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const P256_POINT: &str = "04cbc5cab2684160323c25cd06c3307178a6b1d1c9b949328453ae473c5ba7527e35b13f298b41633382241f3fd8526c262d43b45adee5c618fa0642c82b8a9803";

    fn key(kind: &str, scheme: &str, public: &str) -> Key {
        let text = format!(r#"{{"keytype":"{kind}","scheme":"{scheme}","keyval":{{"public":"{public}"}},"more":[1]}}"#);
        Key::read(&Json::parse(text.as_bytes()).unwrap()).unwrap()
    }

    #[test]
    fn a_point_in_hexadecimal_is_a_key_under_both_names() {
        let old = key("ecdsa-sha2-nistp256", "ecdsa-sha2-nistp256", P256_POINT);
        assert!(matches!(old, Key::Usable { scheme: SignatureScheme::EcdsaSha256, .. }));
        assert_eq!(old, key("ecdsa", "ecdsa-sha2-nistp256", P256_POINT));
        let Key::Usable { key: read, .. } = &old else { unreachable!() };
        let armour = pem::encode("PUBLIC KEY", read.spki_der()).replace('\n', "\\n");
        assert_eq!(key("ecdsa", "ecdsa-sha2-nistp256", &armour), old);
        assert_eq!(key("ecdsa", "ecdsa-sha2-nistp256", armour.trim_end_matches("\\n")), old);
    }

    #[test]
    fn what_cannot_be_used_supports_nothing() {
        for (kind, scheme, public) in [
            ("dilithium", "dilithium3", "00"),
            ("ed25519", "ed25519", "00"),
            ("ed25519", "ed25519", "not hexadecimal"),
            ("ecdsa", "ecdsa-sha2-nistp256", ""),
            ("ecdsa", "ecdsa-sha2-nistp256", "0400"),
            ("ecdsa", "ecdsa-sha2-nistp999", P256_POINT),
            ("rsa", "rsassa-pss-sha256", "-----BEGIN PUBLIC KEY-----"),
            ("rsa", "rsa-pkcs1v15-sha1", ""),
        ] {
            assert_eq!(key(kind, scheme, public), Key::Unusable, "{kind} {scheme} {public}");
            assert!(!key(kind, scheme, public).verifies(b"", b""));
        }
        let headless = Json::parse(br#"{"keytype":"ecdsa"}"#).unwrap();
        assert!(Key::read(&headless).is_err());
    }
}
