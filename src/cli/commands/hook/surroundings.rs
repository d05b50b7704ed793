//! What git tells a hook, in the environment and on standard input (githooks(5), git-receive-pack(1)).

use crate::audit::push::{Certificate, Listing, ServerSide};
use crate::cli::error::CliError;
use crate::cli::gpg_arguments::Input;
use crate::cli::input;
use crate::format::ref_update::{MAX_UPDATES, RefUpdate};
use crate::repo::Repository;

/// No input is longer, in bytes: so many lines, of the length that most have.
const MAX_INPUT_LEN: u64 = MAX_UPDATES as u64 * 200;

/// A push certificate, and what git says of it.
#[derive(Debug, Default)]
pub(super) struct SignedPush {
    /// The blob; empty without one.
    pub(super) raw: Vec<u8>,
    /// Its name.
    pub(super) id: String,
    nonce: Option<String>,
    nonce_status: Option<String>,
}

impl SignedPush {
    /// The certificate of the push that is under way; `None` without one.
    pub(super) fn read(repository: &Repository) -> Result<Option<Self>, CliError> {
        let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
        let Some(id) = variable("GIT_PUSH_CERT") else { return Ok(None) };
        Ok(Some(SignedPush {
            raw: repository.blob(&id)?,
            id,
            nonce: variable("GIT_PUSH_CERT_NONCE"),
            nonce_status: variable("GIT_PUSH_CERT_NONCE_STATUS"),
        }))
    }

    /// The certificate, for whoever judges it.
    pub(super) fn certificate<'a>(&'a self, pushees: &'a [String], listing: Listing) -> Certificate<'a> {
        let server = ServerSide { nonce_status: self.nonce_status.as_deref(), nonce: self.nonce.as_deref(), pushees };
        Certificate { raw: &self.raw, server, listing }
    }
}

/// Under a namespace the refs of a push are others than those of the same name (gitnamespaces(7)).
pub(super) fn refuse_namespace() -> Result<(), CliError> {
    match std::env::var_os("GIT_NAMESPACE").is_some_and(|name| !name.is_empty()) {
        false => Ok(()),
        true => Err(CliError::Usage {
            problem: "the push goes into a namespace (GIT_NAMESPACE), whose refs cannot be judged".into(),
            hint: "give each its own repository; alternates share the objects".into(),
        }),
    }
}

/// The updates on standard input, which is read to its end whatever is in it: git waits for that, or dies of a closed pipe
/// and calls the push failed for another reason than ours.
pub(super) fn updates() -> Result<Vec<RefUpdate>, CliError> {
    let text = standard_input()?;
    RefUpdate::parse_lines(&text).map_err(|error| not_gits(&error.to_string()))
}

/// All of standard input.
pub(super) fn standard_input() -> Result<Vec<u8>, CliError> {
    input::read(&Input::Stdin, "what git says of the push", MAX_INPUT_LEN)
}

/// Something else than git stands on the other side.
pub(super) fn not_gits(problem: &str) -> CliError {
    CliError::Usage {
        problem: format!("standard input is not what git gives this hook: {problem}"),
        hint: "git runs hooks; 'gitseal hook install' puts them in place".into(),
    }
}
