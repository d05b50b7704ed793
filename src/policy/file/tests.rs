//! Policy files that are read, and every way in which one is refused.

use super::*;
use crate::crypto::{KeyKind, ServiceKey};
use crate::format::issue::{Authority, DistinguishedName, Validity};
use crate::format::x509::Claim;
use crate::policy::rules::{CommitterRule, Evidence, Judged, Right};

const ID: &str = "0123456789abcdef0123456789abcdef01234567";
const SSH: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl";
const PGP: &str = "968479A1AFF927E37D1A566BB5690EEEBB952194";

/// A policy of one person and one rule, with more of the principal, of the rule, and of the file.
fn text(principal: &str, rule: &str, rest: &str) -> String {
    format!(
        "schema = 1\nversion = 7\n[principals.ann]\n{principal}\n[principals.bob]\n[groups]\nall = [\"ann\", \"bob\"]\n\
         [[rules]]\nrefs = [\"refs/heads/main\"]\n{rule}\n{rest}\n"
    )
}

#[track_caller]
fn read(text: &str) -> Policy {
    Policy::parse(text.as_bytes()).unwrap_or_else(|error| panic!("{error}\n{text}"))
}

#[track_caller]
fn refused(text: &str) -> PolicyFileError {
    match Policy::parse(text.as_bytes()) {
        Err(error) => error,
        Ok(_) => panic!("not refused:\n{text}"),
    }
}

/// A file with everything in it.
pub(in crate::policy) fn whole_file() -> String {
    let root = crate::format::pem::encode("CERTIFICATE", &authority());
    format!(
        r#"
schema = 1
version = 7

[principals.alice]
keyless = [{{ issuer = "https://accounts.google.com", subject = "alice@example.com" }}]
ssh = ["{SSH} alice@laptop"]
pgp = ["{PGP}"]
x509 = [{{ root = """{root}""", subject = "alice@corp.example" }}]
emails = ["alice@corp.example"]
retired = 2026-03-01T00:00:00Z
compromised = 2026-02-11T09:00:00+01:00

[principals.bot]
forge = true
[[principals.bot.keyless]]
issuer = "https://token.actions.githubusercontent.com"
claims = {{ source_repository_identifier = "99", source_repository_ref = "refs/heads/main" }}

[groups]
maintainers = ["alice"]

[[rules]]
name = "main"
refs = ["refs/heads/main", "refs/heads/release/*"]
judged = "merges"
commit = ["maintainers"]
merge = []
policy = ["alice"]
committer = "any"
require = ["log", "push-certificate"]
covered-by-push = true
approvals = 2
since = "{ID}"
from = 2026-01-01T00:00:00Z
until = 2027-01-01T00:00:00Z
clock-tolerance = 30
[[rules.paths]]
prefix = "docs/"
commit = ["bot", "maintainers"]

[[rules]]
refs = ["refs/tags/**"]
tag = ["alice"]
create = ["anyone"]

[[exceptions]]
commit = "{ID}"
reason = "imported before the gate"
by = "alice"
expires = 2027-01-01T00:00:00Z
"#
    )
}

#[test]
fn everything_that_a_file_may_say_is_read() {
    let text = whole_file();
    let policy = read(&text);
    assert_eq!((policy.version, policy.digest), (7, sha256(text.as_bytes())));

    let line = |needle: &str| 1 + text[..text.find(needle).unwrap()].matches('\n').count();
    let alice = &policy.principals["alice"];
    assert_eq!((alice.line, alice.keys.len(), alice.is_forge), (line("[principals.alice]"), 4, false));
    assert_eq!(alice.keys[1], PrincipalKey::Ssh(SSH.into()));
    assert_eq!(alice.compromised, Some("2026-02-11T08:00:00Z".parse().unwrap()));
    let PrincipalKey::Keyless { subject: None, claims, .. } = &policy.principals["bot"].keys[0] else { panic!() };
    assert_eq!(claims[&Claim::SourceRepositoryIdentifier], "99");

    let [main, tags] = policy.rules.as_slice() else { panic!() };
    assert_eq!((main.name.as_str(), main.line), ("main", line("[[rules]]")));
    assert_eq!((main.judged, main.committer, main.approvals), (Judged::Merges, CommitterRule::Any, 2));
    assert_eq!(main.require, [Evidence::Log, Evidence::PushCertificate].into());
    assert_eq!((main.clock_tolerance, main.since.as_deref(), main.covered_by_push), (Some(30), Some(ID), true));
    assert!(main.rights[&Right::Merge].is_empty() && !main.rights.contains_key(&Right::Force));
    assert!(policy.grants(main, Right::Commit, "alice") && !policy.grants(main, Right::Commit, "bot"));
    assert_eq!((main.paths[0].prefix.as_str(), main.paths[0].line), ("docs/", line("[[rules.paths]]")));
    assert_eq!((tags.name.as_str(), tags.approvals), ("refs/tags/**", 1));
    assert_eq!((tags.judged, tags.committer), (Judged::All, CommitterRule::Signer));
    assert_eq!(policy.exceptions[0].line, line("[[exceptions]]"));
}

