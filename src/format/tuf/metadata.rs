//! The metadata of the four roles (TUF specification sections 4.2 to 4.6), with what each says about the others.
//!
//! Fields that the specification does not name are signed like the rest and otherwise ignored (section 4). Signatures are
//! kept beside the canonical form that they are over; [`Authority`] says how many of them count.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::json::Json;
use super::key::Key;
use super::pattern::PathPattern;
use super::quote;
use crate::crypto::digest::{hex, unhex};
use crate::crypto::{Digest, HashAlgorithm, sha256};

/// No metadata carries more signatures: the public instance's roots have five to eight.
pub const MAX_SIGNATURES: usize = 256;
/// No role has more keys.
pub const MAX_ROLE_KEYS: usize = 256;
/// No name of a role is longer, in bytes and percent-encoded: with `.json` it must fit into a file name.
pub const MAX_ROLE_NAME_LEN: usize = 240;
/// No path of a target is longer, in bytes.
pub const MAX_TARGET_PATH_LEN: usize = 1024;
/// The names that delegated roles may not have.
pub const TOP_LEVEL_ROLES: [&str; 4] = ["root", "timestamp", "snapshot", "targets"];

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

/// What a role says, and who signed it.
#[derive(Debug, Clone)]
pub struct Metadata<T> {
    /// The version of this role's metadata; never 0.
    pub version: u64,
    /// From this instant on it does not count.
    pub expires: Timestamp,
    /// What it says.
    pub signed: T,
    message: Vec<u8>,
    /// By key id. A signature that is no hexadecimal is one that does not verify.
    signatures: BTreeMap<String, Option<Vec<u8>>>,
}

/// One of the four kinds of metadata.
pub trait Role: Sized {
    /// The value of `_type`.
    const TYPE: &'static str;

    /// Read what is special to this role.
    ///
    /// # Errors
    /// [`MetadataError`] when it is not there.
    fn read(fields: &Fields<'_>) -> Result<Self, MetadataError>;
}

impl<T: Role> Metadata<T> {
    /// Read metadata of the role `T`; nothing is verified.
    ///
    /// # Errors
    /// [`MetadataError`] when it is not that.
    pub fn parse(text: &[u8]) -> Result<Self, MetadataError> {
        let document = Json::parse(text)?;
        let document = Fields::of(&document, "the metadata")?;
        let signed = document.value("signed")?;
        let fields = Fields::of(signed, "the signed part")?;
        let found = fields.text("_type")?;
        if found != T::TYPE {
            return Err(MetadataError::Type { wanted: T::TYPE, found: found.chars().take(40).collect() });
        }
        let spec_version = fields.text("spec_version")?;
        if spec_version.split('.').next() != Some("1") {
            return Err(MetadataError::SpecVersion(spec_version.chars().take(40).collect()));
        }
        let expires = fields.text("expires")?.parse().map_err(|_| fields.broken("expires"))?;
        Ok(Metadata {
            version: fields.positive("version")?,
            expires,
            signed: T::read(&fields)?,
            message: signed.canonical(),
            signatures: signatures(&document)?,
        })
    }
}

fn signatures(document: &Fields<'_>) -> Result<BTreeMap<String, Option<Vec<u8>>>, MetadataError> {
    let items = document.array("signatures", MAX_SIGNATURES)?;
    let mut signatures = BTreeMap::new();
    for item in items {
        let item = Fields::of(item, "a signature")?;
        let id = item.text("keyid")?.to_owned();
        if signatures.insert(id.clone(), unhex(item.text("sig")?)).is_some() {
            return Err(MetadataError::DuplicateSignature(id));
        }
    }
    Ok(signatures)
}

/// Who may sign for a role: its keys, and how many of them it takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Authority {
    /// By key id. The id is whatever the delegator calls the key: GitHub's repository does not derive it as others do.
    pub keys: BTreeMap<String, Key>,
    /// How many different keys must sign; never 0.
    pub threshold: u64,
}

