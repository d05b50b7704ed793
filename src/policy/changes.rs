//! What changes from one policy to the next, in words, and whether it opens or closes a door.
//!
//! It compares what the policies mean: who may do what after groups are followed, not how the lists are spelled.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use super::decide;
use super::file::ANYONE;
use super::rules::{Exception, PathRule, Policy, Principal, PrincipalKey, Right, Rule};

/// One difference.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// What it does.
    pub effect: Effect,
    /// The line of the newer file, or of the older one for what is gone.
    pub line: usize,
    /// What it is, for people: lower case, no full stop.
    pub words: String,
}

/// What a change does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Effect {
    /// Something passes that did not.
    Looser,
    /// Something passes no more.
    Tighter,
    /// One or the other, or neither.
    Other,
}

impl Effect {
    /// The word for it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Effect::Looser => "looser",
            Effect::Tighter => "tighter",
            Effect::Other => "other",
        }
    }
}

/// Everything that differs, from `old` to `new`.
#[must_use]
pub fn changes(old: &Policy, new: &Policy) -> Vec<Change> {
    let mut found = Found { old, new, changes: Vec::new() };
    found.principals();
    found.rules();
    found.exceptions();
    found.changes
}

struct Found<'a> {
    old: &'a Policy,
    new: &'a Policy,
    changes: Vec<Change>,
}

