//! The step summary: Markdown that GitHub, Gitea and Forgejo show on the page of a run.
//!
//! Everything of somebody else's stands in a code span, where Markdown has no links, no mentions, no HTML and no
//! entities; only a backtick ends one, and only a bar ends a table's cell, so these two are spelled out.

use super::entry::{Entry, Outcome};

/// The whole summary of a step, in bytes: with more than 1 MiB GitHub shows nothing of it.
pub const SUMMARY_LEN_MAX: usize = 900 * 1024;
/// What the lines around the table need at most, in bytes.
const FRAME_LEN: usize = 4 * 1024;

const TABLE: &str = "\n| commit | verdict | who | why | fix |\n| --- | --- | --- | --- | --- |\n";

/// The summary, where the step has written `already` bytes before.
#[must_use]
pub fn markdown(outcome: &Outcome, already: usize) -> String {
    let refused = outcome.tally.refused();
    let title = match (refused, outcome.tally.total()) {
        (0, 0) => "nothing to judge".to_owned(),
        (0, total) => format!("all {total} good"),
        (refused, total) => format!("{refused} of {total} not good"),
    };
    let mut text = format!("### gitseal: {title}\n\n{}", code(&outcome.range));
    if !outcome.reference.is_empty() {
        text += &format!(" for {}", code(&outcome.reference));
    }
    text += &format!(": {}\n", outcome.tally);
    let room = SUMMARY_LEN_MAX.saturating_sub(already);
    if room < FRAME_LEN {
        return String::new();
    }
    let mut told = 0;
    for entry in outcome.refused() {
        let mut row = row(entry);
        if told == 0 {
            row.insert_str(0, TABLE);
        }
        if text.len() + row.len() + FRAME_LEN / 2 > room {
            break;
        }
        text += &row;
        told += 1;
    }
    if told < refused {
        text += &format!("\n{} more are not shown here; the file of `--json-lines` has them all.\n", refused - told);
    }
    text
}

fn row(entry: &Entry) -> String {
    let commit = [code(entry.short()), code(&entry.title)].join(" ");
    let mut why = vec![code(&entry.why())];
    if let Some(rule) = &entry.rule {
        why.push(format!("rule {}, line {}", code(&rule.name), rule.line));
    }
    let cells =
        [commit.trim_end().to_owned(), entry.verdict.to_string(), code(&entry.who), why.join(", "), code(&entry.mend)];
    format!("| {} |\n", cells.join(" | "))
}

/// A code span; nothing for nothing, since two backticks would open one.
fn code(text: &str) -> String {
    if text.is_empty() {
        return String::new();
    }
    format!("`{}`", text.replace('`', "\\u{60}").replace('|', "\\u{7c}"))
}

#[cfg(test)]
mod tests {
    use super::super::entry::tests::{good, outcome, refused};
    use super::*;

    #[test]
    fn a_row_says_who_why_and_what_to_do() {
        let text = markdown(&outcome([good(1), refused(2, "no")]), 0);
        assert_eq!(
            text,
            "### gitseal: 1 of 2 not good\n\n`1a2b3c4..5d6e7f8` for `refs/heads/main`: 1 good, 1 bad\n\n\
             | commit | verdict | who | why | fix |\n| --- | --- | --- | --- | --- |\n\
             | `000000000000` `no` | bad |  | `no (right-missing)`, rule `no`, line 12 | `git no` |\n"
        );
        assert_eq!(
            markdown(&outcome([good(1)]), 0),
            "### gitseal: all 1 good\n\n`1a2b3c4..5d6e7f8` for `refs/heads/main`: 1 good\n"
        );
    }

    #[test]
    fn a_code_span_is_never_left() {
        let hostile = "`x` | <b>@team</b> [a](https://b.example) www.c.example \\";
        let text = markdown(&outcome([refused(1, hostile)]), 0);
        let row = text.lines().last().unwrap();
        assert_eq!(row.matches(" | ").count(), 4, "{row}");
        let outside: String = row.split('`').step_by(2).collect();
        assert_eq!(outside, "|   | bad |  | , rule , line 12 |  |");
    }

    #[test]
    fn a_summary_stays_below_what_a_platform_shows() {
        let outcome = outcome((0..5_000).map(|n| refused(n, &"|".repeat(300))));
        for already in [0, 100_000, SUMMARY_LEN_MAX - FRAME_LEN] {
            let text = markdown(&outcome, already);
            assert!(text.len() + already <= SUMMARY_LEN_MAX && !text.is_empty(), "{already}");
            assert!(
                text.ends_with(" more are not shown here; the file of `--json-lines` has them all.\n"),
                "{already}"
            );
        }
        assert_eq!(markdown(&outcome, SUMMARY_LEN_MAX), "");
    }
}
