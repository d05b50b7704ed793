//! A finding cut down to what the forms of CI show, and what there is to say of a whole range.
//!
//! The whole finding, with its certificate, has some kilobytes; a range may have ten thousand of them. JSON Lines are
//! written as the findings come; everything else is made of these.

use crate::audit::Finding;
use crate::cli::report;
use crate::cli::streams::neutral;
use crate::policy::{Decision, RuleRef};
use crate::verify::{Reason, Verdict};

/// No text of somebody else's is shown longer, in characters: a form with one line for each commit stays readable.
pub const TEXT_LEN_MAX: usize = 300;
/// No title is shown longer, in characters: git itself shows about as much of one in a line.
pub const TITLE_LEN_MAX: usize = 80;
/// No more findings of either sort, good or not, are kept: each has a kilobyte at most, and no form shows more.
pub const KEPT_MAX: usize = 20_000;

/// What is shown of one finding. Every text in it is [`shown`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The object's full name; of a finding about a ref, the ref.
    pub object: String,
    /// The verdict.
    pub verdict: Verdict,
    /// The first line of its message.
    pub title: String,
    /// Who signed, as far as that is proven.
    pub who: String,
    /// Why it is not good, for machines.
    pub reason: Option<Reason>,
    /// Why it is not good, for people.
    pub found: String,
    /// The rule that decided.
    pub rule: Option<RuleRef>,
    /// What would mend it.
    pub mend: String,
    /// The rule, who may, and what mends it: the lines that a hook prints too.
    pub advice: Vec<String>,
}

/// `text` without anything that a terminal or a log acts on, and not longer than `limit` characters.
///
/// GitHub's runner reads `##[command]` anywhere in a line, Azure's `##vso[`, TeamCity's `##teamcity[`: no two number
/// signs stand beside each other.
#[must_use]
pub fn shown(text: &str, limit: usize) -> String {
    let mut start: String = text.chars().take(limit + 1).collect();
    let cut = start.chars().count() > limit;
    if cut {
        start.pop();
    }
    let mut safe = neutral(&start).replace("##", "#\\u{23}");
    if cut {
        safe.push_str("...");
    }
    safe
}

impl Entry {
    /// What is shown of `finding`, which is about `reference` where it is about no object.
    #[must_use]
    pub fn of(finding: &Finding, reference: &str) -> Self {
        let text = |text: &str| shown(text, TEXT_LEN_MAX);
        let refusal = finding.refusal.as_ref();
        let denial = match &finding.decision {
            Some(Decision::Denied(denial)) => Some(denial),
            _ => None,
        };
        let rule = match &finding.decision {
            Some(Decision::Denied(denial)) => denial.rule.as_ref(),
            Some(Decision::Allowed(allowed)) => Some(&allowed.rule),
            Some(Decision::Excepted { rule, .. }) => Some(rule),
            Some(Decision::NotProtected) | None => None,
        };
        let hint = || refusal.and_then(|refusal| refusal.reason.hint()).unwrap_or_default();
        let mend = denial.map(|denial| denial.mend.as_str()).filter(|mend| !mend.is_empty()).unwrap_or_else(hint);
        let mut advice: Vec<String> = report::denial(finding).iter().map(|line| text(line)).collect();
        if denial.is_none_or(|denial| denial.mend.is_empty()) && !mend.is_empty() {
            advice.push(format!("  mend: {}", text(mend)));
        }
        Entry {
            object: text(finding.object.as_deref().unwrap_or(reference)),
            verdict: finding.verdict(),
            title: shown(finding.title.as_deref().unwrap_or_default(), TITLE_LEN_MAX),
            who: text(finding.signer.as_ref().map(|signer| signer.identity.subject.as_str()).unwrap_or_default()),
            reason: finding.reason(),
            found: text(refusal.map(|refusal| refusal.detail.as_str()).unwrap_or_default()),
            rule: rule.map(|rule| RuleRef { name: text(&rule.name), ..rule.clone() }),
            mend: text(mend),
            advice,
        }
    }

    /// The object's name, as long as it needs to be for people; a ref is not cut.
    #[must_use]
    pub fn short(&self) -> &str {
        let is_id = self.object.len() >= 40 && self.object.bytes().all(|c| c.is_ascii_hexdigit());
        if is_id { &self.object[..12] } else { &self.object }
    }

    /// Why it is not good: the words, and the code in brackets.
    #[must_use]
    pub fn why(&self) -> String {
        match self.reason {
            Some(reason) => format!("{} ({reason})", self.found),
            None => String::new(),
        }
    }

    /// The object's name with the title after it.
    #[must_use]
    pub fn heading(&self) -> String {
        if self.title.is_empty() { self.short().to_owned() } else { format!("{} {}", self.short(), self.title) }
    }
}

/// How many findings of each verdict there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Tally {
    /// Good.
    pub good: usize,
    /// Bad.
    pub bad: usize,
    /// Unsigned.
    pub unsigned: usize,
    /// Undecided.
    pub undecided: usize,
}

impl Tally {
    /// Count one more.
    pub fn count(&mut self, verdict: Verdict) {
        *match verdict {
            Verdict::Good => &mut self.good,
            Verdict::Bad => &mut self.bad,
            Verdict::Unsigned => &mut self.unsigned,
            Verdict::Undecided => &mut self.undecided,
        } += 1;
    }

    /// All.
    #[must_use]
    pub fn total(self) -> usize {
        self.good + self.refused()
    }

    /// Those that are not good.
    #[must_use]
    pub fn refused(self) -> usize {
        self.bad + self.unsigned + self.undecided
    }
}

