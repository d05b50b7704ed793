//! Delegations: whom a targets role trusts with which targets (TUF specification section 4.5, and TAP 15 for bins).

use std::collections::{BTreeMap, BTreeSet};

use super::authority::{Authority, keys};
use super::fields::{Fields, MetadataError};
use super::key::Key;
use super::pattern::PathPattern;
use super::quote;
use crate::crypto::digest::hex;
use crate::crypto::sha256;

/// No name of a role is longer, in bytes and percent-encoded: with `.json` it must fit into a file name.
pub const MAX_ROLE_NAME_LEN: usize = 240;
/// The names that delegated roles may not have.
pub const TOP_LEVEL_ROLES: [&str; 4] = ["root", "timestamp", "snapshot", "targets"];

/// A role that another one trusts with some targets.
#[derive(Debug, Clone)]
pub struct Delegation {
    /// Its name.
    pub name: String,
    /// Who may sign for it.
    pub authority: Authority,
    /// Whether nobody after it is asked about its targets.
    pub terminating: bool,
    paths: Paths,
}

#[derive(Debug, Clone)]
enum Paths {
    Patterns(Vec<PathPattern>),
    /// Of the SHA-256 of the path, in lower-case hexadecimal.
    HashPrefixes(Vec<String>),
}

impl Delegation {
    /// Whether it may speak about the target at `path`.
    #[must_use]
    pub fn covers(&self, path: &str) -> bool {
        match &self.paths {
            Paths::Patterns(patterns) => patterns.iter().any(|pattern| pattern.matches(path)),
            Paths::HashPrefixes(prefixes) => {
                let hash = hex(&sha256(path.as_bytes()));
                prefixes.iter().any(|prefix| hash.starts_with(prefix.as_str()))
            }
        }
    }
}

fn is_role_name(name: &str) -> bool {
    let len = quote(name).len();
    (1..=MAX_ROLE_NAME_LEN).contains(&len) && !TOP_LEVEL_ROLES.contains(&name)
}

/// Whom a role trusts with some of its targets.
#[derive(Debug, Clone)]
pub(super) struct Delegations(Kind);

#[derive(Debug, Clone)]
enum Kind {
    Roles(Vec<Delegation>),
    Bins(Bins),
}

impl Delegations {
    pub(super) fn none() -> Self {
        Delegations(Kind::Roles(Vec::new()))
    }

    pub(super) fn read(fields: &Fields<'_>) -> Result<Self, MetadataError> {
        let keys = keys(fields)?;
        if fields.optional("succinct_roles").is_some() && fields.optional("roles").is_none() {
            return Ok(Delegations(Kind::Bins(Bins::read(&fields.object("succinct_roles")?, &keys)?)));
        }
        Ok(Delegations(Kind::Roles(roles(fields, &keys)?)))
    }

    pub(super) fn covering(&self, path: &str) -> Vec<Delegation> {
        match &self.0 {
            Kind::Roles(roles) => roles.iter().filter(|role| role.covers(path)).cloned().collect(),
            Kind::Bins(bins) => vec![bins.bin_of(path)],
        }
    }
}

fn roles(fields: &Fields<'_>, keys: &BTreeMap<String, Key>) -> Result<Vec<Delegation>, MetadataError> {
    /// A traversal visits fewer.
    const MAX_DELEGATIONS: usize = 16_384;
    let mut read: Vec<Delegation> = Vec::new();
    let mut names = BTreeSet::new();
    for role in fields.array("roles", MAX_DELEGATIONS)? {
        let role = Fields::of(role, "a delegated role")?;
        let name = role.text("name")?;
        if !is_role_name(name) || !names.insert(name.to_owned()) {
            return Err(MetadataError::RoleName(name.chars().take(100).collect()));
        }
        let texts = |field| role.texts(field, MAX_DELEGATIONS);
        let paths = match (role.optional("paths"), role.optional("path_hash_prefixes")) {
            (Some(_), None) => Paths::Patterns(texts("paths")?.into_iter().map(PathPattern::new).collect()),
            (None, Some(_)) => {
                Paths::HashPrefixes(texts("path_hash_prefixes")?.into_iter().map(str::to_ascii_lowercase).collect())
            }
            _ => return Err(MetadataError::Paths(name.to_owned())),
        };
        read.push(Delegation {
            name: name.to_owned(),
            authority: Authority::read(&role, keys)?,
            terminating: role.optional_boolean("terminating")?.ok_or_else(|| role.broken("terminating"))?,
            paths,
        });
    }
    Ok(read)
}

/// Roles that share targets evenly, by the first bits of a digest of their paths (TAP 15, `succinct_roles`).
#[derive(Debug, Clone)]
struct Bins {
    prefix: String,
    /// 1 to 32.
    bits: u32,
    authority: Authority,
}

impl Bins {
    fn read(fields: &Fields<'_>, keys: &BTreeMap<String, Key>) -> Result<Self, MetadataError> {
        let prefix = fields.text("name_prefix")?;
        // With a hyphen and eight digits behind it.
        if !is_role_name(&format!("{prefix}-01234567")) {
            return Err(MetadataError::RoleName(prefix.chars().take(100).collect()));
        }
        let bits = u32::try_from(fields.positive("bit_length")?).ok().filter(|bits| *bits <= 32);
        Ok(Bins {
            prefix: prefix.to_owned(),
            bits: bits.ok_or_else(|| fields.broken("bit_length"))?,
            authority: Authority::read(fields, keys)?,
        })
    }

    fn bin_of(&self, path: &str) -> Delegation {
        let [a, b, c, d, ..] = sha256(path.as_bytes());
        let bin = u32::from_be_bytes([a, b, c, d]) >> (32 - self.bits);
        let digits = self.bits.div_ceil(4) as usize;
        Delegation {
            name: format!("{}-{bin:0digits$x}", self.prefix),
            authority: self.authority.clone(),
            terminating: false,
            paths: Paths::HashPrefixes(vec![String::new()]),
        }
    }
}
