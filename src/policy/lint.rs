//! What is odd about a policy that parses: rules that never count, keys that stop working, doors left ajar.
//!
//! Nothing here decides anything. A warning is for the person who writes the file; the repository's refs and objects are
//! asked only where they are at hand.

use std::collections::BTreeSet;

use jiff::Timestamp;

use super::file::{ANYONE, is_ci_platform};
use super::refs::RefPattern;
use super::rules::{Policy, Principal, PrincipalKey, Right, Rule};
use crate::format::x509::Claim;

/// Something odd.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Warning {
    /// The line of the file, counted from 1.
    pub line: usize,
    /// A stable name, kebab case.
    pub code: &'static str,
    /// What is odd, for people: lower case, no full stop.
    pub words: String,
}

/// The repository that a policy is for.
pub struct Surroundings<'a> {
    /// The full names of its refs.
    pub references: Vec<String>,
    /// Whether it has this commit.
    pub has_commit: &'a dyn Fn(&str) -> bool,
}

/// Everything odd about `policy`, in order of lines; `surroundings` where there is a repository to ask.
#[must_use]
pub fn lint(policy: &Policy, surroundings: Option<&Surroundings<'_>>, now: Timestamp) -> Vec<Warning> {
    let mut found = Found { policy, surroundings, now, warnings: Vec::new() };
    policy.principals.values().for_each(|principal| found.principal(principal));
    found.overlaps();
    found.groups();
    (0..policy.rules.len()).for_each(|at| found.rule(at));
    found.whole();
    found.exceptions();
    found.warnings.sort_by_key(|warning| warning.line);
    found.warnings
}

struct Found<'a> {
    policy: &'a Policy,
    surroundings: Option<&'a Surroundings<'a>>,
    now: Timestamp,
    warnings: Vec<Warning>,
}

