//! in-toto statements: which artifacts a claim is about, and of what type the claim is.
//!
//! Follows the in-toto attestation framework, Statement v1 (and v0.1, which cosign still writes). The predicate is kept
//! as it came. A key that occurs twice, at any depth, is refused: readers differ in which of the two they believe.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};

use super::bounded::Bounded;
use crate::crypto::{Digest, HashAlgorithm};

/// The payload type of an envelope that holds a statement.
pub const PAYLOAD_TYPE: &str = "application/vnd.in-toto+json";
/// Most subjects of one statement; sigstore-go draws the line at the same place.
pub const MAX_SUBJECTS: usize = 1024;
/// Most digests of one subject; about twice as many algorithms exist as anybody needs.
pub const MAX_DIGESTS: usize = 32;

/// Why a statement was refused.
#[derive(Debug, thiserror::Error)]
pub enum StatementError {
    /// Not JSON, not of a statement's shape, or with a repeated key.
    #[error("the statement is not of the expected form: {0}")]
    Json(#[from] serde_json::Error),
    /// `_type` is neither Statement v1 nor v0.1.
    #[error("statements of type {0} are not read")]
    Type(String),
    /// No subject, or one with no digest or more than [`MAX_DIGESTS`].
    #[error("the statement has an impossible number of subjects or digests")]
    Count,
}

/// A statement: a claim about artifacts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Statement {
    /// The artifacts.
    pub subjects: Vec<Subject>,
    /// The URI that says what kind of claim it is.
    pub predicate_type: String,
    /// The claim, as JSON text exactly as it came; `None` when there is none.
    pub predicate: Option<String>,
}

/// One artifact of a statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subject {
    /// Its name, if it has one; only the digests identify it.
    pub name: Option<String>,
    /// Digests by the name of their algorithm, lower-case hexadecimal.
    pub digests: BTreeMap<String, String>,
}

impl Statement {
    /// Read a statement, the payload of an envelope.
    ///
    /// # Errors
    /// [`StatementError`]
    pub fn from_json(json: &[u8]) -> Result<Self, StatementError> {
        let mut walk = serde_json::Deserializer::from_slice(json);
        UniqueKeys.deserialize(&mut walk)?;
        walk.end()?;
        let statement: StatementJson = serde_json::from_slice(json)?;
        if !matches!(&statement.kind[..], "https://in-toto.io/Statement/v1" | "https://in-toto.io/Statement/v0.1") {
            return Err(StatementError::Type(statement.kind));
        }
        let subjects = statement.subject.0;
        if subjects.is_empty() || subjects.iter().any(|one| !(1..=MAX_DIGESTS).contains(&one.digest.len())) {
            return Err(StatementError::Count);
        }
        let subject = |subject: SubjectJson| Subject { name: subject.name, digests: subject.digest };
        Ok(Statement {
            subjects: subjects.into_iter().map(subject).collect(),
            predicate_type: statement.predicate_type,
            predicate: statement.predicate.map(|raw| raw.get().to_owned()),
        })
    }

    /// Whether one of the subjects has this digest.
    #[must_use]
    pub fn names(&self, digest: &Digest) -> bool {
        let algorithm = match digest.algorithm() {
            HashAlgorithm::Sha256 => "sha256",
            HashAlgorithm::Sha384 => "sha384",
            HashAlgorithm::Sha512 => "sha512",
            // SHA-1 identifies nothing: two files with one digest can be had for money.
            HashAlgorithm::Sha1 => return false,
        };
        let hex = digest.to_hex();
        self.subjects.iter().any(|subject| subject.digests.get(algorithm) == Some(&hex))
    }
}

/// Fields that the framework adds later are to be ignored, by its own rule.
#[derive(Deserialize)]
struct StatementJson {
    #[serde(rename = "_type")]
    kind: String,
    subject: Bounded<SubjectJson, MAX_SUBJECTS>,
    #[serde(rename = "predicateType")]
    predicate_type: String,
    predicate: Option<Box<serde_json::value::RawValue>>,
}

#[derive(Deserialize)]
struct SubjectJson {
    name: Option<String>,
    digest: BTreeMap<String, String>,
}

/// Walks any JSON value and fails on an object that has a key twice; serde_json bounds the depth.
#[derive(Clone, Copy)]
struct UniqueKeys;

impl<'de> DeserializeSeed<'de> for UniqueKeys {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for UniqueKeys {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        while items.next_element_seed(self)?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<(), A::Error> {
        let mut seen = BTreeSet::new();
        while let Some(key) = entries.next_key::<String>()? {
            entries.next_value_seed(self)?;
            if let Some(twice) = seen.replace(key) {
                return Err(A::Error::custom(format_args!("the key {twice:?} occurs twice")));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn statement(predicate: &str) -> String {
        let digest = HashAlgorithm::Sha256.digest(b"artifact").to_hex();
        format!(
            r#"{{"_type":"https://in-toto.io/Statement/v1","subject":[{{"name":"a","digest":{{"sha256":"{digest}"}}}}],
               "predicateType":"https://example.com/claim","predicate":{predicate}}}"#
        )
    }

    #[test]
    fn a_statement_names_its_subjects_and_no_others() {
        let read =
            Statement::from_json(statement(r#"{"a": [1, -2, 0.5, null, true, {"b": "c"}]}"#).as_bytes()).unwrap();
        assert!(read.names(&HashAlgorithm::Sha256.digest(b"artifact")));
        assert!(!read.names(&HashAlgorithm::Sha256.digest(b"another")));
        assert!(!read.names(&HashAlgorithm::Sha512.digest(b"artifact")));
        assert_eq!(read.predicate.unwrap(), r#"{"a": [1, -2, 0.5, null, true, {"b": "c"}]}"#);
    }

    #[test]
    fn a_key_is_there_once_at_any_depth() {
        for twice in [r#"{"a":1,"a":1}"#, r#"[[{"x":{"a":1,"b":2,"a":3}}]]"#] {
            let error = Statement::from_json(statement(twice).as_bytes()).unwrap_err();
            assert!(error.to_string().contains("occurs twice"), "{error}");
        }
        let subject = statement("{}").replace(r#""digest":"#, r#""digest":{},"digest":"#);
        assert!(Statement::from_json(subject.as_bytes()).is_err());
    }

    #[test]
    fn depth_is_bounded() {
        let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
        assert!(Statement::from_json(statement(&deep).as_bytes()).is_err());
    }

    #[test]
    fn what_is_no_statement_is_refused() {
        let whole = statement("{}");
        for (from, to) in
            [("Statement/v1", "Statement/v2"), (r#"[{"name""#, r#"[],"x":[{"name""#), (r#""sha256""#, r#"{}"#)]
        {
            assert!(Statement::from_json(whole.replace(from, to).as_bytes()).is_err(), "{to}");
        }
        assert!(Statement::from_json(&whole.as_bytes()[..whole.len() - 1]).is_err());
        assert!(Statement::from_json(format!("{whole}x").as_bytes()).is_err());
    }
}
