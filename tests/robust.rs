//! Damaged input never makes a parser panic, loop or blow up: every truncation, then random changes, for a while.
//!
//! The random numbers are always the same, so that a failure can be run again. With the corpus and the conformance
//! cases at hand (see `embedded_entries`) the seeds are real signatures, else what our own writers give.

use std::fs;
use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use base64ct::{Base64, Encoding as _};
use gitseal::crypto::{EphemeralKey, HashAlgorithm, Keypair as _, PublicKey};
use gitseal::format::bundle::{Bundle, Content, KeyMaterial};
use gitseal::format::checkpoint::{self, Checkpoint};
use gitseal::format::cms::SignedData;
use gitseal::format::dsse::Envelope;
use gitseal::format::git::{self, Object, ObjectKind, SecondSignature};
use gitseal::format::intoto::Statement;
use gitseal::format::log_entry::{self, EntryKind, InclusionProof, LogEntry, LoggedKey};
use gitseal::format::logged_body::LoggedBody;
use gitseal::format::timestamp::{self, TimestampRequest, TimestampToken, TstInfo};
use gitseal::format::tuf::metadata::{Metadata, Root, Snapshot, Targets, TimestampRole};
use gitseal::format::x509::Certificate;
use gitseal::format::{log_entry_json, pem, sct, tle};
use gitseal::trust::SigningConfig;

/// How long one parser is tried.
const BUDGET: Duration = Duration::from_millis(700);
/// Fewer random inputs would not be worth the name, however slow the machine.
const LEAST: usize = 200;
/// No input may keep a parser busy for longer, even in a debug build on a busy machine.
const SLOWEST: Duration = Duration::from_secs(20);

/// Xorshift64*: numbers that look random and are always the same.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    fn below(&mut self, limit: usize) -> usize {
        usize::try_from(self.next() % limit.max(1) as u64).unwrap()
    }
}

/// Try `parse` on damaged `seeds` until the time is up.
fn damage(name: &str, seeds: &[Vec<u8>], parse: impl Fn(&[u8])) {
    let start = Instant::now();
    let mut tried = 0usize;
    let mut attempt = |input: &[u8]| {
        let before = Instant::now();
        parse(input);
        assert!(before.elapsed() < SLOWEST, "{name} took too long on {} bytes", input.len());
        tried += 1;
    };
    attempt(&[]);
    for seed in seeds {
        attempt(seed);
    }
    // Every truncation of the first seed, as far as half of the time allows.
    for len in (0..seeds[0].len()).take_while(|_| start.elapsed() < BUDGET / 2) {
        attempt(&seeds[0][..len]);
    }
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    for tries in 0usize.. {
        if tries >= LEAST && start.elapsed() >= BUDGET {
            break;
        }
        let mut input = seeds[random.below(seeds.len())].clone();
        for _ in 0..=random.below(4) {
            change(&mut input, &mut random, seeds);
        }
        attempt(&input);
    }
    println!("robust {name}: {tried} damaged inputs from {} seeds", seeds.len());
}

fn change(input: &mut Vec<u8>, random: &mut Random, seeds: &[Vec<u8>]) {
    let at = random.below(input.len());
    match random.below(8) {
        0 => input.truncate(at),
        // One bit.
        1 | 2 if !input.is_empty() => input[at] ^= 1 << random.below(8),
        // Values at which lengths and tags turn.
        3 | 4 if !input.is_empty() => {
            input[at] =
                [0x00, 0x01, 0x7f, 0x80, 0x81, 0x84, 0x88, 0xff, b'"', b'{', b'[', b'9', b'\n'][random.below(13)];
        }
        // A part twice, a part left out, a part of another seed.
        5 => {
            let end = (at + 1 + random.below(64)).min(input.len());
            let part = input[at.min(end)..end].to_vec();
            input.splice(at..at, part);
        }
        6 => {
            let end = (at + 1 + random.below(16)).min(input.len());
            input.drain(at.min(end)..end);
        }
        _ => {
            let other = &seeds[random.below(seeds.len())];
            let from = random.below(other.len());
            let part = &other[from..(from + random.below(64)).min(other.len())];
            input.splice(at..at, part.iter().copied());
        }
    }
}