impl Found<'_> {
    fn say(&mut self, effect: Effect, line: usize, words: String) {
        self.changes.push(Change { effect, line, words });
    }

    /// Something was `before`, and is `after`; `order` tells which of two lets more pass.
    fn turned<T: PartialEq + Copy>(
        &mut self,
        line: usize,
        what: &str,
        (before, after): (T, T),
        looser: impl Fn(T, T) -> Effect,
        show: impl Fn(T) -> String,
    ) {
        if before != after {
            self.say(looser(before, after), line, format!("{what}: {} -> {}", show(before), show(after)));
        }
    }

    fn principals(&mut self) {
        let (old, new) = (self.old, self.new);
        for (name, principal) in &old.principals {
            if !new.principals.contains_key(name) {
                self.say(Effect::Tighter, principal.line, format!("principal {name}: gone"));
            }
        }
        for (name, principal) in &new.principals {
            let Some(before) = old.principals.get(name) else {
                let keys: Vec<String> = principal.keys.iter().map(ToString::to_string).collect();
                let keys = if keys.is_empty() { "no key".to_owned() } else { keys.join(", ") };
                self.say(Effect::Looser, principal.line, format!("principal {name}: new, known by {keys}"));
                continue;
            };
            self.principal(name, before, principal);
        }
    }

    fn principal(&mut self, name: &str, before: &Principal, after: &Principal) {
        let line = after.line;
        for key in before.keys.iter().filter(|key| !after.keys.contains(key)) {
            self.say(Effect::Tighter, line, format!("principal {name}: no longer known by {key}"));
        }
        for key in after.keys.iter().filter(|key| !before.keys.contains(key)) {
            self.say(Effect::Looser, line, format!("principal {name}: also known by {key}"));
        }
        for email in before.emails.difference(&after.emails) {
            self.say(Effect::Tighter, line, format!("principal {name}: no longer the committer {email:?}"));
        }
        for email in after.emails.difference(&before.emails) {
            self.say(Effect::Looser, line, format!("principal {name}: also the committer {email:?}"));
        }
        let forge = |is_forge: bool| if is_forge { "a forge" } else { "no forge" }.to_owned();
        let freed = |before, _| if before { Effect::Looser } else { Effect::Tighter };
        self.turned(line, &format!("principal {name}"), (before.is_forge, after.is_forge), freed, forge);
        // No end is the latest end.
        for (what, before, after) in
            [("retired", before.retired, after.retired), ("compromised", before.compromised, after.compromised)]
        {
            self.turned(line, &format!("principal {name}, {what}"), (before, after), later, or_never);
        }
    }

    fn rules(&mut self) {
        let (old, new) = (self.old, self.new);
        let by_name = |policy: &'_ Policy| -> BTreeMap<String, usize> {
            policy.rules.iter().enumerate().map(|(at, rule)| (rule.name.clone(), at)).collect()
        };
        let (before, after) = (by_name(old), by_name(new));
        for rule in old.rules.iter().filter(|rule| !after.contains_key(&rule.name)) {
            let words = format!("rule {}: gone, and with it the protection of {}", rule.name, patterns(rule));
            self.say(Effect::Looser, rule.line, words);
        }
        for rule in &new.rules {
            match before.get(&rule.name) {
                Some(at) => self.rule(&old.rules[*at], rule),
                None => {
                    let words = format!("rule {}: new, protects {}", rule.name, patterns(rule));
                    self.say(Effect::Other, rule.line, words);
                    self.holders(None, rule);
                }
            }
        }
        // The first rule that names a ref counts, so their order means something.
        let common: Vec<&Rule> = new.rules.iter().filter(|rule| before.contains_key(&rule.name)).collect();
        for pair in common.windows(2) {
            if before[&pair[0].name] > before[&pair[1].name] {
                let words = format!("rule {}: now comes before {}", pair[0].name, pair[1].name);
                self.say(Effect::Other, pair[0].line, words);
            }
        }
    }

    fn rule(&mut self, before: &Rule, after: &Rule) {
        let (name, line) = (&after.name, after.line);
        for pattern in before.refs.iter().filter(|pattern| !after.refs.contains(pattern)) {
            self.say(Effect::Looser, line, format!("rule {name}: no longer for {pattern}"));
        }
        for pattern in after.refs.iter().filter(|pattern| !before.refs.contains(pattern)) {
            self.say(Effect::Other, line, format!("rule {name}: also for {pattern}"));
        }
        self.holders(Some(before), after);
        self.paths(before, after);
        let what = |what: &str| format!("rule {name}, {what}");
        let order = |lower: bool| if lower { Effect::Looser } else { Effect::Tighter };
        self.turned(line, &what("judged"), (before.judged, after.judged), |a, b| order(b < a), |one| one.name().into());
        let committers = (before.committer, after.committer);
        self.turned(line, &what("committer"), committers, |a, b| order(b < a), |one| one.name().into());
        for evidence in before.require.difference(&after.require) {
            self.say(Effect::Looser, line, format!("rule {name}: no longer requires {}", evidence.name()));
        }
        for evidence in after.require.difference(&before.require) {
            self.say(Effect::Tighter, line, format!("rule {name}: requires {}", evidence.name()));
        }
        let covered = (before.covered_by_push, after.covered_by_push);
        self.turned(line, &what("covered-by-push"), covered, |_, now| order(now), |one| one.to_string());
        let approvals = (before.approvals, after.approvals);
        self.turned(line, &what("approvals"), approvals, |a, b| order(b < a), |one| one.to_string());
        let since = (before.since.as_deref(), after.since.as_deref());
        self.turned(line, &what("since"), since, |_, _| Effect::Other, |one| one.unwrap_or("the first commit").into());
        self.turned(line, &what("from"), (before.from, after.from), |a, b| order(b < a), or_always);
        self.turned(line, &what("until"), (before.until, after.until), later, or_never);
        let minutes = |one: Option<u32>| one.map_or("any".to_owned(), |minutes| format!("{minutes} minutes"));
        let wider = |a: Option<u32>, b: Option<u32>| order(b.is_none() || (a.is_some() && b > a));
        self.turned(line, &what("clock-tolerance"), (before.clock_tolerance, after.clock_tolerance), wider, minutes);
    }

    /// Who gained or lost a right.
    fn holders(&mut self, before: Option<&Rule>, after: &Rule) {
        for right in Right::ALL {
            let had = before.map(|rule| everybody(self.old, rule, right)).unwrap_or_default();
            let has = everybody(self.new, after, right);
            self.people(&had, &has, after.line, &format!("rule {}", after.name), decide::verb(right));
        }
    }

    fn people(&mut self, had: &BTreeSet<String>, has: &BTreeSet<String>, line: usize, place: &str, what: &str) {
        for name in had.difference(has) {
            self.say(Effect::Tighter, line, format!("{place}: {name} may no longer {what}"));
        }
        for name in has.difference(had) {
            self.say(Effect::Looser, line, format!("{place}: {name} may {what}"));
        }
    }

    fn paths(&mut self, before: &Rule, after: &Rule) {
        let same = |one: &PathRule, other: &PathRule| one.prefix == other.prefix;
        for path in before.paths.iter().filter(|path| !after.paths.iter().any(|other| same(path, other))) {
            let words = format!("rule {}: {} is no longer apart from the rest", after.name, path.prefix);
            self.say(Effect::Other, after.line, words);
        }
        for path in &after.paths {
            let place = format!("rule {}, {}", after.name, path.prefix);
            let earlier = before.paths.iter().find(|other| same(path, other));
            if earlier.is_none() {
                self.say(Effect::Other, path.line, format!("{place}: apart from the rest"));
            }
            let had = earlier.map(|path| members(self.old, &path.commit)).unwrap_or_default();
            let has = members(self.new, &path.commit);
            self.people(&had, &has, path.line, &place, "commit");
        }
    }

    fn exceptions(&mut self) {
        let find = |list: &[Exception], commit: &str| list.iter().find(|one| one.commit == commit).cloned();
        for exception in &self.old.exceptions {
            if find(&self.new.exceptions, &exception.commit).is_none() {
                self.say(Effect::Tighter, exception.line, format!("exception {}: gone", exception.commit));
            }
        }
        for Exception { line, commit, reason, by, expires } in &self.new.exceptions {
            let until = or_never(*expires);
            match find(&self.old.exceptions, commit) {
                None => {
                    let words = format!("exception {commit}: passes, says {by} ({reason:?}), expires {until}");
                    self.say(Effect::Looser, *line, words);
                }
                Some(before) => {
                    let place = format!("exception {commit}, expires");
                    self.turned(*line, &place, (before.expires, *expires), later, or_never);
                    let (was, is) = ((&before.by, &before.reason), (by, reason));
                    let show = |(by, reason): (&String, &String)| format!("{by}, {reason:?}");
                    self.turned(*line, &format!("exception {commit}"), (was, is), |_, _| Effect::Other, show);
                }
            }
        }
    }
}

