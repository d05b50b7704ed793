//! Every setting there is: its names, its type, who may set it. gitseal-config(5) has one paragraph for each, and a
//! test holds the two together.

use crate::format::cms::MAX_ATTRIBUTE_VALUES;

/// Seconds; a page that says nothing for longer than an hour does not close, it is forgotten.
const MAX_AUTOCLOSE_TIMEOUT: usize = 3600;

/// The settings, in the order of [`TABLE`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Name {
    /// Which Sigstore.
    Instance,
    /// Whom to believe, from a file.
    TrustedRoot,
    /// Whom to ask, from a file.
    SigningConfig,
    /// Expected signers, exact.
    CertificateIdentity,
    /// Expected signers, by pattern.
    CertificateIdentityRegexp,
    /// Expected issuers, exact.
    CertificateOidcIssuer,
    /// Expected issuers, by pattern.
    CertificateOidcIssuerRegexp,
    /// Where authority over a repository begins.
    PolicyRoot,
    /// The same for many repositories, from a file.
    PolicyRoots,
    /// One policy for everything, from a file.
    PolicyFile,
    /// Where the policy lies in a tree.
    PolicyPath,
    /// The branch whose policy is the repository's.
    PolicyRef,
    /// OpenPGP keys that gpg may use.
    PgpKeyring,
    /// By which addresses this server is pushed to.
    Pushee,
    /// Authorities for S/MIME.
    SmimeCaFile,
    /// Whether old certificates without an SCT pass.
    InsecureIgnoreSct,
    /// How many logs must have seen a signature.
    LogThreshold,
    /// How many authorities must have stamped it.
    TimestampThreshold,
    /// Whether the log may be asked.
    OnlineLookup,
    /// Who vouches for servers.
    SslCaInfo,
    /// The identity token, from a file.
    IdTokenFile,
    /// The identity token itself.
    IdToken,
    /// How an identity token is got.
    TokenProvider,
    /// Where tokens come from.
    Issuer,
    /// Who asks for a token.
    ClientId,
    /// Its secret, from a file.
    ClientSecretFile,
    /// Where a federating issuer sends whoever logs in.
    ConnectorId,
    /// Where the browser comes back to.
    RedirectUrl,
    /// What opens a page.
    UrlOpener,
    /// Whether the page closes itself.
    Autoclose,
    /// After how many seconds.
    AutocloseTimeout,
    /// Who signs here.
    Identity,
    /// Who knows what signing makes public.
    Acknowledged,
    /// Whether a login is kept in the keyring.
    RememberLogin,
    /// Whether the agent signs.
    Agent,
    /// An agent that somebody else started.
    AgentSocket,
    /// Where our own agent lives.
    AgentDirectory,
    /// Instances that a forwarded agent signs for.
    ForwardInstance,
    /// How much it matters that the committer is the signer.
    MatchCommitter,
    /// Whether the log entry is embedded.
    RekorMode,
    /// Which API of the log is preferred.
    RekorVersion,
    /// The certificate authority.
    Fulcio,
    /// Its roots.
    FulcioRoot,
    /// The log.
    Rekor,
    /// Its key.
    RekorPublicKey,
    /// The key of the certificate log.
    CtLogPublicKey,
    /// The timestamp authority.
    TimestampServerUrl,
    /// Its certificates.
    TimestampCertChain,
    /// A TUF repository, as cosign takes it.
    TufMirror,
    /// Its first root.
    TufRootJson,
}

/// What a value looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Any text.
    Text,
    /// Any number of texts; an empty one forgets those before it.
    List,
    /// A file name; `~/` is the home directory.
    Path,
    /// An http or https address.
    Url,
    /// git's booleans.
    Boolean,
    /// A number from 0 to this.
    Count(usize),
    /// One of these words.
    Choice(&'static [&'static str]),
    /// One of these words, from the least to the most that is asked; git's booleans mean the first and the last.
    Level(&'static [&'static str]),
    /// Never shown.
    Secret,
}

