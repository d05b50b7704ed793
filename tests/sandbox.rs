//! The sandbox from outside: a process that is killed, a log that must not forget, an issuer that must not be fooled,
//! and faults that must show.

#![cfg(feature = "sandbox")]

use std::collections::BTreeMap;
use std::io::{self, Read as _, Write as _};
use std::net::TcpStream;
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use base64ct::{Base64, Base64UrlUnpadded, Encoding as _};
use gitseal::crypto::digest::unhex;
use gitseal::crypto::{EphemeralKey, HashAlgorithm, Keypair as _, random, sha256};
use gitseal::format::checkpoint::Checkpoint;
use gitseal::format::merkle::{Hash, Tree, leaf_hash, verify_consistency, verify_inclusion};
use gitseal::format::pem;
use gitseal::format::timestamp::token_of_response;
use gitseal::format::timestamp_token::TimestampToken;
use gitseal::format::x509::Certificate;
use serde_json::{Value, json};

const JSON: &str = "application/json";
const FORM: &str = "application/x-www-form-urlencoded";
/// How often the server is killed; each round adds entries before and after.
const KILLS: u32 = 12;

/// `gitseal sandbox serve` as a process of its own.
pub(crate) struct Server {
    child: Child,
    pub(crate) url: String,
}

impl Server {
    pub(crate) fn start(dir: &Path, arguments: &[&str]) -> Self {
        let ready = dir.join("ready");
        let _ = std::fs::remove_file(&ready);
        let child = gitseal(&["sandbox", "serve", "--dir", dir.to_str().unwrap()])
            .args(arguments)
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let deadline = Instant::now() + Duration::from_secs(30);
        while !ready.exists() {
            assert!(Instant::now() < deadline, "the sandbox did not get ready");
            std::thread::sleep(Duration::from_millis(5));
        }
        let url = std::fs::read_to_string(ready).unwrap().trim().to_owned();
        Server { child, url }
    }

    fn kill(mut self) {
        // SIGKILL: no handler, no flush, no farewell.
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    fn request(&self, method: &str, path: &str, kind: &str, body: &[u8]) -> io::Result<Answer> {
        let authority = self.url.strip_prefix("http://").unwrap();
        let path = path.strip_prefix(&self.url).unwrap_or(path);
        let mut stream = TcpStream::connect(authority)?;
        stream.set_read_timeout(Some(Duration::from_secs(20)))?;
        let head = format!(
            "{method} {path} HTTP/1.1\r\nhost: {authority}\r\nconnection: close\r\ncontent-type: {kind}\r\n\
             content-length: {}\r\n\r\n",
            body.len()
        );
        stream.write_all(&[head.as_bytes(), body].concat())?;
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes)?;
        Answer::parse(&bytes).ok_or_else(|| io::ErrorKind::UnexpectedEof.into())
    }

    fn get(&self, path: &str) -> Answer {
        self.request("GET", path, JSON, b"").unwrap()
    }

    fn post(&self, path: &str, body: &Value) -> Answer {
        self.request("POST", path, JSON, body.to_string().as_bytes()).unwrap()
    }

    fn form(&self, path: &str, fields: &[(&str, &str)]) -> Answer {
        let fields: Vec<_> = fields.iter().map(|(name, value)| format!("{name}={value}")).collect();
        self.request("POST", path, FORM, fields.join("&").as_bytes()).unwrap()
    }

    pub(crate) fn faults(&self, faults: &[&str]) {
        assert_eq!(self.post("/sandbox/faults", &json!({ "faults": faults })).status, 200);
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// An HTTP answer, whole.
#[derive(Debug)]
struct Answer {
    status: u16,
    headers: BTreeMap<String, String>,
    body: Vec<u8>,
}

impl Answer {
    fn parse(bytes: &[u8]) -> Option<Self> {
        let end = bytes.windows(4).position(|window| window == b"\r\n\r\n")?;
        let head = std::str::from_utf8(&bytes[..end]).ok()?;
        let mut lines = head.split("\r\n");
        let status = lines.next()?.split(' ').nth(1)?.parse().ok()?;
        let headers: BTreeMap<_, _> = lines
            .filter_map(|line| line.split_once(": "))
            .map(|(name, value)| (name.to_lowercase(), value.to_owned()))
            .collect();
        let body = bytes[end + 4..].to_vec();
        let whole = headers.get("content-length").is_none_or(|length| *length == body.len().to_string());
        whole.then_some(Answer { status, headers, body })
    }

    fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("{self:?}"))
    }

    fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }
}

fn gitseal(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_gitseal"));
    command.args(arguments);
    command
}

/// A hashedrekord for Rekor v1 about `message`, signed with a key of its own.
fn entry_v1(message: &[u8]) -> Value {
    let key = EphemeralKey::generate();
    let pem = pem::encode("PUBLIC KEY", key.public_key().spki_der());
    json!({ "apiVersion": "0.0.1", "kind": "hashedrekord", "spec": {
        "data": { "hash": { "algorithm": "sha256", "value": HashAlgorithm::Sha256.digest(message).to_hex() } },
        "signature": {
            "content": Base64::encode_string(&key.sign(message)),
            "publicKey": { "content": Base64::encode_string(pem.as_bytes()) },
        },
    }})
}

/// The same for Rekor v2.
fn entry_v2(message: &[u8]) -> Value {
    let key = EphemeralKey::generate();
    json!({ "hashedRekordRequestV002": {
        "digest": Base64::encode_string(&sha256(message)),
        "signature": { "content": Base64::encode_string(&key.sign(message)), "verifier": {
            "keyDetails": "PKIX_ECDSA_P256_SHA_256",
            "publicKey": { "rawBytes": Base64::encode_string(key.public_key().spki_der()) },
        }},
    }})
}

fn hash(text: &str) -> Hash {
    unhex(text).unwrap().try_into().unwrap()
}

/// What the log has promised to keep.
#[derive(Default)]
struct Promises {
    /// UUID, index, body.
    v1: Vec<(String, u64, String)>,
    /// Index, body.
    v2: Vec<(u64, String)>,
    v1_head: Option<(u64, Hash)>,
    v2_head: Option<(u64, Hash)>,
}

impl Promises {
    /// Log until the server dies.
    fn collect(&mut self, server: &Server) {
        let post = |path: &str, entry: &Value| server.request("POST", path, JSON, entry.to_string().as_bytes());
        loop {
            let Ok(answer) = post("/api/v1/log/entries", &entry_v1(&random::bytes::<16>())) else { return };
            assert_eq!(answer.status, 201);
            let answer = answer.json();
            let (uuid, entry) = answer.as_object().unwrap().iter().next().unwrap();
            let head = head(entry["verification"]["inclusionProof"]["checkpoint"].as_str().unwrap());
            self.v1.push((
                uuid.clone(),
                entry["logIndex"].as_u64().unwrap(),
                entry["body"].as_str().unwrap().to_owned(),
            ));
            self.v1_head = Some(head);
            let Ok(answer) = post("/api/v2/log/entries", &entry_v2(&random::bytes::<16>())) else { return };
            assert_eq!(answer.status, 201);
            let entry = answer.json();
            let index = entry["logIndex"].as_str().map_or(0, |index| index.parse().unwrap());
            self.v2.push((index, entry["canonicalizedBody"].as_str().unwrap().to_owned()));
            self.v2_head = Some(self::head(entry["inclusionProof"]["checkpoint"]["envelope"].as_str().unwrap()));
        }
    }

    fn are_kept_by(&self, server: &Server) {
        for (uuid, index, body) in &self.v1 {
            let answer = server.get(&format!("/api/v1/log/entries/{uuid}"));
            let entry = &answer.json()[uuid];
            assert_eq!((entry["logIndex"].as_u64(), entry["body"].as_str()), (Some(*index), Some(body.as_str())));
        }
        if let Some((size, root)) = self.v1_head {
            let info = server.get("/api/v1/log").json();
            let (new_size, new_root) = head(info["signedTreeHead"].as_str().unwrap());
            let proof =
                server.get(&format!("/api/v1/log/proof?firstSize={size}&lastSize={new_size}")).json()["hashes"].clone();
            let proof: Vec<Hash> = proof.as_array().unwrap().iter().map(|text| hash(text.as_str().unwrap())).collect();
            assert_eq!(verify_consistency(size, &root, new_size, &new_root, &proof), Ok(()));
        }
        let bodies = tiled_entries(server);
        for (index, body) in &self.v2 {
            assert_eq!(Base64::encode_string(&bodies[usize::try_from(*index).unwrap()]), *body);
        }
        if let Some((size, root)) = self.v2_head {
            let mut tree = Tree::new();
            for body in &bodies {
                tree.push(leaf_hash(body));
            }
            assert_eq!(tree.root(size), Ok(root), "the log forked");
        }
    }
}

