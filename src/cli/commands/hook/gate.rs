//! What a hook goes by, as flags: `gitseal hook install` writes them into the hook, since nothing that the repository's own
//! configuration says decides whom to believe.

use std::path::PathBuf;

use clap::Args;

use crate::cli::error::CliError;
use crate::cli::settings::{Expected, Settings};
use crate::cli::shell::quote;

/// The flags; each takes the place of the setting of that name.
#[derive(Debug, Clone, Default, Args)]
pub(super) struct Gate {
    /// Where authority begins: a full commit id, perhaps with ':sha256:' and the digest of its policy.
    #[arg(long, value_name = "ROOT", conflicts_with = "policy")]
    policy_root: Option<String>,
    /// Judge everything by this policy, in place of those in the trees.
    #[arg(long, value_name = "FILE")]
    policy: Option<PathBuf>,
    /// The branch whose policy is the repository's, by its full name.
    #[arg(long, value_name = "REF")]
    policy_ref: Option<String>,
    /// Where there is no policy: expect this signer, letter by letter; may be repeated.
    #[arg(long, value_name = "NAME")]
    certificate_identity: Vec<String>,
    /// Where there is no policy: expect a signer that this pattern matches from first letter to last; may be repeated.
    #[arg(long, value_name = "PATTERN")]
    certificate_identity_regexp: Vec<String>,
    /// Where there is no policy: expect this issuer to vouch for the signer; may be repeated.
    #[arg(long, value_name = "URL")]
    certificate_oidc_issuer: Vec<String>,
    /// Where there is no policy: expect an issuer that this pattern matches from first letter to last; may be repeated.
    #[arg(long, value_name = "PATTERN")]
    certificate_oidc_issuer_regexp: Vec<String>,
    /// Believe this trusted_root.json and no other.
    #[arg(long, value_name = "FILE")]
    trusted_root: Option<PathBuf>,
    /// An address by which a push certificate may name this server; may be repeated.
    #[arg(long, value_name = "URL")]
    pushee: Vec<String>,
}

impl Gate {
    /// Put the flags in the place of settings.
    pub(super) fn apply(&self, settings: &mut Settings) {
        if self.policy_root.is_some() {
            settings.policy.root.clone_from(&self.policy_root);
            settings.policy.file = None;
        }
        if self.policy.is_some() {
            settings.policy.file.clone_from(&self.policy);
            settings.policy.root = None;
            settings.policy.roots = None;
        }
        if self.policy_ref.is_some() {
            settings.policy.reference.clone_from(&self.policy_ref);
        }
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
        if !self.pushee.is_empty() {
            settings.policy.pushees.clone_from(&self.pushee);
        }
    }

    /// The flags again, as words of a POSIX shell; paths are made absolute, for hooks run elsewhere.
    ///
    /// # Errors
    /// A value holds what cannot stand in a script as it is.
    pub(super) fn words(&self) -> Result<Vec<String>, CliError> {
        let mut flags: Vec<(&str, String)> = Vec::new();
        let mut path = |name, value: &Option<PathBuf>| -> Result<(), CliError> {
            let Some(value) = value else { return Ok(()) };
            let full = std::path::absolute(value).map_err(|error| CliError::file("the policy", value, error))?;
            flags.push((name, text(full.into_os_string())?));
            Ok(())
        };
        path("--policy", &self.policy)?;
        path("--trusted-root", &self.trusted_root)?;
        for (name, value) in [("--policy-root", &self.policy_root), ("--policy-ref", &self.policy_ref)] {
            flags.extend(value.iter().map(|value| (name, value.clone())));
        }
        for (name, values) in [
            ("--certificate-identity", &self.certificate_identity),
            ("--certificate-identity-regexp", &self.certificate_identity_regexp),
            ("--certificate-oidc-issuer", &self.certificate_oidc_issuer),
            ("--certificate-oidc-issuer-regexp", &self.certificate_oidc_issuer_regexp),
            ("--pushee", &self.pushee),
        ] {
            flags.extend(values.iter().map(|value| (name, value.clone())));
        }
        let mut words = Vec::new();
        for (name, value) in flags {
            words.push(name.to_owned());
            words.push(word(&value)?);
        }
        Ok(words)
    }
}

/// A word of a POSIX shell; bash's `$'..'`, which others do not know, is an error.
pub(super) fn word(value: &str) -> Result<String, CliError> {
    let quoted = quote(value.as_bytes());
    if quoted.starts_with('$') {
        return Err(CliError::Usage {
            problem: format!("{quoted} cannot stand in a hook"),
            hint: "name it without control characters".into(),
        });
    }
    Ok(quoted)
}

/// A path as text.
pub(super) fn text(path: std::ffi::OsString) -> Result<String, CliError> {
    path.into_string().map_err(|path| CliError::Usage {
        problem: format!("{} is not UTF-8, and no hook could name it", path.display()),
        hint: "move it to another path".into(),
    })
}
