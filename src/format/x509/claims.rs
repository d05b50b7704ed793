//! What Fulcio attests about a signer: the extensions under 1.3.6.1.4.1.57264.1 (fulcio: docs/oid-info.md).
//!
//! Numbers 1 to 6 hold raw text, the later ones a DER UTF8String. An unknown number is no claim and is passed over.

use const_oid::ObjectIdentifier;
use der::Decode as _;

/// One of Fulcio's extensions; the discriminant is the last arc of its object identifier.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[allow(missing_docs, reason = "the names are those of fulcio: docs/oid-info.md, and `name` spells them")]
pub enum Claim {
    IssuerV1 = 1,
    GithubWorkflowTrigger = 2,
    GithubWorkflowSha = 3,
    GithubWorkflowName = 4,
    GithubWorkflowRepository = 5,
    GithubWorkflowRef = 6,
    Issuer = 8,
    BuildSignerUri = 9,
    BuildSignerDigest = 10,
    RunnerEnvironment = 11,
    SourceRepositoryUri = 12,
    SourceRepositoryDigest = 13,
    SourceRepositoryRef = 14,
    SourceRepositoryIdentifier = 15,
    SourceRepositoryOwnerUri = 16,
    SourceRepositoryOwnerIdentifier = 17,
    BuildConfigUri = 18,
    BuildConfigDigest = 19,
    BuildTrigger = 20,
    RunInvocationUri = 21,
    SourceRepositoryVisibility = 22,
    DeploymentEnvironment = 23,
    TokenSubject = 24,
}

impl Claim {
    const ALL: [Claim; 23] = [
        Claim::IssuerV1,
        Claim::GithubWorkflowTrigger,
        Claim::GithubWorkflowSha,
        Claim::GithubWorkflowName,
        Claim::GithubWorkflowRepository,
        Claim::GithubWorkflowRef,
        Claim::Issuer,
        Claim::BuildSignerUri,
        Claim::BuildSignerDigest,
        Claim::RunnerEnvironment,
        Claim::SourceRepositoryUri,
        Claim::SourceRepositoryDigest,
        Claim::SourceRepositoryRef,
        Claim::SourceRepositoryIdentifier,
        Claim::SourceRepositoryOwnerUri,
        Claim::SourceRepositoryOwnerIdentifier,
        Claim::BuildConfigUri,
        Claim::BuildConfigDigest,
        Claim::BuildTrigger,
        Claim::RunInvocationUri,
        Claim::SourceRepositoryVisibility,
        Claim::DeploymentEnvironment,
        Claim::TokenSubject,
    ];

    /// The claim's name in JSON, snake case.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Claim::IssuerV1 => "issuer_v1",
            Claim::GithubWorkflowTrigger => "github_workflow_trigger",
            Claim::GithubWorkflowSha => "github_workflow_sha",
            Claim::GithubWorkflowName => "github_workflow_name",
            Claim::GithubWorkflowRepository => "github_workflow_repository",
            Claim::GithubWorkflowRef => "github_workflow_ref",
            Claim::Issuer => "issuer",
            Claim::BuildSignerUri => "build_signer_uri",
            Claim::BuildSignerDigest => "build_signer_digest",
            Claim::RunnerEnvironment => "runner_environment",
            Claim::SourceRepositoryUri => "source_repository_uri",
            Claim::SourceRepositoryDigest => "source_repository_digest",
            Claim::SourceRepositoryRef => "source_repository_ref",
            Claim::SourceRepositoryIdentifier => "source_repository_identifier",
            Claim::SourceRepositoryOwnerUri => "source_repository_owner_uri",
            Claim::SourceRepositoryOwnerIdentifier => "source_repository_owner_identifier",
            Claim::BuildConfigUri => "build_config_uri",
            Claim::BuildConfigDigest => "build_config_digest",
            Claim::BuildTrigger => "build_trigger",
            Claim::RunInvocationUri => "run_invocation_uri",
            Claim::SourceRepositoryVisibility => "source_repository_visibility",
            Claim::DeploymentEnvironment => "deployment_environment",
            Claim::TokenSubject => "token_subject",
        }
    }

    /// The claim of that [`name`](Claim::name).
    #[must_use]
    pub fn of_name(name: &str) -> Option<Claim> {
        Claim::ALL.into_iter().find(|claim| claim.name() == name)
    }

    fn is_raw_text(self) -> bool {
        self <= Claim::GithubWorkflowRef
    }
}

/// The claims of one certificate, each at most once.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Claims(Vec<(Claim, String)>);

/// Claims of a certificate that is only imagined: a policy is tried with them. Of several of one kind the last counts.
impl FromIterator<(Claim, String)> for Claims {
    fn from_iter<T: IntoIterator<Item = (Claim, String)>>(claims: T) -> Self {
        Claims(claims.into_iter().collect::<std::collections::BTreeMap<_, _>>().into_iter().collect())
    }
}

impl Claims {
    /// The value of one claim.
    #[must_use]
    pub fn get(&self, claim: Claim) -> Option<&str> {
        self.0.iter().find(|(kind, _)| *kind == claim).map(|(_, value)| value.as_str())
    }

    /// The OIDC issuer: extension 8, else the older extension 1.
    #[must_use]
    pub fn issuer(&self) -> Option<&str> {
        self.get(Claim::Issuer).or_else(|| self.get(Claim::IssuerV1))
    }

    /// All claims in the order of the certificate.
    pub fn iter(&self) -> impl Iterator<Item = (Claim, &str)> {
        self.0.iter().map(|(claim, value)| (*claim, value.as_str()))
    }

    /// Read one extension; `Ok(false)` when it is none of Fulcio's.
    pub(super) fn read(&mut self, id: ObjectIdentifier, value: &[u8]) -> der::Result<bool> {
        const ARC: &str = "1.3.6.1.4.1.57264.1";
        if id.parent().is_none_or(|parent| parent.to_string() != ARC) {
            return Ok(false);
        }
        let number = id.arcs().last().unwrap_or_default();
        let Some(claim) = Claim::ALL.into_iter().find(|claim| *claim as u32 == number) else {
            return Ok(false);
        };
        let text = if claim.is_raw_text() {
            String::from_utf8(value.to_vec()).map_err(|_| der::ErrorKind::Failed)?
        } else {
            String::from_der(value)?
        };
        self.0.push((claim, text));
        Ok(true)
    }

    pub(super) fn issuers_conflict(&self) -> bool {
        matches!((self.get(Claim::Issuer), self.get(Claim::IssuerV1)), (Some(new), Some(old)) if new != old)
    }
}
