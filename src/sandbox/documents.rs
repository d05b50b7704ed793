//! What the sandbox tells its clients: whom to believe (trusted root), whom to ask (signing config), and the same keys
//! one by one for programs that take them so (dev.sigstore.trustroot.v1).

use base64ct::{Base64, Encoding as _};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::folder::{Folder, FolderError};
use super::fulcio::Fulcio;
use super::rekor_v1::RekorV1;
use super::rekor_v2::RekorV2;
use super::server::RekorVersion;
use super::tsa::Tsa;
use super::tuf::Target;
use crate::crypto::{KeyKind, PublicKey};
use crate::format::pem;

/// The operator of all services: clients count operators, not servers.
const OPERATOR: &str = "sandbox";
const TRUSTED_ROOT: &str = "application/vnd.dev.sigstore.trustedroot+json;version=0.1";
const SIGNING_CONFIG: &str = "application/vnd.dev.sigstore.signingconfig.v0.2+json";
const CLIENT_TRUST_CONFIG: &str = "application/vnd.dev.sigstore.clienttrustconfig.v0.1+json";

/// Whom the documents speak of.
pub(super) struct Parties<'a> {
    pub(super) base: &'a str,
    pub(super) issuer: &'a str,
    pub(super) fulcio: &'a Fulcio,
    pub(super) rekor_v1: &'a RekorV1,
    pub(super) rekor_v2: &'a RekorV2,
    pub(super) tsa: &'a Tsa,
    /// From when on all of them are trusted.
    pub(super) start: Timestamp,
}

/// The documents.
pub(super) struct Documents {
    trusted_root: Value,
    signing_config: Value,
    signing_config_v1: Value,
    signing_config_v2: Value,
    /// By the names that Sigstore's TUF repository gave them before there was a trusted root, and by usage.
    single: Vec<(&'static str, String, &'static str)>,
    /// Root first: programs take the first certificate of this file for the anchor.
    fulcio_chain: String,
    tsa_chain: String,
}

impl Documents {
    pub(super) fn new(parties: &Parties<'_>, rekor: RekorVersion) -> Self {
        let (fulcio, tsa) = (parties.fulcio.chain(), parties.tsa.chain());
        let single = vec![
            ("fulcio.crt.pem", certificates(&fulcio[1..]), "Fulcio"),
            ("fulcio_v1.crt.pem", certificates(&fulcio[1..]), "Fulcio"),
            ("fulcio_intermediate_v1.crt.pem", certificates(&fulcio[..1]), "Fulcio"),
            ("rekor.pub", public_key(parties.rekor_v1.public_key()), "Rekor"),
            ("ctfe.pub", public_key(parties.fulcio.ct_key()), "CTFE"),
            ("tsa_leaf.crt.pem", certificates(&tsa[..1]), "TSA"),
            ("tsa_root.crt.pem", certificates(&tsa[1..]), "TSA"),
        ];
        Documents {
            trusted_root: trusted_root(parties),
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
        let both = json!({
            "mediaType": CLIENT_TRUST_CONFIG, "trustedRoot": self.trusted_root, "signingConfig": self.signing_config,
        });
        folder.write("trusted_root.json", &text(&self.trusted_root))?;
        folder.write("signing_config.json", &text(&self.signing_config))?;
        folder.write("signing_config_rekor_v1.json", &text(&self.signing_config_v1))?;
        folder.write("signing_config_rekor_v2.json", &text(&self.signing_config_v2))?;
        folder.write("client_trust_config.json", &text(&both))?;
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
    let (v1, v2, ct) = (parties.rekor_v1.public_key(), parties.rekor_v2.public_key(), parties.fulcio.ct_key());
    json!({
        "mediaType": TRUSTED_ROOT,
        "tlogs": [log(base, v1, &v1.spki_sha256(), start), log(base, v2, parties.rekor_v2.log_id(), start)],
        "certificateAuthorities": [authority(base, parties.fulcio.chain(), start)],
        "ctlogs": [log(&format!("{base}/ct"), ct, &ct.spki_sha256(), start)],
        "timestampAuthorities": [authority(base, parties.tsa.chain(), start)],
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

/// One log, not both: a client keeps the highest version that is listed. With v1 no timestamp authority, because a
/// promise has a time and gitsign cannot read stamps; with v2 there has to be one.
fn signing_config(parties: &Parties<'_>, rekor: RekorVersion) -> Value {
    let Parties { base, start, .. } = *parties;
    let service = |url: &str, version: u32| {
        json!({
            "url": url, "majorApiVersion": version, "operator": OPERATOR, "validFor": { "start": start.to_string() },
        })
    };
    let (version, stamps) = match rekor {
        RekorVersion::V1 => (1, json!([])),
        RekorVersion::V2 => (2, json!([service(&format!("{base}/api/v1/timestamp"), 1)])),
    };
    json!({
        "mediaType": SIGNING_CONFIG,
        "caUrls": [service(base, 1)],
        "oidcUrls": [service(parties.issuer, 1)],
        "rekorTlogUrls": [service(base, version)],
        "rekorTlogConfig": { "selector": "ANY" },
        "tsaUrls": stamps,
        "tsaConfig": { "selector": "ANY" },
    })
}