fn head(checkpoint: &str) -> (u64, Hash) {
    let checkpoint = Checkpoint::parse(checkpoint).unwrap();
    (checkpoint.size(), *checkpoint.root())
}

/// All entries of Rekor v2, read from its tiles.
fn tiled_entries(server: &Server) -> Vec<Vec<u8>> {
    let (size, _) = head(server.get("/api/v2/checkpoint").text());
    let mut bodies = Vec::new();
    for tile in 0..size.div_ceil(256) {
        let width = (size - tile * 256).min(256);
        let partial = if width == 256 { String::new() } else { format!(".p/{width}") };
        let bundle = server.get(&format!("/api/v2/tile/entries/{tile:03}{partial}")).body;
        let mut rest = &bundle[..];
        while let Some((length, after)) = rest.split_first_chunk::<2>() {
            let (body, after) = after.split_at(u16::from_be_bytes(*length).into());
            bodies.push(body.to_vec());
            rest = after;
        }
    }
    assert_eq!(bodies.len() as u64, size);
    bodies
}

#[test]
fn killed_at_any_moment_it_forgets_nothing_and_never_forks() {
    let dir = tempfile::tempdir().unwrap();
    let mut promises = Promises::default();
    for round in 0..KILLS {
        let server = Server::start(dir.path(), &[]);
        promises.are_kept_by(&server);
        let pid = rustix::process::Pid::from_child(&server.child);
        let pause = Duration::from_millis(u64::from(random::bytes::<1>()[0]) / 2 + 5);
        let killer = std::thread::spawn(move || {
            std::thread::sleep(pause);
            rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
        });
        promises.collect(&server);
        killer.join().unwrap();
        server.kill();
        if round % 3 == 2 {
            // What a crash in the middle of a write leaves behind.
            let journal = std::fs::OpenOptions::new().append(true).open(dir.path().join("rekor-v1.journal"));
            journal.unwrap().write_all(&[0, 0, 1, 0, 7, 7]).unwrap();
        }
    }
    let server = Server::start(dir.path(), &[]);
    promises.are_kept_by(&server);
    assert!(!promises.v1.is_empty() && !promises.v2.is_empty());
    println!("{KILLS} kills, {} + {} entries kept", promises.v1.len(), promises.v2.len());
}

#[test]
fn an_entry_is_proven_found_and_logged_once() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(dir.path(), &[]);
    for n in 0..5_u8 {
        server.post("/api/v1/log/entries", &entry_v1(&[n]));
    }
    let request = entry_v1(b"m");
    let answer = server.post("/api/v1/log/entries", &request);
    assert_eq!(answer.status, 201);
    let uuid = answer.headers["etag"].trim_matches('"').to_owned();
    assert_eq!(answer.headers["location"], format!("/api/v1/log/entries/{uuid}"));
    let entry = answer.json()[&uuid].clone();
    let body = Base64::decode_vec(entry["body"].as_str().unwrap()).unwrap();
    let proof = &entry["verification"]["inclusionProof"];
    let hashes: Vec<Hash> =
        proof["hashes"].as_array().unwrap().iter().map(|text| hash(text.as_str().unwrap())).collect();
    let (size, root) = head(proof["checkpoint"].as_str().unwrap());
    let index = proof["logIndex"].as_u64().unwrap();
    assert_ne!(Some(index), entry["logIndex"].as_u64(), "the two indices must differ, so that mixing them up shows");
    assert_eq!(verify_inclusion(index, size, &leaf_hash(&body), &hashes, &root), Ok(()));

    let again = server.post("/api/v1/log/entries", &request);
    assert_eq!((again.status, &again.headers["location"]), (409, &answer.headers["location"]));
    let found = |query: Value| server.post("/api/v1/index/retrieve", &query).json();
    assert_eq!(found(json!({ "hash": HashAlgorithm::Sha256.digest(b"m").to_hex() })), json!([uuid]));
    let key = &request["spec"]["signature"]["publicKey"]["content"];
    assert_eq!(found(json!({ "publicKey": { "format": "x509", "content": key } })), json!([uuid]));
    assert_eq!(found(json!({ "email": "nobody@example.com" })), json!([]));
    for path in [
        format!("/api/v1/log/entries/{uuid}"),
        format!("/api/v1/log/entries/{}", &uuid[16..]),
        format!("/api/v1/log/entries?logIndex={}", entry["logIndex"]),
    ] {
        assert_eq!(server.get(&path).json()[&uuid]["body"], entry["body"], "{path}");
    }
    let retrieved = server.post("/api/v1/log/entries/retrieve", &json!({ "entries": [request] })).json();
    assert_eq!(retrieved[0][&uuid]["body"], entry["body"]);
    // Go writes null for an empty list.
    let by_uuid = json!({ "entryUUIDs": [uuid], "logIndexes": null, "entries": null });
    let answer = server.post("/api/v1/log/entries/retrieve", &by_uuid).json();
    assert_eq!(answer[0][&uuid]["body"], entry["body"]);
    assert_eq!(server.get(&format!("/api/v1/log/entries/{}", "0".repeat(64))).status, 404);
    let malformed = server.post("/api/v1/log/entries/retrieve", &json!({ "logIndexes": ["x"] }));
    assert_eq!((malformed.status, malformed.json()["code"].as_u64()), (422, Some(422)));
    assert_eq!(server.get("/api/v1/log/entries?logIndex=1").status, 404);

    let request = entry_v2(b"m");
    assert_eq!(server.post("/api/v2/log/entries", &request).status, 201);
    let again = server.post("/api/v2/log/entries", &request);
    assert_eq!((again.status, again.headers["index"].as_str()), (409, "0"));
}

