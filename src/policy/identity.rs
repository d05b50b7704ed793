//! The identities that a verifier expects: names and issuers, exact or by pattern.
//!
//! A signature is expected when its subject matches one of the names and its issuer one of the issuers. Patterns match
//! the whole text: a pattern that matched a part would let `evil-example.com` in for `example.com` (wirelog #1287,
//! sigstore-js #1656), as it does in cosign and gitsign.

use regex::{Regex, RegexBuilder};

use crate::format::x509::Identity;

/// A compiled pattern takes no more memory than this, in bytes: patterns come from settings, identities from anyone.
const MAX_PATTERN_SIZE: usize = 1024 * 1024;

/// Why the expected identities make no sense.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PolicyError {
    /// Names without issuers: anybody's issuer could vouch for the name.
    #[error("an identity is expected but no issuer: any issuer could vouch for it")]
    IssuerMissing,
    /// Issuers without names: anybody at that issuer could sign.
    #[error("an issuer is expected but no identity: anyone with an account there could sign")]
    IdentityMissing,
    /// A pattern that does not compile.
    #[error("the pattern {pattern:?} is malformed: {cause}")]
    Pattern {
        /// The pattern as it was given.
        pattern: String,
        /// What the compiler says.
        cause: String,
    },
}

/// What the settings say about the signer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expectation {
    /// Nothing is expected of anyone.
    NotConfigured,
    /// The signer is expected.
    Met,
    /// The signer is somebody else.
    Missed,
}

/// Names and issuers, at least one of each.
#[derive(Debug, Clone)]
pub struct ExpectedIdentities {
    subjects: Matcher,
    issuers: Matcher,
}

#[derive(Debug, Clone)]
struct Matcher {
    exact: Vec<String>,
    patterns: Vec<Regex>,
}

impl ExpectedIdentities {
    /// Combine what the settings list; `None` when they list nothing.
    ///
    /// # Errors
    /// [`PolicyError`] when only one side is given or a pattern does not compile.
    pub fn new(
        subjects: &[String],
        subject_patterns: &[String],
        issuers: &[String],
        issuer_patterns: &[String],
    ) -> Result<Option<Self>, PolicyError> {
        let subjects = Matcher::new(subjects, subject_patterns)?;
        let issuers = Matcher::new(issuers, issuer_patterns)?;
        match (subjects.is_empty(), issuers.is_empty()) {
            (true, true) => Ok(None),
            (false, true) => Err(PolicyError::IssuerMissing),
            (true, false) => Err(PolicyError::IdentityMissing),
            (false, false) => Ok(Some(ExpectedIdentities { subjects, issuers })),
        }
    }

    /// Whether `identity` is one of them.
    #[must_use]
    pub fn include(&self, identity: &Identity) -> bool {
        self.subjects.matches(&identity.subject) && self.issuers.matches(&identity.issuer)
    }
}

impl Matcher {
    fn new(exact: &[String], patterns: &[String]) -> Result<Self, PolicyError> {
        let patterns = patterns.iter().map(|pattern| whole(pattern)).collect::<Result<_, _>>()?;
        Ok(Matcher { exact: exact.to_vec(), patterns })
    }

    fn is_empty(&self) -> bool {
        self.exact.is_empty() && self.patterns.is_empty()
    }

    fn matches(&self, text: &str) -> bool {
        self.exact.iter().any(|exact| exact == text) || self.patterns.iter().any(|pattern| pattern.is_match(text))
    }
}

/// `pattern`, to be matched by a whole text.
fn whole(pattern: &str) -> Result<Regex, PolicyError> {
    let compile = |text: &str| {
        RegexBuilder::new(text)
            .size_limit(MAX_PATTERN_SIZE)
            .build()
            .map_err(|error| PolicyError::Pattern { pattern: pattern.to_owned(), cause: cause(&error) })
    };
    // On its own first: `a)|(b` would compile between the anchors and escape them.
    compile(pattern)?;
    compile(&format!(r"\A(?:{pattern})\z"))
}

/// What the compiler says, on one line: it draws the pattern first, which the message has already named.
fn cause(error: &regex::Error) -> String {
    let text = error.to_string();
    let last = text.lines().last().unwrap_or_default();
    last.strip_prefix("error: ").unwrap_or(last).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn identity(subject: &str, issuer: &str) -> Identity {
        Identity { issuer: issuer.into(), subject: subject.into() }
    }

    fn list(items: &[&str]) -> Vec<String> {
        items.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn exact_names_and_whole_patterns_match() {
        let expected = ExpectedIdentities::new(
            &list(&["dev@example.com"]),
            &list(&["https://github\\.com/acme/.*"]),
            &list(&["https://accounts.example.com"]),
            &[],
        );
        let expected = expected.unwrap().unwrap();
        assert!(expected.include(&identity("dev@example.com", "https://accounts.example.com")));
        assert!(expected.include(&identity("https://github.com/acme/x", "https://accounts.example.com")));
    }

    #[test]
    fn neighbours_of_a_name_do_not_match_fail() {
        let expected =
            ExpectedIdentities::new(&[], &list(&["dev@example.com|ops@example.com"]), &list(&["https://i"]), &[]);
        let expected = expected.unwrap().unwrap();
        assert!(expected.include(&identity("ops@example.com", "https://i")));
        for subject in ["xdev@example.com", "dev@example.com.evil", "ops@example.com\n", "Dev@example.com", ""] {
            assert!(!expected.include(&identity(subject, "https://i")), "{subject:?}");
        }
        assert!(!expected.include(&identity("ops@example.com", "https://i/")));
    }

    #[test]
    fn half_an_expectation_is_an_error_fail() {
        let name = list(&["a@b"]);
        assert_eq!(ExpectedIdentities::new(&name, &[], &[], &[]).unwrap_err(), PolicyError::IssuerMissing);
        assert_eq!(ExpectedIdentities::new(&[], &[], &[], &name).unwrap_err(), PolicyError::IdentityMissing);
        assert!(ExpectedIdentities::new(&[], &[], &[], &[]).unwrap().is_none());
        for pattern in ["a)|(b", "(", "a{1000000}"] {
            let refused = ExpectedIdentities::new(&[], &list(&[pattern]), &name, &[]);
            assert!(matches!(refused, Err(PolicyError::Pattern { .. })), "{pattern}");
        }
    }
}
