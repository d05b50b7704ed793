//! Annotations of GitHub Actions, which Gitea and Forgejo read too: workflow commands on standard output.
//!
//! A step shows ten errors and drops the others without a word, so nine are told and the tenth says how many more
//! there are.

use super::entry::{Entry, Outcome, TITLE_LEN_MAX, shown};

/// How many findings become annotations of their own.
const TOLD_MAX: usize = 9;

/// The commands, one a line.
#[must_use]
pub fn lines(outcome: &Outcome) -> Vec<String> {
    let mut lines: Vec<String> = outcome.refused().take(TOLD_MAX).map(|entry| of(entry, outcome)).collect();
    let more = outcome.tally.refused().saturating_sub(TOLD_MAX);
    if more > 0 {
        let title = format!("gitseal: {more} more");
        lines.push(error(&[("title", &title)], &format!("{more} more that are not good: see the summary or the log")));
    }
    lines
}

/// The command that shows what kept gitseal from judging at all.
#[must_use]
pub fn failure(problem: &str, hint: Option<&str>) -> String {
    let lines: Vec<String> = [Some(problem), hint].into_iter().flatten().map(|text| shown(text, 1000)).collect();
    error(&[("title", "gitseal")], &lines.join("\n"))
}

fn of(entry: &Entry, outcome: &Outcome) -> String {
    let title = shown(&format!("{}: {}", entry.verdict, entry.heading()), TITLE_LEN_MAX + 30);
    let mut text = vec![entry.why()];
    text.extend(entry.advice.iter().cloned());
    let text = text.join("\n");
    match &entry.rule {
        Some(rule) => {
            error(&[("file", &outcome.policy_file), ("line", &rule.line.to_string()), ("title", &title)], &text)
        }
        None => error(&[("title", &title)], &text),
    }
}

fn error(properties: &[(&str, &str)], text: &str) -> String {
    let properties: Vec<String> =
        properties.iter().map(|(name, value)| format!("{name}={}", property(value))).collect();
    format!("::error {}::{}", properties.join(","), data(text))
}

/// Escaped for the text of a command.
fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

/// Escaped for a property of a command.
fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

#[cfg(test)]
mod tests {
    use super::super::entry::tests::{good, outcome, refused};
    use super::*;

    #[test]
    fn ten_at_most_and_the_last_counts_the_others() {
        assert!(lines(&outcome([good(1)])).is_empty());
        assert_eq!(lines(&outcome((0..9).map(|n| refused(n, "no")))).len(), 9);
        let many = lines(&outcome((0..5_000).map(|n| refused(n, "no"))));
        assert_eq!(many.len(), 10);
        assert!(many.iter().all(|line| line.starts_with("::error ")));
        assert_eq!(
            many[9],
            "::error title=gitseal%3A 4991 more::4991 more that are not good: see the summary or the log"
        );
    }

    #[test]
    fn a_command_is_one_line_and_ends_where_it_should() {
        let line = &lines(&outcome([refused(1, "100% a::b,c\n::error::d")]))[0];
        let told = r"100%25 a::b,c\u{a}::error::d";
        let title = r"bad%3A 000000000000 100%25 a%3A%3Ab%2Cc\u{a}%3A%3Aerror%3A%3Ad";
        assert_eq!(
            *line,
            format!(
                "::error file=.gitseal/policy.toml,line=12,title={title}::{told} (right-missing)\
                 %0A  rule: {told}, line 12 of the policy, version 3%0A  who may: alice, {told}%0A  mend: git {told}"
            )
        );
    }

    #[test]
    fn a_failure_is_an_annotation_too() {
        assert_eq!(failure("no base", Some("give --base")), "::error title=gitseal::no base%0Agive --base");
    }
}
