//! The client workflow of The Update Framework (specification 1.0, section 5), as a judge of bytes at a given time.
//!
//! A [`TrustedSet`] begins with a root that the user has, takes in one metadata file after the other, and refuses what
//! does not follow from what it holds. It fetches nothing and stores nothing, so a cache is judged by the same steps as
//! a repository, at every use, offline too (TOB-SIGSTORE-10: raw cached bytes were once believed). The numbers are those
//! of the specification.
//!
//! This is our own code though `sigstore-tuf` 0.15 does as much: the cache must be judged with the clock of the caller and
//! with the parsers and key checks of the rest of this program, and the refusals must name what a person can mend.
//! `tough` 0.24 refuses GitHub's root for its key ids. `tests/tuf` and `scripts/interop` hold it against the public
//! conformance suite's protocol and python-tuf's metadata.

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::format::tuf::metadata::{
    MAX_TARGET_PATH_LEN, Metadata, MetadataFile, Root, Snapshot, TargetFile, Targets, TimestampRole,
};
use crate::format::tuf::{Authority, Delegation, MetadataError, Role};

/// How many roles a search for a target asks at most (section 5.6.7.1 leaves the number to us); each may cost a file.
pub const MAX_VISITED: usize = 32;

/// Whose metadata it is.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum RoleName {
    /// The keys of all.
    Root,
    /// Which snapshot.
    Timestamp,
    /// Which targets.
    Snapshot,
    /// The top-level targets, or a role that was given some.
    Targets(String),
}

impl RoleName {
    /// The top-level targets.
    #[must_use]
    pub fn targets() -> Self {
        RoleName::Targets("targets".to_owned())
    }
}

impl std::fmt::Display for RoleName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            RoleName::Root => f.write_str("root"),
            RoleName::Timestamp => f.write_str("timestamp"),
            RoleName::Snapshot => f.write_str("snapshot"),
            // A name is data, and this is read on terminals.
            RoleName::Targets(name) => write!(f, "{}", name.escape_debug()),
        }
    }
}

/// Why metadata was refused.
#[derive(Debug, thiserror::Error)]
pub enum TufError {
    /// It is no metadata of that role.
    #[error("the {role} metadata cannot be used: {source}")]
    Metadata {
        /// Which role.
        role: RoleName,
        /// Why.
        source: MetadataError,
    },
    /// Too few of those who may sign have.
    #[error("the {role} metadata has {found} of the {wanted} signatures that it needs")]
    Threshold {
        /// Which role.
        role: RoleName,
        /// Valid signatures, by different keys.
        found: usize,
        /// What it takes.
        wanted: u64,
    },
    /// Not the version that it must be.
    #[error("the {role} metadata is version {found} and should be {wanted}")]
    Version {
        /// Which role.
        role: RoleName,
        /// Its version.
        found: u64,
        /// The version that others name.
        wanted: u64,
    },
    /// Older than what was there before: somebody plays back the past.
    #[error("the {role} metadata goes back to version {found} of {what}, and {trusted} was there already")]
    Rollback {
        /// Which role says so.
        role: RoleName,
        /// Of which file.
        what: String,
        /// What it says now.
        found: u64,
        /// What it said before.
        trusted: u64,
    },
    /// The snapshot forgets a file that it listed before.
    #[error("the snapshot metadata does not list {0} any more")]
    Forgotten(String),
    /// Its time is over: perhaps nobody shows us the new one.
    #[error("the {role} metadata expired on {expired}")]
    Expired {
        /// Which role.
        role: RoleName,
        /// When.
        expired: Timestamp,
    },
    /// Not the content that others name.
    #[error("the {role} metadata has not the length or digest that the {by} metadata gives")]
    Content {
        /// Which role.
        role: RoleName,
        /// Who describes it.
        by: RoleName,
    },
    /// A step before its turn.
    #[error("there is no {0} metadata")]
    Missing(RoleName),
    /// The snapshot does not list the role.
    #[error("the snapshot metadata does not list the role {0}")]
    NotListed(RoleName),
}

/// What became of new timestamp metadata.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Freshness {
    /// It took the place of what was there.
    New,
    /// It has the version of what is there, which stays (5.4.3.1).
    Same,
}

/// Metadata that follows from a root which the user trusts, at one time.
#[derive(Debug, Clone)]
pub struct TrustedSet {
    /// 5.1: one time for the whole workflow.
    now: Timestamp,
    root: Metadata<Root>,
    timestamp: Option<Metadata<TimestampRole>>,
    snapshot: Option<Metadata<Snapshot>>,
    /// Whether the snapshot is the one that the timestamp names.
    is_current: bool,
    targets: BTreeMap<String, Delegated>,
}

