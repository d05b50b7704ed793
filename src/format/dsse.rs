//! DSSE, the dead simple signing envelope: a payload, its type, and one signature over both.
//!
//! Follows the DSSE protocol and envelope documents, version 1.0.2, as the Sigstore bundle narrows them: exactly one
//! signature. With several, one reader checks the first and another the last, and both say yes to different signers.

use base64ct::{Base64, Encoding as _};
use serde::{Deserialize, Serialize};

use super::bounded::Bounded;

/// Longest payload type that is read, in bytes; it is a media type or a URI.
pub const MAX_PAYLOAD_TYPE_LEN: usize = 256;
/// Signatures are counted up to here, to say how many there are instead of one.
pub(super) const MAX_SIGNATURES: usize = 16;

/// Why an envelope was refused.
#[derive(Debug, thiserror::Error)]
pub enum DsseError {
    /// Not JSON, or not of an envelope's shape.
    #[error("the envelope is not of the expected form: {0}")]
    Json(#[from] serde_json::Error),
    /// Not standard base64 with padding.
    #[error("the {0} of the envelope is not base64")]
    Base64(&'static str),
    /// None, or more than one.
    #[error("the envelope has {0} signatures, not one")]
    Signatures(usize),
    /// Empty, or longer than [`MAX_PAYLOAD_TYPE_LEN`].
    #[error("the envelope has an impossible payload type")]
    PayloadType,
}

/// An envelope with its one signature.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Envelope {
    /// What the payload is, `application/vnd.in-toto+json` for a statement.
    pub payload_type: String,
    /// The payload, decoded.
    pub payload: Vec<u8>,
    /// The signature over [`Envelope::pae`], decoded.
    pub signature: Vec<u8>,
    /// A hint at the key; nothing may depend on it.
    pub keyid: String,
}

impl Envelope {
    /// Read the JSON form.
    ///
    /// # Errors
    /// [`DsseError`]
    pub fn from_json(json: &[u8]) -> Result<Self, DsseError> {
        serde_json::from_slice::<EnvelopeJson>(json)?.read()
    }

    /// Write the JSON form.
    #[must_use]
    pub fn to_json(&self) -> String {
        serde_json::to_string(&EnvelopeJson::from(self)).expect("strings have a JSON form")
    }

    /// The pre-authentication encoding: the bytes that are signed.
    #[must_use]
    pub fn pae(&self) -> Vec<u8> {
        pae(&self.payload_type, &self.payload)
    }
}

/// The pre-authentication encoding of a payload and its type: lengths first, so that no byte can change sides.
#[must_use]
pub fn pae(payload_type: &str, payload: &[u8]) -> Vec<u8> {
    let mut out = format!("DSSEv1 {} {payload_type} {} ", payload_type.len(), payload.len()).into_bytes();
    out.extend_from_slice(payload);
    out
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct EnvelopeJson {
    payload: String,
    payload_type: String,
    signatures: Bounded<SignatureJson, MAX_SIGNATURES>,
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct SignatureJson {
    sig: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    keyid: Option<String>,
}

impl EnvelopeJson {
    pub(super) fn read(self) -> Result<Envelope, DsseError> {
        let [signature] = &self.signatures.0[..] else { return Err(DsseError::Signatures(self.signatures.0.len())) };
        if self.payload_type.is_empty() || self.payload_type.len() > MAX_PAYLOAD_TYPE_LEN {
            return Err(DsseError::PayloadType);
        }
        let base64 = |text: &str, what| Base64::decode_vec(text).map_err(|_| DsseError::Base64(what));
        Ok(Envelope {
            payload: base64(&self.payload, "payload")?,
            signature: base64(&signature.sig, "signature")?,
            keyid: signature.keyid.clone().unwrap_or_default(),
            payload_type: self.payload_type,
        })
    }
}

impl From<&Envelope> for EnvelopeJson {
    fn from(envelope: &Envelope) -> Self {
        let keyid = (!envelope.keyid.is_empty()).then(|| envelope.keyid.clone());
        EnvelopeJson {
            payload: Base64::encode_string(&envelope.payload),
            payload_type: envelope.payload_type.clone(),
            signatures: Bounded(vec![SignatureJson { sig: Base64::encode_string(&envelope.signature), keyid }]),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_encoding_is_that_of_the_protocols_example() {
        let encoding = pae("http://example.com/HelloWorld", b"hello world");
        assert_eq!(encoding, b"DSSEv1 29 http://example.com/HelloWorld 11 hello world");
    }

    #[test]
    fn what_is_written_is_read_back() {
        let envelope = Envelope {
            payload_type: "application/vnd.in-toto+json".to_owned(),
            payload: b"{}".to_vec(),
            signature: b"signature".to_vec(),
            keyid: String::new(),
        };
        assert_eq!(Envelope::from_json(envelope.to_json().as_bytes()).unwrap(), envelope);
    }

    #[test]
    fn one_signature_and_nothing_else() {
        let read = |signatures: &str| {
            Envelope::from_json(format!(r#"{{"payload":"","payloadType":"t","signatures":[{signatures}]}}"#).as_bytes())
        };
        assert!(read(r#"{"sig":"AA==","keyid":""}"#).is_ok());
        assert!(matches!(read(""), Err(DsseError::Signatures(0))));
        assert!(matches!(read(r#"{"sig":"AA=="},{"sig":"AA=="}"#), Err(DsseError::Signatures(2))));
        assert!(matches!(read(r#"{"sig":"AA"}"#), Err(DsseError::Base64("signature"))));
        assert!(matches!(read(r#"{"sig":"AA==","sig":"AA=="}"#), Err(DsseError::Json(_))));
        assert!(matches!(read(r#"{"sig":"AA==","extra":1}"#), Err(DsseError::Json(_))));
    }
}
