//! What is kept of a passphrase to recognise it by: a salted PBKDF2 hash (RFC 8018 section 5.2), in memory alone.

use std::fmt;
use std::num::NonZeroU32;

use aws_lc_rs::pbkdf2;

use super::random;

/// About a tenth of a second on one core; whoever guesses must ask the agent, which waits longer after each wrong guess.
const ITERATIONS: NonZeroU32 = NonZeroU32::new(210_000).unwrap();
const LEN: usize = 64;

/// A passphrase's hash. It says nothing in `Debug`.
pub struct HashedPassphrase {
    salt: [u8; 16],
    hash: [u8; LEN],
}

impl HashedPassphrase {
    /// Hash `passphrase`, slowly.
    #[must_use]
    pub fn new(passphrase: &[u8]) -> Self {
        let salt = random::bytes();
        let mut hash = [0; LEN];
        pbkdf2::derive(pbkdf2::PBKDF2_HMAC_SHA512, ITERATIONS, &salt, passphrase, &mut hash);
        HashedPassphrase { salt, hash }
    }

    /// Whether it is the hash of `passphrase`; as slow, and as slow for a wrong one.
    #[must_use]
    pub fn matches(&self, passphrase: &[u8]) -> bool {
        pbkdf2::verify(pbkdf2::PBKDF2_HMAC_SHA512, ITERATIONS, &self.salt, passphrase, &self.hash).is_ok()
    }
}

impl fmt::Debug for HashedPassphrase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HashedPassphrase(redacted)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_matches_its_own_passphrase_alone() {
        let (one, again) = (HashedPassphrase::new(b"correct horse"), HashedPassphrase::new(b"correct horse"));
        assert!(one.matches(b"correct horse") && again.matches(b"correct horse"));
        assert!(!one.matches(b"correct horsf") && !one.matches(b""));
        assert_ne!(one.hash, again.hash);
        assert_eq!(format!("{one:?}"), "HashedPassphrase(redacted)");
    }
}