/// Targets metadata, and who was asked to have signed it: two roles may give the same one different keys.
#[derive(Debug, Clone)]
struct Delegated {
    authority: Authority,
    metadata: Metadata<Targets>,
}

impl TrustedSet {
    /// 5.2: begin with the root that the user has. It must have signed itself: a file that was cut or edited is noticed.
    ///
    /// # Errors
    /// [`TufError`] when it is no such root.
    pub fn new(root: &[u8], now: Timestamp) -> Result<Self, TufError> {
        let root: Metadata<Root> = parse(&RoleName::Root, root)?;
        check_signers(&RoleName::Root, &root, &root.signed.root)?;
        Ok(TrustedSet { now, root, timestamp: None, snapshot: None, is_current: false, targets: BTreeMap::new() })
    }

    /// The root in force.
    #[must_use]
    pub fn root(&self) -> &Metadata<Root> {
        &self.root
    }

    /// The timestamp in force.
    #[must_use]
    pub fn timestamp(&self) -> Option<&Metadata<TimestampRole>> {
        self.timestamp.as_ref()
    }

    /// The snapshot in force, if it is the one that the timestamp names.
    #[must_use]
    pub fn snapshot(&self) -> Option<&Metadata<Snapshot>> {
        self.snapshot.as_ref().filter(|_| self.is_current)
    }

    /// The top-level targets in force.
    #[must_use]
    pub fn targets(&self) -> Option<&Metadata<Targets>> {
        self.targets.get("targets").map(|role| &role.metadata)
    }

    /// The metadata of a role that was found in force for this very delegation.
    #[must_use]
    pub fn delegated(&self, delegation: &Delegation) -> Option<&Metadata<Targets>> {
        let role = self.targets.get(&delegation.name)?;
        (role.authority == delegation.authority).then_some(&role.metadata)
    }

    /// 5.3.4 to 5.3.8: the next root, signed by those whom the last one names and by those whom it names itself.
    ///
    /// Its expiry is of no matter before it is the last (5.3.9 and 5.3.10): see [`TrustedSet::end_of_roots`].
    ///
    /// # Errors
    /// [`TufError`] when it is not the next root.
    pub fn update_root(&mut self, root: &[u8]) -> Result<(), TufError> {
        let role = RoleName::Root;
        let next: Metadata<Root> = parse(&role, root)?;
        // 5.3.4 Arbitrary software: the old keys, then the new ones.
        check_signers(&role, &next, &self.root.signed.root)?;
        check_signers(&role, &next, &next.signed.root)?;
        // 5.3.5 Rollback: exactly the next version.
        let wanted = self.root.version.saturating_add(1);
        if next.version != wanted {
            return Err(TufError::Version { role, found: next.version, wanted });
        }
        self.root = next;
        Ok(())
    }

    /// 5.3.10: the last root must still be in force.
    ///
    /// 5.3.11, getting rid of a timestamp and a snapshot after a compromise, is in the next steps: what the new keys did
    /// not sign is not loaded from a cache, so it does not hinder a lower version.
    ///
    /// # Errors
    /// [`TufError::Expired`].
    pub fn end_of_roots(&self) -> Result<(), TufError> {
        self.check_expiry(RoleName::Root, self.root.expires)
    }

    /// 5.4: new timestamp metadata.
    ///
    /// Metadata that has expired is kept, because what comes after it must not be older, and an error says so.
    ///
    /// # Errors
    /// [`TufError`] when it does not follow from what is there.
    pub fn update_timestamp(&mut self, timestamp: &[u8]) -> Result<Freshness, TufError> {
        let role = RoleName::Timestamp;
        self.end_of_roots()?;
        let new: Metadata<TimestampRole> = parse(&role, timestamp)?;
        // 5.4.2 Arbitrary software.
        check_signers(&role, &new, &self.root.signed.timestamp)?;
        if let Some(old) = &self.timestamp {
            // 5.4.3.1 Rollback of the timestamp; the same version is the same timestamp.
            if new.version == old.version {
                return Ok(Freshness::Same);
            }
            check_rollback(&role, "timestamp.json", new.version, old.version)?;
            // 5.4.3.2 Rollback of the snapshot.
            check_rollback(&role, "snapshot.json", new.signed.snapshot.version, old.signed.snapshot.version)?;
        }
        // 5.4.4 Freeze.
        let expires = new.expires;
        self.timestamp = Some(new);
        self.is_current = false;
        self.check_expiry(role, expires)?;
        Ok(Freshness::New)
    }

