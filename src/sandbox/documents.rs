//! What the sandbox tells its clients: whom to believe (trusted root), whom to ask (signing config), and the same keys
//! one by one for programs that take them so (dev.sigstore.trustroot.v1).

use base64ct::{Base64, Encoding as _};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::server::{RekorVersion, Services};
use crate::crypto::{KeyKind, PublicKey};
use crate::format::pem;

/// The operator of all services: clients count operators, not servers.
const OPERATOR: &str = "sandbox";
const TRUSTED_ROOT: &str = "application/vnd.dev.sigstore.trustedroot+json;version=0.1";
const SIGNING_CONFIG: &str = "application/vnd.dev.sigstore.signingconfig.v0.2+json";
const CLIENT_TRUST_CONFIG: &str = "application/vnd.dev.sigstore.clienttrustconfig.v0.1+json";

/// The path of the timestamp authority, which alone is named by its full URL.
const TIMESTAMP_PATH: &str = "/api/v1/timestamp";

/// Whom to believe.
pub(super) fn trusted_root(services: &Services, start: Timestamp) -> Value {
    let base = &services.base;
    let v1 = services.rekor_v1.public_key();
    let ct = services.fulcio.ct_key();
    json!({
        "mediaType": TRUSTED_ROOT,
        "tlogs": [
            log(base, v1, &v1.spki_sha256(), start),
            log(base, services.rekor_v2.public_key(), services.rekor_v2.log_id(), start),
        ],
        "certificateAuthorities": [authority(base, services.fulcio.chain(), start)],
        "ctlogs": [log(&format!("{base}/ct"), ct, &ct.spki_sha256(), start)],
        "timestampAuthorities": [authority(base, services.tsa.chain(), start)],
    })
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

/// Whom to ask. With Rekor v1 no timestamp authority is listed, because its promise has a time; with v2 one has to be.
pub(super) fn signing_config(services: &Services, rekor: RekorVersion, start: Timestamp) -> Value {
    let base = &services.base;
    let service = |url: &str, version: u32| {
        json!({
            "url": url, "majorApiVersion": version, "operator": OPERATOR, "validFor": { "start": start.to_string() },
        })
    };
    let (version, stamps) = match rekor {
        RekorVersion::V1 => (1, json!([])),
        RekorVersion::V2 => (2, json!([service(&format!("{base}{TIMESTAMP_PATH}"), 1)])),
    };
    json!({
        "mediaType": SIGNING_CONFIG,
        "caUrls": [service(base, 1)],
        "oidcUrls": [service(services.oidc.issuer(), 1)],
        "rekorTlogUrls": [service(base, version)],
        "rekorTlogConfig": { "selector": "ANY" },
        "tsaUrls": stamps,
        "tsaConfig": { "selector": "ANY" },
    })
}

/// Both in one, as sigstore-python's `--trust-config` takes them.
pub(super) fn client_trust_config(trusted_root: &Value, signing_config: &Value) -> Value {
    json!({ "mediaType": CLIENT_TRUST_CONFIG, "trustedRoot": trusted_root, "signingConfig": signing_config })
}

/// The single keys and chains, by the names that Sigstore's TUF repository gave them before there was a trusted root.
pub(super) fn legacy_targets(services: &Services) -> Vec<(&'static str, String)> {
    let key = |key: &PublicKey| pem::encode("PUBLIC KEY", key.spki_der());
    let chain = |chain: &[Vec<u8>]| chain.iter().map(|der| pem::encode("CERTIFICATE", der)).collect::<String>();
    let fulcio = services.fulcio.chain();
    vec![
        // Root first: programs take the first for the anchor.
        ("fulcio.pem", chain(&[fulcio[1].clone(), fulcio[0].clone()])),
        ("fulcio.crt.pem", chain(&fulcio[1..])),
        ("fulcio_v1.crt.pem", chain(&fulcio[1..])),
        ("fulcio_intermediate_v1.crt.pem", chain(&fulcio[..1])),
        ("rekor.pub", key(services.rekor_v1.public_key())),
        ("ctfe.pub", key(services.fulcio.ct_key())),
        ("tsa.pem", chain(services.tsa.chain())),
    ]
}
