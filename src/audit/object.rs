//! Judging one git object, or one signature that git hands over together with its payload.
//!
//! Both ways end in the same steps: the armour, the CMS, the content binding, the [`Verifier`], the expected identity.
//! The way through the raw object sees more: headers that git hides from the programs it calls.

use jiff::Timestamp;

use super::finding::{Clock, Finding, SignedAt, Signer};
use super::foreign::ForeignKeys;
use crate::crypto::digest::{hex, sha256};
use crate::entity::{Artifact, SignatureContent, SignedEntity, cms as entity_cms};
use crate::format::cms::SignedData;
use crate::format::git::{self, Armour, ArmourEnd, Object, ObjectFormat, ObjectKind, SecondSignature};
use crate::format::log_entry::LogEntry;
use crate::format::logged_body::LoggedBody;
use crate::format::x509::{Certificate, Identity, San};
use crate::policy::{Expectation, ExpectedIdentities};
use crate::repo::RawObject;
use crate::verify::{Reason, Refusal, Requirements, Thresholds, Unverified, Verified, Verifier, content, smime};

/// Everything that a verdict depends on, apart from the object.
#[derive(Debug, Clone, Copy)]
pub struct Judge<'a> {
    /// The verifier of the chosen instance.
    pub verifier: &'a Verifier,
    /// What may be missing.
    pub requirements: Requirements,
    /// Who is expected to sign, if anyone.
    pub expected: Option<&'a ExpectedIdentities>,
    /// The certificates of the CA file for S/MIME; empty without one.
    pub smime_authorities: &'a [Certificate],
    /// The keys of other formats that count; without them such a signature is none.
    pub foreign: Option<&'a ForeignKeys>,
    /// Whether the repository's objects may carry a second signature.
    pub second_signature: SecondSignature,
    /// Now: only times in the future are refused by it, and S/MIME signatures that state no time are judged at it.
    pub now: Timestamp,
}

/// A signature with its payload, taken out of whatever held them.
struct Signed<'a> {
    object: Option<String>,
    kind: Option<ObjectKind>,
    armour: &'a [u8],
    payload: &'a [u8],
    /// What may have been logged in gitsign's online mode: the object's name in hexadecimal.
    logged_names: Vec<String>,
}