    /// What the timestamp says of the snapshot.
    ///
    /// # Errors
    /// There is no timestamp, or it has expired.
    pub fn wanted_snapshot(&self) -> Result<&MetadataFile, TufError> {
        let timestamp = self.timestamp.as_ref().ok_or(TufError::Missing(RoleName::Timestamp))?;
        self.check_expiry(RoleName::Timestamp, timestamp.expires)?;
        Ok(&timestamp.signed.snapshot)
    }

    /// 5.5: new snapshot metadata, as the timestamp describes it.
    ///
    /// # Errors
    /// [`TufError`] when it does not follow from what is there.
    pub fn update_snapshot(&mut self, snapshot: &[u8]) -> Result<(), TufError> {
        let role = RoleName::Snapshot;
        let wanted = self.wanted_snapshot()?;
        // 5.5.2 Mix and match: the very content, if the timestamp describes it.
        if !wanted.describes(snapshot) {
            return Err(TufError::Content { role, by: RoleName::Timestamp });
        }
        let wanted = wanted.version;
        // 5.5.3 Arbitrary software.
        let new: Metadata<Snapshot> = parse(&role, snapshot)?;
        check_signers(&role, &new, &self.root.signed.snapshot)?;
        // 5.5.4 Mix and match: the version.
        if new.version != wanted {
            return Err(TufError::Version { role, found: new.version, wanted });
        }
        // 5.5.5 Rollback of any targets metadata, and targets metadata that vanishes.
        for (name, old) in self.snapshot.iter().flat_map(|old| &old.signed.meta) {
            let listed = new.signed.meta.get(name).ok_or_else(|| TufError::Forgotten(readable(name)))?;
            check_rollback(&role, name, listed.version, old.version)?;
        }
        // 5.5.6 Freeze.
        self.check_expiry(role, new.expires)?;
        self.snapshot = Some(new);
        self.is_current = true;
        Ok(())
    }

    /// 5.5.5 needs the snapshot that was there before. It may have expired and another may be in force, but those who may
    /// sign now must have signed it.
    ///
    /// # Errors
    /// [`TufError`] when it is none to compare with.
    pub fn remember_snapshot(&mut self, snapshot: &[u8]) -> Result<(), TufError> {
        let role = RoleName::Snapshot;
        let old: Metadata<Snapshot> = parse(&role, snapshot)?;
        check_signers(&role, &old, &self.root.signed.snapshot)?;
        self.snapshot = Some(old);
        self.is_current = false;
        Ok(())
    }

    /// What the snapshot says of a targets role.
    ///
    /// # Errors
    /// There is no current snapshot, or it has expired or does not list the role.
    pub fn wanted_targets(&self, role: &str) -> Result<&MetadataFile, TufError> {
        let snapshot = self.snapshot().ok_or(TufError::Missing(RoleName::Snapshot))?;
        let listed = snapshot.signed.meta.get(&format!("{role}.json"));
        listed.ok_or_else(|| TufError::NotListed(RoleName::Targets(role.to_owned())))
    }

    /// 5.6: the top-level targets.
    ///
    /// # Errors
    /// [`TufError`] when it does not follow from what is there.
    pub fn update_targets(&mut self, targets: &[u8]) -> Result<(), TufError> {
        self.take_targets("targets", self.root.signed.targets.clone(), targets)
    }

    /// 5.6.7: the targets of a role that `delegation` gives some to.
    ///
    /// # Errors
    /// [`TufError`] when it does not follow from what is there.
    pub fn update_delegated(&mut self, delegation: &Delegation, targets: &[u8]) -> Result<(), TufError> {
        self.take_targets(&delegation.name, delegation.authority.clone(), targets)
    }

    fn take_targets(&mut self, name: &str, authority: Authority, targets: &[u8]) -> Result<(), TufError> {
        let metadata = self.check_targets(name, targets, &authority)?;
        self.targets.insert(name.to_owned(), Delegated { authority, metadata });
        Ok(())
    }

