//! Signing against the sandbox, in this process: every combination of services, every fault, and openssl as the judge.

use std::path::Path;
use std::process::Command;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use gitseal::credential::CredentialError;
use gitseal::crypto::sha256;
use gitseal::entity::cms::from_cms;
use gitseal::entity::{Artifact, SignatureContent, SignedEntity, SignerKey, VerificationMaterial};
use gitseal::format::cms::{MAX_ATTRIBUTE_VALUES, SignedData};
use gitseal::format::git::{ObjectFormat, ObjectKind, decode_armour};
use gitseal::format::log_entry::EntryKind;
use gitseal::format::logged_body::LoggedBody;
use gitseal::format::x509::Certificate;
use gitseal::net::{Client, Limits, Roots};
use gitseal::sandbox::{Options, RekorVersion, Running, Sandbox};
use gitseal::service::look_up::look_up;
use gitseal::service::{IdToken, Session};
use gitseal::sign::{GitSigner, Payload, SignError, Signed};
use gitseal::trust::signing_config::{Selector, Service};
use gitseal::trust::{Instance, SigningConfig};
use gitseal::verify::{Requirements, Verifier, content};
use jiff::{SignedDuration, Timestamp};

const PAYLOAD: &[u8] = b"tree 4b825dc642cb6eb9a060e54bf8d69288fbee4904\n\
author A <a@example.com> 1700000000 +0000\ncommitter A <a@example.com> 1700000000 +0000\n\nmessage\n";
const WHO: &str = "dev@example.com";

/// Short enough for a test, long enough for a loaded machine.
const LIMITS: Limits = Limits {
    connect: Duration::from_secs(1),
    attempt: Duration::from_secs(1),
    attempts: 3,
    first_pause: Duration::from_millis(10),
};
const TOTAL: Duration = Duration::from_secs(4);

/// A sandbox on a thread of its own, as signing starts its own runtime.
pub(crate) struct Lab {
    pub(crate) sandbox: Running,
    instance: Instance,
    client: Client,
    _folder: tempfile::TempDir,
}

impl Lab {
    pub(crate) fn new(rekor: RekorVersion) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().to_owned();
        let (send, receive) = mpsc::channel();
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let options = Options { rekor, identity: WHO.into(), ..Options::default() };
                send.send(Sandbox::start(&path, options).await.unwrap()).unwrap();
                std::future::pending::<()>().await;
            });
        });
        let sandbox = receive.recv().unwrap();
        let read = |name: &str| std::fs::read(sandbox.dir().join(name)).unwrap();
        let documents = (read("trusted_root.json"), read("signing_config.json"));
        let instance = Instance::from_documents("lab", &documents.0, &documents.1, Timestamp::now()).unwrap();
        Lab { sandbox, instance, client: Client::new(Roots::default(), LIMITS), _folder: folder }
    }

    /// With a timestamp authority in the signing config, in the file too.
    pub(crate) fn with_stamps(mut self) -> Self {
        let file = self.sandbox.dir().join("signing_config.json");
        let mut document: serde_json::Value = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
        let mut authority = document["caUrls"][0].clone();
        authority["url"] = self.sandbox.timestamp_url().into();
        document["tsaUrls"] = vec![authority].into();
        document["tsaConfig"] = document["rekorTlogConfig"].clone();
        std::fs::write(&file, document.to_string()).unwrap();
        self.instance.signing_config = SigningConfig::from_json(document.to_string().as_bytes()).unwrap();
        self
    }

    fn sign_as(&self, token: &str, payload: &Payload<'_>) -> Result<Signed, SignError> {
        let token = IdToken::parse(token).unwrap();
        GitSigner::new(self.instance.clone(), &Timestamp::now).sign(self.session(), &token, payload)
    }

    /// Sign on a machine whose clock is off by so many seconds.
    fn sign_with_clock_off_by(&self, seconds: i64) -> Result<Signed, SignError> {
        let token = IdToken::parse(&self.token()).unwrap();
        let clock = move || Timestamp::now() + SignedDuration::from_secs(seconds);
        GitSigner::new(self.instance.clone(), &clock).sign(self.session(), &token, &embedded())
    }

    fn sign(&self, payload: &Payload<'_>) -> Result<Signed, SignError> {
        self.sign_as(&self.token(), payload)
    }

    fn token(&self) -> String {
        self.sandbox.token(WHO, SignedDuration::from_mins(5))
    }

    fn session(&self) -> Session<'_> {
        Session::new(&self.client, TOTAL)
    }

    pub(crate) fn faults(&self, rules: &[&str]) {
        self.sandbox.set_faults(rules.iter().map(|rule| rule.parse().unwrap()).collect());
    }
}

const LOG_ONLY: Payload<'_> = Payload::LogOnly(PAYLOAD);

fn embedded() -> Payload<'static> {
    Payload::Embedded(sha256(PAYLOAD))
}

