//! `implies` against a model: rules and commits drawn at random, every commit held against both rules.

use super::*;
use crate::policy::rules::{CommitterRule, PathRule};
use jiff::Timestamp;

const PEOPLE: [&str; 3] = ["ann", "bob", "cid"];
const PREFIXES: [&str; 6] = ["", "docs", "docs/", "Docs/a", "docs/a/b", "src"];
const PATHS: [&str; 7] = ["README", "docs", "docs/x", "docs/a/x", "DOCS/A/x", "docs/a/b/x", "docsx"];

/// xorshift64*: the same draws every time.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) % sides
    }

    fn one_in(&mut self, sides: u64) -> bool {
        self.roll(sides) == 0
    }

    fn people(&mut self) -> BTreeSet<String> {
        let named = ["ann", "bob", "cid", "two"].into_iter().filter(|_| self.one_in(2));
        named.map(str::to_owned).collect()
    }

    fn time(&mut self) -> Option<Timestamp> {
        self.one_in(3).then(|| Timestamp::from_second(self.roll(4) as i64).unwrap())
    }
}

fn policy() -> Policy {
    let text =
        "schema = 1\nversion = 1\n[principals]\nann = {}\nbob = {}\ncid = {}\n[groups]\ntwo = [\"ann\", \"bob\"]\n";
    Policy::parse(text.as_bytes()).unwrap()
}

fn rule() -> Rule {
    let text = "schema = 1\nversion = 1\n[[rules]]\nrefs = [\"refs/heads/a\"]\n";
    Policy::parse(text.as_bytes()).unwrap().rules.remove(0)
}

/// A rule drawn at random; half of its parts from `like`, so that pairs are near each other.
fn drawn(dice: &mut Dice, like: &Rule) -> Rule {
    let mut rule = like.clone();
    for right in [Right::Commit, Right::Merge, Right::Policy, Right::Push] {
        match dice.roll(6) {
            0 => drop(rule.rights.remove(&right)),
            1 => drop(rule.rights.insert(right, dice.people())),
            _ => {}
        }
    }
    if dice.one_in(4) {
        rule.paths.clear();
        for prefix in &PREFIXES[1..] {
            if dice.one_in(3) {
                rule.paths.push(PathRule { line: 1, prefix: (*prefix).to_owned(), commit: dice.people() });
            }
        }
    }
    if dice.one_in(4) {
        rule.judged = [Judged::All, Judged::All, Judged::Merges, Judged::FirstParent][dice.roll(4) as usize];
    }
    if dice.one_in(4) {
        rule.committer = if dice.one_in(2) { CommitterRule::Any } else { CommitterRule::Signer };
    }
    if dice.one_in(4) {
        rule.require = Evidence::ALL.into_iter().filter(|_| dice.one_in(3)).collect();
    }
    if dice.one_in(4) {
        rule.covered_by_push = dice.one_in(2);
        rule.approvals = 1 + dice.roll(3) as usize;
        (rule.from, rule.until) = (dice.time(), dice.time());
        rule.clock_tolerance = dice.one_in(2).then(|| dice.roll(3) as u32);
        rule.since = dice.one_in(3).then(|| ["a", "b"][dice.roll(2) as usize].repeat(40));
    }
    rule
}

/// What matters of a commit.
struct Facts {
    signer: Option<&'static str>,
    merge: bool,
    paths: Vec<&'static str>,
    changes_policy: bool,
    committer_is_signer: bool,
    evidence: BTreeSet<Evidence>,
    pusher: &'static str,
    time: Timestamp,
    off: u32,
    approvals: usize,
    before: Option<String>,
}

fn facts(dice: &mut Dice) -> Facts {
    Facts {
        signer: [Some("ann"), Some("bob"), Some("cid"), None][dice.roll(4) as usize],
        merge: dice.one_in(2),
        paths: PATHS.into_iter().filter(|_| dice.one_in(5)).collect(),
        changes_policy: dice.one_in(4),
        committer_is_signer: !dice.one_in(4),
        evidence: Evidence::ALL.into_iter().filter(|_| !dice.one_in(3)).collect(),
        pusher: PEOPLE[dice.roll(3) as usize],
        time: Timestamp::from_second(dice.roll(4) as i64).unwrap(),
        off: dice.roll(4) as u32,
        approvals: 1 + dice.roll(3) as usize,
        before: dice.one_in(4).then(|| ["a", "b"][dice.roll(2) as usize].repeat(40)),
    }
}