impl fmt::Display for PrincipalKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            PrincipalKey::Keyless { issuer, subject, claims } => {
                match subject {
                    Some(subject) => write!(f, "{subject:?} of {issuer:?}")?,
                    None => write!(f, "a certificate of {issuer:?}")?,
                }
                claims.iter().try_for_each(|(claim, value)| write!(f, " with {} {value:?}", claim.name()))
            }
            PrincipalKey::Ssh(key) => write!(f, "the SSH key {key:?}"),
            PrincipalKey::Pgp(fingerprint) => write!(f, "the OpenPGP key {fingerprint}"),
            PrincipalKey::X509 { root, subject } => write!(f, "{subject:?} under {:?}", root.subject_name()),
        }
    }
}

/// Everybody who has a right, and the word for whoever can push.
fn everybody(policy: &Policy, rule: &Rule, right: Right) -> BTreeSet<String> {
    let anyone = rule.rights.get(&right).is_some_and(|list| list.contains(ANYONE));
    let named = decide::holders(policy, rule, right);
    named.into_iter().chain(anyone.then(|| ANYONE.to_owned())).collect()
}

fn members(policy: &Policy, list: &BTreeSet<String>) -> BTreeSet<String> {
    policy.principals.keys().filter(|name| policy.includes(list, name)).cloned().collect()
}

fn patterns(rule: &Rule) -> String {
    rule.refs.iter().map(|pattern| pattern.as_str()).collect::<Vec<_>>().join(", ")
}

/// A later end lets more pass; no end is the latest.
fn later<T: PartialOrd>(before: Option<T>, after: Option<T>) -> Effect {
    match (before, after) {
        (Some(_), None) => Effect::Looser,
        (None, Some(_)) => Effect::Tighter,
        (before, after) if after > before => Effect::Looser,
        _ => Effect::Tighter,
    }
}

fn or_never<T: ToString>(time: Option<T>) -> String {
    time.map_or("never".to_owned(), |time| time.to_string())
}

fn or_always<T: ToString>(time: Option<T>) -> String {
    time.map_or("always".to_owned(), |time| time.to_string())
}

#[cfg(test)]
mod tests;