/// Which scopes of git configuration may set it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rule {
    /// System, global and command: it decides whom to believe or where secrets go.
    UserOnly,
    /// The repository too.
    Anywhere,
    /// The repository too, but only to this value, which asks for more or does less.
    RepositoryMayTighten(&'static str),
    /// The repository too, but only to as much as the user has set, or more: a number or a level.
    RepositoryMayRaise,
}

/// One setting.
#[derive(Debug, Clone, Copy)]
pub struct Setting {
    /// Which one.
    pub name: Name,
    /// The key under `gitseal.` in git configuration.
    pub gitseal: Option<&'static str>,
    /// The key under `gitsign.`, which counts less.
    pub gitsign: Option<&'static str>,
    /// Environment variables, from the one that counts least to the one that counts most.
    pub environment: &'static [&'static str],
    /// What its values look like.
    pub kind: Kind,
    /// Who may set it.
    pub rule: Rule,
}

impl Setting {
    /// How to speak of it: by its key, or by its variable if it has none.
    #[must_use]
    pub fn label(&self) -> String {
        match (self.gitseal, self.gitsign) {
            (Some(key), _) => format!("gitseal.{key}"),
            (None, Some(key)) => format!("gitsign.{key}"),
            (None, None) => self.environment.last().map(|variable| (*variable).to_owned()).unwrap_or_default(),
        }
    }
}

use Kind::{Boolean, Choice, Count, Level, List, Path, Secret, Text, Url};
use Rule::{Anywhere, RepositoryMayRaise, RepositoryMayTighten, UserOnly};