/// The manual's sentences, written another way than the code: path by path, list by list.
fn passes(policy: &Policy, rule: &Rule, facts: &Facts) -> bool {
    if facts.before.is_some() && facts.before == rule.since {
        return true;
    }
    let right = if facts.merge { Right::Merge } else { Right::Commit };
    let has = |list: Option<&BTreeSet<String>>, who: &str| list.is_some_and(|list| policy.includes(list, who));
    let general = rule.rights.get(&right).or_else(|| rule.rights.get(&Right::Commit));
    let may = |path: &str, who: &str| {
        let segments = |text: &str| -> Vec<String> {
            text.to_lowercase().split('/').filter(|part| !part.is_empty()).map(str::to_owned).collect()
        };
        let best = rule.paths.iter().filter(|one| segments(path).starts_with(&segments(&one.prefix)));
        let best = best.max_by_key(|one| segments(&one.prefix).len());
        has(best.map(|one| &one.commit).or(general), who)
    };
    let signed = facts.signer.is_some_and(|who| {
        let all_paths = facts.paths.iter().all(|path| may(path, who));
        (if facts.paths.is_empty() { has(general, who) } else { all_paths })
            && (!facts.changes_policy || has(rule.rights.get(&Right::Policy), who))
            && (rule.committer == CommitterRule::Any || facts.committer_is_signer)
            && rule.from.is_none_or(|from| facts.time >= from)
            && rule.until.is_none_or(|until| facts.time < until)
            && rule.clock_tolerance.is_none_or(|tolerance| facts.off <= tolerance)
    });
    let covered = rule.covered_by_push && facts.signer.is_none() && !facts.changes_policy && {
        if facts.paths.is_empty() {
            has(general, facts.pusher)
        } else {
            facts.paths.iter().all(|path| may(path, facts.pusher))
        }
    };
    let evidence = rule.require.is_subset(&facts.evidence)
        && (!rule.require.contains(&Evidence::PushCertificate) || has(rule.rights.get(&Right::Push), facts.pusher));
    (signed || covered) && evidence && facts.approvals >= rule.approvals
}

#[test]
fn what_passes_the_stronger_rule_passes_the_weaker_one() {
    let (policy, mut dice) = (policy(), Dice(0x9e37_79b9_7f4a_7c15));
    let mut yes = 0;
    for _ in 0..4_000 {
        let first = drawn(&mut dice, &rule());
        let first = drawn(&mut dice, &first);
        let second = drawn(&mut dice, &first);
        if !first.implies(&second, &policy) {
            continue;
        }
        yes += 1;
        for _ in 0..60 {
            let facts = facts(&mut dice);
            assert!(
                !passes(&policy, &first, &facts) || passes(&policy, &second, &facts),
                "\n{first:#?}\n{second:#?}\nsigner {:?} paths {:?}",
                facts.signer,
                facts.paths
            );
        }
    }
    assert!(yes > 300, "only {yes} pairs said anything");
}

#[test]
fn a_rule_implies_itself_and_the_order_is_transitive() {
    let (policy, mut dice) = (policy(), Dice(7));
    for _ in 0..4_000 {
        let first = drawn(&mut dice, &rule());
        let second = drawn(&mut dice, &first);
        let third = drawn(&mut dice, &second);
        assert_eq!(first.implies(&first, &policy), first.judged == Judged::All);
        if first.implies(&second, &policy) && second.implies(&third, &policy) {
            assert!(first.implies(&third, &policy), "{first:#?}\n{second:#?}\n{third:#?}");
        }
    }
}

/// One change each, and in that direction alone.
#[test]
fn each_weakness_alone_is_enough_fail() {
    let policy = policy();
    let list = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<BTreeSet<_>>();
    let mut strong = rule();
    strong.rights = [(Right::Commit, list(&["ann"])), (Right::Push, list(&["ann"]))].into();
    strong.paths = vec![PathRule { line: 1, prefix: "docs/".into(), commit: list(&["bob"]) }];
    strong.require = [Evidence::Log, Evidence::PushCertificate].into();
    (strong.from, strong.until) = (Some(Timestamp::from_second(1).unwrap()), Some(Timestamp::from_second(9).unwrap()));
    (strong.clock_tolerance, strong.approvals) = (Some(5), 2);
    type Weaken = fn(&mut Rule, BTreeSet<String>);
    let weaknesses: &[(&str, Weaken)] = &[
        ("commit", |rule, all| drop(rule.rights.insert(Right::Commit, all))),
        ("merge", |rule, all| drop(rule.rights.insert(Right::Merge, all))),
        ("policy", |rule, all| drop(rule.rights.insert(Right::Policy, all))),
        ("push", |rule, all| drop(rule.rights.insert(Right::Push, all))),
        ("path", |rule, all| rule.paths[0].commit = all),
        ("more paths", |rule, all| rule.paths.push(PathRule { line: 1, prefix: "src".into(), commit: all })),
        ("fewer paths", |rule, _| rule.paths.clear()),
        ("judged", |rule, _| rule.judged = Judged::Merges),
        ("committer", |rule, _| rule.committer = CommitterRule::Any),
        ("require", |rule, _| _ = rule.require.remove(&Evidence::Log)),
        ("covered", |rule, _| rule.covered_by_push = true),
        ("approvals", |rule, _| rule.approvals = 1),
        ("since", |rule, _| rule.since = Some("a".repeat(40))),
        ("from", |rule, _| rule.from = None),
        ("until", |rule, _| rule.until = Some(Timestamp::from_second(10).unwrap())),
        ("clock", |rule, _| rule.clock_tolerance = Some(6)),
    ];
    for (name, weaken) in weaknesses {
        let mut weak = strong.clone();
        weaken(&mut weak, list(&["two", "cid"]));
        assert!(!weak.implies(&strong, &policy), "{name}");
        assert!(strong.implies(&weak, &policy) || *name == "fewer paths", "{name}");
    }
}
