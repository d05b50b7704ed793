//! The manual against the program: an option, a setting, a reason or a field without its paragraph does not exist, and
//! neither does a paragraph without them.

use std::collections::BTreeSet;

use clap::CommandFactory as _;

use super::commands::CommandLine;
use super::doctor;
use super::gpg_arguments;
use super::report::Report;
use super::settings::table::TABLE;
use super::token;
use crate::audit::Finding;
use crate::policy::Policy;
use crate::policy::fixture::Case;
use crate::policy::lint::lint;
use crate::verify::{Reason, Refusal};

fn page(name: &str) -> String {
    let path = format!("{}/man/{name}", env!("CARGO_MANIFEST_DIR"));
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The `.It` lines of a page, without the macro.
fn items(page: &str) -> Vec<&str> {
    page.lines().filter_map(|line| line.strip_prefix(".It ")).collect()
}

/// The options that a page documents, as they are typed.
fn options(page: &str) -> BTreeSet<String> {
    let mut options = BTreeSet::new();
    for item in items(page) {
        // In mdoc `Fl -json` is `--json`.
        let words: Vec<&str> = item.split_whitespace().collect();
        options.extend(words.windows(2).filter(|pair| pair[0] == "Fl").map(|pair| format!("-{}", pair[1])));
    }
    options
}

/// A subsection of a page, from its heading to the next one.
fn subsection(page: &str, heading: &str) -> String {
    let from = page.find(&format!("{heading}\n")).unwrap_or_else(|| panic!("no {heading}"));
    let rest = &page[from + 1..];
    let end = [rest.find("\n.Ss"), rest.find("\n.Sh")].into_iter().flatten().min().unwrap();
    rest[..end].to_owned()
}

fn long_options(command: &clap::Command) -> BTreeSet<String> {
    let long = |argument: &clap::Arg| argument.get_long().map(|long| format!("--{long}"));
    let shown = command.get_arguments().filter(|argument| !argument.is_hide_set());
    let mut options: BTreeSet<String> = shown.filter_map(long).collect();
    for command in command.get_subcommands() {
        options.extend(long_options(command));
    }
    options
}

#[test]
fn every_command_and_option_has_its_paragraph() {
    let main = page("gitseal.1");
    for command in CommandLine::command().get_subcommands() {
        let name = command.get_name();
        // What other people's test suites call is their protocol, not a command for people.
        if command.is_hide_set() {
            continue;
        }
        assert!(main.contains(&format!(".Ss gitseal {name}")), "gitseal.1 does not describe {name}");
        let own = match name {
            "agent" | "ci" | "doctor" | "hook" | "instance" | "policy" | "sandbox" | "trust" | "verify" => {
                page(&format!("gitseal-{name}.1"))
            }
            // Three commands about one thing share a page, each in its own subsection.
            "login" | "logout" | "whoami" => subsection(&page("gitseal-login.1"), &format!(".Ss {name}")),
            _ => subsection(&main, &format!(".Ss gitseal {name}")),
        };
        assert_eq!(options(&own), long_options(command), "gitseal {name}");
    }
}

#[test]
fn every_option_of_the_signature_program_has_its_paragraph() {
    let known: BTreeSet<String> = gpg_arguments::all_options().collect();
    assert_eq!(options(&page("gitseal-protocol.7")), known);
}

#[test]
fn every_setting_has_its_paragraph() {
    let page = page("gitseal-config.5");
    let items = items(&page);
    for setting in &TABLE {
        let label = setting.label();
        let item =
            if setting.gitseal.or(setting.gitsign).is_some() { format!("Cm {label}") } else { format!("Ev {label}") };
        let from = page.find(&format!(".It {item}\n")).unwrap_or_else(|| panic!("gitseal-config.5 lacks {item}"));
        let paragraph = page[from + 1..].split("\n.It").next().unwrap();
        for variable in setting.environment.iter().filter(|v| setting.gitseal.is_none() || v.starts_with("GITSEAL")) {
            assert!(paragraph.contains(variable), "{label} does not name {variable}");
        }
        use super::settings::table::Kind;
        if let Kind::Choice(words) | Kind::Level(words) = setting.kind {
            assert!(words.iter().all(|word| paragraph.contains(word)), "{label} does not name all of {words:?}");
        }
    }
    let keys = items.iter().filter(|item| item.starts_with("Cm gits")).count();
    assert_eq!(keys, TABLE.iter().filter(|s| s.gitseal.or(s.gitsign).is_some()).count(), "a key that is not a setting");
}

#[test]
fn every_reason_and_json_field_has_its_paragraph() {
    let page = page("gitseal-verify.1");
    let words: BTreeSet<&str> = items(&page).iter().filter_map(|item| item.strip_prefix("Li ")).collect();
    for reason in Reason::ALL {
        assert!(words.contains(reason.code()), "gitseal-verify.1 lacks {reason}");
    }
    let finding = Finding::refused(None, None, Refusal::new(Reason::NoSignature, ""));
    let report = serde_json::to_value(Report::new(&finding, None)).unwrap();
    for field in report.as_object().unwrap().keys() {
        assert!(words.contains(field.as_str()), "gitseal-verify.1 lacks {field}");
    }
    assert_eq!(words.len(), Reason::ALL.len() + report.as_object().unwrap().len());
}

/// The literal blocks of a page, as they are shown.
fn literals(page: &str) -> Vec<String> {
    let blocks = page.split(".Bd -literal -offset indent\n").skip(1);
    blocks.map(|rest| rest.split(".Ed\n").next().unwrap().replace("\\e", "\\")).collect()
}

#[test]
fn every_example_of_a_policy_decides_as_its_picture_says() {
    let page = page("gitseal-policy.5");
    let policies: Vec<String> = literals(&page).into_iter().filter(|text| text.starts_with("schema = 1")).collect();
    assert_eq!(policies.len(), 3);
    let now = "2026-11-25T00:00:00Z".parse().unwrap();
    for (number, text) in policies.iter().enumerate() {
        let policy = Policy::parse(text.as_bytes()).unwrap_or_else(|error| panic!("{error}\n{text}"));
        let odd = lint(&policy, None, now);
        // Retired and compromised people are still there to be named, and signatures by a forge prove no time.
        assert!(odd.is_empty(), "{odd:?}");
        let path = format!("{}/tests/vectors/policy/manual-{}.toml", env!("CARGO_MANIFEST_DIR"), number + 1);
        for case in Case::parse_all(&std::fs::read(path).unwrap()).unwrap() {
            assert_eq!(case.difference(&case.decide(&policy)), None, "{}", case.name);
        }
    }
}

#[test]
fn every_key_of_a_policy_has_its_paragraph() {
    let page = page("gitseal-policy.5");
    let documented: BTreeSet<&str> = items(&page).iter().filter_map(|item| item.strip_prefix("Cm ")).collect();
    let mut known = BTreeSet::new();
    let head = "schema = 1\nversion = 1\n";
    for table in [
        "_ = 1",
        "[principals.a]\n_ = 1",
        "[[principals.a.keyless]]\n_ = 1",
        "[[principals.a.x509]]\n_ = 1",
        "[[rules]]\nrefs = []\n_ = 1",
        "[[rules]]\nrefs = []\n[[rules.paths]]\n_ = 1",
        "[[exceptions]]\n_ = 1",
    ] {
        // The parser names the keys that it knows.
        let refused = Policy::parse(format!("{head}{table}\n").as_bytes()).unwrap_err().to_string();
        let keys = refused.split('`').skip(3).step_by(2).map(str::to_owned);
        known.extend(keys);
    }
    assert_eq!(documented, known.iter().map(String::as_str).collect());
}

#[test]
fn every_fault_and_field_of_the_doctor_has_its_paragraph() {
    let page = page("gitseal-doctor.1");
    let items = items(&page);
    let words = items.iter().filter_map(|item| item.strip_prefix("Li "));
    let documented: Vec<&str> = words.flat_map(|words| words.split(" , ")).collect();
    let report = serde_json::to_value(doctor::Report::without_setup(Vec::new())).unwrap();
    let mut known: Vec<&str> = doctor::Id::ALL.iter().map(|id| id.code()).collect();
    known.extend(report.as_object().unwrap().keys().map(String::as_str));
    assert_eq!(documented.iter().collect::<BTreeSet<_>>(), known.iter().collect::<BTreeSet<_>>());
    assert_eq!(documented.len(), known.len());
}

#[test]
fn every_token_provider_has_its_paragraph() {
    let config = page("gitseal-config.5");
    for name in token::provider_names() {
        assert!(items(&config).contains(&format!("Li {name}").as_str()), "gitseal-config.5 does not describe {name}");
    }
}