/// All of them.
#[rustfmt::skip]
pub static TABLE: [Setting; 50] = [
    own(Name::Instance, "instance", &["GITSEAL_INSTANCE"], Text, Anywhere),
    own(Name::TrustedRoot, "trustedRoot", &["GITSEAL_TRUSTED_ROOT"], Path, UserOnly),
    own(Name::SigningConfig, "signingConfig", &["GITSEAL_SIGNING_CONFIG"], Path, UserOnly),
    own(Name::CertificateIdentity, "certificateIdentity", &["GITSEAL_CERTIFICATE_IDENTITY"], List, UserOnly),
    own(Name::CertificateIdentityRegexp, "certificateIdentityRegexp", &["GITSEAL_CERTIFICATE_IDENTITY_REGEXP"], List, UserOnly),
    own(Name::CertificateOidcIssuer, "certificateOidcIssuer", &["GITSEAL_CERTIFICATE_OIDC_ISSUER"], List, UserOnly),
    own(Name::CertificateOidcIssuerRegexp, "certificateOidcIssuerRegexp", &["GITSEAL_CERTIFICATE_OIDC_ISSUER_REGEXP"], List, UserOnly),
    own(Name::PolicyRoot, "policyRoot", &["GITSEAL_POLICY_ROOT"], Text, UserOnly),
    own(Name::PolicyRoots, "policyRoots", &["GITSEAL_POLICY_ROOTS"], Path, UserOnly),
    own(Name::PolicyFile, "policyFile", &["GITSEAL_POLICY_FILE"], Path, UserOnly),
    own(Name::PolicyPath, "policyPath", &["GITSEAL_POLICY_PATH"], Text, UserOnly),
    own(Name::PolicyRef, "policyRef", &["GITSEAL_POLICY_REF"], Text, UserOnly),
    own(Name::PgpKeyring, "pgpKeyring", &["GITSEAL_PGP_KEYRING"], Path, UserOnly),
    own(Name::Pushee, "pushee", &["GITSEAL_PUSHEE"], List, UserOnly),
    own(Name::SmimeCaFile, "smimeCaFile", &["GITSEAL_SMIME_CA_FILE"], Path, UserOnly),
    own(Name::InsecureIgnoreSct, "insecureIgnoreSct", &["GITSEAL_INSECURE_IGNORE_SCT"], Boolean, UserOnly),
    own(Name::LogThreshold, "logThreshold", &["GITSEAL_LOG_THRESHOLD"], Count(MAX_ATTRIBUTE_VALUES), RepositoryMayRaise),
    own(Name::TimestampThreshold, "timestampThreshold", &["GITSEAL_TIMESTAMP_THRESHOLD"], Count(MAX_ATTRIBUTE_VALUES), RepositoryMayRaise),
    own(Name::OnlineLookup, "onlineLookup", &["GITSEAL_ONLINE_LOOKUP"], Choice(&["auto", "always", "never"]), RepositoryMayTighten("never")),
    own(Name::SslCaInfo, "sslCAInfo", &["SSL_CERT_FILE", "GITSEAL_SSL_CAINFO"], Path, UserOnly),
    own(Name::IdTokenFile, "idTokenFile", &["GITSEAL_ID_TOKEN_FILE"], Path, UserOnly),
    Setting { name: Name::IdToken, gitseal: None, gitsign: None, environment: &["SIGSTORE_ID_TOKEN", "GITSEAL_ID_TOKEN"], kind: Secret, rule: UserOnly },
    shared(Name::TokenProvider, "tokenProvider", &["SIGSTORE_TOKEN_PROVIDER", "GITSIGN_TOKEN_PROVIDER", "GITSEAL_TOKEN_PROVIDER"], Text, UserOnly),
    shared(Name::Issuer, "issuer", &["SIGSTORE_OIDC_ISSUER", "GITSIGN_OIDC_ISSUER", "GITSEAL_OIDC_ISSUER"], Url, UserOnly),
    shared(Name::ClientId, "clientID", &["SIGSTORE_OIDC_CLIENT_ID", "GITSIGN_OIDC_CLIENT_ID", "GITSEAL_OIDC_CLIENT_ID"], Text, UserOnly),
    shared(Name::ClientSecretFile, "clientSecretFile", &["SIGSTORE_OIDC_CLIENT_SECRET_FILE", "GITSIGN_OIDC_CLIENT_SECRET_FILE", "GITSEAL_OIDC_CLIENT_SECRET_FILE"], Path, UserOnly),
    shared(Name::ConnectorId, "connectorID", &["SIGSTORE_CONNECTOR_ID", "GITSIGN_CONNECTOR_ID", "GITSEAL_CONNECTOR_ID"], Text, UserOnly),
    shared(Name::RedirectUrl, "redirectURL", &["SIGSTORE_OIDC_REDIRECT_URL", "GITSIGN_OIDC_REDIRECT_URL", "GITSEAL_OIDC_REDIRECT_URL"], Url, UserOnly),
    shared(Name::UrlOpener, "urlOpener", &["GITSIGN_URL_OPENER", "GITSEAL_URL_OPENER"], Text, UserOnly),
    shared(Name::Autoclose, "autoclose", &["SIGSTORE_AUTOCLOSE", "GITSIGN_AUTOCLOSE", "GITSEAL_AUTOCLOSE"], Boolean, UserOnly),
    shared(Name::AutocloseTimeout, "autocloseTimeout", &["SIGSTORE_AUTOCLOSE_TIMEOUT", "GITSIGN_AUTOCLOSE_TIMEOUT", "GITSEAL_AUTOCLOSE_TIMEOUT"], Count(MAX_AUTOCLOSE_TIMEOUT), UserOnly),
    own(Name::Identity, "identity", &["GITSEAL_IDENTITY"], Text, Anywhere),
    own(Name::Acknowledged, "acknowledged", &["GITSEAL_ACKNOWLEDGED"], List, UserOnly),
    own(Name::RememberLogin, "rememberLogin", &["GITSEAL_REMEMBER_LOGIN"], Boolean, UserOnly),
    own(Name::Agent, "agent", &["GITSEAL_AGENT"], Choice(&["auto", "off", "require"]), UserOnly),
    Setting { name: Name::AgentSocket, gitseal: None, gitsign: None, environment: &["GITSEAL_AGENT_SOCK"], kind: Path, rule: UserOnly },
    Setting { name: Name::AgentDirectory, gitseal: None, gitsign: None, environment: &["GITSEAL_AGENT_DIR"], kind: Path, rule: UserOnly },
    own(Name::ForwardInstance, "forwardInstance", &["GITSEAL_FORWARD_INSTANCE"], List, UserOnly),
    shared(Name::MatchCommitter, "matchCommitter", &["GITSEAL_MATCH_COMMITTER"], Level(&["off", "warn", "require"]), RepositoryMayRaise),
    shared(Name::RekorMode, "rekorMode", &["GITSIGN_REKOR_MODE", "GITSEAL_REKOR_MODE"], Choice(&["offline", "online"]), Anywhere),
    shared(Name::RekorVersion, "rekorVersion", &["SIGSTORE_REKOR_VERSION", "GITSIGN_REKOR_VERSION", "GITSEAL_REKOR_VERSION"], Choice(&["1", "2"]), Anywhere),
    foreign(Name::Fulcio, "fulcio", &["SIGSTORE_FULCIO_URL", "GITSIGN_FULCIO_URL"], Url),
    foreign(Name::FulcioRoot, "fulcioRoot", &["SIGSTORE_ROOT_FILE", "SIGSTORE_FULCIO_ROOT", "GITSIGN_FULCIO_ROOT"], Path),
    foreign(Name::Rekor, "rekor", &["SIGSTORE_REKOR_URL", "GITSIGN_REKOR_URL"], Url),
    Setting { name: Name::RekorPublicKey, gitseal: None, gitsign: None, environment: &["SIGSTORE_REKOR_PUBLIC_KEY"], kind: Path, rule: UserOnly },
    Setting { name: Name::CtLogPublicKey, gitseal: None, gitsign: None, environment: &["SIGSTORE_CT_LOG_PUBLIC_KEY_FILE"], kind: Path, rule: UserOnly },
    foreign(Name::TimestampServerUrl, "timestampServerURL", &["SIGSTORE_TIMESTAMP_SERVER_URL", "GITSIGN_TIMESTAMP_SERVER_URL"], Url),
    foreign(Name::TimestampCertChain, "timestampCertChain", &["SIGSTORE_TSA_CERTIFICATE_FILE", "SIGSTORE_TIMESTAMP_CERT_CHAIN", "GITSIGN_TIMESTAMP_CERT_CHAIN"], Path),
    Setting { name: Name::TufMirror, gitseal: None, gitsign: None, environment: &["TUF_MIRROR"], kind: Url, rule: UserOnly },
    Setting { name: Name::TufRootJson, gitseal: None, gitsign: None, environment: &["TUF_ROOT_JSON"], kind: Path, rule: UserOnly },
];

