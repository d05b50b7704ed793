//! The keys that policies list: what a judge of signatures must know before any policy is asked whose they are.

use std::collections::BTreeSet;
use std::path::PathBuf;

use super::Judge;
use super::foreign::ForeignKeys;
use crate::format::x509::Certificate;
use crate::policy::{Policy, PrincipalKey};

/// The keys of some policies, beside keyless identities, which need no list to be verified.
pub struct Keys {
    authorities: Vec<Certificate>,
    foreign: ForeignKeys,
}

impl Keys {
    /// The keys of `policies`, with the roots in `authorities`; `keyring` is where gpg finds OpenPGP keys.
    #[must_use]
    pub fn of<'p>(
        policies: impl IntoIterator<Item = &'p Policy>,
        authorities: &[Certificate],
        keyring: Option<PathBuf>,
    ) -> Self {
        let (mut ssh, mut pgp, mut authorities) = (BTreeSet::new(), BTreeSet::new(), authorities.to_vec());
        let principals = policies.into_iter().flat_map(|policy| policy.principals.values());
        for key in principals.flat_map(|principal| &principal.keys) {
            match key {
                PrincipalKey::Keyless { .. } => {}
                PrincipalKey::Ssh(key) => drop(ssh.insert(key.clone())),
                PrincipalKey::Pgp(fingerprint) => drop(pgp.insert(fingerprint.clone())),
                PrincipalKey::X509 { root, .. } => {
                    if authorities.iter().all(|known| known.der() != root.der()) {
                        authorities.push((**root).clone());
                    }
                }
            }
        }
        Keys { authorities, foreign: ForeignKeys::new(ssh, pgp, keyring) }
    }

    /// `judge`, for signatures whose makers a policy will judge: nobody is expected, and these keys count.
    #[must_use]
    pub fn judge<'k>(&'k self, judge: Judge<'k>) -> Judge<'k> {
        Judge { expected: None, smime_authorities: &self.authorities, foreign: Some(&self.foreign), ..judge }
    }
}
