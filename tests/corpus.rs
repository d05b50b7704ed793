//! Every object of the corpus of real signatures gets the verdict that its index gives, three ways: through the library,
//! through `gitseal verify --json`, and through git.
//!
//! The corpus is other people's commits, so it is not part of this repository: `GITSEAL_SHARED` or `../shared` says
//! where it is. Without it these tests say so and pass, except in CI. Nothing here has a network.

use crate::judge::Judge;
use crate::lab::{Lab, run};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// An object, and what an independent verifier says of it.
pub(crate) struct Case {
    pub(crate) id: String,
    pub(crate) kind: &'static str,
    pub(crate) raw: Vec<u8>,
    pub(crate) identity: Option<String>,
    pub(crate) issuer: Option<String>,
    overall: String,
    no_embedded_sct: bool,
    no_certificate: bool,
}

/// What we must say of it.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord, Clone)]
pub(crate) struct Expected {
    pub(crate) verdict: &'static str,
    pub(crate) reasons: &'static [&'static str],
}

impl Case {
    /// The table of the corpus' own README.
    pub(crate) fn expected(&self) -> Expected {
        let says = |verdict, reasons| Expected { verdict, reasons };
        match self.overall.as_str() {
            o if o.starts_with("valid-offline") => says("good", &[]),
            o if o.starts_with("valid-but-log-not-checked") && self.no_embedded_sct => {
                says("undecided", &["sct-missing"])
            }
            o if o.starts_with("valid-but-log-not-checked") => says("undecided", &["log-entry-missing"]),
            o if o.starts_with("cms-valid") && self.no_certificate => says("undecided", &["certificate-missing"]),
            o if o.starts_with("cms-valid") => says("undecided", &["issuer-not-trusted"]),
            o if o.starts_with("signature-uncheckable") => says("undecided", &["certificate-missing"]),
            o if o.starts_with("invalid") => says("bad", &["signature-invalid"]),
            o if o.starts_with("git-refuses") => says("bad", &["armour-malformed"]),
            o if o.starts_with("no-cms-signature") => says("unsigned", &["no-signature", "other-signature-format"]),
            other => panic!("the index says `{other}`, which no rule here covers"),
        }
    }
}

fn folder() -> Option<PathBuf> {
    let shared = std::env::var_os("GITSEAL_SHARED")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared"), PathBuf::from);
    let folder = shared.join("corpus");
    folder.join("index.jsonl").exists().then_some(folder)
}

/// The corpus; `None` where it is absent, which in CI is a failure.
pub(crate) fn cases() -> Option<Vec<Case>> {
    let Some(folder) = folder() else {
        assert_ne!(std::env::var("CI").as_deref(), Ok("true"), "the corpus is missing (set GITSEAL_SHARED)");
        eprintln!(
            "\nSKIPPED: the corpus of real signatures is not here (set GITSEAL_SHARED to the folder that holds it)\n"
        );
        return None;
    };
    let index = std::fs::read_to_string(folder.join("index.jsonl")).unwrap();
    let text = |value: &serde_json::Value| value.as_str().map(String::from);
    let case = |line: &str| {
        let entry: serde_json::Value = serde_json::from_str(line).unwrap();
        Case {
            id: text(&entry["sha"]).unwrap(),
            kind: if entry["type"] == "tag" { "tag" } else { "commit" },
            raw: std::fs::read(folder.join(entry["file"].as_str().unwrap())).unwrap(),
            identity: text(&entry["san"][0][1]),
            issuer: text(&entry["oidc_issuer_1_8"]).or_else(|| text(&entry["oidc_issuer_1_1"])),
            no_certificate: entry["n_certs"] == 0,
            overall: text(&entry["overall"]).unwrap(),
            no_embedded_sct: entry["verdict"]["sct"].as_str().is_some_and(|sct| !sct.starts_with("ok")),
        }
    };
    Some(index.lines().map(case).collect())
}

/// A repository that holds the objects, and nothing that they point to.
pub(crate) fn repository(lab: &Lab, cases: &[Case]) -> PathBuf {
    let repo = lab.home().join("corpus");
    assert!(lab.command("git").args(["init", "-q"]).arg(&repo).status().unwrap().success());
    for (key, value) in [("gpg.format", "x509"), ("gpg.x509.program", "gitseal"), ("gpg.openpgp.program", "false")] {
        let mut command = lab.command("git");
        assert!(command.args(["config", "--global", key, value]).status().unwrap().success());
    }
    for case in cases {
        let file = lab.temp().join("object");
        std::fs::write(&file, &case.raw).unwrap();
        let mut command = lab.command("git");
        command.current_dir(&repo).args(["hash-object", "-t", case.kind, "-w", "--literally"]).arg(&file);
        let output = run(command);
        assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), case.id, "not the object its name says");
    }
    std::fs::remove_file(lab.temp().join("object")).unwrap();
    repo
}

/// A command without any network: in a namespace of its own where that is allowed, behind a dead proxy where not.
fn offline(lab: &Lab, program: &Path) -> Command {
    static NAMESPACES: std::sync::LazyLock<bool> = std::sync::LazyLock::new(|| {
        let tried = Command::new("unshare").args(["-rn", "true"]).stderr(Stdio::null()).status();
        tried.is_ok_and(|status| status.success())
    });
    let mut command = if *NAMESPACES { lab.command("unshare") } else { lab.command(program) };
    if *NAMESPACES {
        command.arg("-rn").arg(program);
    }
    for proxy in ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"] {
        command.env(proxy, "http://127.0.0.1:9");
    }
    command
}

fn table(title: &str, counts: &BTreeMap<String, usize>) {
    println!("{title}");
    for (what, count) in counts {
        println!("{count:5}  {what}");
    }
}

