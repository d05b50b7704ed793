//! The library's own judgement of a raw object, without a program around it.

use crate::lab::Lab;
use gitseal::audit::{self, Finding};
use gitseal::format::git::{ObjectKind, SecondSignature};
use gitseal::trust::TrustedRoot;
use gitseal::verify::{Requirements, Thresholds, Verifier};
use jiff::Timestamp;

/// One trusted root, and nobody expected.
pub(crate) struct Judge {
    verifier: Verifier,
    requirements: Requirements,
    now: Timestamp,
}

impl Judge {
    /// Believes the public-good instance.
    pub(crate) fn production() -> Self {
        Self {
            verifier: Verifier::new(
                TrustedRoot::from_json(include_bytes!("../src/trust/embedded/public/trusted_root.json")).unwrap(),
            ),
            requirements: Requirements::default(),
            now: Timestamp::now(),
        }
    }

    /// Believes the sandbox that this lab has run.
    pub(crate) fn sandbox(lab: &Lab) -> Self {
        Self::of(lab, "trusted_root.json", Requirements::default())
    }

    /// Believes both operators of the sandbox that this lab has run, and demands both.
    pub(crate) fn two_operators(lab: &Lab) -> Self {
        let thresholds = Thresholds { logs: 2, timestamps: 2 };
        Self::of(lab, "trusted_root_two_operators.json", Requirements { thresholds, ..Requirements::default() })
    }

    fn of(lab: &Lab, document: &str, requirements: Requirements) -> Self {
        let json = std::fs::read(lab.sandbox().join(document)).unwrap();
        let verifier = Verifier::new(TrustedRoot::from_json(&json).unwrap());
        Self { verifier, requirements, now: Timestamp::now() }
    }

    pub(crate) fn finding(&self, kind: &str, raw: &[u8]) -> Finding {
        let judge = audit::Judge {
            verifier: &self.verifier,
            requirements: self.requirements,
            expected: None,
            smime_authorities: &[],
            foreign: None,
            second_signature: SecondSignature::Refused,
            now: self.now,
        };
        let kind = if kind == "tag" { ObjectKind::Tag } else { ObjectKind::Commit };
        judge.object(kind, raw, None, &[])
    }

    /// Everything that a good signature says, except the name of the object; `None` when it is not good.
    pub(crate) fn good(&self, kind: &str, raw: &[u8]) -> Option<String> {
        let finding = self.finding(kind, raw);
        if finding.refusal.is_some() {
            return None;
        }
        let Finding { signer, signed_at, logged, stamps, has_sct, .. } = finding;
        Some(format!("{signer:?} {signed_at:?} {logged:?} {stamps:?} {has_sct}"))
    }
}