/// What a reader makes of it: entity and content checked, nothing taken from the signer.
fn read(signed: &Signed) -> (SignedData, SignedEntity) {
    let (der, _) = decode_armour(signed.armour.as_bytes()).unwrap();
    let message = SignedData::parse(&der).unwrap();
    content::check(&message, PAYLOAD).unwrap();
    let entity = from_cms(&message).unwrap();
    (message, entity)
}

#[test]
fn every_combination_of_services_gives_a_good_signature() {
    let labs = [
        (Lab::new(RekorVersion::V1), EntryKind::HashedRekordV001, 0),
        (Lab::new(RekorVersion::V1).with_stamps(), EntryKind::HashedRekordV001, 1),
        (Lab::new(RekorVersion::V2).with_stamps(), EntryKind::HashedRekordV002, 1),
    ];
    for (lab, kind, stamps) in labs {
        // Twice: the second entry has a proof with a hash in it.
        for _ in 0..2 {
            let signed = lab.sign(&embedded()).unwrap();
            assert_eq!((signed.identity.subject.as_str(), &*signed.identity.issuer), (WHO, lab.sandbox.issuer()));
            let (_, entity) = read(&signed);
            assert_eq!(entity.material.log_entries[0].kind, kind);
            assert_eq!(entity.material.timestamps.len(), stamps, "{kind:?}");
            let verifier = Verifier::new(lab.instance.trusted_root.clone());
            let verified = verifier.verify(&entity, Requirements::default(), Timestamp::now()).unwrap();
            assert_eq!(verified.identity(), Some(&signed.identity));
        }
    }
}

#[test]
fn openssl_accepts_the_signature_and_not_another_payload() {
    for lab in [Lab::new(RekorVersion::V1), Lab::new(RekorVersion::V2)] {
        let signed = lab.sign(&embedded()).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        // openssl 3.0 does not know git's label.
        std::fs::write(at("signature"), signed.armour.replace("SIGNED MESSAGE", "CMS")).unwrap();
        let chain = &lab.instance.trusted_root.certificate_authorities[0].chain;
        std::fs::write(at("ca"), chain.iter().map(Certificate::to_pem).collect::<String>()).unwrap();
        for (payload, accepted) in [(PAYLOAD, true), (b"another".as_slice(), false)] {
            std::fs::write(at("payload"), payload).unwrap();
            assert_eq!(openssl_accepts(folder.path()), accepted);
        }
    }
}

fn openssl_accepts(folder: &Path) -> bool {
    let mut command = Command::new("openssl");
    command.args(["cms", "-verify", "-binary", "-inform", "PEM", "-in", "signature", "-content", "payload"]);
    command.args(["-CAfile", "ca", "-purpose", "any", "-out", "/dev/null"]).current_dir(folder);
    command.output().unwrap().status.success()
}

#[test]
fn an_entry_that_is_only_in_the_log_is_found_there() {
    let lab = Lab::new(RekorVersion::V1);
    let signed = lab.sign(&LOG_ONLY).unwrap();
    let (_, entity) = read(&signed);
    assert!(entity.material.log_entries.is_empty());

    // The id that git will give the object.
    let text = std::str::from_utf8(PAYLOAD).unwrap();
    let folded = signed.armour.trim_end().replace('\n', "\n ");
    let raw = text.replacen("\n\n", &format!("\ngpgsig {folded}\n\n"), 1);
    let id = ObjectFormat::Sha1.object_id(ObjectKind::Commit, raw.as_bytes());
    let config = &lab.instance.signing_config;
    let find = |id: &str| look_up(lab.session(), config, Timestamp::now(), id, &signed.certificate, 1).unwrap();
    assert!(find(&"0".repeat(40)).is_empty());
    let entries = find(&id);
    assert_eq!(entries.len(), 1);

    let logged = LoggedBody::parse(entries[0].kind, &entries[0].canonicalized_body).unwrap();
    let about_id = SignedEntity {
        artifact: Artifact::Bytes(id.into_bytes()),
        signature: SignatureContent::Message(logged.signature),
        material: VerificationMaterial {
            signer: SignerKey::Certificate(Box::new(signed.certificate.clone())),
            chain: Vec::new(),
            log_entries: entries,
            timestamps: Vec::new(),
        },
    };
    let verifier = Verifier::new(lab.instance.trusted_root.clone());
    assert!(verifier.verify(&about_id, Requirements::default(), Timestamp::now()).is_ok());
    assert!(matches!(Lab::new(RekorVersion::V2).sign(&LOG_ONLY), Err(SignError::NotSearchable)));
}

#[test]
fn every_fault_gives_an_error_and_a_hint_in_time_and_no_signature() {
    for (lab, kind) in [(Lab::new(RekorVersion::V1).with_stamps(), "v1"), (Lab::new(RekorVersion::V2), "v2")] {
        for service in ["fulcio", "rekor", "tsa"] {
            for fault in ["5xx", "429", "cut-connection", "wrong-key"] {
                fails(&lab, &format!("{fault}@{service}"), kind);
            }
        }
        fails(&lab, "wrong-key@ct", kind);
        fails(&lab, "stale-checkpoint@rekor", kind);
        fails(&lab, "split-view@rekor", kind);
        lab.faults(&[]);
        lab.sign(&embedded()).unwrap();
    }
}