/// The certificate of an authority made for this.
fn authority() -> Vec<u8> {
    let name = DistinguishedName { organization: "Corp".into(), common_name: "root".into() };
    let key = ServiceKey::generate(KeyKind::EcdsaP256).unwrap();
    let time = |text: &str| text.parse::<Timestamp>().unwrap();
    let validity = Validity { not_before: time("2026-01-01T00:00:00Z"), not_after: time("2036-01-01T00:00:00Z") };
    Authority { name: &name, key: &key }.root([1; 20], validity).unwrap()
}

#[test]
fn the_least_that_a_file_may_say_is_read() {
    let policy = read("schema = 1\nversion = 1\n");
    assert!(policy.rules.is_empty() && policy.principals.is_empty());
}

/// What stands somewhere, the line it is refused in, and the beginning of the words.
type Case<'a> = (&'a str, usize, &'a str);

#[test]
fn what_a_principal_may_not_be_fail() {
    let keyless =
        |rest: &str| format!("keyless = [{{ issuer = \"https://token.actions.githubusercontent.com\"{rest} }}]");
    let cases: &[Case<'_>] = &[
        (&keyless(""), 4, "anybody with an account at"),
        (&keyless(", claims = {}"), 4, "anybody with an account at"),
        (
            &keyless(", claims = { source_repository_ref = \"refs/heads/main\" }"),
            4,
            "a stranger could meet these claims",
        ),
        (&keyless(", claims = { repository = \"x\" }"), 4, "\"repository\" is no claim"),
        (&keyless(", claims = { token_subject = \"\" }"), 4, "\"\" must be one line"),
        (
            &keyless(", subject = \"https://github.com/a/b/.github/workflows/c.yml@refs/heads/main\""),
            4,
            "this subject is",
        ),
        (&keyless(", subjects = \"x\""), 4, "unknown field `subjects`"),
        ("keyless = [{ subject = \"ann@example.com\" }]", 4, "missing field `issuer`"),
        ("keyless = [{ issuer = \"google\", subject = \"ann@example.com\" }]", 4, "\"google\" is no issuer"),
        ("keyless = []", 4, "the list is empty"),
        ("ssh = []", 4, "the list is empty"),
        ("ssh = [\"ssh-ed25519 AAAA\"]", 4, "\"ssh-ed25519 AAAA\" is no SSH public key"),
        ("ssh = [\"ssh-rsa AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl\"]", 4, "\"ssh-rsa"),
        ("pgp = [\"968479a1aff927e37d1a566bb5690eeebb952194\"]", 4, "\"968479a1"),
        ("pgp = [\"B5690EEEBB952194\"]", 4, "\"B5690EEEBB952194\" is no OpenPGP fingerprint"),
        ("x509 = [{ root = \"\", subject = \"a\" }]", 4, "the root is not one certificate"),
        ("emails = [\"ann\"]", 4, "\"ann\" is no mail address"),
        ("emails = [\"a@b\",\n\"a@b\"]", 5, "\"a@b\" stands here twice"),
        ("retired = 2026-03-01", 4, "2026-03-01 is no point in time"),
        ("retired = 2026-03-01T00:00:00", 4, "2026-03-01T00:00:00 is no point in time"),
        ("retired = \"2026-03-01T00:00:00Z\"", 4, "invalid type"),
        ("forge = 1", 4, "invalid type"),
        ("key = 1", 4, "unknown field `key`"),
    ];
    for (principal, line, words) in cases {
        let error = refused(&text(principal, "", ""));
        assert_eq!(error.line, *line, "{principal}: {error}");
        assert!(error.fault.to_string().starts_with(words), "{principal}: {error}");
    }
}