impl Judge<'_> {
    /// Judge an object of a repository; `elsewhere` as for [`Judge::object`].
    #[must_use]
    pub fn stored(&self, object: &RawObject, elsewhere: &[LogEntry]) -> Finding {
        let finding = self.object(object.kind, &object.bytes, object.tag_name.as_deref(), elsewhere);
        match &finding.object {
            // The judge names what it judged by itself; an object of another name was not asked for.
            Some(judged) if *judged != object.id => {
                let detail = format!("the object {} reads as {judged}", object.id);
                let refusal = Refusal::new(Reason::ObjectIdMismatch, detail);
                Finding::refused(Some(object.id.clone()), Some(object.kind), refusal)
            }
            Some(_) => finding,
            None => Finding { object: Some(object.id.clone()), ..finding },
        }
    }

    /// A digest of everything that a verdict on signatures depends on here, this program included: what it says of a
    /// receipt's grounds is that another judge's verdicts are not this one's.
    #[must_use]
    pub fn digest(&self) -> [u8; 32] {
        let authorities: Vec<String> = self.smime_authorities.iter().map(|one| hex(&sha256(one.der()))).collect();
        let text = format!(
            "{} {} {:?} {authorities:?} {:?}",
            env!("CARGO_PKG_VERSION"),
            hex(&self.verifier.root().digest()),
            self.requirements,
            self.second_signature,
        );
        sha256(text.as_bytes())
    }

    /// Judge a raw object. `tag_name` is the name by which a tag was asked for; `elsewhere` are entries that are not
    /// embedded, found in the log or remembered: candidates, judged like any other.
    #[must_use]
    pub fn object(&self, kind: ObjectKind, raw: &[u8], tag_name: Option<&str>, elsewhere: &[LogEntry]) -> Finding {
        let parsed = match Object::parse(kind, raw, self.second_signature) {
            Ok(parsed) => parsed,
            Err(error) => {
                let refusal = Refusal::new(Reason::ObjectMalformed, error.to_string());
                return Finding::refused(None, Some(kind), refusal);
            }
        };
        let object = parsed.format.object_id(kind, raw);
        let refuse =
            |reason, detail: &str| Finding::refused(Some(object.clone()), Some(kind), Refusal::new(reason, detail));
        let armour = match &parsed.signature {
            None => return refuse(Reason::NoSignature, "there is no signature"),
            Some(Armour::Unknown(_)) => {
                return refuse(Reason::ArmourMalformed, "the signature does not begin with its armour");
            }
            Some(Armour::Other(_)) if self.foreign.is_none() => {
                return refuse(Reason::OtherSignatureFormat, "the signature is an OpenPGP or SSH one");
            }
            Some(Armour::Cms(armour) | Armour::Other(armour)) => armour,
        };
        // A signed tag under another name passes every other check (git itself looks at neither).
        if let (Some(asked), Some(signed)) = (tag_name, &parsed.tag_name)
            && asked != signed
        {
            return refuse(Reason::TagNameMismatch, &format!("the tag {asked:?} was signed as {signed:?}"));
        }
        if let (Some(Armour::Other(_)), Some(foreign)) = (&parsed.signature, self.foreign) {
            return match foreign.check(armour, &parsed.payload) {
                Ok(signer) => Finding { foreign: Some(signer), ..Finding::empty(Some(object), Some(kind)) },
                Err(Refusal { reason, detail }) => refuse(reason, &detail),
            };
        }
        let assembled = git::assemble(kind, parsed.format, &parsed.payload, armour);
        let logged_names = assembled.map(|raw| logged_names(kind, parsed.format, &raw)).unwrap_or_default();
        let signed = Signed { object: Some(object), kind: Some(kind), armour, payload: &parsed.payload, logged_names };
        self.signed(&signed, elsewhere)
    }

    /// Judge a signature over a payload, as git hands them over: `armour` as in the signature file.
    #[must_use]
    pub fn detached(&self, armour: &[u8], payload: &[u8], elsewhere: &[LogEntry]) -> Finding {
        let refused = |reason, detail: String| Finding::refused(None, None, Refusal::new(reason, detail));
        match Armour::of(armour.to_vec()) {
            Armour::Cms(_) => {}
            Armour::Other(_) => {
                return refused(Reason::OtherSignatureFormat, "the signature is an OpenPGP or SSH one".into());
            }
            Armour::Unknown(_) => {
                return refused(Reason::ArmourMalformed, "the signature does not begin with its armour".into());
            }
        }
        let Some((kind, format)) = git::recognise(payload) else {
            // A push certificate, or a file: the bytes are what they are.
            let signed = Signed { object: None, kind: None, armour, payload, logged_names: Vec::new() };
            return self.signed(&signed, elsewhere);
        };
        // The payload must itself be an object that git would write; its name, where the signature comes last in the
        // headers as git puts it, is the object's.
        let whole = git::assemble(kind, format, payload, armour);
        let parsed = whole.as_deref().map(|raw| Object::parse(kind, raw, SecondSignature::Refused));
        match (whole, parsed) {
            (Some(raw), Some(Ok(parsed))) if parsed.payload == payload => {
                let logged_names = logged_names(kind, format, &raw);
                let object = Some(format.object_id(kind, &raw));
                self.signed(&Signed { object, kind: Some(kind), armour, payload, logged_names }, elsewhere)
            }
            (_, Some(Err(error))) => refused(Reason::ObjectMalformed, error.to_string()),
            _ => refused(Reason::ObjectMalformed, format!("the payload is no {kind}")),
        }
    }

    fn signed(&self, signed: &Signed<'_>, elsewhere: &[LogEntry]) -> Finding {
        let mut finding = match self.evidence(signed, elsewhere) {
            Ok(finding) => finding,
            Err(refusal) => Finding::refused(None, None, refusal),
        };
        finding.object.clone_from(&signed.object);
        finding.kind = signed.kind;
        finding.logged_names.clone_from(&signed.logged_names);
        self.expect(&mut finding);
        finding
    }

    fn evidence(&self, signed: &Signed<'_>, elsewhere: &[LogEntry]) -> Result<Finding, Refusal> {
        let (der, end) = git::decode_armour(signed.armour)
            .map_err(|error| Refusal::new(Reason::ArmourMalformed, error.to_string()))?;
        let message =
            SignedData::parse(&der).map_err(|error| Refusal::new(Reason::SignatureMalformed, error.to_string()))?;
        let keyless = message.signer_certificate().is_some_and(|leaf| self.verifier.knows_issuer_of(leaf));
        if !keyless {
            return self.smime(&message, signed.payload);
        }
        // smimesign ends its armour in an empty line, no Sigstore client does: it would be a second spelling.
        if end == ArmourEnd::BlankLine {
            return Err(Refusal::new(Reason::ArmourMalformed, "there is an empty line after the armour"));
        }
        content::check(&message, signed.payload)?;
        let entity = entity_cms::from_cms(&message)
            .map_err(|error| Refusal::new(Reason::SignatureMalformed, error.to_string()))?;
        let claimed = message.signer.signing_time;
        let outcome = self.verifier.verify(&entity, self.requirements, self.now);
        match outcome {
            Err(unverified) if unverified.refusal.reason == Reason::LogEntryMissing => {
                Ok(self.logged_elsewhere(&entity, unverified, &signed.logged_names, elsewhere, claimed))
            }
            outcome => Ok(keyless_finding(outcome, claimed)),
        }
    }

    /// gitsign's online mode: a second signature by the same key, over the object's name, is what was logged. Several
    /// logs may have it; those of its entries that hold are judged together, so that operators can be counted.
    fn logged_elsewhere(
        &self,
        entity: &SignedEntity,
        unverified: Unverified,
        names: &[String],
        elsewhere: &[LogEntry],
        claimed: Option<Timestamp>,
    ) -> Finding {
        let alone = Requirements { thresholds: Thresholds::default(), ..self.requirements };
        let mut found: Vec<SignedEntity> = Vec::new();
        let mut last = Err(unverified);
        for (entry, name) in elsewhere.iter().flat_map(|entry| names.iter().map(move |name| (entry, name))) {
            let Ok(body) = LoggedBody::parse(entry.kind, &entry.canonicalized_body) else { continue };
            let mut logged = entity.clone();
            logged.artifact = Artifact::Bytes(name.as_bytes().to_vec());
            logged.signature = SignatureContent::Message(body.signature);
            logged.material.log_entries = vec![entry.clone()];
            // The stamps are over the embedded signature, which was judged with them already.
            logged.material.timestamps.clear();
            if let Err(failed) = self.verifier.verify(&logged, alone, self.now) {
                last = Err(failed);
                continue;
            }
            let same =
                |one: &&mut SignedEntity| (&one.artifact, &one.signature) == (&logged.artifact, &logged.signature);
            match found.iter_mut().find(same) {
                Some(one) if one.material.log_entries.contains(entry) => {}
                Some(one) => one.material.log_entries.push(entry.clone()),
                None => found.push(logged),
            }
        }
        let logs = self.requirements.thresholds.logs;
        let together = Requirements { thresholds: Thresholds { logs, timestamps: 0 }, ..self.requirements };
        for logged in &found {
            last = self.verifier.verify(logged, together, self.now);
            if last.is_ok() {
                break;
            }
        }
        keyless_finding(last, claimed)
    }

    fn smime(&self, message: &SignedData, payload: &[u8]) -> Result<Finding, Refusal> {
        let outcome = smime::judge(message, payload, self.smime_authorities, self.now);
        let verified = match outcome {
            Ok(verified) => verified,
            Err(refusal) => {
                let mut finding = Finding::refused(None, None, refusal);
                finding.signed_at = message.signer.signing_time.map(|time| SignedAt { time, clock: Clock::Signer });
                return Ok(finding);
            }
        };
        let clock = if verified.time_is_stamped { Clock::Stamp } else { Clock::Signer };
        let identity = smime_identity(&verified.certificate);
        let mut finding = Finding {
            object: None,
            kind: None,
            refusal: None,
            signer: None,
            foreign: None,
            signed_at: verified.time.map(|time| SignedAt { time, clock }),
            logged: Vec::new(),
            stamps: Vec::new(),
            has_sct: false,
            expectation: Expectation::NotConfigured,
            decision: None,
            title: None,
            logged_names: Vec::new(),
        };
        let root = Some(Box::new(verified.root));
        finding.signer = Some(Signer { identity, certificate: verified.certificate, root });
        Ok(finding)
    }

    /// Policy, which is asked only about what is otherwise good.
    fn expect(&self, finding: &mut Finding) {
        let (Some(expected), Some(signer), None) = (self.expected, &finding.signer, &finding.refusal) else {
            return;
        };
        if expected.include(&signer.identity) {
            finding.expectation = Expectation::Met;
        } else {
            finding.expectation = Expectation::Missed;
            let Identity { issuer, subject } = &signer.identity;
            let detail = format!("signed by {subject:?} of {issuer:?}, who is not expected to sign here");
            finding.refusal = Some(Refusal::new(Reason::IdentityMismatch, detail));
        }
    }
}