impl Authority {
    fn read(role: &Fields<'_>, keys: &BTreeMap<String, Key>) -> Result<Self, MetadataError> {
        let mut own = BTreeMap::new();
        for id in role.texts("keyids", MAX_ROLE_KEYS)? {
            // An id without a key is one that cannot sign.
            let key = keys.get(id).cloned().unwrap_or(Key::Unusable);
            if own.insert(id.to_owned(), key).is_some() {
                return Err(MetadataError::DuplicateKey(id.to_owned()));
            }
        }
        Ok(Authority { keys: own, threshold: role.positive("threshold")? })
    }

    /// The ids of those who signed `metadata`, each key once, whatever number of ids it goes by (CVE-2026-23992).
    pub fn signers<'a, T>(&'a self, metadata: &Metadata<T>) -> Vec<&'a str> {
        let mut signers: Vec<(&str, &Key)> = Vec::new();
        for (id, key) in &self.keys {
            let Some(Some(signature)) = metadata.signatures.get(id) else { continue };
            let is_counted = signers.iter().any(|(_, counted)| counted.is_same(key));
            if !is_counted && key.verifies(&metadata.message, signature) {
                signers.push((id, key));
            }
        }
        signers.into_iter().map(|(id, _)| id).collect()
    }
}

/// Root: the keys of all top-level roles (section 4.3).
#[derive(Debug, Clone)]
pub struct Root {
    /// Whether files carry their version or digest in their names.
    pub consistent_snapshot: bool,
    /// Who may sign the next root.
    pub root: Authority,
    /// Who may sign the timestamp.
    pub timestamp: Authority,
    /// Who may sign the snapshot.
    pub snapshot: Authority,
    /// Who may sign the targets.
    pub targets: Authority,
}

impl Role for Root {
    const TYPE: &'static str = "root";

    fn read(fields: &Fields<'_>) -> Result<Self, MetadataError> {
        let keys = keys(fields)?;
        let roles = fields.object("roles")?;
        let role = |name| Authority::read(&roles.object(name)?, &keys);
        Ok(Root {
            // Optional until version 1.0.30 of the specification, and then meant false.
            consistent_snapshot: fields.optional_boolean("consistent_snapshot")?.unwrap_or(false),
            root: role("root")?,
            timestamp: role("timestamp")?,
            snapshot: role("snapshot")?,
            targets: role("targets")?,
        })
    }
}

/// Timestamp: which snapshot is in force (section 4.6).
#[derive(Debug, Clone)]
pub struct TimestampRole {
    /// The snapshot.
    pub snapshot: MetadataFile,
}

impl Role for TimestampRole {
    const TYPE: &'static str = "timestamp";

    fn read(fields: &Fields<'_>) -> Result<Self, MetadataError> {
        let meta = fields.object("meta")?;
        Ok(TimestampRole { snapshot: MetadataFile::read("snapshot.json", meta.value("snapshot.json")?)? })
    }
}

/// Snapshot: which version of each targets role is in force (section 4.4).
#[derive(Debug, Clone)]
pub struct Snapshot {
    /// By file name, `.json` included.
    pub meta: BTreeMap<String, MetadataFile>,
}

impl Role for Snapshot {
    const TYPE: &'static str = "snapshot";

    fn read(fields: &Fields<'_>) -> Result<Self, MetadataError> {
        let meta = fields.object("meta")?;
        let files = meta.members().map(|(name, file)| Ok((name.clone(), MetadataFile::read(name, file)?)));
        Ok(Snapshot { meta: files.collect::<Result<_, MetadataError>>()? })
    }
}

/// A version of a metadata file, and perhaps its very content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MetadataFile {
    /// The version; never 0.
    pub version: u64,
    /// Its length in bytes, if that is said.
    pub length: Option<u64>,
    /// Its digests; all hold. None if none is said.
    pub hashes: Vec<Digest>,
}

