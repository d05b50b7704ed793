//! A credential: a key pair that lives in memory, and the certificate that says for ten minutes whose it is.
//!
//! It comes into being by a token, and it is not handed out before our own verifier has accepted what the authority
//! issued: a signature that nobody can verify is found here and not by its readers.

pub mod remembered;

use jiff::{SignedDuration, Timestamp};

use crate::crypto::{EphemeralKey, Keypair};
use crate::entity::{Artifact, SignatureContent, SignedEntity, SignerKey, VerificationMaterial};
use crate::format::x509::{Certificate, Identity};
use crate::service::fulcio::Issued;
use crate::service::id_token::TokenSubject;
use crate::service::{Fulcio, IdToken, ServiceError, Session, TokenError};
use crate::verify::{LogRequirement, Refusal, Requirements, Verifier};

/// How far behind a service's clock ours may be when we sign. A new certificate or entry is a second old when it comes;
/// without some room a clock that lags a little could never sign. Verifiers allow nothing: they come later.
pub const CLOCK_SKEW: SignedDuration = SignedDuration::from_secs(60);

/// What the trial signature is over. The line says what it is, should it ever leave this process.
const TRIAL: &[u8] = b"gitseal: a new certificate is tried\n";

/// Why there is no credential.
#[derive(Debug, thiserror::Error)]
pub enum CredentialError {
    /// The token is of no use.
    #[error(transparent)]
    Token(#[from] TokenError),
    /// The authority gave no certificate.
    #[error(transparent)]
    Service(#[from] ServiceError),
    /// The certificate is not one that verifiers of this instance accept.
    #[error("the new certificate does not verify: {0}")]
    Certificate(Refusal),
    /// The certificate is for somebody else.
    #[error("the new certificate is for {} of {}, not for {wanted}", .found.subject, .found.issuer)]
    Identity {
        /// Whom the token is about.
        wanted: String,
        /// Whom the certificate is about.
        found: Identity,
    },
    /// The certificate is not valid now.
    #[error("the new certificate is valid from {not_before} to {not_after}, and it is {now}")]
    NotValidNow {
        /// From.
        not_before: Timestamp,
        /// To.
        not_after: Timestamp,
        /// The local time.
        now: Timestamp,
    },
}

impl CredentialError {
    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> &'static str {
        match self {
            CredentialError::Token(error) => error.hint(),
            CredentialError::Service(error) => error.hint(),
            CredentialError::Certificate(_) => {
                "the certificate authority and the trusted root do not fit each other; check the instance's settings"
            }
            CredentialError::Identity { .. } => {
                "this certificate authority cannot be relied on; report it to its operator"
            }
            CredentialError::NotValidNow { .. } => "check this machine's clock",
        }
    }
}

/// A key pair and its certificate, checked. The key cannot be taken out.
#[derive(Debug)]
pub struct Credential {
    key: EphemeralKey,
    certificate: Certificate,
    identity: Identity,
}

impl Credential {
    /// Make a key and have it certified in the name that `token` gives.
    ///
    /// 1. The token is for us and alive: before any work, and before it travels.
    /// 2. A new key signs the token's subject, and the authority answers with a certificate.
    /// 3. The certificate is for this key, from an authority of `verifier`'s root, and a CT log has seen it: an
    ///    authority that cheats, or one that the trusted root does not know, is found now.
    /// 4. It names the person that the token names: else we would sign as somebody else.
    /// 5. It is valid now.
    ///
    /// # Errors
    /// [`CredentialError`] says which of these failed.
    pub async fn mint(
        session: Session<'_>,
        fulcio: &Fulcio,
        token: &IdToken,
        client_id: &str,
        verifier: &Verifier,
        clock: &(dyn Fn() -> Timestamp + Sync),
    ) -> Result<Self, CredentialError> {
        token.check(client_id, clock())?;
        let key = EphemeralKey::generate();
        let issued = fulcio.issue(session, token, &key).await?;
        let now = clock();
        let identity = try_out(&key, &issued, verifier, now)?;
        check_identity(token, &identity)?;
        let certificate = issued.leaf;
        let (not_before, not_after) = (certificate.not_before(), certificate.not_after());
        if now + CLOCK_SKEW < not_before || now > not_after {
            return Err(CredentialError::NotValidNow { not_before, not_after, now });
        }
        Ok(Credential { key, certificate, identity })
    }

    /// Sign `message`.
    #[must_use]
    pub fn sign(&self, message: &[u8]) -> Vec<u8> {
        self.key.sign(message)
    }