/// The query of a redirect.
fn query(location: &str) -> BTreeMap<&str, &str> {
    location.split_once('?').unwrap().1.split('&').filter_map(|pair| pair.split_once('=')).collect()
}

#[test]
fn a_code_is_for_whoever_asked_for_it_and_for_one_use() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(dir.path(), &["--identity", "me@example.com"]);
    let discovery = server.get("/oidc/.well-known/openid-configuration").json();
    let verifier = "a-verifier-of-some-forty-three-characters-or-so";
    let challenge = Base64UrlUnpadded::encode_string(&sha256(verifier.as_bytes()));
    let redirect = "http://localhost:9/auth/callback";
    let code = || {
        let authorize = format!(
            "{}?response_type=code&client_id=sigstore&redirect_uri={redirect}&scope=openid%20email&state=s%2F1&nonce=n1\
             &code_challenge={challenge}&code_challenge_method=S256",
            discovery["authorization_endpoint"].as_str().unwrap()
        );
        let answer = server.get(&authorize);
        assert_eq!(answer.status, 302);
        let location = &answer.headers["location"];
        assert!(location.starts_with(redirect) && query(location)["state"] == "s%2F1");
        query(location)["code"].to_owned()
    };
    let token_endpoint = discovery["token_endpoint"].as_str().unwrap().to_owned();
    let redeem = |code: &str, verifier: &str| {
        let fields = [
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", redirect),
            ("code_verifier", verifier),
            ("client_id", "sigstore"),
        ];
        server.form(&token_endpoint, &fields)
    };
    let first = code();
    let answer = redeem(&first, verifier);
    assert_eq!(answer.status, 200);
    let tokens = answer.json();
    let claims = claims(tokens["id_token"].as_str().unwrap());
    assert_eq!(claims["email"], "me@example.com");
    assert_eq!(
        (&claims["email_verified"], &claims["aud"], &claims["nonce"]),
        (&json!(true), &json!("sigstore"), &json!("n1"))
    );
    assert_eq!(claims["iss"], discovery["issuer"]);
    assert_ne!(claims["sub"], claims["email"]);
    assert_eq!(redeem(&first, verifier).json()["error"], "invalid_grant", "a code replayed");
    assert_eq!(redeem(&code(), "another verifier").json()["error"], "invalid_grant");

    let refresh = |token: &Value| {
        let fields = [("grant_type", "refresh_token"), ("refresh_token", token.as_str().unwrap())];
        server.form(&token_endpoint, &fields)
    };
    let renewed = refresh(&tokens["refresh_token"]);
    assert_eq!(renewed.status, 200);
    assert_eq!(refresh(&tokens["refresh_token"]).json()["error"], "invalid_grant", "a refresh token replayed");
    assert_eq!(refresh(&renewed.json()["refresh_token"]).status, 200);
    let elsewhere = "/oidc/auth?response_type=code&client_id=x&scope=openid&redirect_uri=https://example.com/";
    assert_eq!(server.get(elsewhere).status, 400);
}