#[test]
fn what_a_rule_may_not_say_fail() {
    let cases: &[Case<'_>] = &[
        ("commit = []", 10, "the list is empty"),
        ("commit = [\"all\", \"all\"]", 10, "\"all\" stands here twice"),
        ("commit = [\"ann\",\n\n\"carol\"]", 12, "\"carol\" is neither a principal nor"),
        ("commit = [\"anyone\"]", 10, "anyone may stand in create, force and delete alone"),
        ("commit = \"ann\"", 10, "invalid type"),
        ("sign = [\"ann\"]", 10, "unknown field `sign`"),
        ("covered_by_push = true", 10, "unknown field `covered_by_push`"),
        ("judged = \"some\"", 10, "\"some\" is not one of all, merges, first-parent"),
        ("committer = \"author\"", 10, "\"author\" is not one of signer, any"),
        ("require = []", 10, "the list is empty"),
        ("require = [\"logs\"]", 10, "\"logs\" is not one of log, stamp, push-certificate"),
        ("approvals = 0", 10, "approvals is a number from 1 to 64"),
        ("approvals = -1", 10, "invalid value"),
        ("clock-tolerance = 9999999", 10, "clock-tolerance is a number from 1 to 527040"),
        ("since = \"0123456\"", 10, "\"0123456\" is no full commit id"),
        ("since = \"0123456789ABCDEF0123456789abcdef01234567\"", 10, "\"0123456789ABCDEF"),
        ("from = 2027-01-01T00:00:00Z\nuntil = 2026-01-01T00:00:00Z", 11, "the rule ends before it begins"),
        ("until = 2026-01-01T00:00:00Z\nfrom = 2026-01-01T00:00:00Z", 10, "the rule ends before it begins"),
        ("name = \"\"", 10, "\"\" must be one line"),
        ("name = \"a\\nb\"", 10, "\"a\\nb\" must be one line"),
        ("[[rules.paths]]\nprefix = \"/docs\"\ncommit = [\"ann\"]", 11, "\"/docs\" is no path"),
        ("[[rules.paths]]\nprefix = \"docs/../src\"\ncommit = [\"ann\"]", 11, "\"docs/../src\" is no path"),
        ("[[rules.paths]]\nprefix = \"docs\"\ncommit = []", 12, "the list is empty"),
        ("[[rules.paths]]\nprefix = \"docs\"", 10, "missing field `commit`"),
        (
            "[[rules.paths]]\nprefix = \"docs\"\ncommit = [\"ann\"]\n[[rules.paths]]\nprefix = \"Docs/\"\ncommit = [\"ann\"]",
            14,
            "the prefix \"Docs/\" stands in this rule already",
        ),
        ("[[rules]]\nname = \"refs/heads/main\"\nrefs = [\"refs/heads/x\"]", 10, "there is a rule called"),
        ("[[rules]]\nrefs = []", 11, "the list is empty"),
        ("[[rules]]\nrefs = [\"main\"]", 11, "\"main\" is not a full ref name"),
        ("[[rules]]\nrefs = [\"refs/heads/a..b\"]", 11, "\"refs/heads/a..b\" can match no ref"),
        ("[[rules]]\ncommit = [\"ann\"]", 10, "missing field `refs`"),
    ];
    for (rule, line, words) in cases {
        let error = refused(&text("", rule, ""));
        assert_eq!(error.line, *line, "{rule}: {error}");
        assert!(error.fault.to_string().starts_with(words), "{rule}: {error}");
    }
}