    fn check_targets(&self, name: &str, targets: &[u8], who: &Authority) -> Result<Metadata<Targets>, TufError> {
        let role = RoleName::Targets(name.to_owned());
        let wanted = self.wanted_targets(name)?;
        // 5.6.2 Mix and match: the very content, if the snapshot describes it.
        if !wanted.describes(targets) {
            return Err(TufError::Content { role, by: RoleName::Snapshot });
        }
        // 5.6.3 Arbitrary software.
        let new: Metadata<Targets> = parse(&role, targets)?;
        check_signers(&role, &new, who)?;
        // 5.6.4 Mix and match: the version.
        if new.version != wanted.version {
            return Err(TufError::Version { role, found: new.version, wanted: wanted.version });
        }
        // 5.6.5 Freeze.
        self.check_expiry(role, new.expires)?;
        Ok(new)
    }

    fn check_expiry(&self, role: RoleName, expires: Timestamp) -> Result<(), TufError> {
        if self.now < expires { Ok(()) } else { Err(TufError::Expired { role, expired: expires }) }
    }

    /// When the first of what is in force expires: from then on all of it is refused.
    #[must_use]
    pub fn expires(&self) -> Timestamp {
        let timestamp = self.timestamp.iter().map(|metadata| metadata.expires);
        let snapshot = self.snapshot.iter().map(|metadata| metadata.expires);
        let targets = self.targets.values().map(|role| role.metadata.expires);
        timestamp.chain(snapshot).chain(targets).fold(self.root.expires, Timestamp::min)
    }
}

/// 5.6.7: the search for a target, in preorder, as far as the metadata at hand goes.
///
/// Each role is visited once, at most [`MAX_VISITED`]. It is the caller who gets what is missing.
#[derive(Debug, Clone)]
pub struct Search {
    path: String,
    /// The next to visit is the last.
    open: Vec<(String, Option<Delegation>)>,
    visited: Vec<String>,
}

/// Where a search stands.
#[derive(Debug, Clone)]
pub enum Step {
    /// The metadata of this role is needed.
    Load(Box<Delegation>),
    /// This is the target.
    Found(TargetFile),
    /// Nobody lists it who may.
    NotFound,
}

impl Search {
    /// A search for the target at `path`.
    #[must_use]
    pub fn new(path: &str) -> Self {
        Search { path: path.to_owned(), open: vec![("targets".to_owned(), None)], visited: Vec::new() }
    }

    /// Go on until something is missing or the end is reached. The top-level targets must be in `set`.
    pub fn step(&mut self, set: &TrustedSet) -> Step {
        if self.path.is_empty() || self.path.len() > MAX_TARGET_PATH_LEN {
            return Step::NotFound;
        }
        while let Some((name, delegation)) = self.open.pop() {
            if self.visited.contains(&name) {
                continue;
            }
            if self.visited.len() == MAX_VISITED {
                return Step::NotFound;
            }
            let known = match &delegation {
                None => set.targets(),
                Some(delegation) => set.delegated(delegation),
            };
            let Some(metadata) = known else {
                let Some(delegation) = delegation else { return Step::NotFound };
                self.open.push((name, Some(delegation.clone())));
                return Step::Load(Box::new(delegation));
            };
            self.visited.push(name);
            if let Some(target) = metadata.signed.targets.get(&self.path) {
                return Step::Found(target.clone());
            }
            let mut below = Vec::new();
            for delegation in metadata.signed.delegations_for(&self.path) {
                let is_last = delegation.terminating;
                below.push((delegation.name.clone(), Some(delegation)));
                if is_last {
                    // 5.6.7.2.1 Nobody after it is asked, here or further up.
                    self.open.clear();
                    break;
                }
            }
            self.open.extend(below.into_iter().rev());
        }
        Step::NotFound
    }
}

fn parse<T: Role>(role: &RoleName, text: &[u8]) -> Result<Metadata<T>, TufError> {
    Metadata::parse(text).map_err(|source| TufError::Metadata { role: role.clone(), source })
}

fn check_signers<T>(role: &RoleName, metadata: &Metadata<T>, authority: &Authority) -> Result<(), TufError> {
    let found = authority.signers(&metadata.signatures).len();
    if found as u64 >= authority.threshold {
        return Ok(());
    }
    Err(TufError::Threshold { role: role.clone(), found, wanted: authority.threshold })
}

fn check_rollback(role: &RoleName, what: &str, found: u64, trusted: u64) -> Result<(), TufError> {
    if found >= trusted {
        return Ok(());
    }
    Err(TufError::Rollback { role: role.clone(), what: readable(what), found, trusted })
}

/// A name out of metadata, or of a target, for people: cut short, and without what could steer a terminal.
#[must_use]
pub fn readable(name: &str) -> String {
    name.chars().take(100).collect::<String>().escape_debug().to_string()
}
