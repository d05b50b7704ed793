//! The options of every command that judges: whom to expect, and whom to believe.

use std::path::PathBuf;

use clap::Args;

use crate::cli::settings::{Expected, Settings};

/// Whom to expect, and whom to believe.
#[derive(Debug, Args)]
pub struct Judging {
    /// Expect this signer, letter by letter; may be repeated.
    #[arg(long, value_name = "NAME")]
    certificate_identity: Vec<String>,
    /// Expect a signer that this pattern matches from first letter to last; may be repeated.
    #[arg(long, value_name = "PATTERN")]
    certificate_identity_regexp: Vec<String>,
    /// Expect this issuer to vouch for the signer; may be repeated.
    #[arg(long, value_name = "URL")]
    certificate_oidc_issuer: Vec<String>,
    /// Expect an issuer that this pattern matches from first letter to last; may be repeated.
    #[arg(long, value_name = "PATTERN")]
    certificate_oidc_issuer_regexp: Vec<String>,
    /// Believe this trusted_root.json and no other.
    #[arg(long, value_name = "FILE")]
    trusted_root: Option<PathBuf>,
    /// Believe these authorities, PEM, about S/MIME signatures.
    #[arg(long, value_name = "FILE")]
    smime_ca_file: Option<PathBuf>,
    /// Accept certificates that bring no proof of having been logged.
    #[arg(long)]
    insecure_ignore_sct: bool,
}

impl Judging {
    /// Let the options take the place of the settings.
    pub fn override_settings(&self, settings: &mut Settings) {
        let expected = Expected {
            identities: self.certificate_identity.clone(),
            identity_patterns: self.certificate_identity_regexp.clone(),
            issuers: self.certificate_oidc_issuer.clone(),
            issuer_patterns: self.certificate_oidc_issuer_regexp.clone(),
        };
        if !expected.is_empty() {
            settings.expected = expected;
        }
        if self.trusted_root.is_some() {
            settings.trusted_root.clone_from(&self.trusted_root);
        }
        if self.smime_ca_file.is_some() {
            settings.smime_ca_file.clone_from(&self.smime_ca_file);
        }
        settings.insecure_ignore_sct |= self.insecure_ignore_sct;
    }
}
