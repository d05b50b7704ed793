//! GitLab's code quality report: what a merge request shows (docs.gitlab.com, Code Quality report format).

use serde::Serialize;

use super::entry::{Entry, Outcome};
use super::sarif::fingerprint;
use crate::verify::Verdict;

/// The report: one element for each finding that is not good.
#[derive(Debug, Serialize)]
#[serde(transparent)]
pub struct Report<'a>(Vec<Issue<'a>>);

#[derive(Debug, Serialize)]
struct Issue<'a> {
    description: String,
    check_name: &'static str,
    fingerprint: String,
    severity: &'static str,
    location: Location<'a>,
}

#[derive(Debug, Serialize)]
struct Location<'a> {
    path: &'a str,
    lines: Lines,
}

#[derive(Debug, Serialize)]
struct Lines {
    begin: usize,
}

/// The report of `outcome`.
#[must_use]
pub fn report(outcome: &Outcome) -> Report<'_> {
    Report(outcome.refused().map(|entry| issue(entry, &outcome.policy_file)).collect())
}

fn issue<'a>(entry: &Entry, policy_file: &'a str) -> Issue<'a> {
    let mut description = format!("{}: {}: {}", entry.heading(), entry.verdict, entry.why());
    if !entry.mend.is_empty() {
        description += &format!("; mend: {}", entry.mend);
    }
    Issue {
        description,
        check_name: entry.reason.map_or("", |reason| reason.code()),
        fingerprint: fingerprint(entry),
        severity: if entry.verdict == Verdict::Undecided { "major" } else { "blocker" },
        location: Location {
            path: policy_file,
            lines: Lines { begin: entry.rule.as_ref().map_or(1, |rule| rule.line) },
        },
    }
}

#[cfg(test)]
mod tests {
    use super::super::entry::tests::{good, outcome, refused};
    use super::*;

    #[test]
    fn an_issue_stands_where_the_policy_decided() {
        let outcome = outcome([good(1), refused(2, "no"), refused(3, "no")]);
        let json = serde_json::to_value(report(&outcome)).unwrap();
        let issues = json.as_array().unwrap();
        assert_eq!(issues.len(), 2);
        assert_eq!(issues[0]["description"], "000000000000 no: bad: no (right-missing); mend: git no");
        assert_eq!((&issues[0]["check_name"], &issues[0]["severity"]), (&"right-missing".into(), &"blocker".into()));
        assert_eq!(issues[0]["location"]["path"], ".gitseal/policy.toml");
        assert_eq!(issues[0]["location"]["lines"]["begin"], 12);
        assert_ne!(issues[0]["fingerprint"], issues[1]["fingerprint"], "GitLab shows one of those that share one");
    }

    #[test]
    fn all_good_is_an_empty_list() {
        assert_eq!(serde_json::to_string(&report(&outcome([good(1)]))).unwrap(), "[]");
    }
}
