//! What git itself is told: whether it signs with this program, in whose name, and what it accepts.

use super::finding::{Finding, Id};
use super::person::{committer_email, own_address, set_email};
use super::place::{Located, set_globally};
use super::programs::{FIRST_WITH_TILDE, FIRST_WITH_X509, Program, is_this_version};
use super::setup::Setup;
use crate::repo::config::parse_boolean;

/// The keys that decide how git signs, verifies, and names the signer.
pub(super) const KEYS: [&str; 15] = [
    "gpg.format",
    "gpg.x509.program",
    "gpg.program",
    "gpg.openpgp.program",
    "gpg.minTrustLevel",
    "commit.gpgSign",
    "tag.gpgSign",
    "tag.forceSignAnnotated",
    "push.gpgSign",
    "user.name",
    "user.email",
    "user.useConfigOnly",
    "user.signingKey",
    "committer.name",
    "committer.email",
];

/// The variables that count more than some of these keys.
pub(super) const VARIABLES: [&str; 3] = ["GIT_COMMITTER_NAME", "GIT_COMMITTER_EMAIL", "EMAIL"];

/// What git takes in `gpg.minTrustLevel` (gpg-interface.c), and whether a signature by an expected person reaches it:
/// gitseal says `fully` and no more.
const TRUST_LEVELS: [(&str, bool); 5] =
    [("undefined", true), ("never", true), ("marginal", true), ("fully", true), ("ultimate", false)];

/// Look at all of it.
pub(super) fn examine(setup: &Setup, findings: &mut Vec<Finding>) {
    let Some(git) = &setup.git else {
        findings.push(Finding::error(Id::GitMissing, "there is no git in PATH; install one, 2.19 or newer"));
        return;
    };
    if !git.is_at_least(FIRST_WITH_X509) {
        let problem = format!("git {} knows no x509 signatures; install 2.19 or newer", git.version);
        findings.push(Finding::error(Id::GitTooOld, problem));
    }
    if setup.repository.is_some()
        && let Err(complaint) = git.run(&["rev-parse", "--git-dir"])
    {
        findings.push(refused(setup, &complaint));
    }
    findings.extend(format(setup));
    findings.extend(program(setup));
    findings.extend(openpgp(setup));
    findings.extend(["commit.gpgSign", "tag.gpgSign"].iter().filter_map(|key| signing_off(setup, key)));
    findings.extend(trust_level(setup));
    findings.extend(name(setup));
}

fn refused(setup: &Setup, complaint: &str) -> Finding {
    // git's words since 2.35.3, and those of 2.35.2.
    if !complaint.contains("dubious ownership") && !complaint.contains("unsafe repository") {
        return Finding::error(Id::RepositoryUnreadable, format!("git refuses this repository: {complaint}"));
    }
    let problem = "this repository belongs to somebody else, so git refuses to work in it and to read its \
                   configuration; if you trust it, say so";
    let finding = Finding::error(Id::RepositoryForeign, problem);
    match setup.trust_repository() {
        Some(command) => finding.fix(command),
        None => finding,
    }
}

fn format(setup: &Setup) -> Option<Finding> {
    let is_good = |value: &Located| value.text.as_deref() == Some(b"x509");
    let problem = match setup.key("gpg.format").last() {
        None => "gpg.format is not set, so git signs with gpg".into(),
        Some(value) if is_good(value) => return None,
        Some(value) => match value.text.as_deref() {
            Some(b"openpgp") => "gpg.format is openpgp, so git signs with gpg".into(),
            Some(b"ssh") => "gpg.format is ssh, so git signs with an SSH key".into(),
            _ => format!("gpg.format is '{}', which git does not know", value.shown()),
        },
    };
    Some(setup.mend(Finding::error(Id::GpgFormat, problem), "gpg.format", "x509", &is_good))
}

