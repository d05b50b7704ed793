//! The metadata of the four roles (TUF specification sections 4.2 to 4.6), with what each says about the others.
//!
//! Fields that the specification does not name are signed like the rest and otherwise ignored (section 4). Signatures are
//! kept beside the canonical form that they are over; [`Authority`] says how many of them count.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::authority::{Authority, Signatures, keys};
use super::delegation::{Delegation, Delegations};
use super::fields::{Fields, MetadataError};
use super::json::Json;
use crate::crypto::digest::unhex;
use crate::crypto::{Digest, HashAlgorithm};

/// No path of a target is longer, in bytes.
pub const MAX_TARGET_PATH_LEN: usize = 1024;

/// What a role says, and who signed it.
#[derive(Debug, Clone)]
pub struct Metadata<T> {
    /// The version of this role's metadata; never 0.
    pub version: u64,
    /// From this instant on it does not count.
    pub expires: Timestamp,
    /// What it says.
    pub signed: T,
    /// Who signed it.
    pub signatures: Signatures,
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
            signatures: Signatures::read(&document, signed.canonical())?,
        })
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
        self.delegations.covering(path)
    }
}

impl Role for Targets {
    const TYPE: &'static str = "targets";

    fn read(fields: &Fields<'_>) -> Result<Self, MetadataError> {
        let targets = fields.object("targets")?;
        let targets = targets.members().map(|(path, file)| Ok((path.clone(), TargetFile::read(path, file)?)));
        let targets = targets.collect::<Result<_, MetadataError>>()?;
        let delegations = match fields.optional("delegations") {
            Some(_) => Delegations::read(&fields.object("delegations")?)?,
            None => Delegations::none(),
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