#[test]
fn a_device_waits_once_and_then_gets_its_token() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(dir.path(), &[]);
    let device = server.form("/oidc/device/code", &[("client_id", "sigstore"), ("login_hint", "you@example.com")]);
    let code = device.json()["device_code"].as_str().unwrap().to_owned();
    let poll = || {
        let grant = "urn:ietf:params:oauth:grant-type:device_code";
        server.form("/oidc/token", &[("grant_type", grant), ("device_code", &code), ("client_id", "sigstore")])
    };
    assert_eq!(poll().json()["error"], "authorization_pending");
    let answer = poll();
    assert_eq!(claims(answer.json()["id_token"].as_str().unwrap())["email"], "you@example.com");
    assert_eq!(poll().json()["error"], "invalid_grant");
}

fn claims(token: &str) -> Value {
    let part = token.split('.').nth(1).unwrap();
    serde_json::from_slice(&Base64UrlUnpadded::decode_vec(part).unwrap()).unwrap()
}

#[test]
fn a_certificate_is_for_whoever_holds_the_key_and_a_token_of_this_issuer() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(dir.path(), &[]);
    let key = EphemeralKey::generate();
    let spki = key.public_key().spki_der();
    let armoured = pem::encode("PUBLIC KEY", spki);
    let proof = Base64::encode_string(&key.sign(b"me@example.com"));
    let v2 = |token: &str, proof: &str| {
        server.post(
            "/api/v2/signingCert",
            &json!({
                "credentials": { "oidcIdentityToken": token },
                "publicKeyRequest": {
                    "publicKey": { "algorithm": "ECDSA", "content": armoured }, "proofOfPossession": proof,
                },
            }),
        )
    };
    let token = |query: &str| server.get(&format!("/token?{query}")).text().to_owned();
    let good = token("identity=me@example.com");
    let answer = v2(&good, &proof);
    assert_eq!(answer.status, 200);
    let chain = &answer.json()["signedCertificateEmbeddedSct"]["chain"]["certificates"];
    let leaf = Certificate::from_pem_chain(chain[0].as_str().unwrap()).unwrap().remove(0);
    let identity = leaf.identity().unwrap();
    assert_eq!((identity.subject.as_str(), identity.issuer), ("me@example.com", format!("{}/oidc", server.url)));
    assert!(leaf.sct_list().is_some() && leaf.public_key().unwrap() == key.public_key());
    assert_eq!(chain.as_array().unwrap().len(), 3);

    let wrong = Base64::encode_string(&key.sign(b"you@example.com"));
    assert_eq!(v2(&good, &wrong).status, 400);
    for query in ["identity=me@example.com&lifetime=-10", "identity=me@example.com&audience=another"] {
        assert_eq!(v2(&token(query), &proof).status, 401, "{query}");
    }
    let (head, _) = good.rsplit_once('.').unwrap();
    assert_eq!(v2(&format!("{head}.{}", Base64UrlUnpadded::encode_string(&[7; 64])), &proof).status, 401);

    let uri = token("identity=https://ci.example/job@refs/heads/main");
    let answer = v2(&uri, &Base64::encode_string(&key.sign(b"https://ci.example/job@refs/heads/main")));
    let leaf = answer.json()["signedCertificateEmbeddedSct"]["chain"]["certificates"][0].as_str().unwrap().to_owned();
    let identity = Certificate::from_pem_chain(&leaf).unwrap()[0].identity().unwrap();
    assert_eq!(identity.subject, "https://ci.example/job@refs/heads/main");
}

