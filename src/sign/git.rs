//! Signatures over commits, tags and push certificates, as git's x509 format wants them (DESIGN section 4).
//!
//! A detached CMS in PEM whose signed attributes are the artifact: their DER is what the key signs, what the log logs
//! and what a Sigstore bundle would name. Log entries and stamps travel in unsigned attributes.

use jiff::Timestamp;

use super::error::SignError;
use super::evidence::Witnesses;
use super::signed_object;
use crate::credential::{CLOCK_SKEW, Credential};
use crate::crypto::sha256;
use crate::entity::cms::{from_cms, to_cms};
use crate::entity::{Artifact, SignatureContent, SignedEntity, SignerKey, VerificationMaterial};
use crate::format::cms::{SignedData, build};
use crate::format::git::SIGNED_MESSAGE;
use crate::format::log_entry::LogEntry;
use crate::format::pem;
use crate::format::x509::{Certificate, Identity};
use crate::service::{Fulcio, IdToken, Session, wait};
use crate::trust::Instance;
use crate::verify::{LogRequirement, Reason, Refusal, Requirements, Thresholds, Verified, Verifier, content};

/// What git wants signed, and where the log entry goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Payload<'a> {
    /// The entry goes into the signature, and verifying needs no network. The payload's SHA-256 digest is enough.
    Embedded([u8; 32]),
    /// The entry, about the object's id, is in the log alone, as in gitsign's online mode: verifying must search for
    /// it. The id depends on the whole payload.
    LogOnly(&'a [u8]),
}

impl Payload<'_> {
    fn sha256(&self) -> [u8; 32] {
        match self {
            Payload::Embedded(digest) => *digest,
            Payload::LogOnly(bytes) => sha256(bytes),
        }
    }
}

/// A finished signature that our own verifier has accepted.
#[derive(Debug, Clone)]
pub struct Signed {
    /// The armour to hand to git.
    pub armour: String,
    /// The certificate of the key that made it.
    pub certificate: Certificate,
    /// Whose it is.
    pub identity: Identity,
    /// The signing time in the signed attributes, by our clock.
    pub signing_time: Timestamp,
    /// The indices of its entries, one for each log, over all shards of the log.
    pub log_indices: Vec<u64>,
}

/// Signs git's payloads with the services of one instance.
pub struct GitSigner<'a> {
    instance: Instance,
    verifier: Verifier,
    clock: &'a (dyn Fn() -> Timestamp + Sync),
}

impl<'a> GitSigner<'a> {
    /// A signer whose time comes from `clock`: signing takes a while, so one instant would not do.
    #[must_use]
    pub fn new(instance: Instance, clock: &'a (dyn Fn() -> Timestamp + Sync)) -> Self {
        let verifier = Verifier::new(instance.trusted_root.clone());
        GitSigner { instance, verifier, clock }
    }

    /// Sign `payload` as the person that `token` names, and wait until it is done.
    ///
    /// # Errors
    /// [`SignError`]: then there is no signature at all.
    pub fn sign(&self, session: Session<'_>, token: &IdToken, payload: &Payload<'_>) -> Result<Signed, SignError> {
        wait(async {
            // What the config lacks is found before the token travels.
            self.check(payload)?;
            let credential = self.mint(session, token).await?;
            self.sign_with(session, &credential, payload).await
        })?
    }

    /// A credential in the name that `token` gives, for signatures of this instance.
    ///
    /// # Errors
    /// [`SignError`]: there is none.
    pub async fn mint(&self, session: Session<'_>, token: &IdToken) -> Result<Credential, SignError> {
        let Instance { signing_config, client_id, .. } = &self.instance;
        let fulcio = Fulcio::at(&signing_config.authority((self.clock)())?.url)?;
        Ok(Credential::mint(session, &fulcio, token, client_id, &self.verifier, self.clock).await?)
    }

    /// Whether the instance names all that signing `payload` needs, as far as can be told without asking anybody.
    ///
    /// # Errors
    /// [`SignError`]: what [`GitSigner::sign`] would fail with before it sends anything.
    pub fn check(&self, payload: &Payload<'_>) -> Result<(), SignError> {
        self.witnesses(payload)?;
        Fulcio::at(&self.instance.signing_config.authority((self.clock)())?.url)?;
        Ok(())
    }

    /// The instance.
    #[must_use]
    pub fn instance(&self) -> &Instance {
        &self.instance
    }