fn shared() -> PathBuf {
    std::env::var_os("GITSEAL_SHARED")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared"), PathBuf::from)
}

/// The files in `folder` of the shared data, or none, in an order that is always the same.
fn files(folder: &str, name: Option<&str>) -> Vec<Vec<u8>> {
    let Ok(entries) = fs::read_dir(shared().join(folder)) else { return Vec::new() };
    let mut paths: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    let paths = paths.into_iter().map(|path| name.map_or(path.clone(), |name| path.join(name)));
    paths.filter_map(|path| fs::read(path).ok()).take(60).collect()
}

fn key() -> PublicKey {
    EphemeralKey::generate().public_key().clone()
}

fn entry() -> LogEntry {
    let key = EphemeralKey::generate();
    let digest = HashAlgorithm::Sha256.digest(b"artifact");
    let logged = LoggedKey::PublicKey(key.public_key().spki_der().to_vec());
    LogEntry {
        log_index: 5,
        log_id: [7; 32],
        kind: EntryKind::HashedRekordV002,
        integrated_time: None,
        inclusion_promise: Some(b"promise".to_vec()),
        inclusion_proof: Some(InclusionProof {
            log_index: 2,
            root_hash: [1; 32],
            tree_size: 3,
            hashes: vec![[2; 32]; 2],
            checkpoint: checkpoint::sign("log.example", 3, &[1; 32], "log.example", &key),
        }),
        canonicalized_body: log_entry::hashedrekord_v002(&digest, b"signature", &logged, "PKIX_ECDSA_P256_SHA_256"),
    }
}

fn envelope() -> Envelope {
    Envelope {
        payload_type: "application/vnd.in-toto+json".to_owned(),
        payload: statement(),
        signature: b"signature".to_vec(),
        keyid: String::new(),
    }
}

fn statement() -> Vec<u8> {
    br#"{"_type":"https://in-toto.io/Statement/v1","subject":[{"name":"a","digest":{"sha256":"00"}}],
        "predicateType":"https://example.com/claim","predicate":{"a":[1,2,{"b":null}]}}"#
        .to_vec()
}

fn bundles() -> Vec<Vec<u8>> {
    let bundle = |content| Bundle {
        key: KeyMaterial::Certificates(vec![certificates().swap_remove(0)]),
        log_entries: vec![entry(); 2],
        timestamps: vec![vec![0x30, 0]],
        content,
    };
    let message = Content::Message { digest: None, signature: b"signature".to_vec() };
    let mut bundles = files("conformance/bundle-verify", Some("bundle.sigstore.json"));
    bundles.extend([bundle(message), bundle(Content::Dsse(envelope()))].map(|bundle| bundle.to_json().into_bytes()));
    bundles
}

/// The certificates of the embedded trusted root, and the leaves of the conformance cases.
fn certificates() -> Vec<Vec<u8>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/trust/embedded/public/trusted_root.json");
    let mut texts = vec![fs::read(root).unwrap()];
    texts.extend(files("conformance/bundle-verify", Some("bundle.sigstore.json")));
    let mut found = Vec::new();
    for text in texts {
        let json: serde_json::Value = serde_json::from_slice(&text).unwrap();
        collect(&json, "rawBytes", &mut found);
    }
    found.retain(|der| Certificate::from_der(der).is_ok());
    found
}

fn stamps() -> Vec<Vec<u8>> {
    let mut found = Vec::new();
    for text in files("conformance/bundle-verify", Some("bundle.sigstore.json")) {
        collect(&serde_json::from_slice(&text).unwrap(), "signedTimestamp", &mut found);
    }
    found.push(timestamp::grant(&[0x30, 0]));
    found.push(timestamp::refuse(timestamp::Failure::BadRequest, "why"));
    found
}

