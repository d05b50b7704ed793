//! Patterns of target paths (TUF specification section 4.5, PATHPATTERN): `*` and `?`, neither of which crosses a `/`.
//!
//! In sigstore-rust a star once crossed it (TOB-SIGSTORE, 2026): a role that was given `release/*` could sign
//! `release/secret/x`.

/// A pattern, matched segment by segment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PathPattern(String);

impl PathPattern {
    /// The pattern that `text` writes; every text is one.
    #[must_use]
    pub fn new(text: &str) -> Self {
        PathPattern(text.to_owned())
    }

    /// Whether `path` has as many segments, and each fits.
    #[must_use]
    pub fn matches(&self, path: &str) -> bool {
        let (mut patterns, mut segments) = (self.0.split('/'), path.split('/'));
        loop {
            match (patterns.next(), segments.next()) {
                (None, None) => return true,
                (Some(pattern), Some(segment)) if segment_matches(pattern, segment) => {}
                _ => return false,
            }
        }
    }
}

/// Two pointers and one place to come back to, so that no pattern takes more than the product of both lengths.
fn segment_matches(pattern: &str, segment: &str) -> bool {
    let pattern: Vec<char> = pattern.chars().collect();
    let segment: Vec<char> = segment.chars().collect();
    let (mut p, mut s) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while s < segment.len() {
        match pattern.get(p) {
            Some('*') => {
                star = Some((p, s));
                p += 1;
            }
            Some(c) if *c == '?' || *c == segment[s] => {
                p += 1;
                s += 1;
            }
            _ => match star {
                Some((at, taken)) => {
                    star = Some((at, taken + 1));
                    p = at + 1;
                    s = taken + 1;
                }
                None => return false,
            },
        }
    }
    pattern[p..].iter().all(|c| *c == '*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stars_stay_in_their_segment() {
        for (pattern, path, want) in [
            ("*", "a", true),
            ("*", "", true),
            ("*", "a/b", false),
            ("*/*", "a/b", true),
            ("release/*", "release/x", true),
            ("release/*", "release/secret/x", false),
            ("release/*/x.zip", "release/y/x.zip", true),
            ("release/*.zip", "release/y.zip.txt", false),
            ("a*b*c", "aXbYbZc", true),
            ("a*b*c", "aXbYbZ", false),
            ("?.txt", "a.txt", true),
            ("?.txt", ".txt", false),
            ("?.txt", "ab.txt", false),
            ("a?b", "a/b", false),
            ("é?", "éü", true),
            ("[a]", "a", false),
            ("[a]", "[a]", true),
            ("", "", true),
            ("", "a", false),
            ("/a", "a", false),
        ] {
            assert_eq!(PathPattern::new(pattern).matches(path), want, "{pattern} {path}");
        }
    }

    #[test]
    fn no_pattern_is_slow() {
        let pattern = PathPattern::new(&"*a".repeat(2000));
        assert!(!pattern.matches(&"a".repeat(1999)));
        assert!(pattern.matches(&"a".repeat(4000)));
    }
}