#[test]
fn gitseal_verify_says_what_the_index_says() {
    let Some(cases) = cases() else { return };
    let lab = Lab::new();
    let repo = repository(&lab, &cases);
    let mut counts = BTreeMap::new();
    let mut wrong = Vec::new();
    for case in &cases {
        let mut command = offline(&lab, crate::lab::gitseal());
        command.current_dir(&repo).args(["verify", "--json", &case.id]);
        let output = run(command);
        let found: serde_json::Value = serde_json::from_slice(&output.stdout)
            .unwrap_or_else(|e| panic!("{}: {e}: {}", case.id, String::from_utf8_lossy(&output.stderr)));
        let expected = case.expected();
        let (verdict, reason) = (found["verdict"].as_str().unwrap_or(""), found["reason"].as_str().unwrap_or(""));
        let status = match verdict {
            "good" => 0,
            "undecided" => 3,
            _ => 1,
        };
        let named = verdict != "good"
            || (found["identity"].as_str() == case.identity.as_deref()
                && found["issuer"].as_str() == case.issuer.as_deref());
        *counts.entry(format!("{verdict} {reason}")).or_insert(0) += 1;
        let reason_fits = expected.reasons.is_empty() || expected.reasons.contains(&reason);
        if verdict != expected.verdict || !reason_fits || output.status.code() != Some(status) || !named {
            wrong.push(format!("{} ({}): {} {found}", case.id, case.overall, output.status));
        }
    }
    table("gitseal verify --json, 247 real objects, no network", &counts);
    assert!(wrong.is_empty(), "{} of {} differ:\n{}", wrong.len(), cases.len(), wrong.join("\n"));
}

#[test]
fn git_says_what_the_index_says() {
    let Some(cases) = cases() else { return };
    let lab = Lab::new();
    let repo = repository(&lab, &cases);
    let mut counts = BTreeMap::new();
    let mut wrong = Vec::new();
    for case in &cases {
        let git = || {
            let mut command = offline(&lab, Path::new("git"));
            command.current_dir(&repo).arg("-c").arg("gpg.minTrustLevel=marginal");
            if let (Some(identity), Some(issuer)) = (&case.identity, &case.issuer) {
                command.arg("-c").arg(format!("gitseal.certificateIdentity={identity}"));
                command.arg("-c").arg(format!("gitseal.certificateOidcIssuer={issuer}"));
            }
            command
        };
        let mut command = git();
        command.args([&format!("verify-{}", case.kind), "--raw", &case.id]);
        let verified = run(command);
        let status_lines = String::from_utf8_lossy(&verified.stderr).into_owned();
        let good_line = status_lines.contains("[GNUPG:] GOODSIG");
        let grade = if case.kind == "commit" {
            let mut command = git();
            command.args(["log", "-1", "--no-walk", "--format=%G? %GS %GT", &case.id]);
            String::from_utf8_lossy(&run(command).stdout).trim().to_owned()
        } else {
            String::new()
        };
        let letter = grade.chars().next();
        let as_expected = match case.expected().verdict {
            "good" => {
                let full = format!("G {} fully", case.identity.as_deref().unwrap_or(""));
                verified.status.success() && good_line && (case.kind == "tag" || grade == full)
            }
            verdict => {
                let letters = match verdict {
                    "undecided" => "E",
                    "bad" => "BEN",
                    _ => "NE",
                };
                // Of armour that it refuses itself, and of SSH signatures, git prints no grade.
                let graded =
                    letter.map_or(case.kind == "tag" || verdict != "undecided", |letter| letters.contains(letter));
                !verified.status.success() && !good_line && graded
            }
        };
        let trust = grade.rsplit(' ').next().unwrap_or("");
        let word = letter.map_or_else(|| "tag".into(), |letter| format!("%G?={letter} {trust}"));
        *counts.entry(format!("exit {} {word}", verified.status.code().unwrap_or(-1))).or_insert(0) += 1;
        if !as_expected {
            wrong.push(format!("{} ({}): {} {grade}\n{status_lines}", case.id, case.overall, verified.status));
        }
    }
    table("git verify-commit, git verify-tag and %G?, 247 real objects, no network", &counts);
    assert!(wrong.is_empty(), "{} of {} differ:\n{}", wrong.len(), cases.len(), wrong.join("\n"));
}

#[test]
fn the_library_says_what_the_index_says() {
    let Some(cases) = cases() else { return };
    let judge = Judge::production();
    let mut counts = BTreeMap::new();
    let mut wrong = Vec::new();
    for case in &cases {
        let finding = judge.finding(case.kind, &case.raw);
        let (verdict, reason) = match &finding.refusal {
            None => ("good".to_owned(), ""),
            Some(refusal) => (refusal.reason.verdict().to_string(), refusal.reason.code()),
        };
        let expected = case.expected();
        // Whoever lacks only the log's word has passed every other check, so the signer is known.
        let signer = finding.signer.as_ref().map(|signer| &signer.identity);
        let named = !["", "log-entry-missing"].contains(&reason)
            || signer.map(|id| (Some(&id.subject), Some(&id.issuer)))
                == Some((case.identity.as_ref(), case.issuer.as_ref()));
        let reason_fits = expected.reasons.is_empty() || expected.reasons.contains(&reason);
        let as_expected = verdict == expected.verdict && reason_fits && named;
        *counts.entry(format!("{verdict} {reason}")).or_insert(0) += 1;
        if !as_expected || finding.object.as_deref().is_some_and(|object| object != case.id) {
            wrong.push(format!("{} ({}): {:?}", case.id, case.overall, finding.refusal));
        }
    }
    table("the library, 247 real objects", &counts);
    assert!(wrong.is_empty(), "{} of {} differ:\n{}", wrong.len(), cases.len(), wrong.join("\n"));
}