/// The base64 values of `field` at any depth.
fn collect(json: &serde_json::Value, field: &str, found: &mut Vec<Vec<u8>>) {
    match json {
        serde_json::Value::Object(map) => {
            for (name, value) in map {
                match value.as_str() {
                    Some(text) if name == field => found.extend(Base64::decode_vec(text)),
                    _ => collect(value, field, found),
                }
            }
        }
        serde_json::Value::Array(items) => items.iter().for_each(|item| collect(item, field, found)),
        _ => {}
    }
}

/// Real objects, or a small one of our own.
fn objects() -> Vec<Vec<u8>> {
    let mut objects = files("corpus/commits", None);
    objects.extend(files("corpus/tags", None));
    let armour = pem::encode("SIGNED MESSAGE", b"\x30\x00").trim_end().replace('\n', "\n ");
    let own = format!(
        "tree {0}\nauthor a <a@b> 1 +0000\ncommitter a <a@b> 1 +0000\ngpgsig {armour}\n\nmessage\n",
        "0".repeat(40)
    );
    objects.push(own.into_bytes());
    objects
}

fn messages() -> Vec<Vec<u8>> {
    let mut messages: Vec<Vec<u8>> = objects()
        .iter()
        .filter_map(|raw| {
            let text = String::from_utf8_lossy(raw);
            let (_, rest) = text.split_once("-----BEGIN SIGNED MESSAGE-----")?;
            let (armour, _) = rest.split_once("-----END SIGNED MESSAGE-----")?;
            let packed: String = armour.chars().filter(|c| !c.is_ascii_whitespace()).collect();
            Base64::decode_vec(&packed).ok()
        })
        .collect();
    messages.push(vec![0x30, 0x80, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x07, 0x02, 0x00, 0x00]);
    messages
}

#[test]
fn bundle() {
    damage("bundle", &bundles(), |input| {
        if let Ok(read) = Bundle::from_json(input) {
            let again = Bundle::from_json(read.to_json().as_bytes());
            // What was read of an older version may lack the evidence that version 0.3 asks for.
            if let Ok(again) = again {
                assert_eq!(again.log_entries, read.log_entries);
            }
        }
    });
}

#[test]
fn embedded_log_entry() {
    damage("tle", &[tle::encode(&entry())], |input| {
        if let Ok(read) = tle::decode(input, |_| Vec::new()) {
            assert_eq!(tle::encode(&read), input);
        }
    });
}

#[test]
fn log_entry_json_of_both_logs() {
    let seeds = [
        log_entry_json::to_protobuf_json(&entry()).into_bytes(),
        log_entry_json::to_rekor_v1("00", &LogEntry { integrated_time: Some(jiff::Timestamp::UNIX_EPOCH), ..entry() })
            .into_bytes(),
    ];
    damage("log entry JSON", &seeds, |input| {
        let _ = black_box(log_entry_json::from_protobuf_json(input));
        let _ = black_box(log_entry_json::from_rekor_v1(input));
        let _ = black_box(log_entry_json::from_rekor_v1_list(input));
    });
}

#[test]
fn logged_body() {
    let digest = HashAlgorithm::Sha256.digest(b"artifact");
    let pem = pem::encode("PUBLIC KEY", key().spki_der());
    let seeds = [
        entry().canonicalized_body,
        log_entry::hashedrekord_v001(&digest, b"signature", &pem),
        log_entry::dsse_v001(&digest, &digest, b"signature", &pem),
    ];
    damage("logged body", &seeds, |input| {
        for kind in
            [EntryKind::HashedRekordV001, EntryKind::HashedRekordV002, EntryKind::DsseV001, EntryKind::IntotoV002]
        {
            let _ = black_box(LoggedBody::parse(kind, input));
        }
    });
}

#[test]
fn dsse_and_statement() {
    damage("dsse", &[envelope().to_json().into_bytes()], |input| {
        let _ = black_box(Envelope::from_json(input));
    });
    damage("statement", &[statement()], |input| {
        let _ = black_box(Statement::from_json(input));
    });
}