impl MetadataFile {
    fn read(name: &str, value: &Json) -> Result<Self, MetadataError> {
        let fields = Fields::of(value, "a metadata file")?;
        let length = fields.optional("length").map(|_| fields.length("length")).transpose()?;
        let hashes = match fields.optional("hashes") {
            None => Vec::new(),
            // Digests that are given and cannot be checked are not the same as none.
            Some(_) => match digests(name, &fields)? {
                unknown if unknown.is_empty() => return Err(MetadataError::Digest(name.chars().take(100).collect())),
                digests => digests,
            },
        };
        Ok(MetadataFile { version: fields.positive("version")?, length, hashes })
    }

    /// Whether `content` has this length and these digests, as far as they are said.
    #[must_use]
    pub fn describes(&self, content: &[u8]) -> bool {
        self.length.is_none_or(|length| length == content.len() as u64) && fits(&self.hashes, content)
    }
}

/// Targets, the top-level role or a delegated one: files, and who else may list some (section 4.5).
#[derive(Debug, Clone)]
pub struct Targets {
    /// By path.
    pub targets: BTreeMap<String, TargetFile>,
    delegations: Delegations,
}

impl Targets {
    /// The roles that may speak about the target at `path`, in order of their precedence.
    #[must_use]
    pub fn delegations_for(&self, path: &str) -> Vec<Delegation> {
        match &self.delegations {
            Delegations::Roles(roles) => roles.iter().filter(|role| role.covers(path)).cloned().collect(),
            Delegations::Bins(bins) => vec![bins.bin_of(path)],
        }
    }
}

#[derive(Debug, Clone)]
enum Delegations {
    Roles(Vec<Delegation>),
    Bins(Bins),
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

impl Role for Targets {
    const TYPE: &'static str = "targets";

    fn read(fields: &Fields<'_>) -> Result<Self, MetadataError> {
        let targets = fields.object("targets")?;
        let targets = targets.members().map(|(path, file)| Ok((path.clone(), TargetFile::read(path, file)?)));
        let targets = targets.collect::<Result<_, MetadataError>>()?;
        let delegations = match fields.optional("delegations") {
            Some(_) => delegations(&fields.object("delegations")?)?,
            None => Delegations::Roles(Vec::new()),
        };
        Ok(Targets { targets, delegations })
    }
}

/// What a target contains.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TargetFile {
    /// Its length in bytes.
    pub length: u64,
    /// Its digests, as far as we can check them; all hold.
    pub hashes: Vec<Digest>,
}

impl TargetFile {
    fn read(path: &str, value: &Json) -> Result<Self, MetadataError> {
        let fields = Fields::of(value, "a target")?;
        // One without a digest that we know is not to be had, and the others are not to suffer from it.
        Ok(TargetFile { length: fields.length("length")?, hashes: digests(path, &fields)? })
    }

    /// Whether `content` is this target; never without a digest to tell by.
    #[must_use]
    pub fn describes(&self, content: &[u8]) -> bool {
        self.length == content.len() as u64 && !self.hashes.is_empty() && fits(&self.hashes, content)
    }
}

fn fits(hashes: &[Digest], content: &[u8]) -> bool {
    hashes.iter().all(|hash| hash.algorithm().digest(content) == *hash)
}

/// The digests that we can check. An unknown algorithm beside a known one is ignored: it can be checked by others.
fn digests(name: &str, fields: &Fields<'_>) -> Result<Vec<Digest>, MetadataError> {
    let broken = || MetadataError::Digest(name.chars().take(100).collect());
    let mut digests = Vec::new();
    for (algorithm, value) in fields.object("hashes")?.members() {
        let algorithm = match algorithm.as_str() {
            "sha256" => HashAlgorithm::Sha256,
            "sha384" => HashAlgorithm::Sha384,
            "sha512" => HashAlgorithm::Sha512,
            _ => continue,
        };
        let Json::String(text) = value else { return Err(broken()) };
        let bytes = unhex(text).ok_or_else(broken)?;
        digests.push(Digest::from_bytes(algorithm, &bytes).ok_or_else(broken)?);
    }
    Ok(digests)
}

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

