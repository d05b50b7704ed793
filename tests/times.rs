//! Every validity against every boundary: before, at the start, inside, at the end, after. Both ends belong to it.

use gitseal::verify::{Reason, Requirements, Verifier};

use crate::forge::{Forge, Proof, Times, at};

/// The reason for which a signature is refused, if it is.
fn judge(forge: &Forge, times: Times, proof: Proof, now: i64) -> Option<Reason> {
    let verifier = Verifier::new(forge.trusted_root(&times));
    let outcome = verifier.verify(&forge.sign(&times, proof), Requirements::default(), at(now));
    outcome.err().map(|unverified| unverified.refusal.reason)
}

/// One row of the matrix: whose validity is moved, under which proof, around which time, and what is said outside it.
struct Row {
    name: &'static str,
    proof: Proof,
    time: i64,
    outside: Reason,
    set: fn(&mut Times, (i64, i64)),
}

const ROWS: [Row; 14] = [
    Row {
        name: "leaf, log",
        proof: Proof::LogV1,
        time: 50,
        outside: Reason::CertificateNotValidThen,
        set: |t, v| t.leaf = v,
    },
    Row {
        name: "leaf, stamp",
        proof: Proof::LogV2AndStamp,
        time: 51,
        outside: Reason::CertificateNotValidThen,
        set: |t, v| t.leaf = v,
    },
    Row {
        name: "intermediate, log",
        proof: Proof::LogV1,
        time: 50,
        outside: Reason::CertificateNotValidThen,
        set: |t, v| t.intermediate = v,
    },
    Row {
        name: "intermediate, stamp",
        proof: Proof::LogV2AndStamp,
        time: 51,
        outside: Reason::CertificateNotValidThen,
        set: |t, v| t.intermediate = v,
    },
    Row {
        name: "root, log",
        proof: Proof::LogV1,
        time: 50,
        outside: Reason::CertificateNotValidThen,
        set: |t, v| t.root = v,
    },
    Row {
        name: "root, stamp",
        proof: Proof::LogV2AndStamp,
        time: 51,
        outside: Reason::CertificateNotValidThen,
        set: |t, v| t.root = v,
    },
    Row {
        name: "authority's window, log",
        proof: Proof::LogV1,
        time: 50,
        outside: Reason::AuthorityNotValidThen,
        set: |t, v| t.authority_window = v,
    },
    Row {
        name: "authority's window, stamp",
        proof: Proof::LogV2AndStamp,
        time: 51,
        outside: Reason::AuthorityNotValidThen,
        set: |t, v| t.authority_window = v,
    },
    Row {
        name: "log's window",
        proof: Proof::LogV1,
        time: 50,
        outside: Reason::LogKeyNotValidThen,
        set: |t, v| t.log_window = v,
    },
    // It has no clock: its key must have been in use when the stamp says that the signature was made.
    Row {
        name: "log's window, stamp",
        proof: Proof::LogV2AndStamp,
        time: 51,
        outside: Reason::LogKeyNotValidThen,
        set: |t, v| t.log_window = v,
    },
    Row {
        name: "CT log's window",
        proof: Proof::LogV1,
        time: 45,
        outside: Reason::SctNotTrusted,
        set: |t, v| t.ct_window = v,
    },
    Row {
        name: "stamp's certificate",
        proof: Proof::LogV2AndStamp,
        time: 51,
        outside: Reason::TimestampInvalid,
        set: |t, v| t.stamp_leaf = v,
    },
    Row {
        name: "stamp's root",
        proof: Proof::LogV2AndStamp,
        time: 51,
        outside: Reason::TimestampInvalid,
        set: |t, v| t.stamp_root = v,
    },
    Row {
        name: "stamp's window",
        proof: Proof::LogV2AndStamp,
        time: 51,
        outside: Reason::TimestampNotTrusted,
        set: |t, v| t.stamp_window = v,
    },
];

#[test]
fn every_validity_is_a_closed_interval() {
    let forge = Forge::new();
    for Row { name, proof, time, outside, set } in ROWS {
        let judged = |window| {
            let mut times = Times::default();
            set(&mut times, window);
            judge(&forge, times, proof, 99)
        };
        assert_eq!(judged((time - 5, time + 5)), None, "{name}: inside");
        assert_eq!(judged((time, time + 5)), None, "{name}: at the start");
        assert_eq!(judged((time - 5, time)), None, "{name}: at the end");
        assert_eq!(judged((time + 1, time + 5)), Some(outside), "{name}: before");
        assert_eq!(judged((time - 5, time - 1)), Some(outside), "{name}: after");
    }
}

/// The mutant that looks at the first time only must die (TOB-SIGSTORE-4).
#[test]
fn every_proven_time_counts_fail() {
    let forge = Forge::new();
    let late_stamp = Times { stamp: 61, ..Times::default() };
    assert_eq!(judge(&forge, late_stamp, Proof::LogV1AndStamp, 99), Some(Reason::CertificateNotValidThen));
    let late_log = Times { integrated: 61, ..Times::default() };
    assert_eq!(judge(&forge, late_log, Proof::LogV1AndStamp, 99), Some(Reason::CertificateNotValidThen));
    assert_eq!(judge(&forge, Times::default(), Proof::LogV1AndStamp, 99), None);
}

/// A log and an authority that are ahead of the verifier's clock are refused without tolerance (TOB-SIGSTORE-7).
#[test]
fn times_in_the_future_are_refused_fail() {
    let forge = Forge::new();
    for (proof, time) in [(Proof::LogV1, 50), (Proof::LogV2AndStamp, 51)] {
        assert_eq!(judge(&forge, Times::default(), proof, time), None);
        assert_eq!(judge(&forge, Times::default(), proof, time - 1), Some(Reason::TimeInFuture));
    }
}

/// A proof of inclusion has no clock, and a time that the log did not sign is none (TOB-SIGSTORE-3).
#[test]
fn a_time_needs_a_signature_fail() {
    let forge = Forge::new();
    assert_eq!(judge(&forge, Times::default(), Proof::LogV2, 99), Some(Reason::TimeMissing));

    let times = Times::default();
    let verifier = Verifier::new(forge.trusted_root(&times));
    let mut entity = forge.sign(&times, Proof::LogV1);
    entity.material.log_entries[0].inclusion_promise = None;
    let refused = verifier.verify(&entity, Requirements::default(), at(99)).unwrap_err();
    assert_eq!(refused.refusal.reason, Reason::TimeMissing);
}
