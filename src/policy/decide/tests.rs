//! Decisions: each check with the case that it alone refuses.

use super::*;
use crate::policy::rules::Right;

const ISSUER: &str = "https://accounts.example.com";
const ID: &str = "0123456789abcdef0123456789abcdef01234567";

/// A policy of a maintainer, a writer who has left, one whose laptop was stolen, a machine and a forge.
fn policy(rule: &str) -> Policy {
    let text = format!(
        r#"
schema = 1
version = 3
[principals.ann]
keyless = [{{ issuer = "{ISSUER}", subject = "ann@example.com" }}]
emails = ["ann@home.example"]
[principals.bob]
keyless = [{{ issuer = "{ISSUER}", subject = "bob@example.com" }}]
retired = 2026-03-01T00:00:00Z
[principals.eve]
keyless = [{{ issuer = "{ISSUER}", subject = "eve@example.com" }}]
compromised = 2026-03-01T00:00:00Z
[principals.bot]
keyless = [{{ issuer = "{ISSUER}", subject = "https://ci.example.com/build" }}]
[principals.forge]
forge = true
pgp = ["968479A1AFF927E37D1A566BB5690EEEBB952194"]
[groups]
everybody = ["ann", "bob", "eve", "bot"]
[[rules]]
name = "main"
refs = ["refs/heads/main"]
{rule}
"#
    );
    Policy::parse(text.as_bytes()).unwrap_or_else(|error| panic!("{error}\n{text}"))
}

/// Who signs, when, and how much of it is proven.
struct Signed {
    identity: Identity,
    time: Option<&'static str>,
    logged: bool,
}

fn signed(subject: &str) -> Signed {
    let identity = Identity { issuer: ISSUER.to_owned(), subject: subject.to_owned() };
    Signed { identity, time: Some("2026-02-01T00:00:00Z"), logged: true }
}

/// A commit by `committer` over `signed`, changed by `change`.
fn decided(
    rule: &str,
    signed: &Signed,
    committer: &str,
    change: impl FnOnce(&mut Facts<'_>),
) -> Result<Allowed, Denial> {
    let policy = policy(rule);
    let claims = Claims::default();
    let time = signed.time.map(|text| text.parse().unwrap());
    let by = SignedBy::Keyless { identity: &signed.identity, claims: &claims };
    let proof = Proof { by, time, logged: signed.logged, stamped: false };
    let mut facts = facts(committer);
    change(&mut facts);
    commit(&policy, &policy.rules[0], &facts, &proof)
}

fn facts(committer: &str) -> Facts<'_> {
    Facts {
        id: ID,
        parents: 1,
        committer,
        committed: "2026-02-01T00:00:10Z".parse().unwrap(),
        changes_policy: false,
        paths: &[],
        pushed_signed: false,
        reproduced: false,
    }
}

#[track_caller]
fn no(outcome: Result<Allowed, Denial>, reason: Reason) -> Denial {
    match outcome {
        Err(denial) if denial.reason == reason => denial,
        other => panic!("{other:?} is not {reason:?}"),
    }
}

