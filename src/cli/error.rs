//! The error at the outermost face: what happened, what to do about it, and how the process ends.

use std::io;

use thiserror::Error;

use super::exit::Exit;
use super::gpg_arguments::ArgumentError;
use super::settings::SettingsError;
use super::streams::Streams;
use crate::repo::RepoError;

/// Why a run of gitseal failed.
#[derive(Debug, Error)]
pub enum CliError {
    /// The command line of a signature program makes no sense.
    #[error(transparent)]
    Arguments(#[from] ArgumentError),
    /// A setting makes no sense.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// The repository, or an object in it.
    #[error(transparent)]
    Repo(#[from] RepoError),
    /// A file or a stream.
    #[error("cannot {action}: {source}")]
    Io {
        /// What was tried, to follow "cannot".
        action: String,
        /// What the system says.
        source: io::Error,
    },
    /// More input than anybody needs.
    #[error("{what} is longer than {limit} bytes")]
    TooLarge {
        /// Which input.
        what: String,
        /// The bound.
        limit: u64,
    },
    /// A person's wish that cannot be granted, with what to do instead.
    #[error("{problem}")]
    Usage {
        /// What is wrong.
        problem: String,
        /// What to do.
        hint: String,
    },
    /// `git` could not be run, or refused.
    #[error("git {command} failed: {cause}")]
    Git {
        /// The arguments.
        command: String,
        /// What git said.
        cause: String,
    },
}

impl CliError {
    /// A failed operation on a file or a stream.
    pub fn io(action: impl Into<String>, source: io::Error) -> Self {
        CliError::Io { action: action.into(), source }
    }

    /// What a person should do.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            CliError::Arguments(error) => Some(error.hint().to_owned()),
            CliError::Settings(error) => Some(error.hint()),
            CliError::Repo(RepoError::NotFound(_)) => Some("run it inside a repository, or see 'git help init'".into()),
            CliError::Repo(RepoError::Revision { .. }) => {
                Some("name a commit or an annotated tag, as in 'git rev-parse'".into())
            }
            CliError::Repo(RepoError::Misnamed { .. }) => {
                Some("the object database is damaged or was tampered with; run 'git fsck'".into())
            }
            CliError::Usage { hint, .. } => Some(hint.clone()),
            _ => None,
        }
    }

    /// How the process ends.
    #[must_use]
    pub fn exit(&self) -> Exit {
        match self {
            // Bytes under a false name are a forgery until proven otherwise, not a matter of usage.
            CliError::Repo(RepoError::Misnamed { .. }) | CliError::TooLarge { .. } => Exit::Bad,
            CliError::Io { .. } | CliError::Git { .. } => Exit::Internal,
            CliError::Arguments(_) | CliError::Settings(_) | CliError::Repo(_) | CliError::Usage { .. } => Exit::Usage,
        }
    }

    /// Tell it to people.
    pub fn report(&self, streams: &mut Streams) -> Exit {
        streams.error(&self.to_string());
        if let Some(hint) = self.hint() {
            streams.hint(&hint);
        }
        self.exit()
    }
}
