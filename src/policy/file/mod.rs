//! The policy file of gitseal-policy(5), TOML 1.1: bytes in, a [`Policy`] out that cannot contradict itself.
//!
//! Strict, since a typing error in a policy opens a door: unknown keys, names that nobody has, lists that are empty or
//! name somebody twice, short ids, local times and keys that a stranger could meet are errors, each with its line. What
//! merely looks odd is [`lint`](super::lint)'s business.

mod error;
mod keys;
mod rule;
mod shape;

use std::collections::{BTreeMap, BTreeSet, HashMap};

use jiff::Timestamp;
use toml::Spanned;
use toml::value::Datetime;

use super::rules::{Exception, Policy, Principal, PrincipalKey};
use crate::crypto::sha256;
pub use error::{Fault, PolicyFileError};
pub(super) use keys::{is_ci_platform, ssh_key};
use shape::{Document, ExceptionShape, List, PrincipalShape};

/// In the lists `create`, `force` and `delete`: whoever can push. Those rights are about refs, and a push without a
/// certificate has no signer.
pub const ANYONE: &str = "anyone";
/// The one value of `schema`.
pub const SCHEMA: u64 = 1;
/// No policy file is longer, in bytes: one of a thousand people with three keys each has a third of that.
pub const MAX_POLICY_LEN: usize = 1 << 20;
/// A signer is looked up among all principals.
pub const MAX_PRINCIPALS: usize = 4096;
/// Somebody with a key for each of ten machines and ten years has more than enough room. Addresses likewise.
pub const MAX_KEYS: usize = 128;
/// A name is looked up in all groups.
pub const MAX_GROUPS: usize = 1024;
/// A ref is held against every pattern of every rule.
pub const MAX_RULES: usize = 256;
/// See [`MAX_RULES`].
pub const MAX_REFS: usize = 256;
/// A path is held against every prefix.
pub const MAX_PATHS: usize = 1024;
/// More than that is a `since`, not a list of exceptions.
pub const MAX_EXCEPTIONS: usize = 4096;
/// Names stand in lines for people.
pub const MAX_NAME_LEN: usize = 128;
/// Issuers, subjects, claims, reasons, prefixes, in bytes: git's own paths have at most so many.
pub const MAX_TEXT_LEN: usize = 4096;
/// More approvals than that nobody waits for.
pub const MAX_APPROVALS: usize = 64;
/// A year of minutes: a clock that may be further off need not be looked at.
pub const MAX_CLOCK_TOLERANCE: u32 = 366 * 24 * 60;

impl Policy {
    /// Read a policy file.
    ///
    /// # Errors
    /// [`PolicyFileError`], with the line: see the module's first lines for how little is forgiven.
    pub fn parse(bytes: &[u8]) -> Result<Policy, PolicyFileError> {
        if bytes.len() > MAX_POLICY_LEN {
            return Err(PolicyFileError { line: 1, fault: Fault::TooLong });
        }
        let text = std::str::from_utf8(bytes).map_err(|error| {
            let before = &bytes[..error.valid_up_to()];
            PolicyFileError { line: 1 + before.iter().filter(|byte| **byte == b'\n').count(), fault: Fault::NotText }
        })?;
        let lines = Lines::of(text);
        let document = Document::read(text, &lines)?;
        let version = *document.version.get_ref();
        if version == 0 {
            return Err(lines.error(&document.version, Fault::VersionZero));
        }
        let principals = principals(&document.principals, &lines)?;
        let mut names = Names { principals: &principals, groups: BTreeMap::new() };
        names.groups = groups(&document.groups, &names, &lines)?;
        let rules = rule::read_all(&document.rules, &names, &lines)?;
        let exceptions = exceptions(&document.exceptions, &names, &lines)?;
        let groups = std::mem::take(&mut names.groups);
        Ok(Policy { digest: sha256(bytes), version, principals, groups, rules, exceptions })
    }
}

/// Where the lines of a text begin: looked up, and not counted anew for each of ten thousand names.
struct Lines(Vec<usize>);

impl Lines {
    fn of(text: &str) -> Self {
        Lines(text.match_indices('\n').map(|(at, _)| at).collect())
    }

    /// The line of the byte at `offset`, counted from 1.
    fn number(&self, offset: usize) -> usize {
        1 + self.0.partition_point(|newline| *newline < offset)
    }

    fn at<T>(&self, spanned: &Spanned<T>) -> usize {
        self.number(spanned.span().start)
    }