    fn witnesses(&self, payload: &Payload<'_>) -> Result<Witnesses, SignError> {
        let witnesses = Witnesses::select(&self.instance.signing_config, (self.clock)())?;
        if matches!(payload, Payload::LogOnly(_)) && !witnesses.logs_are_searchable {
            return Err(SignError::NotSearchable);
        }
        Ok(witnesses)
    }

    /// Sign `payload` with a credential that is there already.
    ///
    /// # Errors
    /// [`SignError`]: then there is no signature at all.
    pub async fn sign_with(
        &self,
        session: Session<'_>,
        credential: &Credential,
        payload: &Payload<'_>,
    ) -> Result<Signed, SignError> {
        let witnesses = self.witnesses(payload)?;
        let signing_time = (self.clock)();
        let digest = payload.sha256();
        let attributes = build::signed_attributes(&digest, signing_time)?;
        let signature = credential.sign(&attributes);
        let certificate = credential.certificate();
        let thresholds = witnesses.thresholds();
        let (armour, entries) = match payload {
            Payload::Embedded(_) => {
                let evidence = witnesses.log_and_stamp(session, &attributes, &signature, certificate).await;
                let (entries, stamps) = evidence?;
                let cms = to_cms(&attributes, certificate, &signature, &entries, &stamps)?;
                self.judge(&cms, &digest, LogRequirement::Required, thresholds)?;
                (pem::encode(SIGNED_MESSAGE, &cms), entries)
            }
            Payload::LogOnly(bytes) => {
                // The stamps are part of the object, so they must be there before the object has an id.
                let stamps = witnesses.stamp(session, &signature).await?;
                let cms = to_cms(&attributes, certificate, &signature, &[], &stamps)?;
                let armour = pem::encode(SIGNED_MESSAGE, &cms);
                let id = signed_object::id(bytes, &armour)?;
                let signature = credential.sign(id.as_bytes());
                let entries = witnesses.log(session, id.as_bytes(), &signature, certificate).await?;
                self.judge(&cms, &digest, LogRequirement::NotYet, thresholds)?;
                self.judge_logged_id(id, signature, certificate, &entries, thresholds)?;
                (armour, entries)
            }
        };
        Ok(Signed {
            armour,
            certificate: certificate.clone(),
            identity: credential.identity().clone(),
            signing_time,
            log_indices: entries.iter().map(|entry| entry.log_index).collect(),
        })
    }

    /// Judge the very bytes that git will get, as any reader will: parsed again, and bound to the payload.
    fn judge(
        &self,
        cms: &[u8],
        payload: &[u8; 32],
        log: LogRequirement,
        thresholds: Thresholds,
    ) -> Result<Verified, SignError> {
        let malformed = |error: &dyn std::fmt::Display| {
            SignError::Refused(Refusal::new(Reason::SignatureMalformed, error.to_string()))
        };
        let message = SignedData::parse(cms).map_err(|error| malformed(&error))?;
        content::check_sha256(&message, payload).map_err(SignError::Refused)?;
        let entity = from_cms(&message).map_err(|error| malformed(&error))?;
        self.verify(&entity, log, thresholds)
    }

    /// Judge the entries about the object's id as a reader will who has looked them up.
    fn judge_logged_id(
        &self,
        id: String,
        signature: Vec<u8>,
        certificate: &Certificate,
        entries: &[LogEntry],
        thresholds: Thresholds,
    ) -> Result<Verified, SignError> {
        let entity = SignedEntity {
            artifact: Artifact::Bytes(id.into_bytes()),
            signature: SignatureContent::Message(signature),
            material: VerificationMaterial {
                signer: SignerKey::Certificate(Box::new(certificate.clone())),
                chain: Vec::new(),
                log_entries: entries.to_vec(),
                timestamps: Vec::new(),
            },
        };
        // The stamps are over the other signature.
        self.verify(&entity, LogRequirement::Required, Thresholds { timestamps: 0, ..thresholds })
    }

    fn verify(
        &self,
        entity: &SignedEntity,
        log: LogRequirement,
        thresholds: Thresholds,
    ) -> Result<Verified, SignError> {
        let requirements = Requirements { log, thresholds, ..Requirements::default() };
        let verified = self.verifier.verify(entity, requirements, (self.clock)() + CLOCK_SKEW);
        verified.map_err(|unverified| SignError::Refused(unverified.refusal))
    }
}
