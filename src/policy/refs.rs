//! Patterns of full ref names, segment by segment: `*` stands for any text within one segment, `**` for any number of
//! whole segments. `refs/heads/*` is not `refs/heads/a/b` (sigstore-rust once let a wildcard cross a slash).

use std::fmt;

/// No pattern has more segments, and so matching stays cheap: git itself allows refs of 4 KiB.
const MAX_SEGMENTS: usize = 32;

/// A pattern of full ref names.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct RefPattern(String);

/// Why a text is no pattern.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RefPatternError {
    /// It does not begin with `refs/`.
    #[error("{0:?} is not a full ref name: it must begin with refs/")]
    NotFull(String),
    /// Something that no ref name holds, or a star beside `**`.
    #[error("{0:?} can match no ref")]
    Impossible(String),
    /// More than `MAX_SEGMENTS` segments.
    #[error("{0:?} has too many segments")]
    TooLong(String),
}

impl RefPattern {
    /// Read a pattern.
    ///
    /// # Errors
    /// [`RefPatternError`] for a text that git-check-ref-format(1) would refuse with its stars replaced by letters.
    pub fn parse(text: &str) -> Result<Self, RefPatternError> {
        if !text.starts_with("refs/") {
            return Err(RefPatternError::NotFull(text.to_owned()));
        }
        let segments: Vec<&str> = text.split('/').collect();
        if segments.len() > MAX_SEGMENTS {
            return Err(RefPatternError::TooLong(text.to_owned()));
        }
        let possible = |segment: &&str| {
            let odd = |c: char| c.is_control() || matches!(c, ' ' | '~' | '^' | ':' | '?' | '[' | '\\');
            !segment.is_empty()
                && !segment.contains(odd)
                && !segment.contains("..")
                && !segment.contains("@{")
                && !segment.starts_with('.')
                && !segment.ends_with(".lock")
                && (*segment == "**" || !segment.contains("**"))
        };
        if !segments.iter().all(possible) || text.ends_with('.') {
            return Err(RefPatternError::Impossible(text.to_owned()));
        }
        Ok(RefPattern(text.to_owned()))
    }

    /// Whether the full name `reference` fits.
    #[must_use]
    pub fn matches(&self, reference: &str) -> bool {
        let pattern: Vec<&str> = self.0.split('/').collect();
        let name: Vec<&str> = reference.split('/').collect();
        // Row by row: reachable[at] says that the pattern so far fits the first `at` segments.
        let mut reachable = vec![false; name.len() + 1];
        reachable[0] = true;
        for part in pattern {
            let mut next = vec![false; name.len() + 1];
            for at in 0..=name.len() {
                next[at] = if part == "**" {
                    reachable[at] || (at > 0 && next[at - 1])
                } else {
                    at > 0 && reachable[at - 1] && segment_matches(part, name[at - 1])
                };
            }
            reachable = next;
        }
        reachable[name.len()]
    }

    /// Whether this pattern matches every name that `other` matches; in doubt, no. A star within a segment is taken for
    /// a letter that no name has, so only a star can stand for it, and `**` for any number of such segments.
    #[must_use]
    pub fn covers(&self, other: &RefPattern) -> bool {
        const LETTER: &str = "\u{1}";
        let sample = |times: usize| {
            let segments = other.0.split('/').flat_map(|segment| match segment {
                "**" => vec![LETTER.to_owned(); times],
                segment => vec![segment.replace('*', LETTER)],
            });
            segments.collect::<Vec<_>>().join("/")
        };
        // More segments than any pattern has without `**`: one that bridges them bridges any number.
        [0, 1, 2, MAX_SEGMENTS + 1].into_iter().all(|times| self.matches(&sample(times)))
    }

    /// The pattern as it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for RefPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// `*` in `pattern` stands for any text. Linear: the last star alone is ever tried again.
fn segment_matches(pattern: &str, text: &str) -> bool {
    let mut parts = pattern.split('*');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = text.strip_prefix(first) else { return false };
    let Some(last) = parts.next_back() else { return rest.is_empty() };
    for part in parts {
        match rest.find(part) {
            Some(at) => rest = &rest[at + part.len()..],
            None => return false,
        }
    }
    rest.len() >= last.len() && rest.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stays_within_its_segment() {
        for (pattern, yes, no) in [
            ("refs/heads/main", vec!["refs/heads/main"], vec!["refs/heads/main2", "refs/heads/main/x", "main"]),
            (
                "refs/heads/*",
                vec!["refs/heads/a", "refs/heads/main"],
                vec!["refs/heads/a/b", "refs/heads", "refs/tags/a"],
            ),
            ("refs/heads/r*-*x", vec!["refs/heads/r1-2x", "refs/heads/r-x"], vec!["refs/heads/r1x", "refs/heads/r-/x"]),
            ("refs/heads/**", vec!["refs/heads/a", "refs/heads/a/b/c", "refs/heads"], vec!["refs/headsx"]),
            ("refs/**/v*", vec!["refs/v1", "refs/tags/v1", "refs/a/b/v"], vec!["refs/tags/w1", "refs/v1/x"]),
            ("refs/heads/aba*aba", vec!["refs/heads/abaaba"], vec!["refs/heads/aba"]),
        ] {
            let parsed = RefPattern::parse(pattern).unwrap();
            for name in yes {
                assert!(parsed.matches(name), "{pattern} {name}");
            }
            for name in no {
                assert!(!parsed.matches(name), "{pattern} {name}");
            }
        }
    }

    #[test]
    fn a_pattern_covers_what_can_only_match_less() {
        let covers =
            |one: &str, other: &str| RefPattern::parse(one).unwrap().covers(&RefPattern::parse(other).unwrap());
        for (wide, narrow) in [
            ("refs/heads/main", "refs/heads/main"),
            ("refs/heads/*", "refs/heads/main"),
            ("refs/heads/*", "refs/heads/r*"),
            ("refs/heads/r*", "refs/heads/r*x"),
            ("refs/**", "refs/heads/**"),
            ("refs/heads/**", "refs/heads/*/x"),
            ("refs/**/x", "refs/heads/**/x"),
        ] {
            assert!(covers(wide, narrow), "{wide} {narrow}");
        }
        for (narrow, wide) in [
            ("refs/heads/*", "refs/heads/**"),
            ("refs/heads/*", "refs/heads/*/*"),
            ("refs/heads/r*x", "refs/heads/r*"),
            ("refs/heads/main", "refs/heads/*"),
            ("refs/heads/*/*", "refs/heads/**"),
        ] {
            assert!(!covers(narrow, wide), "{narrow} {wide}");
        }
    }

    #[test]
    fn what_can_match_nothing_is_a_mistake_fail() {
        for text in [
            "main",
            "heads/main",
            "refs/heads/",
            "refs//x",
            "refs/a b",
            "refs/a..b",
            "refs/a**",
            "refs/x.lock",
            "refs/.a",
            "refs/a\n",
        ] {
            assert!(RefPattern::parse(text).is_err(), "{text:?}");
        }
        assert!(RefPattern::parse(&format!("refs/{}", "a/".repeat(40) + "a")).is_err());
    }
}
