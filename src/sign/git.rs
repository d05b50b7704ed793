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

/// Where the log entry goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum EntryPlace {
    /// Into the signature: verifying needs no network.
    #[default]
    Embedded,
    /// Into the log alone, about the object's id, as gitsign's online mode does: verifying must search for it.
    LogOnly,
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
    instance: &'a Instance,
    verifier: Verifier,
    entry_place: EntryPlace,
    clock: &'a (dyn Fn() -> Timestamp + Sync),
}

impl<'a> GitSigner<'a> {
    /// A signer whose time comes from `clock`: signing takes a while, so one instant would not do.
    #[must_use]
    pub fn new(instance: &'a Instance, entry_place: EntryPlace, clock: &'a (dyn Fn() -> Timestamp + Sync)) -> Self {
        GitSigner { instance, verifier: Verifier::new(instance.trusted_root.clone()), entry_place, clock }
    }

    /// Sign `payload` as the person that `token` names, and wait until it is done.
    ///
    /// # Errors
    /// [`SignError`]: then there is no signature at all.
    pub fn sign(&self, session: Session<'_>, token: &IdToken, payload: &[u8]) -> Result<Signed, SignError> {
        wait(async {
            // What the config lacks is found before the token travels.
            let (fulcio, witnesses) = self.services()?;
            let client_id = &self.instance.client_id;
            let credential = Credential::mint(session, &fulcio, token, client_id, &self.verifier, self.clock).await?;
            self.sign_with(session, &credential, &witnesses, payload).await
        })?
    }

    /// Whether the instance names all that signing needs, as far as can be told without asking anybody.
    ///
    /// # Errors
    /// [`SignError`]: what [`GitSigner::sign`] would fail with before it sends anything.
    pub fn check(&self) -> Result<(), SignError> {
        self.services().map(|_| ())
    }

    fn services(&self) -> Result<(Fulcio, Witnesses), SignError> {
        let now = (self.clock)();
        let config = &self.instance.signing_config;
        let witnesses = Witnesses::select(config, now)?;
        if self.entry_place == EntryPlace::LogOnly && !witnesses.logs_are_searchable {
            return Err(SignError::NotSearchable);
        }
        Ok((Fulcio::at(&config.authority(now)?.url)?, witnesses))
    }

    async fn sign_with(
        &self,
        session: Session<'_>,
        credential: &Credential,
        witnesses: &Witnesses,
        payload: &[u8],
    ) -> Result<Signed, SignError> {
        let signing_time = (self.clock)();
        let attributes = build::signed_attributes(&sha256(payload), signing_time)?;
        let signature = credential.sign(&attributes);
        let certificate = credential.certificate();
        let thresholds = witnesses.thresholds();
        let (armour, entries) = match self.entry_place {
            EntryPlace::Embedded => {
                let evidence = witnesses.log_and_stamp(session, &attributes, &signature, certificate).await;
                let (entries, stamps) = evidence?;
                let cms = to_cms(&attributes, certificate, &signature, &entries, &stamps)?;
                self.judge(&cms, payload, LogRequirement::Required, thresholds)?;
                (pem::encode(SIGNED_MESSAGE, &cms), entries)
            }
            EntryPlace::LogOnly => {
                // The stamps are part of the object, so they must be there before the object has an id.
                let stamps = witnesses.stamp(session, &signature).await?;
                let cms = to_cms(&attributes, certificate, &signature, &[], &stamps)?;
                let armour = pem::encode(SIGNED_MESSAGE, &cms);
                let id = signed_object::id(payload, &armour)?;
                let signature = credential.sign(id.as_bytes());
                let entries = witnesses.log(session, id.as_bytes(), &signature, certificate).await?;
                self.judge(&cms, payload, LogRequirement::NotYet, thresholds)?;
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
        payload: &[u8],
        log: LogRequirement,
        thresholds: Thresholds,
    ) -> Result<Verified, SignError> {
        let malformed = |error: &dyn std::fmt::Display| {
            SignError::Refused(Refusal::new(Reason::SignatureMalformed, error.to_string()))
        };
        let message = SignedData::parse(cms).map_err(|error| malformed(&error))?;
        content::check(&message, payload).map_err(SignError::Refused)?;
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