    fn error<T>(&self, spanned: &Spanned<T>, fault: Fault) -> PolicyFileError {
        PolicyFileError { line: self.at(spanned), fault }
    }
}

/// Who may be named in a list.
struct Names<'a> {
    principals: &'a BTreeMap<String, Principal>,
    groups: BTreeMap<String, BTreeSet<String>>,
}

impl Names<'_> {
    /// A list of principals and groups, at least one, none twice.
    fn list(&self, list: &List, lines: &Lines) -> Result<BTreeSet<String>, PolicyFileError> {
        self.list_or(list, &[], lines)
    }

    /// The same, where these words may stand too.
    fn list_or(&self, list: &List, words: &[&str], lines: &Lines) -> Result<BTreeSet<String>, PolicyFileError> {
        let names = set(list, lines, MAX_PRINCIPALS)?;
        let known =
            |name: &str| self.principals.contains_key(name) || self.groups.contains_key(name) || words.contains(&name);
        match list.get_ref().iter().find(|name| !known(name.get_ref())) {
            Some(name) if name.get_ref() == ANYONE => Err(lines.error(name, Fault::Anyone)),
            Some(name) => Err(lines.error(name, Fault::UnknownName(error::excerpt(name.get_ref())))),
            None => Ok(names),
        }
    }
}

/// The texts of a list, at least one, none twice.
fn set(list: &List, lines: &Lines, limit: usize) -> Result<BTreeSet<String>, PolicyFileError> {
    if list.get_ref().is_empty() {
        return Err(lines.error(list, Fault::EmptyList));
    }
    bounded(list.get_ref().len(), limit, "names in one list").map_err(|fault| lines.error(list, fault))?;
    let mut names = BTreeSet::new();
    for name in list.get_ref() {
        if !names.insert(name.get_ref().clone()) {
            return Err(lines.error(name, Fault::Twice(error::excerpt(name.get_ref()))));
        }
    }
    Ok(names)
}

fn bounded(count: usize, limit: usize, what: &'static str) -> Result<(), Fault> {
    if count > limit { Err(Fault::TooMany { what, limit }) } else { Ok(()) }
}

/// A name that fits in any line, list and shell word.
fn check_name(name: &str) -> Result<(), Fault> {
    if name == ANYONE {
        return Err(Fault::Anyone);
    }
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-' | '+' | '@');
    let good = name.len() <= MAX_NAME_LEN && name.starts_with(|c: char| c.is_ascii_alphanumeric());
    if good && name.chars().all(fits) { Ok(()) } else { Err(Fault::Name(error::excerpt(name))) }
}

/// Whether `text` may be the name of a principal or a group.
#[must_use]
pub fn is_name(text: &str) -> bool {
    check_name(text).is_ok()
}

/// A text of one line that is not blank.
fn check_text(text: &str) -> Result<(), Fault> {
    if text.trim() != text || text.is_empty() || text.len() > MAX_TEXT_LEN || text.contains(char::is_control) {
        return Err(Fault::Text(error::excerpt(text)));
    }
    Ok(())
}

fn check_commit_id(id: &str) -> Result<(), Fault> {
    let hexadecimal = id.bytes().all(|c| matches!(c, b'0'..=b'9' | b'a'..=b'f'));
    if hexadecimal && matches!(id.len(), 40 | 64) { Ok(()) } else { Err(Fault::ShortId(error::excerpt(id))) }
}

/// A point in time: TOML's offset date-time. The other three kinds mean something else on each machine.
fn time(value: Option<&Spanned<Datetime>>, lines: &Lines) -> Result<Option<Timestamp>, PolicyFileError> {
    let Some(value) = value else { return Ok(None) };
    let parsed = value.get_ref().to_string().parse::<Timestamp>();
    match (value.get_ref().offset, parsed) {
        (Some(_), Ok(time)) => Ok(Some(time)),
        _ => Err(lines.error(value, Fault::Time(value.get_ref().to_string()))),
    }
}