#[test]
fn certificates_and_tokens_live_as_long_as_they_are_told() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(dir.path(), &["--certificate-lifetime", "7", "--token-lifetime", "30"]);
    let lifetime = |token: &str| {
        let claims = claims(token);
        claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap()
    };
    let device = server.form("/oidc/device/code", &[("client_id", "sigstore")]).json();
    let grant = [
        ("grant_type", "urn:ietf:params:oauth:grant-type:device_code"),
        ("device_code", device["device_code"].as_str().unwrap()),
    ];
    server.form("/oidc/token", &grant);
    let login = server.form("/oidc/token", &grant).json();
    assert_eq!((lifetime(login["id_token"].as_str().unwrap()), &login["expires_in"]), (30, &json!(30)));
    let refresh = [("grant_type", "refresh_token"), ("refresh_token", login["refresh_token"].as_str().unwrap())];
    assert_eq!(lifetime(server.form("/oidc/token", &refresh).json()["id_token"].as_str().unwrap()), 30);
    assert_eq!(lifetime(server.get("/token").text()), 30);
    assert_eq!(lifetime(server.get("/token?lifetime=60").text()), 60);

    let key = EphemeralKey::generate();
    let request = json!({
        "credentials": { "oidcIdentityToken": login["id_token"] },
        "publicKeyRequest": {
            "publicKey": { "content": pem::encode("PUBLIC KEY", key.public_key().spki_der()) },
            "proofOfPossession": Base64::encode_string(&key.sign(b"dev@example.com")),
        },
    });
    let answer = server.post("/api/v2/signingCert", &request).json();
    let chain = &answer["signedCertificateEmbeddedSct"]["chain"]["certificates"];
    let leaf = Certificate::from_pem_chain(chain[0].as_str().unwrap()).unwrap().remove(0);
    assert_eq!(leaf.not_after().duration_since(leaf.not_before()).as_secs(), 7);
}

#[test]
fn a_lifetime_has_a_second_at_least_and_a_day_at_most() {
    for option in ["--certificate-lifetime", "--token-lifetime"] {
        for seconds in ["0", "-1", "86401", "ten"] {
            let argument = format!("{option}={seconds}");
            let refused = gitseal(&["sandbox", "run", &argument, "--", "true"]).output().unwrap();
            assert_eq!(refused.status.code(), Some(2), "{argument}");
        }
    }
}

/// sigstore-js asks for a timestamp in JSON, as Sigstore's own authority lets it.
#[test]
fn a_timestamp_can_be_asked_for_in_json() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(dir.path(), &[]);
    let imprint = sha256(b"a signature");
    let ask = |question: &Value| server.post("/api/v1/timestamp", question);
    let hash = Base64::encode_string(&imprint);
    let answer = ask(&json!({ "artifactHash": hash, "hashAlgorithm": "sha256" }));
    assert_eq!(answer.status, 200);
    let token = TimestampToken::parse(token_of_response(&answer.body).unwrap()).unwrap();
    assert_eq!(token.info().imprint.as_bytes(), imprint);

    for (question, reason) in [
        (json!({ "hashAlgorithm": "sha256" }), "artifactHash"),
        (json!({ "artifactHash": "AAAA", "hashAlgorithm": "sha256" }), "length"),
        (json!({ "artifactHash": hash, "hashAlgorithm": "sha256", "nonce": 1 }), "nonce"),
    ] {
        let answer = ask(&question);
        assert_eq!(answer.status, 400);
        assert!(answer.text().contains(reason), "{}", answer.text());
    }
    // Refused as RFC 3161 refuses: in a response, not by a status.
    let answer = ask(&json!({ "artifactHash": hash, "hashAlgorithm": "sha1" }));
    assert!((answer.status, token_of_response(&answer.body).is_err()) == (200, true));
    assert_eq!(server.request("POST", "/api/v1/timestamp", FORM, b"").unwrap().status, 400);
}

#[test]
fn faults_show_at_the_service_that_they_name() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(dir.path(), &["--fault", "5xx@fulcio*2"]);
    assert_eq!(server.get("/sandbox/faults").json()["faults"], json!(["5xx@fulcio*2"]));
    assert_eq!(server.get("/api/v1/log").status, 200);
    let statuses: Vec<_> = (0..3).map(|_| server.get("/api/v2/trustBundle").status).collect();
    assert_eq!(statuses, [503, 503, 200]);

    server.faults(&["cut-connection@tsa"]);
    assert!(server.request("GET", "/api/v1/timestamp/certchain", JSON, b"").is_err());
    server.faults(&["429@oidc"]);
    assert_eq!(server.get("/oidc/keys").status, 429);
    server.faults(&["slow@tuf=0.3"]);
    let start = Instant::now();
    assert_eq!(server.get("/tuf/timestamp.json").status, 200);
    assert!(start.elapsed() >= Duration::from_millis(300));
    assert_eq!(server.post("/sandbox/faults", &json!({ "faults": ["unheard-of"] })).status, 400);
    assert_eq!(server.request("DELETE", "/sandbox/faults", JSON, b"").unwrap().json()["faults"], json!([]));

    server.post("/api/v1/log/entries", &entry_v1(b"first"));
    let entry = |fault: &str| {
        server.faults(&[fault]);
        let answer = server.post("/api/v1/log/entries", &entry_v1(fault.as_bytes())).json();
        let proof = answer.as_object().unwrap().values().next().unwrap()["verification"]["inclusionProof"].clone();
        let checkpoint = head(proof["checkpoint"].as_str().unwrap());
        (checkpoint, (proof["treeSize"].as_u64().unwrap(), hash(proof["rootHash"].as_str().unwrap())))
    };
    let (checkpoint, proof) = entry("stale-checkpoint@rekor");
    assert!(checkpoint.0 < proof.0);
    let (checkpoint, proof) = entry("split-view@rekor");
    assert!(checkpoint.0 == proof.0 && checkpoint.1 != proof.1);
}