#[test]
fn a_slow_service_is_not_waited_for_beyond_the_bound() {
    let lab = Lab::new(RekorVersion::V1).with_stamps();
    for service in ["fulcio", "rekor", "tsa"] {
        fails(&lab, &format!("slow@{service}=60"), "v1");
    }
    // One attempt may take longer here, all together may not.
    fails(&Lab::new(RekorVersion::V2), "slow@rekor=60", "v2");
}

fn fails(lab: &Lab, rule: &str, kind: &str) {
    lab.faults(&[rule]);
    let started = Instant::now();
    let error = lab.sign(&embedded()).expect_err(rule);
    assert!(started.elapsed() < TOTAL + Duration::from_secs(1), "{rule}: {:?}", started.elapsed());
    let (what, hint) = (error.to_string(), error.hint());
    println!("{kind} {rule:22} error: {what}\n{:25} hint: {hint}", "");
    assert!(!what.is_empty() && !hint.is_empty() && !what.contains('\n'), "{rule}");
    let is_refusal = matches!(&error, SignError::Refused(_) | SignError::Credential(CredentialError::Certificate(_)));
    let is_lie = ["wrong-key", "stale-checkpoint", "split-view"].iter().any(|lie| rule.starts_with(lie));
    assert_eq!(is_refusal, is_lie, "{rule}: {what}");
}

#[test]
fn a_fault_that_passes_does_not_stop_a_commit() {
    let lab = Lab::new(RekorVersion::V1).with_stamps();
    for rules in [
        ["5xx@fulcio*2", "5xx@rekor*1", "429@tsa*1"],
        ["cut-connection@fulcio*1", "cut-connection@rekor*2", "cut-connection@tsa*1"],
    ] {
        lab.faults(&rules);
        lab.sign(&embedded()).unwrap();
    }
}

#[test]
fn what_is_wrong_from_the_start_is_said_before_anything_is_sent() {
    let mut lab = Lab::new(RekorVersion::V2);
    // Whoever is asked now cannot answer, so an error about anything else was found without asking.
    lab.faults(&["5xx@fulcio", "5xx@rekor", "5xx@tsa"]);
    let expired = lab.sandbox.token(WHO, SignedDuration::from_secs(-1));
    let error = lab.sign_as(&expired, &embedded()).unwrap_err();
    assert!(error.to_string().contains("expired"), "{error}");
    assert!(error.hint().contains("new token"));

    lab.instance.client_id = "another".into();
    let error = lab.sign(&embedded()).unwrap_err();
    assert!(error.to_string().contains("\"another\""), "{error}");

    let many = |path| (0..=MAX_ATTRIBUTE_VALUES).map(move |n| Service::at(format!("https://{n}.example/{path}"), 2));
    let good = lab.instance.signing_config.clone();
    lab.instance.signing_config.logs = many("log").collect();
    lab.instance.signing_config.log_selector = Selector::All;
    assert!(matches!(lab.sign(&embedded()), Err(SignError::LogCount(17))));
    lab.instance.signing_config.logs.clear();
    assert!(matches!(lab.sign(&embedded()), Err(SignError::LogCount(0))));
    lab.instance.signing_config = good;
    let stamps = many("stamp").map(|service| Service { major_api_version: 1, ..service });
    lab.instance.signing_config.timestamp_authorities = stamps.collect();
    lab.instance.signing_config.timestamp_selector = Selector::All;
    assert!(matches!(lab.sign(&embedded()), Err(SignError::StampCount(17))));

    lab.instance.signing_config.timestamp_authorities.clear();
    assert!(matches!(lab.sign(&embedded()), Err(SignError::NoClock)));
}

#[test]
fn an_authority_that_the_trusted_root_does_not_know_is_found_before_anything_is_logged() {
    let (mut lab, other) = (Lab::new(RekorVersion::V1), Lab::new(RekorVersion::V1));
    lab.instance.trusted_root = other.instance.trusted_root.clone();
    // Were the log asked, that would be the error.
    lab.faults(&["5xx@rekor"]);
    let error = lab.sign(&embedded()).unwrap_err();
    assert!(matches!(error, SignError::Credential(_)), "{error}");
    assert!(error.to_string().contains("does not verify"), "{error}");
}

#[test]
fn a_clock_that_lags_a_little_can_sign_and_a_wrong_one_is_named() {
    let lab = Lab::new(RekorVersion::V2);
    for seconds in [-30, 60] {
        lab.sign_with_clock_off_by(seconds).unwrap();
    }
    let error = lab.sign_with_clock_off_by(-180).unwrap_err();
    assert!(error.hint().contains("clock"), "{error}: {}", error.hint());
}
