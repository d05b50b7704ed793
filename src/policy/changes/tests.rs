//! One change at a time, and what is said of it.

use super::*;

const BASE: &str = r#"schema = 1
version = 1
[principals.ann]
keyless = [{ issuer = "https://i", subject = "ann@example.com" }]
[principals.bob]
pgp = ["968479A1AFF927E37D1A566BB5690EEEBB952194"]
emails = ["bob@example.com"]
retired = 2026-03-01T00:00:00Z
[groups]
all = ["ann", "bob"]
[[rules]]
name = "main"
refs = ["refs/heads/main"]
commit = ["all"]
force = ["anyone"]
require = ["log"]
from = 2026-01-01T00:00:00Z
[[rules.paths]]
prefix = "docs/"
commit = ["all"]
[[rules]]
name = "tags"
refs = ["refs/tags/*"]
tag = ["ann"]
[[exceptions]]
commit = "0123456789abcdef0123456789abcdef01234567"
reason = "old"
by = "ann"
"#;

fn said(old: &str, new: &str) -> Vec<String> {
    let read = |text: &str| Policy::parse(text.as_bytes()).unwrap_or_else(|error| panic!("{error}\n{text}"));
    let line = |change: Change| format!("{} {} {}", change.effect.name(), change.line, change.words);
    changes(&read(old), &read(new)).into_iter().map(line).collect()
}

#[test]
fn nothing_is_said_of_the_same_policy() {
    assert_eq!(said(BASE, BASE), [""; 0]);
    // Another spelling of the same lists is the same policy.
    assert_eq!(said(BASE, &BASE.replacen("commit = [\"all\"]", "commit = [\"bob\", \"ann\"]", 1)), [""; 0]);
}

#[test]
fn each_change_is_told_with_what_it_does() {
    let cases: &[(&str, &str, &[&str])] = &[
        (
            "subject = \"ann@example.com\"",
            "subject = \"eve@example.com\"",
            &[
                "tighter 3 principal ann: no longer known by \"ann@example.com\" of \"https://i\"",
                "looser 3 principal ann: also known by \"eve@example.com\" of \"https://i\"",
            ],
        ),
        ("retired = 2026-03-01T00:00:00Z\n", "", &["looser 5 principal bob, retired: 2026-03-01T00:00:00Z -> never"]),
        (
            "2026-03-01",
            "2026-02-01",
            &["tighter 5 principal bob, retired: 2026-03-01T00:00:00Z -> 2026-02-01T00:00:00Z"],
        ),
        (
            "emails = [\"bob@example.com\"]",
            "forge = true",
            &[
                "tighter 5 principal bob: no longer the committer \"bob@example.com\"",
                "tighter 5 principal bob: no forge -> a forge",
            ],
        ),
        (
            "all = [\"ann\", \"bob\"]",
            "all = [\"ann\"]",
            &[
                "tighter 11 rule main: bob may no longer commit",
                "tighter 11 rule main: bob may no longer merge",
                "tighter 18 rule main, docs/: bob may no longer commit",
            ],
        ),
        (
            "commit = [\"all\"]\nforce = [\"anyone\"]",
            "commit = [\"all\"]\nmerge = []",
            &[
                "tighter 11 rule main: ann may no longer merge",
                "tighter 11 rule main: bob may no longer merge",
                "tighter 11 rule main: anyone may no longer force the ref back",
            ],
        ),
        (
            "require = [\"log\"]",
            "require = [\"stamp\"]\njudged = \"merges\"\ncommitter = \"any\"\napprovals = 2",
            &[
                "looser 11 rule main, judged: all -> merges",
                "looser 11 rule main, committer: signer -> any",
                "looser 11 rule main: no longer requires log",
                "tighter 11 rule main: requires stamp",
                "tighter 11 rule main, approvals: 1 -> 2",
            ],
        ),
        (
            "from = 2026-01-01T00:00:00Z",
            "until = 2026-01-01T00:00:00Z\nclock-tolerance = 5\ncovered-by-push = true",
            &[
                "looser 11 rule main, covered-by-push: false -> true",
                "looser 11 rule main, from: 2026-01-01T00:00:00Z -> always",
                "tighter 11 rule main, until: never -> 2026-01-01T00:00:00Z",
                "tighter 11 rule main, clock-tolerance: any -> 5 minutes",
            ],
        ),
        (
            "[\"refs/heads/main\"]",
            "[\"refs/heads/m*\"]",
            &["looser 11 rule main: no longer for refs/heads/main", "other 11 rule main: also for refs/heads/m*"],
        ),
        (
            "prefix = \"docs/\"",
            "prefix = \"src/\"",
            &[
                "other 11 rule main: docs/ is no longer apart from the rest",
                "other 18 rule main, src/: apart from the rest",
                "looser 18 rule main, src/: ann may commit",
                "looser 18 rule main, src/: bob may commit",
            ],
        ),
        (
            "name = \"tags\"",
            "name = \"releases\"",
            &[
                "looser 21 rule tags: gone, and with it the protection of refs/tags/*",
                "other 21 rule releases: new, protects refs/tags/*",
                "looser 21 rule releases: ann may tag",
            ],
        ),
        (
            "reason = \"old\"",
            "reason = \"older\"\nexpires = 2027-01-01T00:00:00Z",
            &[
                "tighter 25 exception 0123456789abcdef0123456789abcdef01234567, expires: never -> 2027-01-01T00:00:00Z",
                "other 25 exception 0123456789abcdef0123456789abcdef01234567: ann, \"old\" -> ann, \"older\"",
            ],
        ),
        (
            "0123456789abcdef0123",
            "ffffffffffffffffffff",
            &[
                "tighter 25 exception 0123456789abcdef0123456789abcdef01234567: gone",
                "looser 25 exception ffffffffffffffffffff456789abcdef01234567: passes, says ann (\"old\"), expires never",
            ],
        ),
    ];
    for (old, new, expected) in cases {
        assert!(BASE.contains(old), "{old}");
        assert_eq!(said(BASE, &BASE.replacen(old, new, 1)), *expected, "{old}");
    }
}

#[test]
fn rules_that_change_places_are_told() {
    let at = BASE.find("[[rules]]\nname = \"tags\"").unwrap();
    let end = BASE.find("[[exceptions]]").unwrap();
    let first = BASE.find("[[rules]]").unwrap();
    let swapped = [&BASE[..first], &BASE[at..end], &BASE[first..at], &BASE[end..]].concat();
    assert_eq!(said(BASE, &swapped), ["other 11 rule tags: now comes before main"]);
    let without = BASE.replace("[principals.bob]", "[principals.cid]").replace("\"ann\", \"bob\"", "\"ann\"");
    let told = said(BASE, &without);
    assert_eq!(told[0], "tighter 5 principal bob: gone");
    assert_eq!(
        told[1],
        "looser 5 principal cid: new, known by the OpenPGP key 968479A1AFF927E37D1A566BB5690EEEBB952194"
    );
}
