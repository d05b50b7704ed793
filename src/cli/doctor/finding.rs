//! What `gitseal doctor` can find: one fault, where it is, and the command that mends it.

use serde::Serialize;

use super::place::Located;

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Signing or verifying does not work.
    Error,
    /// It works, and perhaps not as one thinks.
    Warning,
}

impl Severity {
    /// The word.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Severity::Error => "error",
            Severity::Warning => "warning",
        }
    }
}

macro_rules! ids {
    ($($(#[$doc:meta])* $id:ident = $code:literal,)*) => {
        /// Which fault it is; gitseal-doctor(1) has a paragraph for each.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
        pub enum Id {
            $($(#[$doc])* #[serde(rename = $code)] $id,)*
        }

        impl Id {
            /// All of them.
            pub const ALL: &'static [Id] = &[$(Id::$id,)*];

            /// The stable word for programs.
            #[must_use]
            pub fn code(self) -> &'static str {
                match self { $(Id::$id => $code,)* }
            }
        }
    };
}

ids! {
    /// There is no git.
    GitMissing = "git-missing",
    /// It knows no x509 signatures.
    GitTooOld = "git-too-old",
    /// git cannot read its configuration.
    ConfigurationUnreadable = "configuration-unreadable",
    /// The repository belongs to somebody else.
    RepositoryForeign = "repository-foreign",
    /// The repository cannot be opened.
    RepositoryUnreadable = "repository-unreadable",
    /// git makes another kind of signature.
    GpgFormat = "gpg-format",
    /// git is not told which program to run.
    ProgramUnset = "program-unset",
    /// The program cannot be run.
    ProgramMissing = "program-missing",
    /// The program depends on the directory.
    ProgramRelative = "program-relative",
    /// It is another program.
    ProgramOther = "program-other",
    /// It is another version of this program.
    ProgramVersion = "program-version",
    /// git hands OpenPGP signatures to gitseal.
    OpenpgpProgram = "openpgp-program",
    /// The repository turns off what the user turned on.
    SigningOff = "signing-off",
    /// A trust level that cannot be reached.
    TrustLevel = "trust-level",
    /// git does not know the user's mail address.
    EmailMissing = "email-missing",
    /// git does not know the user's name.
    NameMissing = "name-missing",
    /// A value means nothing.
    SettingInvalid = "setting-invalid",
    /// The repository may not set this.
    RepositoryIgnored = "repository-ignored",
    /// gitseal has no such key.
    KeyUnknown = "key-unknown",
    /// A key of gitsign that gitseal does not read.
    GitsignKeyUnread = "gitsign-key-unread",
    /// A key of gitsign that one of gitseal overrides.
    GitsignKeyOverridden = "gitsign-key-overridden",
    /// A variable overrides the configuration.
    EnvironmentOverrides = "environment-overrides",
    /// Nobody is expected.
    NobodyExpected = "nobody-expected",
    /// An identity without an issuer, or the other way around.
    HalfExpected = "half-expected",
    /// A pattern that does not compile.
    PatternInvalid = "pattern-invalid",
    /// The user signs as somebody who is not expected.
    SelfUnexpected = "self-unexpected",
    /// Certificates without proof of logging pass.
    SctIgnored = "sct-ignored",
    /// A file that a setting names is no use.
    FileUnusable = "file-unusable",
    /// The chosen instance cannot be had.
    InstanceUnusable = "instance-unusable",
    /// The identity token is no use.
    TokenUnusable = "token-unusable",
    /// The token is for somebody else than the one who signs here.
    IdentityMismatch = "identity-mismatch",
    /// The agent cannot be asked.
    AgentUnusable = "agent-unusable",
    /// Committer and signer must be the same, and are not.
    CommitterMismatch = "committer-mismatch",
    /// The chosen services cannot make a signature.
    ServicesUnfit = "services-unfit",
    /// A service does not answer.
    ServiceUnreachable = "service-unreachable",
}

/// A fault.
#[derive(Debug, Clone, Serialize)]
pub struct Finding {
    /// Which.
    pub id: Id,
    /// How bad it is.
    pub severity: Severity,
    /// What is wrong, in one line.
    pub problem: String,
    /// Where; nowhere, if the fault is that something is not set.
    #[serde(rename = "where")]
    pub place: Option<Located>,
    /// The command that mends it, if one can.
    pub fix: Option<String>,
}

impl Finding {
    /// Something that keeps signing or verifying from working.
    pub fn error(id: Id, problem: impl Into<String>) -> Self {
        Finding { id, severity: Severity::Error, problem: problem.into(), place: None, fix: None }
    }

    /// Something that is perhaps not as one thinks.
    pub fn warning(id: Id, problem: impl Into<String>) -> Self {
        Finding { severity: Severity::Warning, ..Finding::error(id, problem) }
    }

    /// It is there.
    #[must_use]
    pub fn at(self, place: &Located) -> Self {
        Finding { place: Some(place.clone()), ..self }
    }

    /// This mends it.
    #[must_use]
    pub fn fix(self, command: impl Into<String>) -> Self {
        Finding { fix: Some(command.into()), ..self }
    }
}