/// A setting that only gitseal has.
const fn own(name: Name, key: &'static str, environment: &'static [&'static str], kind: Kind, rule: Rule) -> Setting {
    Setting { name, gitseal: Some(key), gitsign: None, environment, kind, rule }
}

/// A setting that gitsign has too, under the same key.
const fn shared(
    name: Name,
    key: &'static str,
    environment: &'static [&'static str],
    kind: Kind,
    rule: Rule,
) -> Setting {
    Setting { name, gitseal: Some(key), gitsign: Some(key), environment, kind, rule }
}

/// A setting of gitsign, understood for its users' sake: one address or key of an instance that has no documents.
const fn foreign(name: Name, key: &'static str, environment: &'static [&'static str], kind: Kind) -> Setting {
    Setting { name, gitseal: None, gitsign: Some(key), environment, kind, rule: UserOnly }
}

impl Name {
    /// Its row in the table.
    #[must_use]
    pub fn setting(self) -> &'static Setting {
        &TABLE[self as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_has_its_own_row() {
        for (row, setting) in TABLE.iter().enumerate() {
            assert_eq!(setting.name as usize, row, "{:?}", setting.name);
            assert!(!setting.label().is_empty());
        }
        assert_eq!(Name::TufRootJson as usize + 1, TABLE.len());
    }

    #[test]
    fn whom_to_believe_and_where_secrets_go_is_never_the_repositorys_choice() {
        for setting in &TABLE {
            let decides = matches!(setting.kind, Kind::Path | Kind::Url | Kind::List | Kind::Secret);
            assert!(!decides || setting.rule == Rule::UserOnly, "{:?}", setting.name);
        }
    }
}