fn principals(
    shapes: &BTreeMap<Spanned<String>, PrincipalShape>,
    lines: &Lines,
) -> Result<BTreeMap<String, Principal>, PolicyFileError> {
    let mut principals = BTreeMap::new();
    let mut owners = HashMap::new();
    for (count, (name, shape)) in shapes.iter().enumerate() {
        let refuse = |fault| lines.error(name, fault);
        bounded(count + 1, MAX_PRINCIPALS, "principals").map_err(refuse)?;
        check_name(name.get_ref()).map_err(refuse)?;
        let mut keys = Vec::new();
        for (line, key) in keys::read_all(shape, lines)? {
            let owner = name.get_ref().clone();
            if let Some(owner) = owners.insert(keys::identifier(&key), owner) {
                return Err(PolicyFileError { line, fault: Fault::KeyTwice(owner) });
            }
            keys.push(key);
        }
        bounded(keys.len(), MAX_KEYS, "keys of one principal").map_err(refuse)?;
        let emails = match &shape.emails {
            Some(list) => emails(list, lines)?,
            None => BTreeSet::new(),
        };
        principals.insert(
            name.get_ref().clone(),
            Principal {
                name: name.get_ref().clone(),
                line: lines.at(name),
                keys,
                emails,
                is_forge: shape.forge,
                retired: time(shape.retired.as_ref(), lines)?,
                compromised: time(shape.compromised.as_ref(), lines)?,
            },
        );
    }
    Ok(principals)
}

fn emails(list: &List, lines: &Lines) -> Result<BTreeSet<String>, PolicyFileError> {
    let emails = set(list, lines, MAX_KEYS)?;
    let odd = |email: &&Spanned<String>| {
        let text = email.get_ref();
        let ends = text.split_once('@').is_some_and(|(local, host)| !local.is_empty() && !host.is_empty());
        check_text(text).is_err() || !ends || text.contains([' ', '<', '>'])
    };
    match list.get_ref().iter().find(odd) {
        Some(email) => Err(lines.error(email, Fault::Email(error::excerpt(email.get_ref())))),
        None => Ok(emails),
    }
}

fn groups(
    shapes: &BTreeMap<Spanned<String>, List>,
    names: &Names<'_>,
    lines: &Lines,
) -> Result<BTreeMap<String, BTreeSet<String>>, PolicyFileError> {
    let mut groups = BTreeMap::new();
    for (count, (name, members)) in shapes.iter().enumerate() {
        let refuse = |fault| lines.error(name, fault);
        bounded(count + 1, MAX_GROUPS, "groups").map_err(refuse)?;
        check_name(name.get_ref()).map_err(refuse)?;
        // One list could mean either.
        if names.principals.contains_key(name.get_ref()) {
            return Err(refuse(Fault::NameClash(name.get_ref().clone())));
        }
        // `names` has no groups yet: a group holds principals alone, so that nobody has to follow groups into groups.
        groups.insert(name.get_ref().clone(), names.list(members, lines)?);
    }
    Ok(groups)
}

fn exceptions(
    shapes: &[Spanned<ExceptionShape>],
    names: &Names<'_>,
    lines: &Lines,
) -> Result<Vec<Exception>, PolicyFileError> {
    let mut exceptions = Vec::new();
    let mut seen = BTreeSet::new();
    for (count, spanned) in shapes.iter().enumerate() {
        let shape = spanned.get_ref();
        bounded(count + 1, MAX_EXCEPTIONS, "exceptions").map_err(|fault| lines.error(spanned, fault))?;
        check_commit_id(shape.commit.get_ref()).map_err(|fault| lines.error(&shape.commit, fault))?;
        if !seen.insert(shape.commit.get_ref()) {
            return Err(lines.error(&shape.commit, Fault::Twice(shape.commit.get_ref().clone())));
        }
        check_text(shape.reason.get_ref()).map_err(|fault| lines.error(&shape.reason, fault))?;
        if !names.principals.contains_key(shape.by.get_ref()) {
            return Err(lines.error(&shape.by, Fault::NoPrincipal(error::excerpt(shape.by.get_ref()))));
        }
        exceptions.push(Exception {
            line: lines.at(spanned),
            commit: shape.commit.get_ref().clone(),
            reason: shape.reason.get_ref().clone(),
            by: shape.by.get_ref().clone(),
            expires: time(shape.expires.as_ref(), lines)?,
        });
    }
    Ok(exceptions)
}

impl PrincipalKey {
    /// The word of the file for this kind of key.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            PrincipalKey::Keyless { .. } => "keyless",
            PrincipalKey::Ssh(_) => "ssh",
            PrincipalKey::Pgp(_) => "pgp",
            PrincipalKey::X509 { .. } => "x509",
        }
    }
}

#[cfg(test)]
mod tests;
#[cfg(test)]
pub(super) use tests::whole_file as test_only_whole_file;