#[test]
fn checkpoint_note() {
    let seed = entry().inclusion_proof.unwrap().checkpoint.into_bytes();
    damage("checkpoint", &[seed], |input| {
        if let Ok(text) = std::str::from_utf8(input) {
            let _ = black_box(Checkpoint::parse(text));
        }
    });
}

#[test]
fn timestamps() {
    let stamps = stamps();
    damage("timestamp response", &stamps, |input| {
        let _ = black_box(timestamp::token_of_response(input));
    });
    let mut tokens: Vec<_> =
        stamps.iter().filter_map(|der| timestamp::token_of_response(der).ok()).map(<[u8]>::to_vec).collect();
    tokens.push(vec![0x30, 0]);
    damage("timestamp token", &tokens, |input| {
        let _ = black_box(TimestampToken::parse(input));
        let _ = black_box(TstInfo::parse(input));
    });
    let request = TimestampRequest {
        imprint: HashAlgorithm::Sha256.digest(b"signature"),
        policy: Some("1.2.3".to_owned()),
        nonce: Some(timestamp::Nonce::from_random([9; 16])),
        wants_certificate: true,
    };
    damage("timestamp request", &[request.to_der().unwrap()], |input| {
        let _ = black_box(TimestampRequest::parse(input));
    });
}

#[test]
fn certificate() {
    damage("certificate", &certificates(), |input| {
        if let Ok(read) = Certificate::from_der(input) {
            let _ = black_box(sct::embedded(&read));
            let _ = black_box(read.public_key());
            let _ = black_box(read.identity());
        }
    });
    damage("public key", &[key().spki_der().to_vec()], |input| {
        let _ = black_box(PublicKey::from_spki_der(input));
        let _ = black_box(PublicKey::from_pkcs1_der(input));
    });
}

#[test]
fn cms() {
    damage("cms", &messages(), |input| {
        if let Ok(read) = SignedData::parse(input) {
            let _ = black_box(read.signer_certificate());
        }
    });
}

#[test]
fn git_object() {
    damage("git object", &objects(), |input| {
        for kind in [ObjectKind::Commit, ObjectKind::Tag] {
            let _ = black_box(Object::parse(kind, input, SecondSignature::Refused));
            let _ = black_box(Object::parse(kind, input, SecondSignature::Allowed));
        }
        let _ = black_box(git::decode_armour(input));
        let _ = black_box(pem::decode_strict("SIGNED MESSAGE", input));
    });
}

#[test]
fn signing_config() {
    let config = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/trust/embedded/public/signing_config.json");
    damage("signing config", &[fs::read(config).unwrap()], |input| {
        let _ = black_box(SigningConfig::from_json(input));
    });
}

#[test]
fn tuf_metadata() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/trust/embedded");
    let mut seeds = vec![fs::read(folder.join("public/root.json")).unwrap()];
    let role = r#"{"name":"a","keyids":["k"],"threshold":1,"terminating":true,"paths":["*/?"]}"#;
    for (kind, more) in [
        ("timestamp", r#""meta":{"snapshot.json":{"version":1,"length":2,"hashes":{"sha256":"00"}}}"#.to_owned()),
        ("snapshot", r#""meta":{"targets.json":{"version":1}}"#.to_owned()),
        ("targets", format!(r#""targets":{{}},"delegations":{{"keys":{{}},"roles":[{role}]}}"#)),
    ] {
        let head = format!(r#""_type":"{kind}","spec_version":"1.0","version":1,"expires":"2030-01-01T00:00:00Z""#);
        seeds.push(format!(r#"{{"signatures":[{{"keyid":"k","sig":"00"}}],"signed":{{{head},{more}}}}}"#).into_bytes());
    }
    damage("tuf metadata", &seeds, |input| {
        if let Ok(root) = Metadata::<Root>::parse(input) {
            let _ = black_box(root.signed.root.signers(&root.signatures));
        }
        let _ = black_box(Metadata::<TimestampRole>::parse(input));
        let _ = black_box(Metadata::<Snapshot>::parse(input));
        if let Ok(targets) = Metadata::<Targets>::parse(input) {
            let _ = black_box(targets.signed.delegations_for("x/y"));
        }
    });
}
