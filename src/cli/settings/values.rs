//! What settings amount to once they are read: words, places and lists as types.

use std::path::PathBuf;
use std::time::Duration;

use crate::repo::config::Scope;
use crate::trust::InstanceName;

/// The instance that a setting selects, and which setting does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Selected {
    /// The instance.
    pub name: InstanceName,
    /// The key, variable or option.
    pub by: String,
    /// Where in git configuration the key stands.
    pub scope: Option<Scope>,
}

/// A TUF repository that cosign's variables name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TufMirror {
    /// Its address.
    pub url: String,
    /// Its first root, a file.
    pub root: PathBuf,
}

/// When the log may be asked for an entry that a signature lacks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OnlineLookup {
    /// When a person is waiting.
    #[default]
    Auto,
    /// Whenever it would help.
    Always,
    /// Not at all.
    Never,
}

/// Whether a signature brings its log entry along.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum RekorMode {
    /// It does; verifying needs no network.
    #[default]
    Offline,
    /// The entry is only in the log.
    Online,
}

/// How much it matters that the committer is the signer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum MatchCommitter {
    /// Not at all.
    #[default]
    Off,
    /// A person is told when it is somebody else.
    Warn,
    /// Somebody else's commits are not signed.
    Require,
}

/// Whose signatures are expected, as configured: texts and patterns.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Expected {
    /// Subject alternative names, exact.
    pub identities: Vec<String>,
    /// Patterns of them.
    pub identity_patterns: Vec<String>,
    /// OIDC issuers, exact.
    pub issuers: Vec<String>,
    /// Patterns of them.
    pub issuer_patterns: Vec<String>,
}

impl Expected {
    /// Nobody in particular.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.identities.is_empty()
            && self.identity_patterns.is_empty()
            && self.issuers.is_empty()
            && self.issuer_patterns.is_empty()
    }
}

/// Whether the agent signs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum AgentUse {
    /// If it can; it is started when there is none.
    #[default]
    Auto,
    /// Never: this process signs.
    Off,
    /// Always: without an agent nothing is signed.
    Require,
}

/// The agent: whether, where, and for whom.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AgentSettings {
    /// Whether it signs.
    pub wanted: AgentUse,
    /// The socket of an agent that somebody else started, or that was forwarded from another machine.
    pub socket: Option<PathBuf>,
    /// Where our own agent has its socket, in place of the usual directory.
    pub directory: Option<PathBuf>,
    /// The instances that the forwarded socket signs for.
    pub forward_instances: Vec<String>,
}

/// How a person logs in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoginSettings {
    /// The upstream that a federating issuer (Dex) uses without asking.
    pub connector_id: Option<String>,
    /// Where the browser comes back to, in place of a free port of this machine.
    pub redirect_url: Option<String>,
    /// The client's secret, for issuers that demand one.
    pub client_secret_file: Option<PathBuf>,
    /// The command that opens a page; `{{.URL}}` stands for its address.
    pub url_opener: Option<String>,
    /// Whether the last page closes itself, where there is a connector.
    pub autoclose: bool,
    /// After how long.
    pub autoclose_timeout: Duration,
    /// Whether the login is kept in the keyring.
    pub remember: bool,
    /// The identities whose owners know what signing makes public for ever.
    pub acknowledged: Vec<String>,
}

/// How long gitsign's page stays.
pub(super) const AUTOCLOSE_TIMEOUT: Duration = Duration::from_secs(6);

impl Default for LoginSettings {
    fn default() -> Self {
        LoginSettings {
            connector_id: None,
            redirect_url: None,
            client_secret_file: None,
            url_opener: None,
            autoclose: true,
            autoclose_timeout: AUTOCLOSE_TIMEOUT,
            remember: false,
            acknowledged: Vec::new(),
        }
    }
}

/// Where an identity token comes from. The token itself is a secret: it is never printed.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct TokenSources {
    /// The token, given in the environment.
    pub token: Option<String>,
    /// A file that holds it.
    pub file: Option<PathBuf>,
    /// The provider to use, and no other.
    pub provider: Option<String>,
}

impl std::fmt::Debug for TokenSources {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TokenSources")
            .field("token", &self.token.as_ref().map(|_| "(secret)"))
            .field("file", &self.file)
            .field("provider", &self.provider)
            .finish()
    }
}

/// An instance given in pieces, as gitsign and cosign take it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Pieces {
    /// The certificate authority.
    pub fulcio: Option<String>,
    /// Its certificates, PEM.
    pub fulcio_root: Option<PathBuf>,
    /// The log.
    pub rekor: Option<String>,
    /// Its key, PEM.
    pub rekor_public_key: Option<PathBuf>,
    /// The certificate log's key, PEM.
    pub ct_log_public_key: Option<PathBuf>,
    /// The timestamp authority.
    pub timestamp_server: Option<String>,
    /// Its certificates, PEM.
    pub timestamp_chain: Option<PathBuf>,
    /// The issuer of tokens.
    pub issuer: Option<String>,
}

/// Where the policy for signed history comes from; gitseal-policy(5).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PolicySettings {
    /// The trust root: a full commit id, perhaps with the digest of its policy.
    pub root: Option<String>,
    /// A file that has the trust roots of many repositories.
    pub roots: Option<PathBuf>,
    /// One policy for every commit, in place of those in the trees.
    pub file: Option<PathBuf>,
    /// Where the policy lies in a tree, if not where it usually does.
    pub path: Option<String>,
    /// The full name of the branch whose policy is the repository's.
    pub reference: Option<String>,
    /// OpenPGP keys that gpg may use.
    pub pgp_keyring: Option<PathBuf>,
    /// The addresses by which a push certificate may name this server.
    pub pushees: Vec<String>,
}
