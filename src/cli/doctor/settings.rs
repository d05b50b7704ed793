//! What gitseal is told: values that mean nothing, that do not count, or that nobody reads.

use super::finding::{Finding, Id};
use super::place::Located;
use super::setup::Setup;
use crate::cli::settings::source::{Place, SetValue, Standing};
use crate::cli::settings::table::{Kind, Name, Setting, TABLE};

/// Keys of gitsign that we know and do not read, and why not.
const UNREAD: [(&str, &str); 2] =
    [("logPath", "gitseal writes no log file"), ("enableSigstoreGo", "gitseal has one way of signing and verifying")];

/// Look at all of it.
pub(super) fn examine(setup: &Setup, findings: &mut Vec<Finding>) {
    for (name, error) in &setup.reading.errors {
        let problem = without_password(&error.to_string());
        findings.push(setup.about(Finding::error(Id::SettingInvalid, problem), *name));
    }
    for setting in &TABLE {
        let values = setup.values(setting.name);
        findings.extend(values.iter().filter_map(|value| barred(setup, setting, value)));
        findings.extend(overridden(setup, &values));
    }
    findings.extend(unread(setup, "gitsign"));
    findings.extend(unread(setup, "gitseal"));
    if setup.settings().insecure_ignore_sct {
        let problem = "certificates that were issued in secret pass: insecureIgnoreSct is on";
        let finding = Finding::warning(Id::SctIgnored, problem);
        findings.push(setup.about(finding, Name::InsecureIgnoreSct));
    }
}

fn barred(setup: &Setup, setting: &Setting, value: &SetValue<'_>) -> Option<Finding> {
    if value.standing != Standing::RepositoryMayNot {
        return None;
    }
    let located = Located::of_setting(value, &setup.directory);
    let why = match setting.kind {
        Kind::Choice(_) | Kind::Count(_) | Kind::Level(_) => "a repository may ask for more, and not for less",
        _ => "it is for you to say, and not for whoever writes to a repository",
    };
    let problem = format!("this repository's own {} does not count: {why}", located.name);
    Some(Finding::warning(Id::RepositoryIgnored, problem).at(&located).fix(setup.commands.unset(&located)))
}

/// A value of the user's own that another one, elsewhere, silently keeps from counting.
fn overridden(setup: &Setup, values: &[SetValue<'_>]) -> Option<Finding> {
    let counts = values.iter().rfind(|value| value.standing == Standing::Counts)?;
    let hidden = values.iter().rfind(|value| {
        value.standing == Standing::Overridden && matches!(value.place, Place::Key { .. }) && value.text != counts.text
    })?;
    let counts_here = Located::of_setting(counts, &setup.directory);
    match (&counts.place, &hidden.place) {
        (Place::Variable(_), _) => {
            let set = values.iter().filter(|value| matches!(value.place, Place::Variable(_)));
            let names: Vec<String> = set.map(|value| value.place.name()).collect();
            let problem =
                format!("{} is set in the environment, so {} does not count", counts_here.name, hidden.place.name());
            let finding = Finding::warning(Id::EnvironmentOverrides, problem).at(&counts_here);
            Some(finding.fix(format!("unset {}", names.join(" "))))
        }
        (Place::Key { section: "gitseal", .. }, Place::Key { section: "gitsign", .. }) => {
            let hidden = Located::of_setting(hidden, &setup.directory);
            let problem = format!("{} is set too, so {} does not count", counts_here.name, hidden.name);
            Some(Finding::warning(Id::GitsignKeyOverridden, problem).at(&hidden).fix(setup.commands.unset(&hidden)))
        }
        _ => None,
    }
}

/// Keys that are set and that no setting reads: those of gitsign on purpose, our own by a slip.
fn unread(setup: &Setup, section: &str) -> Vec<Finding> {
    let is_read = |name: &str| {
        let key = |setting: &Setting| if section == "gitsign" { setting.gitsign } else { setting.gitseal };
        TABLE.iter().filter_map(key).any(|key| key.eq_ignore_ascii_case(name))
    };
    let mut findings = Vec::new();
    for name in setup.config.names(section).iter().filter(|name| !is_read(name)) {
        let known = UNREAD.iter().find(|(key, _)| section == "gitsign" && key.eq_ignore_ascii_case(name));
        let key = format!("{section}.{}", known.map_or(name.as_str(), |(key, _)| key));
        let (id, problem) = match known {
            Some((_, why)) => (Id::GitsignKeyUnread, format!("{key} is not read: {why}")),
            None if section == "gitsign" => {
                (Id::GitsignKeyUnread, format!("{key} is not read: gitseal does not know it"))
            }
            None => {
                let problem = format!("{key} is no setting of gitseal; see gitseal-config(5) for those there are");
                (Id::KeyUnknown, problem)
            }
        };
        let mut values = setup.key(&key);
        values.dedup_by(|one, other| one.holder == other.holder);
        findings.extend(
            values
                .iter()
                .map(|located| Finding::warning(id, problem.as_str()).at(located).fix(setup.commands.unset(located))),
        );
    }
    findings
}

/// An address without the user name and password that it may carry.
#[must_use]
pub(super) fn without_password(text: &str) -> String {
    let Some(scheme) = text.find("://") else { return text.to_owned() };
    let rest = &text[scheme + 3..];
    let end = rest.find(['/', '?', '#', '\'', ' ']).unwrap_or(rest.len());
    match rest[..end].rfind('@') {
        Some(at) => format!("{}(secret){}", &text[..scheme + 3], &rest[at..]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_are_not_shown() {
        assert_eq!(without_password("https://a:b@x.example/y@z"), "https://(secret)@x.example/y@z");
        assert_eq!(without_password("https://x.example/y@z"), "https://x.example/y@z");
        assert_eq!(without_password("k is 'ftp://a@b', which is"), "k is 'ftp://(secret)@b', which is");
    }
}