impl Found<'_> {
    fn say(&mut self, line: usize, code: &'static str, words: String) {
        self.warnings.push(Warning { line, code, words });
    }

    fn principal(&mut self, principal: &Principal) {
        let Principal { name, line, keys, .. } = principal;
        if keys.is_empty() {
            self.say(
                *line,
                "principal-without-keys",
                format!("{name} has no keys, so nothing is ever signed by {name}"),
            );
        }
        if !self.is_used(name) {
            self.say(*line, "principal-unused", format!("{name} is in no list, group or exception"));
        }
        let provable = keys.iter().any(|key| matches!(key, PrincipalKey::Keyless { .. } | PrincipalKey::X509 { .. }));
        if (principal.retired.is_some() || principal.compromised.is_some()) && !keys.is_empty() && !provable {
            let words = format!(
                "nothing proves when {name} signed with an SSH or OpenPGP key, so no signature of {name} passes any more"
            );
            self.say(*line, "time-unprovable", words);
        }
        for key in keys {
            if let Some((code, words)) = loose_key(name, key) {
                self.say(*line, code, words);
            }
        }
        if principal.is_forge {
            self.forge(principal);
        }
    }

    fn is_used(&self, name: &str) -> bool {
        self.policy.groups.values().any(|members| members.contains(name))
            || self.lists().any(|list| list.contains(name))
            || self.policy.exceptions.iter().any(|exception| exception.by == name)
    }

    /// Every list of principals that a rule has.
    fn lists(&self) -> impl Iterator<Item = &BTreeSet<String>> {
        let rules = self.policy.rules.iter();
        rules.flat_map(|rule| rule.rights.values().chain(rule.paths.iter().map(|path| &path.commit)))
    }

    /// What a forge signs is whatever somebody with an account there clicks.
    fn forge(&mut self, principal: &Principal) {
        for rule in &self.policy.rules {
            for right in [Right::Tag, Right::Push, Right::Force, Right::Delete, Right::Policy] {
                if self.policy.grants(rule, right, &principal.name) {
                    let (name, right) = (&principal.name, right.name());
                    let words =
                        format!("{name} is a forge, and has the right {right}: what it signs nobody can make again");
                    self.warnings.push(Warning { line: rule.line, code: "forge-right", words });
                }
            }
        }
    }

    /// One certificate that two principals could have signed with.
    fn overlaps(&mut self) {
        let keys: Vec<_> =
            self.policy.principals.values().flat_map(|one| one.keys.iter().map(move |key| (one, key))).collect();
        for (at, (first, key)) in keys.iter().enumerate() {
            for (second, other) in &keys[..at] {
                if first.name != second.name && overlap(key, other) {
                    let words = format!("a certificate may fit both {} and {}", second.name, first.name);
                    self.say(first.line.max(second.line), "keys-overlap", words);
                }
            }
        }
    }

    fn groups(&mut self) {
        for (name, members) in &self.policy.groups {
            if !self.lists().any(|list| list.contains(name)) {
                // Groups have no line of their own; the first member's is near it.
                let line =
                    members.iter().filter_map(|member| self.policy.principals.get(member)).map(|one| one.line).min();
                self.say(line.unwrap_or(1), "group-unused", format!("the group {name} is in no list"));
            }
        }
    }

    fn rule(&mut self, at: usize) {
        let rule = &self.policy.rules[at];
        self.shadowed(rule, at);
        if let Some(surroundings) = self.surroundings {
            for pattern in &rule.refs {
                if !surroundings.references.iter().any(|name| pattern.matches(name)) {
                    let words = format!("{pattern} matches no ref of this repository");
                    self.say(rule.line, "refs-match-nothing", words);
                }
            }
            if rule.since.as_ref().is_some_and(|since| !(surroundings.has_commit)(since)) {
                self.say(rule.line, "since-missing", "this repository has no commit of the id in since".to_owned());
            }
        }
        let holders = |right| self.policy.holders(rule, right).len();
        let committers = holders(Right::Commit).max(holders(Right::Merge));
        if rule.approvals > committers && committers > 0 {
            let words = format!("{} principals must approve, and {committers} may", rule.approvals);
            self.say(rule.line, "approvals-unreachable", words);
        }
        let certificate = rule.require.contains(&super::rules::Evidence::PushCertificate);
        if certificate && holders(Right::Push) == 0 {
            self.say(
                rule.line,
                "nobody-may-push",
                "a push certificate is required, and nobody has the right push".into(),
            );
        }
        if rule.until.is_some_and(|until| until <= self.now) {
            self.say(rule.line, "rule-ended", "the rule has ended: nothing signed since then passes".to_owned());
        }
        if rule.from.is_some() || rule.until.is_some() || rule.clock_tolerance.is_some() {
            self.unprovable(rule);
        }
        for right in [Right::Force, Right::Delete] {
            if rule.rights.get(&right).is_some_and(|list| list.contains(ANYONE)) {
                let words = format!("anyone who can push may {} these refs", right.name());
                self.say(rule.line, "anyone-may", words);
            }
        }
    }

    /// A pattern behind one that matches all that it does never counts.
    fn shadowed(&mut self, rule: &Rule, at: usize) {
        let earlier = |pattern: &RefPattern| {
            self.policy.rules[..at].iter().find(|earlier| earlier.refs.iter().any(|other| other.covers(pattern)))
        };
        let shadows: Vec<_> = rule.refs.iter().filter_map(|one| earlier(one).map(|first| (one, first))).collect();
        if shadows.len() == rule.refs.len() {
            let words =
                format!("the rule never counts: {}, line {}, comes first", shadows[0].1.name, shadows[0].1.line);
            return self.say(rule.line, "rule-shadowed", words);
        }
        for (pattern, first) in shadows {
            let words = format!("{pattern} never counts here: {}, line {}, comes first", first.name, first.line);
            self.say(rule.line, "rule-shadowed", words);
        }
    }

    /// Who may commit under a rule that asks when something was signed, by keys whose signatures prove no time.
    fn unprovable(&mut self, rule: &Rule) {
        let may = |name: &str| Right::ALL.into_iter().any(|right| self.policy.grants(rule, right, name));
        let names: Vec<&str> = self
            .policy
            .principals
            .values()
            .filter(|one| {
                may(&one.name) && one.keys.iter().any(|key| matches!(key, PrincipalKey::Ssh(_) | PrincipalKey::Pgp(_)))
            })
            .map(|one| one.name.as_str())
            .collect();
        if !names.is_empty() {
            let words = format!(
                "the rule asks when something was signed, which an SSH or OpenPGP key of {} never proves",
                names.join(", ")
            );
            self.say(rule.line, "time-unprovable", words);
        }
    }

    fn whole(&mut self) {
        if self.policy.rules.is_empty() {
            return self.say(1, "nothing-protected", "there is no rule, so no ref is protected".to_owned());
        }
        if self.policy.rules.iter().all(|rule| self.policy.holders(rule, Right::Policy).is_empty()) {
            let words = "nobody has the right policy, so this policy stays as it is for ever".to_owned();
            self.say(1, "nobody-may-change-policy", words);
        }
    }

    fn exceptions(&mut self) {
        for exception in &self.policy.exceptions {
            let id = &exception.commit;
            if exception.expires.is_some_and(|expires| expires <= self.now) {
                self.say(exception.line, "exception-expired", format!("the exception for {id} has expired"));
            }
            if self.surroundings.is_some_and(|surroundings| !(surroundings.has_commit)(id)) {
                self.say(exception.line, "exception-unused", format!("this repository has no commit {id}"));
            }
        }
    }
}

