//! Policies that nobody wrote: the pieces out of which `init`, `import` and `suggest` make one.

use std::collections::{BTreeMap, BTreeSet};

use super::file::MAX_NAME_LEN;
use super::refs::RefPattern;
use super::rules::{CommitterRule, Judged, Principal, PrincipalKey, Rule};
use crate::format::x509::{Claim, Claims};

impl Principal {
    /// Somebody without keys.
    #[must_use]
    pub fn new(name: &str) -> Self {
        Principal {
            name: name.to_owned(),
            line: 0,
            keys: Vec::new(),
            emails: BTreeSet::new(),
            is_forge: false,
            retired: None,
            compromised: None,
        }
    }
}

impl Rule {
    /// A rule under which nobody may do anything.
    #[must_use]
    pub fn new(name: &str, pattern: RefPattern) -> Self {
        Rule {
            name: name.to_owned(),
            line: 0,
            refs: vec![pattern],
            judged: Judged::default(),
            rights: BTreeMap::new(),
            paths: Vec::new(),
            committer: CommitterRule::default(),
            require: BTreeSet::new(),
            covered_by_push: false,
            approvals: 1,
            since: None,
            from: None,
            until: None,
            clock_tolerance: None,
        }
    }
}

impl PrincipalKey {
    /// The key that fits the fewest certificates of those that fit this one: of a machine of a CI platform, the
    /// repository by its number beside the name of its workflow, which others could take over.
    #[must_use]
    pub fn narrowest(issuer: &str, subject: &str, claims: &Claims) -> Self {
        let number = claims.get(Claim::SourceRepositoryIdentifier);
        let claims = number.map(|number| (Claim::SourceRepositoryIdentifier, number.to_owned()));
        PrincipalKey::Keyless {
            issuer: issuer.to_owned(),
            subject: Some(subject.to_owned()),
            claims: claims.into_iter().collect(),
        }
    }

    /// A name for whoever has it: what stands before the `@` of an address, the repository of a workflow.
    #[must_use]
    pub fn suggested_name(&self) -> String {
        let text = match self {
            PrincipalKey::Keyless { subject: Some(subject), .. } | PrincipalKey::X509 { subject, .. } => subject,
            PrincipalKey::Keyless { issuer, .. } => issuer,
            PrincipalKey::Pgp(fingerprint) => {
                return format!("pgp-{}", &fingerprint[fingerprint.len().saturating_sub(16)..]);
            }
            PrincipalKey::Ssh(_) => return "ssh".to_owned(),
        };
        let path = text.split_once("://").map(|(_, rest)| rest);
        match path {
            // https://github.com/OWNER/REPOSITORY/.github/workflows/...
            Some(path) => name(path.split('/').filter(|part| !part.is_empty()).nth(2).unwrap_or(path)),
            None => name(text.split('@').next().unwrap_or(text)),
        }
    }
}

/// `text` with everything that no name holds left out.
#[must_use]
pub fn name(text: &str) -> String {
    let fits = |c: &char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-' | '+' | '@');
    let text: String = text.chars().map(|c| if c == ' ' { '-' } else { c }).filter(fits).collect();
    let text: String =
        text.trim_start_matches(|c: char| !c.is_ascii_alphanumeric()).chars().take(MAX_NAME_LEN).collect();
    if text.is_empty() || text == super::file::ANYONE { "somebody".to_owned() } else { text }
}

/// `wanted`, or the first of `wanted.2`, `wanted.3`, ... that `taken` does not hold.
#[must_use]
pub fn free_name(wanted: &str, taken: &dyn Fn(&str) -> bool) -> String {
    let room = MAX_NAME_LEN - 8;
    let base = &wanted[..wanted.len().min(room)];
    let numbered = std::iter::once(wanted.to_owned()).chain((2..).map(|number: u32| format!("{base}.{number}")));
    numbered.into_iter().find(|name| !taken(name)).unwrap_or_else(|| wanted.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_ones_that_a_policy_may_hold() {
        let key = |subject: &str| PrincipalKey::narrowest("https://i", subject, &Claims::default()).suggested_name();
        for (subject, name) in [
            ("ann@example.com", "ann"),
            ("Jörg B <x>", "Jrg-B-x"),
            ("https://github.com/acme/tool/.github/workflows/ci.yml@refs/heads/main", "tool"),
            ("spiffe://host", "host"),
            ("-@x", "somebody"),
            ("anyone@example.com", "somebody"),
            ("日本", "somebody"),
        ] {
            assert_eq!(key(subject), name, "{subject}");
            assert!(super::super::file::is_name(name));
        }
        let taken = |name: &str| ["ann", "ann.2"].contains(&name);
        assert_eq!((free_name("ann", &taken), free_name("bob", &taken)), ("ann.3".into(), "bob".into()));
        assert_eq!(
            PrincipalKey::Pgp("968479A1AFF927E37D1A566BB5690EEEBB952194".into()).suggested_name(),
            "pgp-B5690EEEBB952194"
        );
    }
}
