//! Thresholds: evidence by as many operators as are demanded, counted in every way that is wrong.

use gitseal::crypto::{EphemeralKey, HashAlgorithm, Keypair as _};
use gitseal::entity::SignedEntity;
use gitseal::format::log_entry::{self, EntryKind, LoggedKey};
use gitseal::trust::TrustedRoot;
use gitseal::verify::{LogRequirement, Requirements, Thresholds, Verifier};

use super::instance::{self, ARTIFACT, Instance, P256_DETAILS, at, good_v1, good_v2, managed, now};
use super::{is_good, is_refused, leaf, signature};

/// What is demanded in most cases.
const TWO: Thresholds = Thresholds { logs: 2, timestamps: 2 };
const TWO_LOGS: Thresholds = Thresholds { logs: 2, timestamps: 0 };
const TWO_STAMPS: Thresholds = Thresholds { logs: 0, timestamps: 2 };

fn judge(trusted: &TrustedRoot, entity: &SignedEntity, requirements: Requirements) -> Option<&'static str> {
    let verified = Verifier::new(trusted.clone()).verify(entity, requirements, instance::at(3600));
    verified.err().map(|unverified| unverified.refusal.reason.code())
}

/// The code of the reason under these thresholds; `None` when it is good.
fn demand(trusted: &TrustedRoot, entity: &SignedEntity, thresholds: Thresholds) -> Option<&'static str> {
    judge(trusted, entity, Requirements { thresholds, ..Requirements::default() })
}

/// A signature in two logs and with two stamps, each of another operator, and the root that says so.
struct Witnessed {
    instance: Instance,
    other_authority: Instance,
    trusted: TrustedRoot,
    entity: SignedEntity,
}

impl Witnessed {
    fn new() -> Self {
        let (instance, other_authority) = (Instance::new(), Instance::new());
        let (_, mut entity) = good_v1(&instance);
        let signature = signature(&entity);
        let logged = LoggedKey::Certificate(leaf(&entity).der().to_vec());
        let digest = HashAlgorithm::Sha256.digest(ARTIFACT);
        let body = log_entry::hashedrekord_v002(&digest, &signature, &logged, P256_DETAILS);
        entity.material.log_entries.push(instance.log_v2(EntryKind::HashedRekordV002, body));
        entity.material.timestamps = vec![instance.stamp(&signature, now()), other_authority.stamp(&signature, now())];
        let mut trusted = instance.trusted.clone();
        let mut authority = other_authority.trusted.timestamp_authorities[0].clone();
        authority.uri = "https://tsa.other.example".to_owned();
        trusted.timestamp_authorities.push(authority);
        let mut witnessed = Witnessed { instance, other_authority, trusted, entity };
        witnessed.name_logs(["one", "two"]);
        witnessed.name_authorities(["one", "two"]);
        witnessed
    }

    fn name_logs(&mut self, operators: [&str; 2]) {
        for (log, operator) in self.trusted.logs.iter_mut().zip(operators) {
            log.operator = operator.to_owned();
        }
    }

    fn name_authorities(&mut self, operators: [&str; 2]) {
        for (authority, operator) in self.trusted.timestamp_authorities.iter_mut().zip(operators) {
            authority.operator = operator.to_owned();
        }
    }

    /// Good without a threshold, and not enough with this one: only counting catches it.
    #[track_caller]
    fn falls_short(&self, thresholds: Thresholds, code: &str) {
        is_good(&self.trusted, &self.entity);
        assert_eq!(demand(&self.trusted, &self.entity, thresholds), Some(code));
    }
}

#[test]
fn two_operators_are_two() {
    let witnessed = Witnessed::new();
    let Witnessed { trusted, entity, .. } = &witnessed;
    assert_eq!(demand(trusted, entity, TWO), None);
    assert_eq!(demand(trusted, entity, Thresholds { logs: 3, ..TWO }), Some("log-threshold-missed"));
    assert_eq!(demand(trusted, entity, Thresholds { timestamps: 3, ..TWO }), Some("timestamp-threshold-missed"));
}

#[test]
fn one_witness_is_taken_away_fail() {
    for at in 0..2 {
        let mut witnessed = Witnessed::new();
        witnessed.entity.material.log_entries.remove(at);
        witnessed.falls_short(TWO, "log-threshold-missed");
        let mut witnessed = Witnessed::new();
        witnessed.entity.material.timestamps.remove(at);
        witnessed.falls_short(TWO, "timestamp-threshold-missed");
    }
}

