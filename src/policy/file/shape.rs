//! The policy file as TOML sees it: keys and kinds of values, each with its place, and no meaning yet.

use std::collections::BTreeMap;

use serde::Deserialize;
use toml::Spanned;
use toml::value::Datetime;

use super::error::{Fault, PolicyFileError, excerpt};
use super::{Lines, SCHEMA};

/// A list of names or texts.
pub(super) type List = Spanned<Vec<Spanned<String>>>;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Document {
    /// Read before everything else.
    #[serde(rename = "schema")]
    _schema: u64,
    pub(super) version: Spanned<u64>,
    #[serde(default)]
    pub(super) principals: BTreeMap<Spanned<String>, PrincipalShape>,
    #[serde(default)]
    pub(super) groups: BTreeMap<Spanned<String>, List>,
    #[serde(default)]
    pub(super) rules: Vec<Spanned<RuleShape>>,
    #[serde(default)]
    pub(super) exceptions: Vec<Spanned<ExceptionShape>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PrincipalShape {
    pub(super) keyless: Option<Spanned<Vec<Spanned<KeylessShape>>>>,
    pub(super) ssh: Option<List>,
    pub(super) pgp: Option<List>,
    pub(super) x509: Option<Spanned<Vec<Spanned<X509Shape>>>>,
    pub(super) emails: Option<List>,
    #[serde(default)]
    pub(super) forge: bool,
    pub(super) retired: Option<Spanned<Datetime>>,
    pub(super) compromised: Option<Spanned<Datetime>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct KeylessShape {
    pub(super) issuer: Spanned<String>,
    pub(super) subject: Option<Spanned<String>>,
    #[serde(default)]
    pub(super) claims: BTreeMap<Spanned<String>, Spanned<String>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct X509Shape {
    pub(super) root: Spanned<String>,
    pub(super) subject: Spanned<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct RuleShape {
    pub(super) name: Option<Spanned<String>>,
    pub(super) refs: List,
    pub(super) judged: Option<Spanned<String>>,
    pub(super) commit: Option<List>,
    pub(super) merge: Option<List>,
    pub(super) tag: Option<List>,
    pub(super) push: Option<List>,
    pub(super) create: Option<List>,
    pub(super) force: Option<List>,
    pub(super) delete: Option<List>,
    pub(super) policy: Option<List>,
    pub(super) committer: Option<Spanned<String>>,
    pub(super) require: Option<List>,
    #[serde(default)]
    pub(super) covered_by_push: bool,
    pub(super) approvals: Option<Spanned<u64>>,
    pub(super) since: Option<Spanned<String>>,
    pub(super) from: Option<Spanned<Datetime>>,
    pub(super) until: Option<Spanned<Datetime>>,
    pub(super) clock_tolerance: Option<Spanned<u64>>,
    #[serde(default)]
    pub(super) paths: Vec<Spanned<PathShape>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PathShape {
    pub(super) prefix: Spanned<String>,
    pub(super) commit: List,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ExceptionShape {
    pub(super) commit: Spanned<String>,
    pub(super) reason: Spanned<String>,
    pub(super) by: Spanned<String>,
    pub(super) expires: Option<Spanned<Datetime>>,
}

/// Of a file of another schema nothing else is known.
#[derive(Debug, Deserialize)]
struct Head {
    schema: Spanned<u64>,
}

impl Document {
    pub(super) fn read(text: &str, lines: &Lines) -> Result<Self, PolicyFileError> {
        let head: Head = from_toml(text, lines)?;
        if *head.schema.get_ref() != SCHEMA {
            return Err(lines.error(&head.schema, Fault::Schema(*head.schema.get_ref())));
        }
        from_toml(text, lines)
    }
}

fn from_toml<T: for<'de> Deserialize<'de>>(text: &str, lines: &Lines) -> Result<T, PolicyFileError> {
    toml::from_str(text).map_err(|error| {
        let line = lines.number(error.span().map_or(0, |span| span.start));
        PolicyFileError { line, fault: Fault::Toml(excerpt(&error.message().replace('\n', " "))) }
    })
}
