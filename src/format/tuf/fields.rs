//! What is asked of a JSON object in TUF metadata, and why it is not there.

use std::collections::BTreeMap;

use super::json::Json;

/// Why a document is no metadata.
#[derive(Debug, thiserror::Error)]
pub enum MetadataError {
    /// Not JSON, or without a canonical form.
    #[error("it is malformed: {0}")]
    Json(#[from] serde_json::Error),
    /// A field that must be there is not, or is of another type.
    #[error("{what} has no usable {field:?}")]
    Field {
        /// Whose field.
        what: &'static str,
        /// Which.
        field: String,
    },
    /// Something that should be a JSON object.
    #[error("{0} is not an object")]
    NotAnObject(&'static str),
    /// The metadata of another role: a snapshot in the place of a timestamp, say.
    #[error("it is of type {found:?} and should be {wanted:?}")]
    Type {
        /// Which role was asked for.
        wanted: &'static str,
        /// Which it is.
        found: String,
    },
    /// A version of the specification with another format.
    #[error("it follows version {0:?} of the specification, and this gitseal knows 1.x")]
    SpecVersion(String),
    /// More of something than anybody needs.
    #[error("it has more than {limit} {what}")]
    TooMany {
        /// Of what.
        what: &'static str,
        /// The bound.
        limit: usize,
    },
    /// Two signatures by one key id (section 4.2.1 forbids them).
    #[error("it has two signatures by the key {0}")]
    DuplicateSignature(String),
    /// A role that lists a key twice, to count it twice.
    #[error("a role lists the key {0} twice")]
    DuplicateKey(String),
    /// A delegated role without a name, with one of a top-level role, or with one that is there already.
    #[error("it delegates to a role with the impossible name {0:?}")]
    RoleName(String),
    /// A length or digest that cannot be checked.
    #[error("{0:?} has no digest that this gitseal can check")]
    Digest(String),
    /// Both or neither of the two ways to say which targets are delegated.
    #[error("the delegation to {0:?} must name either paths or hash prefixes")]
    Paths(String),
}

/// An object whose members are asked for by name and type.
#[derive(Debug, Clone, Copy)]
pub struct Fields<'a> {
    members: &'a BTreeMap<String, Json>,
    what: &'static str,
}

impl<'a> Fields<'a> {
    pub(super) fn of(value: &'a Json, what: &'static str) -> Result<Self, MetadataError> {
        match value {
            Json::Object(members) => Ok(Fields { members, what }),
            _ => Err(MetadataError::NotAnObject(what)),
        }
    }

    pub(super) fn broken(&self, field: &str) -> MetadataError {
        MetadataError::Field { what: self.what, field: field.chars().take(100).collect() }
    }

    pub(super) fn members(&self) -> impl Iterator<Item = (&'a String, &'a Json)> + use<'a> {
        self.members.iter()
    }

    pub(super) fn optional(&self, field: &str) -> Option<&'a Json> {
        self.members.get(field)
    }

    pub(super) fn value(&self, field: &str) -> Result<&'a Json, MetadataError> {
        self.optional(field).ok_or_else(|| self.broken(field))
    }

    pub(super) fn text(&self, field: &str) -> Result<&'a str, MetadataError> {
        match self.value(field)? {
            Json::String(text) => Ok(text),
            _ => Err(self.broken(field)),
        }
    }

    pub(super) fn object(&self, field: &'static str) -> Result<Fields<'a>, MetadataError> {
        match self.value(field)? {
            Json::Object(members) => Ok(Fields { members, what: field }),
            _ => Err(self.broken(field)),
        }
    }

    pub(super) fn array(&self, field: &'static str, limit: usize) -> Result<&'a [Json], MetadataError> {
        match self.value(field)? {
            Json::Array(items) if items.len() > limit => Err(MetadataError::TooMany { what: field, limit }),
            Json::Array(items) => Ok(items),
            _ => Err(self.broken(field)),
        }
    }

    pub(super) fn texts(&self, field: &'static str, limit: usize) -> Result<Vec<&'a str>, MetadataError> {
        let text = |value: &'a Json| match value {
            Json::String(text) => Ok(text.as_str()),
            _ => Err(self.broken(field)),
        };
        self.array(field, limit)?.iter().map(text).collect()
    }

    pub(super) fn optional_boolean(&self, field: &str) -> Result<Option<bool>, MetadataError> {
        match self.optional(field) {
            None => Ok(None),
            Some(Json::Boolean(value)) => Ok(Some(*value)),
            Some(_) => Err(self.broken(field)),
        }
    }

    pub(super) fn length(&self, field: &str) -> Result<u64, MetadataError> {
        match self.value(field)? {
            Json::Integer(value) => u64::try_from(*value).map_err(|_| self.broken(field)),
            _ => Err(self.broken(field)),
        }
    }

    pub(super) fn positive(&self, field: &str) -> Result<u64, MetadataError> {
        match self.length(field)? {
            0 => Err(self.broken(field)),
            value => Ok(value),
        }
    }
}