/// A key that more people could meet than whoever wrote it may think.
fn loose_key(name: &str, key: &PrincipalKey) -> Option<(&'static str, String)> {
    let PrincipalKey::Keyless { issuer, subject, claims } = key else { return None };
    let has = |claim| claims.contains_key(&claim);
    let machine = is_ci_platform(issuer) || has(Claim::SourceRepositoryIdentifier);
    match subject {
        Some(subject) if subject.contains("@refs/") && claims.is_empty() => Some((
            "subject-of-a-name",
            format!("{name} is a repository by its name, which others can take over: add source_repository_identifier"),
        )),
        None if has(Claim::SourceRepositoryOwnerIdentifier) && !has(Claim::SourceRepositoryIdentifier) => Some((
            "any-repository",
            format!("{name} is every repository of that owner: add source_repository_identifier"),
        )),
        None if machine && !has(Claim::SourceRepositoryRef) && !has(Claim::TokenSubject) => Some((
            "any-branch",
            format!("{name} is every workflow on every branch of that repository: add source_repository_ref"),
        )),
        _ => None,
    }
}

/// Whether one certificate could fit both keys.
fn overlap(one: &PrincipalKey, other: &PrincipalKey) -> bool {
    let (
        PrincipalKey::Keyless { issuer, subject, claims },
        PrincipalKey::Keyless { issuer: their_issuer, subject: their_subject, claims: their_claims },
    ) = (one, other)
    else {
        return false;
    };
    let agree = |ours: Option<&String>, theirs: Option<&String>| ours.is_none() || theirs.is_none() || ours == theirs;
    issuer == their_issuer
        && agree(subject.as_ref(), their_subject.as_ref())
        && claims.iter().all(|(claim, value)| agree(Some(value), their_claims.get(claim)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn codes(text: &str) -> Vec<(usize, &'static str)> {
        let policy = Policy::parse(text.as_bytes()).unwrap_or_else(|error| panic!("{error}\n{text}"));
        let now = "2026-06-01T00:00:00Z".parse().unwrap();
        let surroundings =
            Surroundings { references: vec!["refs/heads/main".into()], has_commit: &|id| id.starts_with('a') };
        lint(&policy, Some(&surroundings), now).into_iter().map(|warning| (warning.line, warning.code)).collect()
    }

    const CLEAN: &str = r#"schema = 1
version = 1
[principals.ann]
keyless = [{ issuer = "https://i", subject = "ann@example.com" }]
[principals.bot]
keyless = [{ issuer = "https://gitlab.com", claims = { source_repository_identifier = "9", source_repository_ref = "refs/heads/main" } }]
[groups]
all = ["ann", "bot"]
[[rules]]
refs = ["refs/heads/main"]
commit = ["all"]
policy = ["ann"]
"#;

    #[test]
    fn a_sound_policy_has_no_warnings() {
        assert_eq!(codes(CLEAN), []);
    }

    /// Each change to a sound policy, and the one warning that it brings.
    #[test]
    fn each_oddity_is_found_fail() {
        let id = |letter: &str| letter.repeat(40);
        let exception = |commit: &str, rest: &str| {
            format!("[[exceptions]]\ncommit = \"{commit}\"\nreason = \"x\"\nby = \"ann\"\n{rest}")
        };
        let more = |text: &str| format!("{CLEAN}{text}");
        let instead = |old: &str, new: &str| {
            assert!(CLEAN.contains(old), "{old}");
            CLEAN.replace(old, new)
        };
        let last = CLEAN.lines().count() + 1;
        for (text, line, code) in [
            (more(&exception(&id("b"), "")), last, "exception-unused"),
            (more(&exception(&id("a"), "expires = 2026-01-01T00:00:00Z")), last, "exception-expired"),
            (more("[[rules]]\nrefs = [\"refs/heads/x\"]\n"), last, "refs-match-nothing"),
            (more("[[rules]]\nname = \"b\"\nrefs = [\"refs/heads/main\"]\n"), last, "rule-shadowed"),
            (more("approvals = 3"), 9, "approvals-unreachable"),
            (more("require = [\"push-certificate\"]"), 9, "nobody-may-push"),
            (more("until = 2026-01-01T00:00:00Z"), 9, "rule-ended"),
            (more(&format!("since = \"{}\"", id("b"))), 9, "since-missing"),
            (more("delete = [\"anyone\"]"), 9, "anyone-may"),
            (
                more("[principals.cid]\nkeyless = [{ issuer = \"https://i\", subject = \"c\" }]"),
                last,
                "principal-unused",
            ),
            (instead("policy = [\"ann\"]", ""), 1, "nobody-may-change-policy"),
            (
                instead("keyless = [{ issuer = \"https://i\", subject = \"ann@example.com\" }]", ""),
                3,
                "principal-without-keys",
            ),
            (instead("commit = [\"all\"]", "commit = [\"ann\", \"bot\"]"), 3, "group-unused"),
            (
                instead("subject = \"ann@example.com\"", "subject = \"https://git.corp/a//ci.yml@refs/heads/b\""),
                3,
                "subject-of-a-name",
            ),
            (instead(", source_repository_ref = \"refs/heads/main\"", ""), 5, "any-branch"),
            (instead("source_repository_identifier", "source_repository_owner_identifier"), 5, "any-repository"),
            (instead("issuer = \"https://gitlab.com\"", "issuer = \"https://i\""), 5, "keys-overlap"),
            (
                instead("[principals.bot]", "pgp = [\"968479A1AFF927E37D1A566BB5690EEEBB952194\"]\n[principals.bot]")
                    + "clock-tolerance = 5",
                10,
                "time-unprovable",
            ),
            (
                instead(
                    "keyless = [{ issuer = \"https://i\", subject = \"ann@example.com\" }]",
                    "pgp = [\"968479A1AFF927E37D1A566BB5690EEEBB952194\"]\nretired = 2026-01-01T00:00:00Z",
                ),
                3,
                "time-unprovable",
            ),
            (instead("[principals.bot]", "[principals.bot]\nforge = true") + "tag = [\"bot\"]", 10, "forge-right"),
        ] {
            assert_eq!(codes(&text), [(line, code)], "{text}");
        }
        assert_eq!(codes("schema = 1\nversion = 1\n"), [(1, "nothing-protected")]);
    }
}
