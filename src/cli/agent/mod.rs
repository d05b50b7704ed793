//! The agent as the command line sees it: where it is, what it is told, and how signing goes through it.

pub mod daemon;
pub mod sign;
pub mod start;
pub mod state;

use std::path::PathBuf;

use directories::BaseDirs;

use super::error::CliError;
use super::instance;
use super::settings::{AgentSettings, Settings};
use crate::agent::protocol::Hex32;
use crate::agent::{Client, ClientError, Place, PlaceError};
use crate::crypto::sha256;

/// Where our own agent is, or would be.
///
/// # Errors
/// There is no home directory, or its path is too long for a socket.
pub fn place(settings: &AgentSettings) -> Result<Place, CliError> {
    let directory = match &settings.directory {
        Some(directory) => std::path::absolute(directory).map_err(|error| CliError::io("find the agent", error))?,
        None => usual_directory().ok_or_else(|| CliError::Usage {
            problem: "there is no place for the agent's socket: neither XDG_RUNTIME_DIR nor a home directory".into(),
            hint: "set GITSEAL_AGENT_DIR, or gitseal.agent=off to sign without an agent".into(),
        })?,
    };
    Ok(Place::at(directory).map_err(ClientError::from)?)
}

/// `$XDG_RUNTIME_DIR` is private and goes with the session; without it a place in the home directory is private too.
fn usual_directory() -> Option<PathBuf> {
    let directories = BaseDirs::new()?;
    match directories.runtime_dir() {
        Some(runtime) if runtime.is_dir() => Some(runtime.join("gitseal")),
        _ => Some(directories.state_dir().unwrap_or(directories.data_local_dir()).join("gitseal/agent")),
    }
}

/// Connect to the agent that the settings name; `None` when there is none.
///
/// # Errors
/// What is there cannot be relied on.
pub fn connect(settings: &AgentSettings) -> Result<Option<Client>, CliError> {
    let connected = match &settings.socket {
        Some(socket) => Client::connect_to(socket),
        None => Client::connect(&place(settings)?),
    };
    match connected {
        Ok(client) => Ok(Some(client)),
        Err(ClientError::NoAgent(_)) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// A digest of the settings that decide what an instance's name means: whom it makes us believe, and whom we talk to.
/// Client and agent compare theirs, so that neither is led to servers of which the other knows nothing.
#[must_use]
pub fn digest_of(settings: &Settings) -> Hex32 {
    let Settings { trusted_root, signing_config, pieces, ssl_ca_info, client_id, .. } = settings;
    // Relative to another directory it would be another file.
    let path = |path: &Option<PathBuf>| path.as_ref().map(|path| std::path::absolute(path).unwrap_or(path.clone()));
    let path = |file: &Option<PathBuf>| path(file).map(|file| file.into_os_string().into_encoded_bytes());
    let text = |text: &Option<String>| text.clone().map(String::into_bytes);
    let mirror = instance::mirror(settings);
    let values = [
        path(trusted_root),
        path(signing_config),
        text(&pieces.fulcio),
        path(&pieces.fulcio_root),
        text(&pieces.rekor),
        path(&pieces.rekor_public_key),
        path(&pieces.ct_log_public_key),
        text(&pieces.timestamp_server),
        path(&pieces.timestamp_chain),
        text(&pieces.issuer),
        text(&mirror.map(|mirror| mirror.url.clone())),
        path(&mirror.map(|mirror| mirror.root.clone())),
        path(ssl_ca_info),
        text(client_id),
    ];
    let mut written = Vec::new();
    for value in values {
        // Each with its length: no two lists of values are written the same.
        let length = value.as_ref().map_or(u64::MAX, |value| value.len() as u64);
        written.extend_from_slice(&length.to_be_bytes());
        written.extend(value.unwrap_or_default());
    }
    Hex32(sha256(&written))
}

impl From<PlaceError> for CliError {
    fn from(error: PlaceError) -> Self {
        CliError::Agent(error.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::settings::Pieces;

    #[test]
    fn settings_that_mean_other_servers_have_another_digest() {
        let with = |change: &dyn Fn(&mut Settings)| {
            let mut settings = Settings::default();
            change(&mut settings);
            digest_of(&settings)
        };
        let file = || Some(PathBuf::from("/x"));
        let url = || Some("https://x".to_owned());
        let digests = [
            with(&|_| {}),
            with(&|settings| settings.trusted_root = file()),
            with(&|settings| settings.signing_config = file()),
            with(&|settings| settings.pieces = Pieces { fulcio: url(), ..Pieces::default() }),
            with(&|settings| settings.pieces = Pieces { rekor: url(), ..Pieces::default() }),
            with(&|settings| settings.pieces = Pieces { issuer: url(), ..Pieces::default() }),
            with(&|settings| settings.ssl_ca_info = file()),
            with(&|settings| settings.client_id = url()),
        ];
        for (at, one) in digests.iter().enumerate() {
            assert!(digests[at + 1..].iter().all(|other| one != other), "{at}");
        }
        // Who signs, and how, travels with each request.
        assert_eq!(digests[0], with(&|settings| settings.identity = url()));
    }
}
