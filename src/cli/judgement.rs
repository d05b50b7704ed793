//! From the world to a judge: the trusted root, the requirements and the expectations that the settings ask for.

use super::error::CliError;
use super::instance::{self, Choice, ChosenRoot};
use super::pins::Pins;
use super::settings::{Expected, Settings};
use super::world::World;
use crate::audit::{Finding, Judge};
use crate::format::git::SecondSignature;
use crate::format::log_entry::LogEntry;
use crate::format::x509::Certificate;
use crate::policy::ExpectedIdentities;
use crate::repo::RawObject;
use crate::verify::reason::Reason;
use crate::verify::{LogRequirement, Requirements, SctRequirement, Thresholds, Verifier};

/// Everything that a judge needs, owned.
pub struct Bench {
    verifier: Verifier,
    requirements: Requirements,
    expected: Option<ExpectedIdentities>,
    smime_authorities: Vec<Certificate>,
    pins: Option<Pins>,
}

impl Bench {
    /// The bench that the settings of `world` ask for.
    ///
    /// # Errors
    /// A file cannot be read, or the expected identities make no sense.
    pub fn new(world: &World) -> Result<Self, CliError> {
        let settings = &world.settings;
        let ChosenRoot { root, .. } = Choice::new(settings, world.now).trusted_root()?;
        Ok(Bench {
            verifier: Verifier::new(root),
            requirements: requirements(settings),
            expected: expected(&settings.expected)?,
            smime_authorities: instance::smime_authorities(settings)?,
            pins: Pins::open(),
        })
    }

    /// The verifier.
    #[must_use]
    pub fn verifier(&self) -> &Verifier {
        &self.verifier
    }

    /// How many witnesses the settings demand, of bundles too.
    #[must_use]
    pub fn thresholds(&self) -> Thresholds {
        self.requirements.thresholds
    }

    /// The log entries that are kept on this machine, if there is a place for them.
    #[must_use]
    pub fn pins(&self) -> Option<&Pins> {
        self.pins.as_ref()
    }

    /// Judge a signature over a payload, with a kept log entry if it brings none.
    #[must_use]
    pub fn detached(&self, world: &World, armour: &[u8], payload: &[u8]) -> Finding {
        let finding = self.detached_with(world, armour, payload, &[]);
        self.with_kept(finding, |entries| self.detached_with(world, armour, payload, entries))
    }

    /// Judge a signature over a payload with candidates for the log entry that it does not bring.
    #[must_use]
    pub fn detached_with(&self, world: &World, armour: &[u8], payload: &[u8], elsewhere: &[LogEntry]) -> Finding {
        Judge { second_signature: SecondSignature::Refused, ..self.judge(world) }.detached(armour, payload, elsewhere)
    }

    /// Judge an object of a repository, with a kept log entry if it brings none.
    #[must_use]
    pub fn object(&self, world: &World, object: &RawObject) -> Finding {
        let finding = self.object_with(world, object, &[]);
        self.with_kept(finding, |entries| self.object_with(world, object, entries))
    }

    /// Judge an object with candidates for the log entry that it does not bring.
    #[must_use]
    pub fn object_with(&self, world: &World, object: &RawObject, elsewhere: &[LogEntry]) -> Finding {
        self.judge(world).stored(object, elsewhere)
    }

    /// The finding with what is kept for an object whose signature lacks its log entry. Evidence only: it is judged
    /// again. Where more logs are demanded than were when it was kept, it is as good as none: the logs may have more.
    fn with_kept(&self, finding: Finding, judge: impl Fn(&[LogEntry]) -> Finding) -> Finding {
        let kept = match (finding.reason(), &self.pins, &finding.object) {
            (Some(Reason::LogEntryMissing), Some(pins), Some(object)) => pins.read(object),
            _ => None,
        };
        match kept.map(|entries| judge(&entries)) {
            Some(judged) if judged.reason() != Some(Reason::LogThresholdMissed) => judged,
            _ => finding,
        }
    }

    /// The certificates of the CA file for S/MIME.
    #[must_use]
    pub fn smime_authorities(&self) -> &[Certificate] {
        &self.smime_authorities
    }

    /// The judge of objects of the repository of `world`.
    #[must_use]
    pub fn judge(&self, world: &World) -> Judge<'_> {
        let second_signature = match &world.repository {
            Some(repository) if repository.has_second_hash() => SecondSignature::Allowed,
            _ => SecondSignature::Refused,
        };
        self.judge_with(world, second_signature)
    }

    fn judge_with(&self, world: &World, second_signature: SecondSignature) -> Judge<'_> {
        Judge {
            verifier: &self.verifier,
            requirements: self.requirements,
            expected: self.expected.as_ref(),
            smime_authorities: &self.smime_authorities,
            foreign: None,
            second_signature,
            now: world.now,
        }
    }
}

fn requirements(settings: &Settings) -> Requirements {
    let sct = if settings.insecure_ignore_sct { SctRequirement::InsecurelyOptional } else { SctRequirement::Required };
    let thresholds = Thresholds { logs: settings.log_threshold, timestamps: settings.timestamp_threshold };
    Requirements { sct, log: LogRequirement::Required, thresholds }
}

fn expected(expected: &Expected) -> Result<Option<ExpectedIdentities>, CliError> {
    let Expected { identities, identity_patterns, issuers, issuer_patterns } = expected;
    Ok(ExpectedIdentities::new(identities, identity_patterns, issuers, issuer_patterns)?)
}