impl std::fmt::Display for Tally {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let all = [(self.good, "good"), (self.bad, "bad"), (self.unsigned, "unsigned"), (self.undecided, "undecided")];
        let some: Vec<String> = all.iter().filter(|(n, _)| *n > 0).map(|(n, word)| format!("{n} {word}")).collect();
        f.write_str(if some.is_empty() { "nothing" } else { "" })?;
        f.write_str(&some.join(", "))
    }
}

/// What was judged, and what was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// The range, as people write it.
    pub range: String,
    /// The full name of the ref that it is meant for; empty where nothing says.
    pub reference: String,
    /// Where the policy is, for the forms that must name a file.
    pub policy_file: String,
    /// How many there were, also of those that are not kept.
    pub tally: Tally,
    /// The findings, in order, as far as they are kept.
    pub entries: Vec<Entry>,
    good_kept: usize,
}

impl Outcome {
    /// Nothing judged yet.
    #[must_use]
    pub fn new(range: &str, reference: &str, policy_file: &str) -> Self {
        Outcome {
            range: shown(range, TEXT_LEN_MAX),
            reference: shown(reference, TEXT_LEN_MAX),
            policy_file: shown(policy_file, TEXT_LEN_MAX),
            tally: Tally::default(),
            entries: Vec::new(),
            good_kept: 0,
        }
    }

    /// Take one finding in.
    pub fn add(&mut self, finding: &Finding) {
        let verdict = finding.verdict();
        self.tally.count(verdict);
        let is_good = verdict == Verdict::Good;
        let kept = if is_good { self.good_kept } else { self.entries.len() - self.good_kept };
        if kept < KEPT_MAX {
            self.good_kept += usize::from(is_good);
            self.entries.push(Entry::of(finding, &self.reference));
        }
    }

    /// Those that are not good, as far as they are kept.
    pub fn refused(&self) -> impl Iterator<Item = &Entry> {
        self.entries.iter().filter(|entry| entry.verdict != Verdict::Good)
    }

    /// The whole story in a line.
    #[must_use]
    pub fn headline(&self) -> String {
        let for_ref = if self.reference.is_empty() { String::new() } else { format!(" for {}", self.reference) };
        format!("gitseal: {} judged in {}{for_ref}: {}", self.tally.total(), self.range, self.tally)
    }
}

/// A finding of each verdict for the tests of the forms, with hostile text where there can be some.
#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::format::git::ObjectKind;
    use crate::policy::{Denial, RuleRef};
    use crate::verify::Refusal;

    pub(in crate::cli::ci) fn refused(number: usize, text: &str) -> Finding {
        let object = format!("{number:040x}");
        let mut finding =
            Finding::refused(Some(object), Some(ObjectKind::Commit), Refusal::new(Reason::RightMissing, text));
        finding.title = Some(text.to_owned());
        finding.decision = Some(Decision::Denied(Denial {
            reason: Reason::RightMissing,
            found: text.to_owned(),
            rule: Some(RuleRef { name: text.to_owned(), line: 12, version: 3 }),
            who_may: vec!["alice".into(), text.to_owned()],
            mend: format!("git {text}"),
        }));
        finding
    }

    pub(in crate::cli::ci) fn good(number: usize) -> Finding {
        let mut finding = refused(number, "fine");
        finding.refusal = None;
        finding.decision = None;
        finding
    }

    pub(in crate::cli::ci) fn outcome(findings: impl IntoIterator<Item = Finding>) -> Outcome {
        let mut outcome = Outcome::new("1a2b3c4..5d6e7f8", "refs/heads/main", ".gitseal/policy.toml");
        findings.into_iter().for_each(|finding| outcome.add(&finding));
        outcome
    }

    #[test]
    fn nothing_that_a_log_acts_on_is_shown() {
        for (raw, safe) in [
            ("plain # text", "plain # text"),
            ("##[error]x", "#\\u{23}[error]x"),
            ("a###vso[b", "a#\\u{23}#vso[b"),
            ("\n::error::x", "\\u{a}::error::x"),
            ("\u{fffe}", "\\u{fffe}"),
        ] {
            assert_eq!(shown(raw, 50), safe);
        }
        assert_eq!(shown("abcdef", 5), "abcde...");
        assert_eq!(shown("abcde", 5), "abcde");
    }

    #[test]
    fn an_entry_has_the_words_of_the_denial() {
        let entry = Entry::of(&refused(1, "bob may not"), "refs/heads/main");
        assert_eq!(entry.advice, report::denial(&refused(1, "bob may not")));
        assert_eq!((entry.short(), entry.mend.as_str()), ("000000000000", "git bob may not"));
        assert_eq!(entry.why(), "bob may not (right-missing)");
        let unsigned = Finding::refused(None, None, Refusal::new(Reason::NoSignature, "there is none"));
        let entry = Entry::of(&unsigned, "refs/heads/main");
        assert_eq!(entry.heading(), "refs/heads/main");
        assert_eq!(entry.advice, [format!("  mend: {}", Reason::NoSignature.hint().unwrap())]);
    }

    #[test]
    fn what_is_not_kept_is_counted() {
        let many = outcome((0..KEPT_MAX + 5).map(good).chain((0..KEPT_MAX + 7).map(|n| refused(n, "no"))));
        assert_eq!((many.tally.good, many.tally.bad), (KEPT_MAX + 5, KEPT_MAX + 7));
        assert_eq!((many.entries.len(), many.refused().count()), (2 * KEPT_MAX, KEPT_MAX));
        assert_eq!(
            outcome([good(1), refused(2, "x")]).headline(),
            "gitseal: 2 judged in 1a2b3c4..5d6e7f8 for refs/heads/main: 1 good, 1 bad"
        );
    }
}