fn program(setup: &Setup) -> Option<Finding> {
    const KEY: &str = "gpg.x509.program";
    let is_ours = |value: &Located| matches!(setup.program(value), Program::This(_) | Program::Gitseal(..));
    let mend = |finding| {
        let this = setup.finder.this.to_string_lossy().into_owned();
        Some(setup.mend(finding, KEY, &this, &is_ours))
    };
    let values = setup.key(KEY);
    let Some(value) = values.last() else {
        return mend(Finding::error(Id::ProgramUnset, "gpg.x509.program is not set, so git runs gpgsm"));
    };
    let name = value.shown();
    let found = setup.program(value);
    // A path like `bin/gitseal` is taken from the top of whatever repository git happens to be in.
    let is_bound = !name.contains('/') || name.starts_with('/') || name.starts_with("~/");
    let finding = match found {
        Program::Missing(cause) => {
            let old =
                name.starts_with("~/") && setup.git.as_ref().is_some_and(|git| !git.is_at_least(FIRST_WITH_TILDE));
            let cause = if old { "this git does not know what ~ means".to_owned() } else { cause };
            Finding::error(Id::ProgramMissing, format!("git cannot run gpg.x509.program '{name}': {cause}"))
        }
        _ if !is_bound => {
            let problem = format!("git runs '{name}' as each repository brings it, which can be anything");
            Finding::error(Id::ProgramRelative, problem)
        }
        Program::Other(path) => {
            Finding::error(Id::ProgramOther, format!("git runs {} and not gitseal", path.display()))
        }
        Program::Gitseal(path, version) if !is_this_version(&version) => {
            Finding::warning(Id::ProgramVersion, format!("git runs {}, which is {version}", path.display()))
        }
        Program::This(_) | Program::Gitseal(..) => return None,
    };
    mend(finding)
}

/// `gpg.program` is an older name of `gpg.openpgp.program`; neither says anything about x509.
fn openpgp(setup: &Setup) -> Option<Finding> {
    ["gpg.program", "gpg.openpgp.program"].iter().find_map(|key| {
        let values = setup.key(key);
        let value = values.last()?;
        if !matches!(setup.program(value), Program::This(_) | Program::Gitseal(..)) {
            return None;
        }
        let problem = format!("{key} is gitseal, so git hands it OpenPGP signatures, which it cannot judge");
        Some(Finding::warning(Id::OpenpgpProgram, problem).at(value).fix(setup.commands.unset(value)))
    })
}

fn signing_off(setup: &Setup, key: &str) -> Option<Finding> {
    let values = setup.key(key);
    let value = values.last().filter(|value| value.is_the_repositorys())?;
    if parse_boolean(value.text.as_deref()) != Some(false) || setup.users_boolean(key) != Some(true) {
        return None;
    }
    let problem = format!("{key} is false in this repository and true elsewhere: nothing is signed here unless asked");
    Some(Finding::warning(Id::SigningOff, problem).at(value).fix(setup.commands.unset(value)))
}

/// Whether git demands more than "undefined" of a good signature.
#[must_use]
pub(super) fn demands_trust(setup: &Setup) -> bool {
    let values = setup.key("gpg.minTrustLevel");
    values.last().is_some_and(|value| !value.shown().eq_ignore_ascii_case("undefined"))
}

fn trust_level(setup: &Setup) -> Option<Finding> {
    let values = setup.key("gpg.minTrustLevel");
    let value = values.last()?;
    let level = value.shown();
    let known = TRUST_LEVELS.iter().find(|(name, _)| name.eq_ignore_ascii_case(&level));
    let (problem, fix) = match known {
        Some((_, true)) => return None,
        Some((name, false)) => (
            format!(
                "gpg.minTrustLevel is {name}, and gitseal trusts nobody more than fully: git refuses every signature"
            ),
            setup.commands.replace(value, "fully"),
        ),
        None => (format!("gpg.minTrustLevel is '{level}', which git does not know"), setup.commands.unset(value)),
    };
    Some(Finding::error(Id::TrustLevel, problem).at(value).fix(fix))
}

fn name(setup: &Setup) -> Vec<Finding> {
    let mut findings = Vec::new();
    if committer_email(setup).is_none() {
        let problem =
            "git does not know your mail address: it refuses to commit, or makes one up from this machine's name";
        let address = own_address(setup);
        findings.push(set_email(setup, Finding::error(Id::EmailMissing, problem), &address));
    }
    let ask = ["-c", "user.email=x@example.com", "var", "GIT_COMMITTER_IDENT"];
    if let Some(Err(complaint)) = setup.git.as_ref().map(|git| git.run(&ask)) {
        let finding = Finding::error(Id::NameMissing, format!("git does not know your name: {complaint}"));
        let fix = match setup.key("user.name").last() {
            Some(value) => setup.commands.replace(value, "YOUR NAME"),
            None => set_globally("user.name", "YOUR NAME"),
        };
        findings.push(finding.fix(fix));
    }
    findings
}