#[test]
fn whoever_has_the_right_is_allowed_and_named() {
    let allowed = decided(r#"commit = ["everybody"]"#, &signed("ann@example.com"), "ann@example.com", |_| ()).unwrap();
    assert_eq!((allowed.principal.as_str(), allowed.rule.name.as_str(), allowed.rule.version), ("ann", "main", 3));
}

#[test]
fn a_stranger_is_nobody_even_at_the_same_issuer_fail() {
    let denial = no(
        decided(r#"commit = ["everybody"]"#, &signed("mallory@example.com"), "ann@example.com", |_| ()),
        Reason::SignerUnknown,
    );
    assert_eq!(denial.who_may, ["ann", "bob", "bot", "eve"]);
    assert!(denial.mend.contains(ID), "{}", denial.mend);
    let elsewhere = Signed {
        identity: Identity { issuer: "https://other.example".into(), subject: "ann@example.com".into() },
        ..signed("")
    };
    no(decided(r#"commit = ["everybody"]"#, &elsewhere, "ann@example.com", |_| ()), Reason::SignerUnknown);
}

#[test]
fn a_format_that_nobody_has_a_key_of_is_not_listed_fail() {
    let policy = policy(r#"commit = ["ann"]"#);
    let ssh = Proof { by: SignedBy::Ssh("ssh-ed25519 AAAA"), time: None, logged: false, stamped: false };
    no(commit(&policy, &policy.rules[0], &facts("ann@example.com"), &ssh), Reason::FormatNotListed);
    let pgp = Proof { by: SignedBy::Pgp("00"), ..ssh };
    no(commit(&policy, &policy.rules[0], &facts("ann@example.com"), &pgp), Reason::SignerUnknown);
}

#[test]
fn each_right_is_its_own_fail() {
    let ann = signed("ann@example.com");
    let as_ann = |rule: &str, change: fn(&mut Facts<'_>)| decided(rule, &ann, "ann@example.com", change);
    no(as_ann(r#"commit = ["bob"]"#, |_| ()), Reason::RightMissing);
    no(as_ann(r#"tag = ["ann"]"#, |_| ()), Reason::RightMissing);
    // A merge asks for its own right, or for that to commit where there is no list of its own.
    as_ann(r#"commit = ["ann"]"#, |facts| facts.parents = 2).unwrap();
    no(as_ann("commit = [\"ann\"]\nmerge = [\"bob\"]", |facts| facts.parents = 2), Reason::RightMissing);
    no(as_ann(r#"merge = ["ann"]"#, |_| ()), Reason::RightMissing);
    // The policy is changed by those with the right to it alone, and they must be allowed to commit as well.
    let denial = no(as_ann(r#"commit = ["ann"]"#, |facts| facts.changes_policy = true), Reason::RightMissing);
    assert!(denial.found.contains("change the policy") && denial.who_may.is_empty(), "{denial:?}");
    no(as_ann(r#"policy = ["ann"]"#, |facts| facts.changes_policy = true), Reason::RightMissing);
    as_ann("commit = [\"ann\"]\npolicy = [\"ann\"]", |facts| facts.changes_policy = true).unwrap();
}

#[test]
fn who_has_retired_signed_rightly_before_and_not_after() {
    let at = |time: Option<&'static str>| Signed { time, ..signed("bob@example.com") };
    let bob = |time| decided(r#"commit = ["everybody"]"#, &at(time), "bob@example.com", |_| ());
    bob(Some("2026-02-28T23:59:59Z")).unwrap();
    no(bob(Some("2026-03-01T00:00:00Z")), Reason::PrincipalRetired);
    // Back-dating the committer is no use: without a proven time it might be any.
    no(bob(None), Reason::PrincipalRetired);
}

#[test]
fn a_key_that_was_stolen_is_nobodys_since_then_fail() {
    let at = |time: Option<&'static str>| Signed { time, ..signed("eve@example.com") };
    let eve = |time| decided(r#"commit = ["everybody"]"#, &at(time), "eve@example.com", |_| ());
    eve(Some("2026-02-28T23:59:59Z")).unwrap();
    no(eve(Some("2026-03-02T00:00:00Z")), Reason::PrincipalCompromised);
    let denial = no(eve(None), Reason::PrincipalCompromised);
    assert!(!denial.who_may.contains(&"eve".to_owned()), "{denial:?}");
}

#[test]
fn the_committer_is_the_signer_unless_the_rule_does_not_care() {
    let ann = signed("ann@example.com");
    for own in ["ann@example.com", "ann@home.example", "ann@HOME.example"] {
        decided(r#"commit = ["ann"]"#, &ann, own, |_| ()).unwrap();
    }
    for others in ["bob@example.com", "Ann@example.com", "ann@example.com.evil", ""] {
        no(decided(r#"commit = ["ann"]"#, &ann, others, |_| ()), Reason::CommitterMismatch);
        decided("commit = [\"ann\"]\ncommitter = \"any\"", &ann, others, |_| ()).unwrap();
    }
    // A machine has no address of its own to commit under.
    decided(r#"commit = ["bot"]"#, &signed("https://ci.example.com/build"), "bot@noreply.example", |_| ()).unwrap();
}

#[test]
fn paths_are_whole_segments_the_longest_counts_and_case_does_not_help() {
    let rule = "commit = [\"ann\"]\n[[rules.paths]]\nprefix = \"docs/\"\ncommit = [\"bob\"]\n[[rules.paths]]\n\
                prefix = \"docs/legal\"\ncommit = [\"ann\"]";
    let change = |who: &str, path: &str| {
        let paths = [path.to_owned()];
        let address = format!("{who}@example.com");
        let policy = policy(rule);
        let identity = Identity { issuer: ISSUER.to_owned(), subject: address.clone() };
        let claims = Claims::default();
        let time = Some("2026-02-01T00:00:00Z".parse().unwrap());
        let by = SignedBy::Keyless { identity: &identity, claims: &claims };
        let proof = Proof { by, time, logged: true, stamped: false };
        commit(&policy, &policy.rules[0], &Facts { paths: &paths, ..facts(&address) }, &proof)
    };
    change("bob", "docs/a").unwrap();
    change("ann", "docs/legal/a").unwrap();
    change("ann", "docs/legal").unwrap();
    change("ann", "src/a").unwrap();
    change("ann", "docs.txt").unwrap();
    no(change("ann", "docs/a"), Reason::PathNotAllowed);
    no(change("ann", "Docs/a"), Reason::PathNotAllowed);
    no(change("bob", "docs/legal/a"), Reason::PathNotAllowed);
    no(change("bob", "src/a"), Reason::RightMissing);
    no(change("bob", "docsx/a"), Reason::RightMissing);
}

#[test]
fn what_a_rule_demands_must_be_there_fail() {
    let with = |rule: &str, logged, pushed| {
        let signed = Signed { logged, ..signed("ann@example.com") };
        decided(rule, &signed, "ann@example.com", |facts| facts.pushed_signed = pushed)
    };
    let log = "commit = [\"ann\"]\nrequire = [\"log\"]";
    with(log, true, false).unwrap();
    no(with(log, false, false), Reason::EvidenceMissing);
    no(with("commit = [\"ann\"]\nrequire = [\"stamp\"]", true, false), Reason::EvidenceMissing);
    let push = "commit = [\"ann\"]\npush = [\"ann\"]\nrequire = [\"push-certificate\"]";
    with(push, true, true).unwrap();
    let denial = no(with(push, true, false), Reason::PushNotSigned);
    assert_eq!(denial.mend, "git push --signed=if-asked");
}

#[test]
fn one_signature_is_never_two_principals_fail() {
    let rule = "commit = [\"everybody\"]\napprovals = 2";
    no(decided(rule, &signed("ann@example.com"), "ann@example.com", |_| ()), Reason::ApprovalsMissing);
}

#[test]
fn a_rule_may_hold_for_a_time_by_the_proven_clock() {
    let rule = "commit = [\"ann\"]\nfrom = 2026-01-01T00:00:00Z\nuntil = 2026-02-02T00:00:00Z";
    let at = |time: Option<&'static str>| {
        decided(rule, &Signed { time, ..signed("ann@example.com") }, "ann@example.com", |_| ())
    };
    at(Some("2026-01-01T00:00:00Z")).unwrap();
    at(Some("2026-02-01T23:59:59Z")).unwrap();
    no(at(Some("2025-12-31T23:59:59Z")), Reason::RuleNotInForce);
    no(at(Some("2026-02-02T00:00:00Z")), Reason::RuleNotInForce);
    no(at(None), Reason::SigningTimeUnproven);
}

#[test]
fn the_committers_clock_may_be_held_to_the_proven_one() {
    let rule = "commit = [\"ann\"]\nclock-tolerance = 1";
    let at = |time: Option<&'static str>| {
        decided(rule, &Signed { time, ..signed("ann@example.com") }, "ann@example.com", |_| ())
    };
    at(Some("2026-02-01T00:01:10Z")).unwrap();
    no(at(Some("2026-02-01T00:01:11Z")), Reason::CommitterTimeOff);
    no(at(Some("2026-01-31T23:59:09Z")), Reason::CommitterTimeOff);
    no(at(None), Reason::SigningTimeUnproven);
}

#[test]
fn a_forge_may_make_only_what_can_be_made_again() {
    let policy = policy("commit = [\"ann\"]\nmerge = [\"ann\", \"forge\"]");
    let pgp = SignedBy::Pgp("968479A1AFF927E37D1A566BB5690EEEBB952194");
    let proof = Proof { by: pgp, time: None, logged: false, stamped: false };
    let merge = Facts { parents: 2, ..facts("noreply@forge.example") };
    let denial = no(commit(&policy, &policy.rules[0], &merge, &proof), Reason::MergeNotReproduced);
    assert_eq!(denial.who_may, ["ann"]);
    commit(&policy, &policy.rules[0], &Facts { reproduced: true, ..merge }, &proof).unwrap();
    // And only what its right is for.
    let alone = Facts { reproduced: true, ..facts("noreply@forge.example") };
    no(commit(&policy, &policy.rules[0], &alone, &proof), Reason::RightMissing);
}

#[test]
fn a_later_policy_speaks_of_earlier_signatures() {
    let policy = policy(r#"commit = ["everybody"]"#);
    let identity = Identity { issuer: ISSUER.to_owned(), subject: "eve@example.com".to_owned() };
    let claims = Claims::default();
    let at = |time: &str| Proof {
        by: SignedBy::Keyless { identity: &identity, claims: &claims },
        time: Some(time.parse().unwrap()),
        logged: true,
        stamped: false,
    };
    lifetime(&policy, &policy.rules[0], &facts(""), &at("2026-02-01T00:00:00Z")).unwrap();
    let denial = lifetime(&policy, &policy.rules[0], &facts(""), &at("2026-04-01T00:00:00Z")).unwrap_err();
    assert_eq!((denial.reason, denial.rule.unwrap().name.as_str()), (Reason::PrincipalCompromised, "eve"));
}

#[test]
fn tags_and_pushes_have_rights_of_their_own() {
    let policy = policy("commit = [\"ann\"]\ntag = [\"bob\"]\npush = [\"ann\"]");
    let identity = Identity { issuer: ISSUER.to_owned(), subject: "ann@example.com".to_owned() };
    let claims = Claims::default();
    let by = SignedBy::Keyless { identity: &identity, claims: &claims };
    let proof = Proof { by, time: Some("2026-02-01T00:00:00Z".parse().unwrap()), logged: true, stamped: false };
    act(&policy, &policy.rules[0], Right::Push, &proof).unwrap();
    for right in [Right::Tag, Right::Create, Right::Force, Right::Delete] {
        let denial = act(&policy, &policy.rules[0], right, &proof).unwrap_err();
        assert_eq!(denial.reason, Reason::RightMissing, "{right:?}");
    }
}
