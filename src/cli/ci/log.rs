//! The job's log: the whole story in the first line, then each commit that is not good.

use super::entry::{Entry, Outcome};

/// No more are told in full: a log of some thousand lines nobody reads to the end, and files have them all.
const TOLD_MAX: usize = 200;

/// The lines of the log. They begin with words of ours, so that no runner takes one for a command of its own.
#[must_use]
pub fn lines(outcome: &Outcome) -> Vec<String> {
    let mut lines = vec![outcome.headline()];
    for entry in outcome.refused().take(TOLD_MAX) {
        lines.extend(story(entry));
    }
    let more = outcome.tally.refused().saturating_sub(TOLD_MAX);
    if more > 0 {
        lines.push(format!("gitseal: {more} more that are not good; --json-lines has them all"));
    }
    lines
}

fn story(entry: &Entry) -> Vec<String> {
    let title = if entry.title.is_empty() { String::new() } else { format!(" {}", entry.title) };
    let mut lines = vec![format!("{} {}{title}", entry.verdict, entry.object), format!("  found: {}", entry.why())];
    if !entry.who.is_empty() {
        lines.push(format!("  signer: {}", entry.who));
    }
    lines.extend(entry.advice.iter().cloned());
    lines
}

#[cfg(test)]
mod tests {
    use super::super::entry::tests::{good, outcome, refused};
    use super::*;

    #[test]
    fn the_first_line_says_it_all() {
        let lines = lines(&outcome([good(1), refused(2, "no")]));
        assert_eq!(lines[0], "gitseal: 2 judged in 1a2b3c4..5d6e7f8 for refs/heads/main: 1 good, 1 bad");
        assert_eq!(
            lines[1..],
            [
                "bad 0000000000000000000000000000000000000002 no",
                "  found: no (right-missing)",
                "  rule: no, line 12 of the policy, version 3",
                "  who may: alice, no",
                "  mend: git no"
            ]
        );
    }

    #[test]
    fn a_log_stays_short() {
        let lines = lines(&outcome((0..5_000).map(|n| refused(n, "no"))));
        assert_eq!(lines.len(), 2 + 5 * TOLD_MAX);
        assert_eq!(lines.last().unwrap(), "gitseal: 4800 more that are not good; --json-lines has them all");
    }
}