/// The entity of a raw object's signature, for export and look-up: not judged.
///
/// # Errors
/// [`Refusal`] when the object has no Sigstore signature.
pub fn entity_of(kind: ObjectKind, raw: &[u8]) -> Result<SignedEntity, Refusal> {
    let parsed = Object::parse(kind, raw, SecondSignature::Allowed)
        .map_err(|error| Refusal::new(Reason::ObjectMalformed, error.to_string()))?;
    let Some(Armour::Cms(armour)) = parsed.signature else {
        return Err(Refusal::new(Reason::NoSignature, "there is no CMS signature"));
    };
    let (der, _) =
        git::decode_armour(&armour).map_err(|error| Refusal::new(Reason::ArmourMalformed, error.to_string()))?;
    let malformed = |detail: String| Refusal::new(Reason::SignatureMalformed, detail);
    let message = SignedData::parse(&der).map_err(|error| malformed(error.to_string()))?;
    entity_cms::from_cms(&message).map_err(|error| malformed(error.to_string()))
}

fn keyless_finding(outcome: Result<Verified, Unverified>, claimed: Option<Timestamp>) -> Finding {
    let (verified, refusal) = match outcome {
        Ok(verified) => (Some(verified), None),
        Err(Unverified { refusal, otherwise }) => (otherwise.map(|verified| *verified), Some(refusal)),
    };
    let signed_by_log =
        verified.as_ref().and_then(|verified| verified.logged().iter().find_map(|logged| logged.integrated_time));
    let stamped = verified.as_ref().and_then(|verified| verified.stamps().iter().map(|stamp| stamp.time).min());
    let signed_at = match (signed_by_log, stamped, claimed) {
        (Some(time), _, _) => Some(SignedAt { time, clock: Clock::Log }),
        (None, Some(time), _) => Some(SignedAt { time, clock: Clock::Stamp }),
        (None, None, Some(time)) => Some(SignedAt { time, clock: Clock::Signer }),
        (None, None, None) => None,
    };
    let signer = verified.as_ref().and_then(|verified| {
        let identity = verified.identity()?.clone();
        Some(Signer { identity, certificate: verified.certificate()?.clone(), root: None })
    });
    Finding {
        object: None,
        kind: None,
        refusal,
        signer,
        foreign: None,
        signed_at,
        logged: verified.as_ref().map(|verified| verified.logged().to_vec()).unwrap_or_default(),
        stamps: verified.as_ref().map(|verified| verified.stamps().to_vec()).unwrap_or_default(),
        has_sct: verified.as_ref().is_some_and(Verified::has_sct),
        expectation: Expectation::NotConfigured,
        decision: None,
        title: None,
        logged_names: Vec::new(),
    }
}

/// The object's name in its own format, and, in another one, its SHA-1 name: gitsign knows no other.
fn logged_names(kind: ObjectKind, format: ObjectFormat, raw: &[u8]) -> Vec<String> {
    let mut names = vec![format.object_id(kind, raw)];
    if format != ObjectFormat::Sha1 {
        names.push(ObjectFormat::Sha1.object_id(kind, raw));
    }
    names
}

/// The e-mail address, else the subject's distinguished name; the issuer is the issuing authority's.
fn smime_identity(certificate: &Certificate) -> Identity {
    let email = certificate.names().iter().find_map(|name| match name {
        San::Email(email) => Some(email.clone()),
        _ => None,
    });
    Identity { issuer: certificate.issuer_name(), subject: email.unwrap_or_else(|| certificate.subject_name()) }
}
