//! What the sandbox tells its clients: whom to believe (trusted root), whom to ask (signing config), and the same keys
//! one by one for programs that take them so (dev.sigstore.trustroot.v1).

use base64ct::{Base64, Encoding as _};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::folder::{Folder, FolderError};
use super::fulcio::Fulcio;
use super::operator::Operator;
use super::server::RekorVersion;
use super::tuf::Target;
use crate::crypto::{KeyKind, PublicKey};
use crate::format::pem;

const TRUSTED_ROOT: &str = "application/vnd.dev.sigstore.trustedroot+json;version=0.1";
const SIGNING_CONFIG: &str = "application/vnd.dev.sigstore.signingconfig.v0.2+json";
const CLIENT_TRUST_CONFIG: &str = "application/vnd.dev.sigstore.clienttrustconfig.v0.1+json";

/// Whom the documents speak of.
pub(super) struct Parties<'a> {
    pub(super) base: &'a str,
    pub(super) issuer: &'a str,
    pub(super) fulcio: &'a Fulcio,
    pub(super) first: &'a Operator,
    pub(super) second: &'a Operator,
    /// From when on all of them are trusted.
    pub(super) start: Timestamp,
}

/// The documents.
pub(super) struct Documents {
    trusted_root: Value,
    signing_config: Value,
    signing_config_v1: Value,
    signing_config_v2: Value,
    /// The same with a second operator, whose logs and stamps are demanded too.
    two_operators: (Value, Value),
    /// By the names that Sigstore's TUF repository gave them before there was a trusted root, and by usage.
    single: Vec<(&'static str, String, &'static str)>,
    /// Root first: programs take the first certificate of this file for the anchor.
    fulcio_chain: String,
    tsa_chain: String,
}

impl Documents {
    pub(super) fn new(parties: &Parties<'_>, rekor: RekorVersion) -> Self {
        let (fulcio, tsa) = (parties.fulcio.chain(), parties.first.tsa.chain());
        let single = vec![
            ("fulcio.crt.pem", certificates(&fulcio[1..]), "Fulcio"),
            ("fulcio_v1.crt.pem", certificates(&fulcio[1..]), "Fulcio"),
            ("fulcio_intermediate_v1.crt.pem", certificates(&fulcio[..1]), "Fulcio"),
            ("rekor.pub", public_key(parties.first.rekor_v1.public_key()), "Rekor"),
            ("ctfe.pub", public_key(parties.fulcio.ct_key()), "CTFE"),
            ("tsa_leaf.crt.pem", certificates(&tsa[..1]), "TSA"),
            ("tsa_root.crt.pem", certificates(&tsa[1..]), "TSA"),
        ];
        Documents {
            trusted_root: trusted_root(parties),
            two_operators: (trusted_root_of_two(parties), signing_config_of_two(parties)),
            signing_config: signing_config(parties, rekor),
            signing_config_v1: signing_config(parties, RekorVersion::V1),
            signing_config_v2: signing_config(parties, RekorVersion::V2),
            single,
            fulcio_chain: certificates(&[fulcio[1].clone(), fulcio[0].clone()]),
            tsa_chain: certificates(tsa),
        }
    }

    /// What the TUF repository serves.
    pub(super) fn targets(&self) -> Vec<Target> {
        let documents = [
            ("trusted_root.json", &self.trusted_root),
            ("signing_config.v0.2.json", &self.signing_config),
            ("signing_config_rekor_v2.v0.2.json", &self.signing_config_v2),
        ];
        let documents = documents.map(|(name, value)| Target { name, content: text(value), usage: None });
        let single = self.single.iter().map(|(name, content, usage)| Target {
            name,
            content: content.clone().into_bytes(),
            usage: Some(usage),
        });
        documents.into_iter().chain(single).collect()
    }

    /// Put them into the folder.
    pub(super) fn write(&self, folder: &Folder) -> Result<(), FolderError> {
        let both = |root: &Value, config: &Value| {
            json!({
                "mediaType": CLIENT_TRUST_CONFIG, "trustedRoot": root, "signingConfig": config,
            })
        };
        let (two_root, two_config) = &self.two_operators;
        folder.write("trusted_root.json", &text(&self.trusted_root))?;
        folder.write("signing_config.json", &text(&self.signing_config))?;
        folder.write("signing_config_rekor_v1.json", &text(&self.signing_config_v1))?;
        folder.write("signing_config_rekor_v2.json", &text(&self.signing_config_v2))?;
        folder.write("client_trust_config.json", &text(&both(&self.trusted_root, &self.signing_config)))?;
        folder.write("trusted_root_two_operators.json", &text(two_root))?;
        folder.write("signing_config_two_operators.json", &text(two_config))?;
        folder.write("client_trust_config_two_operators.json", &text(&both(two_root, two_config)))?;
        folder.write("fulcio.pem", self.fulcio_chain.as_bytes())?;
        folder.write("tsa.pem", self.tsa_chain.as_bytes())?;
        self.single.iter().try_for_each(|(name, content, _)| folder.write(name, content.as_bytes()))
    }
}

fn text(value: &Value) -> Vec<u8> {
    format!("{value:#}\n").into_bytes()
}