fn delegations(fields: &Fields<'_>) -> Result<Delegations, MetadataError> {
    /// A traversal visits fewer.
    const MAX_DELEGATIONS: usize = 16_384;
    let keys = keys(fields)?;
    if fields.optional("succinct_roles").is_some() && fields.optional("roles").is_none() {
        return Ok(Delegations::Bins(Bins::read(&fields.object("succinct_roles")?, &keys)?));
    }
    let mut read: Vec<Delegation> = Vec::new();
    let mut names = std::collections::BTreeSet::new();
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
            authority: Authority::read(&role, &keys)?,
            terminating: role.optional_boolean("terminating")?.ok_or_else(|| role.broken("terminating"))?,
            paths,
        });
    }
    Ok(Delegations::Roles(read))
}

fn keys(fields: &Fields<'_>) -> Result<BTreeMap<String, Key>, MetadataError> {
    fields.object("keys")?.members().map(|(id, key)| Ok((id.clone(), Key::read(key)?))).collect()
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

    fn broken(&self, field: &str) -> MetadataError {
        MetadataError::Field { what: self.what, field: field.chars().take(100).collect() }
    }

    fn members(&self) -> impl Iterator<Item = (&'a String, &'a Json)> + use<'a> {
        self.members.iter()
    }

    fn optional(&self, field: &str) -> Option<&'a Json> {
        self.members.get(field)
    }

    fn value(&self, field: &str) -> Result<&'a Json, MetadataError> {
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

    fn array(&self, field: &'static str, limit: usize) -> Result<&'a [Json], MetadataError> {
        match self.value(field)? {
            Json::Array(items) if items.len() > limit => Err(MetadataError::TooMany { what: field, limit }),
            Json::Array(items) => Ok(items),
            _ => Err(self.broken(field)),
        }
    }

    fn texts(&self, field: &'static str, limit: usize) -> Result<Vec<&'a str>, MetadataError> {
        let text = |value: &'a Json| match value {
            Json::String(text) => Ok(text.as_str()),
            _ => Err(self.broken(field)),
        };
        self.array(field, limit)?.iter().map(text).collect()
    }

    fn optional_boolean(&self, field: &str) -> Result<Option<bool>, MetadataError> {
        match self.optional(field) {
            None => Ok(None),
            Some(Json::Boolean(value)) => Ok(Some(*value)),
            Some(_) => Err(self.broken(field)),
        }
    }

    fn length(&self, field: &str) -> Result<u64, MetadataError> {
        match self.value(field)? {
            Json::Integer(value) => u64::try_from(*value).map_err(|_| self.broken(field)),
            _ => Err(self.broken(field)),
        }
    }

    fn positive(&self, field: &str) -> Result<u64, MetadataError> {
        match self.length(field)? {
            0 => Err(self.broken(field)),
            value => Ok(value),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse<T: Role>(signed: &str) -> Result<Metadata<T>, MetadataError> {
        Metadata::parse(format!(r#"{{"signatures":[],"signed":{signed}}}"#).as_bytes())
    }

    fn head(kind: &str) -> String {
        format!(r#""_type":"{kind}","spec_version":"1.0.31","version":1,"expires":"2030-01-01T00:00:00Z""#)
    }

    #[test]
    fn metadata_of_another_role_or_format_is_refused_fail() {
        let timestamp = format!(r#"{{{},"meta":{{"snapshot.json":{{"version":3}}}}}}"#, head("timestamp"));
        assert_eq!(parse::<TimestampRole>(&timestamp).unwrap().signed.snapshot.version, 3);
        assert!(matches!(parse::<Snapshot>(&timestamp), Err(MetadataError::Type { .. })));
        for (from, to) in [
            ("1.0.31", "2.0.0"),
            ("1.0.31", "10.0"),
            (r#""version":1"#, r#""version":0"#),
            (r#""version":1"#, r#""version":-1"#),
            (r#""version":1"#, r#""version":"1""#),
            (r#""version":3"#, r#""version":0"#),
            (r#""version":3"#, r#""version":3,"length":-1"#),
            (r#""version":3"#, r#""version":3,"hashes":{}"#),
            (r#""version":3"#, r#""version":3,"hashes":{"md5":"00"}"#),
            (r#""version":3"#, r#""version":3,"hashes":{"sha256":"00"}"#),
            ("2030-01-01T00:00:00Z", "soon"),
            ("snapshot.json", "snapshot"),
            (r#""meta""#, r#""Meta""#),
        ] {
            let other = timestamp.replacen(from, to, 1);
            assert_ne!(other, timestamp);
            assert!(parse::<TimestampRole>(&other).is_err(), "{other}");
        }
    }

    #[test]
    fn a_signature_counts_once_fail() {
        let twice = r#"[{"keyid":"a","sig":"00"},{"keyid":"a","sig":"01"}]"#;
        let signed = format!(r#"{{{},"meta":{{}}}}"#, head("snapshot"));
        let text = format!(r#"{{"signatures":{twice},"signed":{signed}}}"#);
        let refused = Metadata::<Snapshot>::parse(text.as_bytes());
        assert!(matches!(refused, Err(MetadataError::DuplicateSignature(id)) if id == "a"));
    }

    fn delegating(role: &str) -> Result<Metadata<Targets>, MetadataError> {
        let delegations = format!(r#"{{"keys":{{}},"roles":[{role}]}}"#);
        parse(&format!(r#"{{{},"targets":{{}},"delegations":{delegations}}}"#, head("targets")))
    }

    #[test]
    fn a_delegated_role_has_a_name_of_its_own_and_one_kind_of_paths_fail() {
        let role = r#"{"name":"a","keyids":[],"threshold":1,"terminating":false,"paths":["x/*"]}"#;
        let read = delegating(role).unwrap();
        assert_eq!(["x/y", "x/y/z"].map(|path| read.signed.delegations_for(path).len()), [1, 0]);
        let twice = format!("{role},{role}");
        let renamed = |name: &str| role.replace(r#""a""#, &format!("{name:?}"));
        for name in ["", "root", "timestamp", "snapshot", "targets", &"x".repeat(241), &"/".repeat(81)] {
            assert!(matches!(delegating(&renamed(name)), Err(MetadataError::RoleName(_))), "{name}");
        }
        assert!(matches!(delegating(&twice), Err(MetadataError::RoleName(_))));
        for (from, to) in [
            (r#""paths":["x/*"]"#, r#""more":1"#),
            (r#""paths":["x/*"]"#, r#""paths":[],"path_hash_prefixes":[]"#),
            (r#""paths":["x/*"]"#, r#""paths":[1]"#),
            (r#""terminating":false,"#, ""),
            (r#""threshold":1"#, r#""threshold":0"#),
            (r#""keyids":[]"#, r#""keyids":["k","k"]"#),
        ] {
            assert!(delegating(&role.replacen(from, to, 1)).is_err(), "{to}");
        }
    }

    #[test]
    fn hash_prefixes_are_of_the_path() {
        // SHA-256 of "abc" begins ba78.
        let role = r#"{"name":"a","keyids":[],"threshold":1,"terminating":true,"path_hash_prefixes":["BA78","0"]}"#;
        let read = delegating(role).unwrap();
        assert_eq!(["abc", "abd"].map(|path| read.signed.delegations_for(path).len()), [1, 0]);
    }

    #[test]
    fn bins_are_named_by_the_first_bits() {
        let bins = |bits: &str| {
            let roles = format!(r#"{{"name_prefix":"bin","bit_length":{bits},"keyids":[],"threshold":1}}"#);
            let delegations = format!(r#"{{"keys":{{}},"succinct_roles":{roles}}}"#);
            let read = parse(&format!(r#"{{{},"targets":{{}},"delegations":{delegations}}}"#, head("targets")));
            read.map(|read: Metadata<Targets>| read.signed.delegations_for("abc").remove(0).name)
        };
        // SHA-256 of "abc" begins ba7816bf.
        for (bits, want) in [("1", "bin-1"), ("4", "bin-b"), ("5", "bin-17"), ("8", "bin-ba"), ("32", "bin-ba7816bf")] {
            assert_eq!(bins(bits).unwrap(), want);
        }
        assert!(bins("0").is_err() && bins("33").is_err());
    }
}