/// CVE-2026-49834: one log, two entries about the same signature at two places in it.
#[test]
fn one_log_twice_fail() {
    let mut witnessed = Witnessed::new();
    let first = witnessed.entity.material.log_entries[0].clone();
    let mut second = first.clone();
    // The promise covers index and time, and the log has signed both.
    second.log_index += 1;
    second.integrated_time = Some(at(1));
    let payload = log_entry::set_payload(&second.canonicalized_body, at(1), &second.log_id, second.log_index);
    second.inclusion_promise = Some(witnessed.instance.log_v1.sign(&payload));
    witnessed.entity.material.log_entries = vec![first, second];
    witnessed.falls_short(TWO_LOGS, "log-threshold-missed");
}

#[test]
fn two_keys_of_one_operator_fail() {
    let mut witnessed = Witnessed::new();
    witnessed.name_logs(["one", "one"]);
    witnessed.falls_short(TWO_LOGS, "log-threshold-missed");
    witnessed.name_authorities(["one", "one"]);
    witnessed.falls_short(TWO_STAMPS, "timestamp-threshold-missed");
}

/// As in the roots of today, which name nobody; or while one is being named before the other.
#[test]
fn an_operator_without_a_name_may_be_any_other_fail() {
    for names in [["", ""], ["one", ""], ["", "two"]] {
        let mut witnessed = Witnessed::new();
        witnessed.name_logs(names);
        witnessed.falls_short(TWO_LOGS, "log-threshold-missed");
        witnessed.name_authorities(names);
        witnessed.falls_short(TWO_STAMPS, "timestamp-threshold-missed");
        assert_eq!(demand(&witnessed.trusted, &witnessed.entity, Thresholds { logs: 1, timestamps: 1 }), None);
    }
}

/// sigstore-go issue 471: one authority, asked twice.
#[test]
fn one_authority_twice_fail() {
    let mut witnessed = Witnessed::new();
    let signature = signature(&witnessed.entity);
    witnessed.entity.material.timestamps[1] = witnessed.instance.stamp(&signature, at(1));
    witnessed.falls_short(TWO_STAMPS, "timestamp-threshold-missed");
}

/// It has two spellings: its certificate need not travel along.
#[test]
fn one_stamp_twice_fail() {
    let instance = Instance::new();
    let (_, mut entity) = good_v2(&instance);
    let signature = signature(&entity);
    let bare = instance.stamp_with(&signature, now(), HashAlgorithm::Sha256, &[]);
    for second in [entity.material.timestamps[0].clone(), bare] {
        entity.material.timestamps.truncate(1);
        entity.material.timestamps.push(second);
        is_refused(&instance.trusted, &entity, "timestamp-duplicate");
    }
}

/// Two that hold and one that does not are not two.
#[test]
fn every_witness_must_hold_fail() {
    let mut witnessed = Witnessed::new();
    let stamp = witnessed.other_authority.stamp(b"another", now());
    witnessed.entity.material.timestamps.push(stamp);
    assert_eq!(demand(&witnessed.trusted, &witnessed.entity, TWO), Some("timestamp-mismatch"));
    let mut witnessed = Witnessed::new();
    let mut entry = witnessed.entity.material.log_entries[0].clone();
    entry.log_index += 1;
    witnessed.entity.material.log_entries.push(entry);
    assert_eq!(demand(&witnessed.trusted, &witnessed.entity, TWO), Some("inclusion-promise-invalid"));
}

/// Whoever looks for the entries elsewhere relies on the rest.
#[test]
fn entries_may_be_put_off_and_stamps_may_not_fail() {
    let mut witnessed = Witnessed::new();
    witnessed.entity.material.log_entries.clear();
    let Witnessed { trusted, entity, .. } = &witnessed;
    let later = Requirements { log: LogRequirement::NotYet, thresholds: TWO, ..Requirements::default() };
    assert_eq!(judge(trusted, entity, later), None);
    assert_eq!(demand(trusted, entity, TWO), Some("log-entry-missing"));
    let mut entity = entity.clone();
    entity.material.timestamps.pop();
    assert_eq!(judge(trusted, &entity, later), Some("timestamp-threshold-missed"));
    assert_eq!(demand(trusted, &entity, TWO), Some("timestamp-threshold-missed"));
}

#[test]
fn a_bare_key_needs_as_many_witnesses_fail() {
    let instance = Instance::new();
    let entity = managed(&instance, &EphemeralKey::generate());
    assert_eq!(demand(&instance.trusted, &entity, Thresholds { logs: 1, timestamps: 0 }), None);
    assert_eq!(demand(&instance.trusted, &entity, TWO_LOGS), Some("log-threshold-missed"));
    assert_eq!(demand(&instance.trusted, &entity, TWO_STAMPS), Some("timestamp-threshold-missed"));
}
