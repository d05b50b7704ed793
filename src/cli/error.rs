//! The error at the outermost face: what happened, what to do about it, and how the process ends.

use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;

use super::ci::OccasionError;
use super::disclosure::DisclosureError;
use super::exit::Exit;
use super::gpg_arguments::ArgumentError;
use super::instance::store::StoreError;
use super::login::LoginError;
use super::settings::SettingsError;
use super::streams::Streams;
use super::terminal::TerminalError;
use super::trust_cache::CacheError;
use crate::agent::ClientError;
use crate::audit::AuthorityError;
use crate::audit::push::PushError;
use crate::credential::remembered::RememberError;
use crate::policy::{PolicyError, PolicyFileError};
use crate::repo::RepoError;
use crate::service::ambient::AmbientError;
use crate::service::look_up::LookUpError;
use crate::service::{TokenError, UpdateError};
use crate::sign::SignError;
use crate::trust::InstanceName;
use crate::verify::Refusal;

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
    /// Whoever read what we print has had enough of it, as `head` does. Nothing went wrong, so nobody is told.
    #[error("nobody reads standard output any more")]
    OutputClosed,
    /// A file that was named and cannot be read.
    #[error("cannot read {what} in {}: {source}", .path.display())]
    File {
        /// What it should hold.
        what: String,
        /// Which.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// A file that is not what it should be.
    #[error("{}: {cause}", .path.display())]
    Document {
        /// Which.
        path: PathBuf,
        /// Why not.
        cause: String,
    },
    /// An instance cannot be had, added or removed.
    #[error(transparent)]
    Instance(#[from] StoreError),
    /// Documents that are kept, and cannot be used.
    #[error("the instance{}: {cause}", .instance.as_ref().map(|name| format!(" '{name}'")).unwrap_or_default())]
    Kept {
        /// Whose.
        instance: Option<InstanceName>,
        /// Why not.
        cause: String,
    },
    /// A file that is another than the one that was meant.
    #[error("{}: its SHA-256 digest is {found} and not {wanted}", .path.display())]
    Checksum {
        /// Which.
        path: PathBuf,
        /// What it has.
        found: String,
        /// What it should have.
        wanted: String,
    },
    /// A push cannot be judged.
    #[error(transparent)]
    Push(PushError),
    /// A person could not be asked, or gave no answer.
    #[error(transparent)]
    Terminal(#[from] TerminalError),
    /// A person does not want to become public.
    #[error(transparent)]
    Disclosure(#[from] DisclosureError),
    /// The expected identities.
    #[error(transparent)]
    Policy(#[from] PolicyError),
    /// A policy file that does not parse.
    #[error("{}, {cause}", .path.display())]
    PolicyFile {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        cause: PolicyFileError,
    },
    /// There is no authority to judge a history by.
    #[error(transparent)]
    Authority(#[from] AuthorityError),
    /// The log could not be asked.
    #[error(transparent)]
    LookUp(#[from] LookUpError),
    /// An object without the signature that was asked for.
    #[error("{object}: {refusal}")]
    NoEntity {
        /// Its name.
        object: String,
        /// Why there is none.
        refusal: Refusal,
    },
    /// There is nothing to say who signs.
    #[error("no identity token: nothing says who signs")]
    NoToken,
    /// Nobody was logged in.
    #[error(transparent)]
    Login(#[from] LoginError),
    /// The identity token.
    #[error(transparent)]
    Token(#[from] TokenError),
    /// The platform's token.
    #[error(transparent)]
    Ambient(#[from] AmbientError),
    /// Nothing was signed.
    #[error(transparent)]
    Sign(#[from] SignError),
    /// The keyring, or what is in it.
    #[error(transparent)]
    Remember(#[from] RememberError),
    /// The agent, or what it says.
    #[error(transparent)]
    Agent(#[from] ClientError),
    /// What a CI job is about.
    #[error(transparent)]
    Occasion(#[from] OccasionError),
    /// The agent's process.
    #[error("the agent does not start: {0}")]
    AgentStart(String),
    /// The cache of a TUF repository.
    #[error(transparent)]
    Cache(#[from] CacheError),
    /// A TUF repository.
    #[error(transparent)]
    Update(#[from] UpdateError),
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

    /// A file that cannot be read.
    #[must_use]
    pub fn file(what: &str, path: &Path, source: io::Error) -> Self {
        CliError::File { what: what.to_owned(), path: path.to_owned(), source }
    }

    /// A file that was read and is not what it should be.
    pub fn document(path: &Path, cause: impl ToString) -> Self {
        CliError::Document { path: path.to_owned(), cause: cause.to_string() }
    }

    /// Documents of an instance that cannot be used.
    #[must_use]
    pub fn instance(instance: Option<&InstanceName>, cause: impl ToString) -> Self {
        CliError::Kept { instance: instance.cloned(), cause: cause.to_string() }
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
            CliError::Push(PushError::Shallow) => Some("on the server: git fetch --unshallow".into()),
            CliError::Push(PushError::Grafts) => Some("on the server: git convert-graft-file, then git replace -d each of them".into()),
            CliError::Push(_) => Some("the hook goes by --policy-root, --policy or expected identities; see gitseal-hook(1)".into()),
            CliError::Usage { hint, .. } => Some(hint.clone()),
            CliError::Document { .. } | CliError::File { .. } => {
                Some("name another file, or see gitseal-config(5) for what belongs in it".into())
            }
            CliError::Instance(error) => Some(error.hint()),
            CliError::Kept { .. } => Some("'gitseal instance show' tells where its documents come from".into()),
            CliError::Checksum { .. } => Some("it is damaged, or not the file that was meant; fetch it again".into()),
            CliError::NoToken => Some(
                "set SIGSTORE_ID_TOKEN or gitseal.idTokenFile, or unset gitseal.tokenProvider to log in; to try things out, run 'gitseal sandbox run -- git commit ...'"
                    .into(),
            ),
            CliError::Login(error) => Some(error.hint()),
            CliError::Token(error) => Some(error.hint().to_owned()),
            CliError::Ambient(error) => Some(error.hint()),
            CliError::Sign(error) => Some(error.hint().to_owned()),
            CliError::LookUp(error) => Some(error.hint().to_owned()),
            CliError::Remember(error) => Some(error.hint().to_owned()),
            CliError::Agent(error) => Some(error.hint().to_owned()),
            CliError::AgentStart(_) => Some(
                "'gitseal agent start --foreground' shows more; gitseal.agent=off signs without an agent".into(),
            ),
            CliError::Occasion(error) => Some(error.hint()),
            CliError::Cache(_) => Some("'gitseal trust update' fetches it anew; without a network, 'gitseal trust import' takes a file".into()),
            CliError::Update(error) => Some(error.hint().to_owned()),
            CliError::Disclosure(error) => Some(error.hint()),
            CliError::NoEntity { refusal, .. } => refusal.reason.hint().map(str::to_owned),
            CliError::PolicyFile { .. } => Some("gitseal-policy(5) says what the file may hold".into()),
            CliError::Authority(error) => error.reason().hint().map(str::to_owned),
            CliError::Policy(_) => Some("gitseal-config(5) shows how to say whom you expect".into()),
            _ => None,
        }
    }

    /// How the process ends.
    #[must_use]
    pub fn exit(&self) -> Exit {
        match self {
            // Bytes under a false name are a forgery until proven otherwise, not a matter of usage.
            CliError::Repo(RepoError::Misnamed { .. }) | CliError::TooLarge { .. } => Exit::Bad,
            CliError::Checksum { .. } => Exit::Bad,
            CliError::Authority(error) => Exit::from(error.reason().verdict()),
            CliError::LookUp(_) | CliError::NoEntity { .. } | CliError::Token(_) | CliError::Sign(_) => Exit::Bad,
            CliError::Update(_) | CliError::Agent(ClientError::Refused(_)) => Exit::Bad,
            CliError::Login(LoginError::Oidc(_)) => Exit::Bad,
            CliError::Agent(_) | CliError::AgentStart(_) | CliError::Remember(_) => Exit::Undecided,
            CliError::Ambient(AmbientError::Missing { .. } | AmbientError::Variable { .. }) => Exit::Usage,
            CliError::Ambient(_) => Exit::Bad,
            CliError::Occasion(error) if error.is_undecided() => Exit::Undecided,
            // Nothing is known about the signature, good or bad: there is nobody to believe.
            CliError::Cache(_) | CliError::Instance(StoreError::NeverFetched(_)) => Exit::Undecided,
            CliError::Push(PushError::Shallow) => Exit::Undecided,
            CliError::Io { .. } | CliError::Terminal(_) | CliError::Git { .. } | CliError::OutputClosed => {
                Exit::Internal
            }
            _ => Exit::Usage,
        }
    }

    /// Tell it to people.
    pub fn report(&self, streams: &mut Streams) -> Exit {
        if matches!(self, CliError::OutputClosed) {
            return self.exit();
        }
        streams.error(&self.to_string());
        match (self, self.hint()) {
            // Lines to be put into a file of the platform's.
            (CliError::Ambient(_), Some(lines)) => lines.lines().for_each(|line| streams.hint(line)),
            (_, Some(hint)) => streams.hint(&hint),
            (_, None) => {}
        }
        self.exit()
    }
}

impl From<PushError> for CliError {
    fn from(error: PushError) -> Self {
        match error {
            PushError::Repo(error) => error.into(),
            PushError::Authority(error) => error.into(),
            error @ (PushError::Shallow | PushError::Grafts | PushError::NoGround) => CliError::Push(error),
        }
    }
}