    /// Whose it is, by its certificate.
    #[must_use]
    pub fn identity(&self) -> &Identity {
        &self.identity
    }

    /// The certificate.
    #[must_use]
    pub fn certificate(&self) -> &Certificate {
        &self.certificate
    }

    /// Whether the system keeps its key out of swap space.
    #[must_use]
    pub fn is_locked_into_memory(&self) -> bool {
        self.key.is_locked_into_memory()
    }

    /// When it is over.
    #[must_use]
    pub fn expires(&self) -> Timestamp {
        self.certificate.not_after()
    }
}

/// Have the verifier judge a signature by the new key, with all that is there before anything is logged. One judge and
/// no second opinion: what passes here differs from a finished signature by the log entry alone.
fn try_out(
    key: &EphemeralKey,
    issued: &Issued,
    verifier: &Verifier,
    now: Timestamp,
) -> Result<Identity, CredentialError> {
    let entity = SignedEntity {
        artifact: Artifact::Bytes(TRIAL.to_vec()),
        signature: SignatureContent::Message(key.sign(TRIAL)),
        material: VerificationMaterial {
            signer: SignerKey::Certificate(Box::new(issued.leaf.clone())),
            chain: issued.chain.clone(),
            log_entries: Vec::new(),
            timestamps: Vec::new(),
        },
    };
    let requirements = Requirements { log: LogRequirement::NotYet, ..Requirements::default() };
    let verified = verifier.verify(&entity, requirements, now + CLOCK_SKEW);
    let verified = verified.map_err(|unverified| CredentialError::Certificate(unverified.refusal))?;
    Ok(verified.identity().expect("a verified certificate names its signer").clone())
}

/// An e-mail address must be in the certificate as it is in the token. How the authority names a workload is its own
/// rule for each issuer, so of a workload only the issuer is compared.
fn check_identity(token: &IdToken, found: &Identity) -> Result<(), CredentialError> {
    let subject_fits = match token.subject() {
        TokenSubject::Email(email) => *email == found.subject,
        TokenSubject::Subject(_) => true,
    };
    if subject_fits && token.issuers().any(|issuer| issuer == found.issuer) {
        return Ok(());
    }
    let issuers: Vec<_> = token.issuers().collect();
    let wanted = format!("{} of {}", token.subject().as_str(), issuers.join(" or "));
    Err(CredentialError::Identity { wanted, found: found.clone() })
}

#[cfg(test)]
mod tests {
    use base64ct::{Base64UrlUnpadded, Encoding as _};

    use super::*;

    fn token(claims: &str) -> IdToken {
        let part = |text: &str| Base64UrlUnpadded::encode_string(text.as_bytes());
        let claims = format!(r#"{{"iss":"https://issuer","sub":"who","aud":"sigstore","iat":1,"exp":2,{claims}}}"#);
        IdToken::parse(&format!("{}.{}.c2ln", part(r#"{"alg":"ES256"}"#), part(&claims))).unwrap()
    }

    fn identity(subject: &str, issuer: &str) -> Identity {
        Identity { subject: subject.into(), issuer: issuer.into() }
    }

    #[test]
    fn a_certificate_for_somebody_else_is_refused() {
        let email = token(r#""email":"a@example.com","email_verified":true"#);
        assert!(check_identity(&email, &identity("a@example.com", "https://issuer")).is_ok());
        for (subject, issuer) in [
            ("b@example.com", "https://issuer"),
            ("A@example.com", "https://issuer"),
            ("a@example.com", "https://other"),
            ("a@example.com", "https://issuer/"),
        ] {
            let refused = check_identity(&email, &identity(subject, issuer));
            assert!(matches!(refused, Err(CredentialError::Identity { .. })), "{subject} {issuer}");
        }
    }

    #[test]
    fn a_federated_identity_may_be_vouched_for_by_either_issuer() {
        let upstream = "https://github.com/login/oauth";
        let federated =
            format!(r#""email":"a@b","email_verified":true,"federated_claims":{{"connector_id":"{upstream}"}}"#);
        for issuer in ["https://issuer", upstream] {
            assert!(check_identity(&token(&federated), &identity("a@b", issuer)).is_ok());
        }
    }

    #[test]
    fn a_workload_is_named_by_its_authority() {
        let workload = token(r#""job_workflow_ref":"o/r/.github/workflows/x.yml@refs/heads/main""#);
        let name = "https://github.com/o/r/.github/workflows/x.yml@refs/heads/main";
        assert!(check_identity(&workload, &identity(name, "https://issuer")).is_ok());
        assert!(check_identity(&workload, &identity(name, "https://other")).is_err());
    }
}