fn certificates(chain: &[Vec<u8>]) -> String {
    chain.iter().map(|der| pem::encode("CERTIFICATE", der)).collect()
}

fn public_key(key: &PublicKey) -> String {
    pem::encode("PUBLIC KEY", key.spki_der())
}

fn trusted_root(parties: &Parties<'_>) -> Value {
    let Parties { base, start, .. } = *parties;
    let ct = parties.fulcio.ct_key();
    json!({
        "mediaType": TRUSTED_ROOT,
        "tlogs": logs(parties.first, start),
        "certificateAuthorities": [authority(base, parties.fulcio.chain(), start)],
        "ctlogs": [log(&format!("{base}/ct"), ct, &ct.spki_sha256(), start)],
        "timestampAuthorities": [authority(base, parties.first.tsa.chain(), start)],
    })
}

/// It says who runs what; the other one does not, because programs that are older than that field refuse it (cosign 2).
fn trusted_root_of_two(parties: &Parties<'_>) -> Value {
    let mut root = trusted_root(parties);
    let (mut all_logs, mut authorities) = (Vec::new(), Vec::new());
    for operator in [parties.first, parties.second] {
        let named = |mut value: Value| {
            value["operator"] = operator.seat.name().into();
            value
        };
        all_logs.extend(logs(operator, parties.start).map(named));
        authorities.push(named(authority(&operator.base, operator.tsa.chain(), parties.start)));
    }
    root["tlogs"] = all_logs.into();
    root["timestampAuthorities"] = authorities.into();
    root
}

/// Both logs of an operator.
fn logs(operator: &Operator, start: Timestamp) -> [Value; 2] {
    let (v1, v2) = (operator.rekor_v1.public_key(), operator.rekor_v2.public_key());
    let base = &operator.base;
    [log(base, v1, &v1.spki_sha256(), start), log(base, v2, operator.rekor_v2.log_id(), start)]
}

fn log(url: &str, key: &PublicKey, log_id: &[u8; 32], start: Timestamp) -> Value {
    let details = match key.kind() {
        KeyKind::Ed25519 => "PKIX_ED25519",
        _ => "PKIX_ECDSA_P256_SHA_256",
    };
    json!({
        "baseUrl": url, "hashAlgorithm": "SHA2_256",
        "publicKey": {
            "rawBytes": Base64::encode_string(key.spki_der()), "keyDetails": details,
            "validFor": { "start": start.to_string() },
        },
        "logId": { "keyId": Base64::encode_string(log_id) },
    })
}

fn authority(url: &str, chain: &[Vec<u8>], start: Timestamp) -> Value {
    let certificates: Vec<_> = chain.iter().map(|der| json!({ "rawBytes": Base64::encode_string(der) })).collect();
    json!({
        "subject": { "organization": "gitseal sandbox", "commonName": "sandbox" }, "uri": url,
        "certChain": { "certificates": certificates }, "validFor": { "start": start.to_string() },
    })
}

/// One log, not both: a client keeps the highest version that is listed. With v1 no timestamp authority, because a
/// promise has a time and gitsign cannot read stamps; with v2 there has to be one.
fn signing_config(parties: &Parties<'_>, rekor: RekorVersion) -> Value {
    let Parties { base, start, first, .. } = *parties;
    let (version, stamps) = match rekor {
        RekorVersion::V1 => (1, json!([])),
        RekorVersion::V2 => (2, json!([stamps_of(first, start)])),
    };
    let mut config = json!({
        "mediaType": SIGNING_CONFIG,
        "caUrls": [service(base, 1, first, start)],
        "oidcUrls": [service(parties.issuer, 1, first, start)],
        "rekorTlogUrls": [service(base, version, first, start)],
        "rekorTlogConfig": { "selector": "ANY" },
        "tsaUrls": stamps,
    });
    // "Any one of none" is what sigstore-js refuses to sign by.
    if rekor == RekorVersion::V2 {
        config["tsaConfig"] = json!({ "selector": "ANY" });
    }
    config
}

/// Rekor v2 and the stamps of both operators, and both are demanded.
fn signing_config_of_two(parties: &Parties<'_>) -> Value {
    let Parties { start, .. } = *parties;
    let operators = [parties.first, parties.second];
    let mut config = signing_config(parties, RekorVersion::V2);
    config["rekorTlogUrls"] = operators.map(|operator| service(&operator.base, 2, operator, start)).to_vec().into();
    config["tsaUrls"] = operators.map(|operator| stamps_of(operator, start)).to_vec().into();
    for selector in ["rekorTlogConfig", "tsaConfig"] {
        config[selector] = json!({ "selector": "EXACT", "count": operators.len() });
    }
    config
}

fn service(url: &str, version: u32, operator: &Operator, start: Timestamp) -> Value {
    json!({
        "url": url, "majorApiVersion": version, "operator": operator.seat.name(),
        "validFor": { "start": start.to_string() },
    })
}

fn stamps_of(operator: &Operator, start: Timestamp) -> Value {
    service(&format!("{}/api/v1/timestamp", operator.base), 1, operator, start)
}