#[test]
fn two_servers_cannot_share_a_folder() {
    let dir = tempfile::tempdir().unwrap();
    let _server = Server::start(dir.path(), &[]);
    let second = gitseal(&["sandbox", "serve", "--dir", dir.path().to_str().unwrap()]).output().unwrap();
    assert_eq!(second.status.code(), Some(2));
    assert!(String::from_utf8(second.stderr).unwrap().contains("another sandbox is running"));
}

#[test]
fn it_listens_on_loopback_only() {
    let dir = tempfile::tempdir().unwrap();
    let run = gitseal(&["sandbox", "serve", "--listen", "0.0.0.0:0", "--dir", dir.path().to_str().unwrap()]).output();
    assert_eq!(run.unwrap().status.code(), Some(2));
}

#[test]
fn it_comes_back_on_the_same_port_with_the_same_documents() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(dir.path(), &[]);
    let url = server.url.clone();
    let documents = || {
        ["trusted_root.json", "signing_config.json", "tuf-root.json"]
            .map(|name| std::fs::read(dir.path().join(name)).unwrap())
    };
    let before = documents();
    server.kill();
    let server = Server::start(dir.path(), &[]);
    assert_eq!((&server.url, documents()), (&url, before));
}

/// `gitseal sandbox run` with its temporary folders in a place of its own.
fn sandbox_run(tmp: &Path, command: &[&str]) -> Command {
    let mut run = gitseal(&["sandbox", "run", "--"]);
    run.args(command).env("TMPDIR", tmp);
    run
}

fn left_behind(tmp: &Path) -> Vec<PathBuf> {
    std::fs::read_dir(tmp).unwrap().map(|entry| entry.unwrap().path()).collect()
}

#[test]
fn run_hands_on_how_its_command_ended_and_leaves_nothing_behind() {
    let tmp = tempfile::tempdir().unwrap();
    let code = |command: &[&str]| sandbox_run(tmp.path(), command).stderr(Stdio::null()).status().unwrap().code();
    assert_eq!(code(&["sh", "-c", "exit 7"]), Some(7));
    assert_eq!(code(&["sh", "-c", "kill -TERM $$"]), Some(143));
    assert_eq!(code(&["no-such-command-anywhere"]), Some(127));
    assert_eq!(code(&["sh", "-c", "test -s \"$GITSEAL_ID_TOKEN_FILE\" && test -s \"$SIGSTORE_ROOT_FILE\""]), Some(0));
    assert_eq!(left_behind(tmp.path()), Vec::<PathBuf>::new());
}

#[test]
fn run_ends_with_its_command_when_interrupted_or_terminated() {
    type Send = fn(rustix::process::Pid, rustix::process::Signal) -> rustix::io::Result<()>;
    // The terminal interrupts the whole group; a supervisor terminates the one process that it knows.
    for (send, signal, expected) in [
        (rustix::process::kill_process_group as Send, rustix::process::Signal::INT, 130),
        (rustix::process::kill_process as Send, rustix::process::Signal::TERM, 143),
    ] {
        let tmp = tempfile::tempdir().unwrap();
        let started = tmp.path().join("started");
        let script = format!("touch {}; exec sleep 60", started.display());
        let mut run = sandbox_run(tmp.path(), &["sh", "-c", &script]).process_group(0).spawn().unwrap();
        let deadline = Instant::now() + Duration::from_secs(30);
        while !started.exists() {
            assert!(Instant::now() < deadline);
            std::thread::sleep(Duration::from_millis(10));
        }
        send(rustix::process::Pid::from_child(&run), signal).unwrap();
        let status: ExitStatus = run.wait().unwrap();
        assert_eq!((status.code(), status.signal()), (Some(expected), None));
        assert_eq!(left_behind(tmp.path()), [started]);
    }
}