#[test]
fn what_a_file_may_not_say_fail() {
    let exception = |rest: &str| format!("[[exceptions]]\ncommit = \"{ID}\"\n{rest}");
    let cases: &[Case<'_>] = &[
        ("[unknown]", 11, "unknown field `unknown`"),
        ("[[groups]]", 11, "duplicate key"),
        ("[principals.ann]", 11, "duplicate key"),
        ("[principals.\"a b\"]", 11, "\"a b\" is no name"),
        ("[principals.anyone]", 11, "anyone may stand in create"),
        ("[principals.\"-a\"]", 11, "\"-a\" is no name"),
        ("[principals.all]", 7, "\"all\" is a principal, and so cannot be a group"),
        (&exception("by = \"ann\""), 11, "missing field `reason`"),
        (&exception("by = \"all\"\nreason = \"x\""), 13, "\"all\" is no principal"),
        (&exception("by = \"ann\"\nreason = \" \""), 14, "\" \" must be one line"),
        (&exception("by = \"ann\"\nreason = \"x\"\nexpires = 07:32:00"), 15, "07:32:00 is no point in time"),
        ("[[exceptions]]\ncommit = \"0123\"\nreason = \"x\"\nby = \"ann\"", 12, "\"0123\" is no full commit id"),
    ];
    for (rest, line, words) in cases {
        let error = refused(&text("", "", rest));
        assert_eq!(error.line, *line, "{rest}: {error}");
        assert!(error.fault.to_string().starts_with(words), "{rest}: {error}");
    }
    for (whole, line, words) in [
        ("", 1, "missing field `schema`"),
        ("schema = 2\nfuture = true", 1, "schema 2 is unknown"),
        ("version = 1\n\nschema = 1\nversion = 2", 4, "duplicate key"),
        ("schema = 1\nversion = 0", 2, "the version must be at least 1"),
        ("schema = 1\nversion = 1\n[groups]\na = [\"b\"]\nb = [\"a\"]", 4, "\"b\" is neither a principal"),
        ("schema = 1\nversion =", 2, ""),
    ] {
        let error = refused(whole);
        assert_eq!(error.line, line, "{whole}: {error}");
        assert!(error.fault.to_string().starts_with(words), "{whole}: {error}");
    }
}

#[test]
fn a_key_belongs_to_one_principal_once_fail() {
    let key = "keyless = [{ issuer = \"https://i\", subject = \"ann@example.com\" }]";
    for (key, again) in [
        (key, key),
        (&format!("ssh = [\"{SSH} laptop\"]"), &format!("ssh = [\"{SSH}\"]")),
        (&format!("pgp = [\"{PGP}\"]"), &format!("pgp = [\"{PGP}\"]")),
    ] {
        let error = refused(&text(key, "", &format!("[principals.carol]\n{again}")));
        assert_eq!((error.line, error.fault), (12, Fault::KeyTwice("ann".into())));
    }
    let error = refused(&text(&format!("ssh = [\"{SSH}\",\n\"{SSH} again\"]"), "", ""));
    assert_eq!((error.line, error.fault), (5, Fault::KeyTwice("ann".into())));
}

#[test]
fn what_is_not_text_or_without_end_is_refused_fail() {
    assert_eq!(Policy::parse(b"schema = 1\n\xff").unwrap_err(), PolicyFileError { line: 2, fault: Fault::NotText });
    let long = vec![b'#'; MAX_POLICY_LEN + 1];
    assert_eq!(Policy::parse(&long).unwrap_err().fault, Fault::TooLong);
    let many = |count: usize| (0..count).map(|at| format!("[principals.p{at}]\n")).collect::<String>();
    read(&text("", "", &many(MAX_PRINCIPALS - 2)));
    let error = refused(&text("", "", &many(MAX_PRINCIPALS - 1)));
    assert!(matches!(error.fault, Fault::TooMany { .. }), "{error}");
    let deep = format!("schema = 1\nversion = 1\nx = {}", "[".repeat(100_000));
    assert!(matches!(refused(&deep).fault, Fault::Toml(_)));
    let name = "n".repeat(500_000);
    assert!(refused(&text("", "", &format!("{name} = 1"))).to_string().len() < 1000);
    assert!(refused(&text("", &format!("commit = [\"{name}\"]"), "")).to_string().len() < 1000);
}

/// Every prefix of a file, and the file with each byte changed: no panic, whatever it means then.
#[test]
fn no_bytes_make_it_panic() {
    let rule = format!(
        "judged = \"all\"\nsince = \"{ID}\"\nfrom = 2026-01-01T00:00:00Z\n[[rules.paths]]\nprefix = \"d/\"\ncommit = [\"all\"]"
    );
    let whole = text(&format!("ssh = [\"{SSH}\"]\npgp = [\"{PGP}\"]\nretired = 2026-01-01T00:00:00Z"), &rule, "");
    let whole = whole.as_bytes();
    for end in 0..whole.len() {
        let _ = Policy::parse(&whole[..end]);
        for byte in [0, b'"', b'[', b'9', b'=', b'\n', 0xff] {
            let mut changed = whole.to_vec();
            changed[end] = byte;
            let _ = Policy::parse(&changed);
        }
    }
}
