//! Who was found to have signed whose certificate, so that it is computed once: two P-384 signatures are the most that a
//! judgement costs, and an agent, or whoever judges a push of thousands, meets the same certificates again and again.
//!
//! Only that is remembered, under the very bytes of both certificates. Names, purposes, windows and times are judged each
//! time.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

use super::chain;
use super::reason::Refusal;
use crate::crypto::sha256;
use crate::format::x509::Certificate;

/// How many pairs are remembered: as many as there may be leaves in ten thousand commits, in a third of a megabyte.
const MAX_PAIRS: usize = 10_000;

/// Pairs of a certificate and its issuer.
#[derive(Debug, Clone, Default)]
pub(super) struct Proven {
    pairs: Arc<Mutex<HashSet<[u8; 32]>>>,
}

impl Proven {
    /// That `issuer`'s key signed `certificate`.
    pub(super) fn check_signature(&self, certificate: &Certificate, issuer: &Certificate) -> Result<(), Refusal> {
        let pair = pair(certificate.der(), issuer.der());
        // Whoever panicked with the lock in hand had added a pair that was proven, or none.
        let is_known = self.pairs.lock().unwrap_or_else(PoisonError::into_inner).contains(&pair);
        if is_known {
            return Ok(());
        }
        chain::check_signature(certificate, issuer)?;
        let mut pairs = self.pairs.lock().unwrap_or_else(PoisonError::into_inner);
        if pairs.len() >= MAX_PAIRS {
            pairs.clear();
        }
        pairs.insert(pair);
        Ok(())
    }
}

/// The lengths keep one certificate's end from counting as the other's beginning.
fn pair(certificate: &[u8], issuer: &[u8]) -> [u8; 32] {
    let length = certificate.len() as u64;
    sha256(&[&length.to_be_bytes(), certificate, issuer].concat())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trust::embedded::PUBLIC;
    use crate::trust::root::TrustedRoot;

    #[test]
    fn what_was_proven_of_one_certificate_says_nothing_of_another_fail() {
        let root = TrustedRoot::from_json(PUBLIC.trusted_root).unwrap();
        let chain = &root.certificate_authorities.iter().find(|one| one.chain.len() == 2).unwrap().chain;
        let proven = Proven::default();
        for _ in 0..2 {
            proven.check_signature(&chain[0], &chain[1]).unwrap();
        }
        assert_eq!(proven.pairs.lock().unwrap().len(), 1);
        // The last byte of a certificate is one of its signature's.
        let mut forged = chain[0].der().to_vec();
        *forged.last_mut().unwrap() ^= 1;
        let forged = Certificate::from_der(&forged).unwrap();
        for _ in 0..2 {
            assert!(proven.check_signature(&forged, &chain[1]).is_err());
            assert!(proven.check_signature(&chain[1], &chain[0]).is_err());
        }
        assert_eq!(proven.pairs.lock().unwrap().len(), 1);
    }
}
