//! Signed tokens in their compact form (RFC 7515), with ES256 alone (RFC 7518 section 3.4), and the key that checks
//! them as a JWK (RFC 7517).
//!
//! The sandbox's issuer writes these and its authority reads them. One algorithm, and no `alg` that the token may
//! choose: that choice is how tokens have been forged elsewhere.

use base64ct::{Base64UrlUnpadded as Base64Url, Encoding as _};
use serde_json::{Value, json};

use super::asn1::{self, Element, tag};
use crate::crypto::digest::hex;
use crate::crypto::{KeyKind, Keypair, PublicKey, SignatureScheme};

/// Identity tokens of the known issuers have one to three kilobytes.
pub const MAX_TOKEN_LEN: usize = 16 * 1024;
/// Each of the two numbers of a P-256 signature.
const COORDINATE_LEN: usize = 32;

/// Why a token is not believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum JwsError {
    /// Not three parts of base64url JSON, or longer than [`MAX_TOKEN_LEN`].
    #[error("the token is not a signed JWT")]
    Malformed,
    /// Another algorithm than ES256.
    #[error("the token is not signed with ES256")]
    Algorithm,
    /// Signed by another key, or changed.
    #[error("the token's signature does not verify")]
    SignatureInvalid,
}

/// Sign `claims` with a P-256 key.
///
/// # Errors
/// [`JwsError::Algorithm`] for another kind of key.
pub fn sign(claims: &Value, key: &dyn Keypair) -> Result<String, JwsError> {
    if key.scheme() != SignatureScheme::EcdsaSha256 {
        return Err(JwsError::Algorithm);
    }
    let header = json!({ "alg": "ES256", "kid": key_id(key.public_key()), "typ": "JWT" });
    let part = |value: &Value| Base64Url::encode_string(value.to_string().as_bytes());
    let signed = format!("{}.{}", part(&header), part(claims));
    let signature = fixed(&key.sign(signed.as_bytes())).ok_or(JwsError::Algorithm)?;
    Ok(format!("{signed}.{}", Base64Url::encode_string(&signature)))
}

/// The claims of `token`, which `key` must have signed; what they say is for the reader to check.
///
/// # Errors
/// [`JwsError`]
pub fn verify(token: &str, key: &PublicKey) -> Result<Value, JwsError> {
    if token.len() > MAX_TOKEN_LEN {
        return Err(JwsError::Malformed);
    }
    let (signed, signature) = token.rsplit_once('.').ok_or(JwsError::Malformed)?;
    let (header, claims) = signed.split_once('.').ok_or(JwsError::Malformed)?;
    let decode = |part: &str| Base64Url::decode_vec(part).map_err(|_| JwsError::Malformed);
    let json = |part: &str| serde_json::from_slice::<Value>(&decode(part)?).map_err(|_| JwsError::Malformed);
    if json(header)?["alg"] != "ES256" || key.kind() != KeyKind::EcdsaP256 {
        return Err(JwsError::Algorithm);
    }
    let signature = decode(signature)?;
    let (r, s) = signature.split_at_checked(COORDINATE_LEN).ok_or(JwsError::SignatureInvalid)?;
    if s.len() != COORDINATE_LEN {
        return Err(JwsError::SignatureInvalid);
    }
    let signature = asn1::sequence(&[&asn1::unsigned(r), &asn1::unsigned(s)]);
    key.verify(SignatureScheme::EcdsaSha256, signed.as_bytes(), &signature).map_err(|_| JwsError::SignatureInvalid)?;
    json(claims)
}

/// The key of [`sign`] as a JWK.
#[must_use]
pub fn jwk(key: &PublicKey) -> Value {
    let coordinates = key.raw().get(1..).unwrap_or_default();
    let (x, y) = coordinates.split_at(coordinates.len() / 2);
    json!({
        "kty": "EC", "crv": "P-256", "use": "sig", "alg": "ES256", "kid": key_id(key),
        "x": Base64Url::encode_string(x), "y": Base64Url::encode_string(y),
    })
}

fn key_id(key: &PublicKey) -> String {
    hex(&key.spki_sha256()[..8])
}

/// The ASN.1 form of an ECDSA signature as two numbers of fixed length (RFC 7518 section 3.4).
fn fixed(signature: &[u8]) -> Option<[u8; 2 * COORDINATE_LEN]> {
    let mut numbers = Element::from_der(signature).ok()?.open(tag::SEQUENCE).ok()?;
    let mut out = [0; 2 * COORDINATE_LEN];
    for half in out.chunks_exact_mut(COORDINATE_LEN) {
        let number = numbers.next().ok()?.integer().ok()?;
        let digits = number.strip_prefix(&[0]).unwrap_or(number);
        half.get_mut(COORDINATE_LEN.checked_sub(digits.len())?..)?.copy_from_slice(digits);
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::EphemeralKey;

    #[test]
    fn what_is_signed_is_read_back_and_nothing_else_is() {
        let (key, other) = (EphemeralKey::generate(), EphemeralKey::generate());
        // Often enough to meet numbers with leading zeros.
        for n in 0..600 {
            let token = sign(&json!({ "n": n }), &key).unwrap();
            assert_eq!(verify(&token, key.public_key()).unwrap()["n"], n);
        }
        let token = sign(&json!({ "sub": "me" }), &key).unwrap();
        assert_eq!(verify(&token, other.public_key()), Err(JwsError::SignatureInvalid));
        let (head, signature) = token.rsplit_once('.').unwrap();
        for bad in [head.to_owned(), format!("{head}."), format!("{head}.AAAA"), token.replacen('.', "!", 1)] {
            assert!(verify(&bad, key.public_key()).is_err(), "{bad}");
        }
        let none = Base64Url::encode_string(br#"{"alg":"none"}"#);
        let forged = format!("{none}.{}.{signature}", head.split_once('.').unwrap().1);
        assert_eq!(verify(&forged, key.public_key()), Err(JwsError::Algorithm));
    }
}
