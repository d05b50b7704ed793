//! Rekor v1 (rekor: openapi.yaml): adds hashedrekord entries, fetches entries, and searches the index.

use base64ct::{Base64, Encoding as _};
use serde_json::json;

use super::error::{Peer, ServiceError};
use super::session::{Place, Session};
use super::transparency_log::{Appending, Record, TransparencyLog};
use crate::crypto::Digest;
use crate::format::log_entry::{EntryKind, LogEntry, LoggedKey, hashedrekord_v001};
use crate::format::log_entry_json;
use crate::format::logged_body::LoggedBody;
use crate::format::x509::Certificate;
use crate::net::{Request, Response};

/// Largest answer with one entry: a hashedrekord with its proof has 8 KB.
const MAX_ENTRY_LEN: usize = 256 * 1024;
/// Largest answer of the index: a certificate that signed all of a ten-minute rebase has some thousand entries.
const MAX_INDEX_LEN: usize = 512 * 1024;
/// How many entries one look-up fetches. Anyone may log anything about an object's digest, so the index can be flooded;
/// when it is, the search by certificate narrows it down to what the signer alone could log.
const MAX_CANDIDATES: usize = 16;

/// The identifier of an entry: the leaf hash in hexadecimal, after that of a tree perhaps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EntryId(String);

impl EntryId {
    /// Read an identifier: it becomes part of an address, so it must be 64 or 80 hexadecimal digits and nothing else.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let digits = text.bytes().all(|c| matches!(c, b'0'..=b'9' | b'a'..=b'f'));
        (digits && matches!(text.len(), 64 | 80)).then(|| EntryId(text.to_owned()))
    }

    /// Without the tree, which some answers leave out.
    fn leaf(&self) -> &str {
        &self.0[self.0.len() - 64..]
    }
}

/// A Rekor v1 server.
#[derive(Debug, Clone)]
pub struct RekorV1 {
    place: Place,
}

impl RekorV1 {
    /// The server at `base`.
    ///
    /// # Errors
    /// [`ServiceError::NoAnswer`] when that is no address to talk to.
    pub fn at(base: &str) -> Result<Self, ServiceError> {
        Ok(RekorV1 { place: Place::new(Peer::TransparencyLog, base)? })
    }

    /// Fetch one entry.
    ///
    /// # Errors
    /// [`ServiceError`] when it is not there or is not readable.
    pub async fn entry(&self, session: Session<'_>, id: &EntryId) -> Result<LogEntry, ServiceError> {
        let url = self.place.endpoint(&format!("/api/v1/log/entries/{}", id.0));
        let response = session.send(self.place.peer(), Request::get(&url, MAX_ENTRY_LEN)).await?;
        match response.status {
            200 => self.read(&response),
            _ => Err(self.place.refused(&response)),
        }
    }

    /// Find the entries that log a signature over an artifact of `digest` by the key of `certificate`: the evidence for
    /// a git signature that carries none. Both must fit, or an entry about another object of the same signer would do.
    ///
    /// # Errors
    /// [`ServiceError`] when the log does not answer; that there is no such entry is an empty list.
    pub async fn find(
        &self,
        session: Session<'_>,
        digest: &Digest,
        certificate: &Certificate,
    ) -> Result<Vec<LogEntry>, ServiceError> {
        let by_digest = json!({ "hash": format!("sha256:{}", digest.to_hex()) });
        let pem = Base64::encode_string(certificate.to_pem().as_bytes());
        let by_certificate = json!({ "publicKey": { "format": "x509", "content": pem } });

        let mut ids = self.search(session, &by_digest).await?;
        if ids.is_empty() {
            ids = self.search(session, &by_certificate).await?;
        } else if ids.len() > MAX_CANDIDATES {
            let signers = self.search(session, &by_certificate).await?;
            ids.retain(|id| signers.iter().any(|other| other.leaf() == id.leaf()));
        }
        let mut found = Vec::new();
        for id in ids.iter().take(MAX_CANDIDATES) {
            // The index names entries of every kind; those that we do not read are not the one we look for.
            match self.entry(session, id).await {
                Ok(entry) if logs(&entry, digest, certificate) => found.push(entry),
                Ok(_) | Err(ServiceError::Answer { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(found)
    }

    async fn search(&self, session: Session<'_>, query: &serde_json::Value) -> Result<Vec<EntryId>, ServiceError> {
        let url = self.place.endpoint("/api/v1/index/retrieve");
        let request = Request::post_json(&url, query.to_string().into_bytes(), MAX_INDEX_LEN);
        let response = session.send(self.place.peer(), request).await?;
        if response.status != 200 {
            return Err(self.place.refused(&response));
        }
        let ids: Vec<String> =
            serde_json::from_slice(&response.body).map_err(|_| self.place.problem("no list of entries"))?;
        Ok(ids.iter().filter_map(|id| EntryId::parse(id)).collect())
    }

    async fn add(&self, session: Session<'_>, record: &Record<'_>) -> Result<LogEntry, ServiceError> {
        // What is proposed has the very form of what will be logged.
        let body = hashedrekord_v001(&record.digest, record.signature, &record.certificate.to_pem());
        let url = self.place.endpoint("/api/v1/log/entries");
        let response = session.send(self.place.peer(), Request::post_json(&url, body, MAX_ENTRY_LEN)).await?;
        match response.status {
            200 | 201 => self.read(&response),
            // An earlier attempt of ours arrived, and its answer was lost. Only the identifier is taken from the
            // answer: where the log is, we know ourselves.
            409 => {
                let id = response.location.as_deref().and_then(|location| location.rsplit('/').next());
                let id = id.and_then(EntryId::parse).ok_or_else(|| self.place.problem("409 without the entry's id"))?;
                self.entry(session, &id).await
            }
            _ => Err(self.place.refused(&response)),
        }
    }

    fn read(&self, response: &Response) -> Result<LogEntry, ServiceError> {
        let (_, entry) = log_entry_json::from_rekor_v1(&response.body).map_err(|error| self.place.problem(error))?;
        Ok(entry)
    }
}

impl TransparencyLog for RekorV1 {
    fn append<'a>(&'a self, session: Session<'a>, record: &'a Record<'a>) -> Appending<'a> {
        Box::pin(self.add(session, record))
    }
}

fn logs(entry: &LogEntry, digest: &Digest, certificate: &Certificate) -> bool {
    let body = LoggedBody::parse(entry.kind, &entry.canonicalized_body);
    entry.kind == EntryKind::HashedRekordV001
        && body.is_ok_and(|body| {
            body.digest == *digest && matches!(&body.key, LoggedKey::Certificate(der) if der == certificate.der())
        })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::crypto::HashAlgorithm;
    use crate::net::test_only_server::{Server, answer};
    use crate::net::{Client, Limits, Roots};

    /// Two certificates: which ones does not matter to the log.
    fn certificates() -> (Certificate, Certificate) {
        let root: serde_json::Value = serde_json::from_slice(crate::trust::embedded::PUBLIC.trusted_root).unwrap();
        let read = |at: &str| {
            let der = Base64::decode_vec(root.pointer(at).unwrap().as_str().unwrap()).unwrap();
            Certificate::from_der(&der).unwrap()
        };
        let chain = "/certificateAuthorities/1/certChain/certificates";
        (read(&format!("{chain}/0/rawBytes")), read(&format!("{chain}/1/rawBytes")))
    }

    fn id(digit: char) -> String {
        digit.to_string().repeat(64)
    }

    fn entry(artifact: &[u8], certificate: &Certificate) -> String {
        let body = hashedrekord_v001(&HashAlgorithm::Sha256.digest(artifact), b"sig", &certificate.to_pem());
        let body = Base64::encode_string(&body);
        format!(
            r#"{{"{}":{{"body":"{body}","integratedTime":1700000000,"logID":"{}","logIndex":7,"verification":null}}}}"#,
            id('a'),
            id('0')
        )
    }

    async fn with<T>(server: &Server, work: impl AsyncFnOnce(RekorV1, Session<'_>) -> T) -> T {
        let limits = Limits { first_pause: Duration::from_millis(1), ..Limits::default() };
        let client = Client::new(Roots::default(), limits);
        let rekor = RekorV1::at(server.url("/").as_str()).unwrap();
        work(rekor, Session::new(&client, Duration::from_secs(5))).await
    }

    async fn append(server: &Server) -> Result<LogEntry, ServiceError> {
        let (certificate, _) = certificates();
        let digest = HashAlgorithm::Sha256.digest(b"x");
        let record = Record { digest, signature: b"sig", certificate: &certificate };
        with(server, async |rekor, session| rekor.append(session, &record).await).await
    }

    #[tokio::test]
    async fn an_entry_that_is_there_already_is_fetched_from_this_log() {
        let (certificate, _) = certificates();
        let lost = String::from("HTTP/1.1 201");
        let there = answer(409, &format!("Location: https://evil.example/x/{}\r\n", id('b')), "{}");
        let server = Server::new([lost, there, answer(200, "", &entry(b"x", &certificate))]).await;
        assert_eq!(append(&server).await.unwrap().log_index, 7);
        assert!(server.requests()[2].starts_with(&format!("GET /api/v1/log/entries/{} ", id('b'))));

        for location in ["", "Location: /api/v1/log/entries/../../x\r\n"] {
            let server = Server::new([answer(409, location, "{}")]).await;
            assert!(matches!(append(&server).await, Err(ServiceError::Answer { .. })), "{location:?}");
            assert_eq!(server.calls(), 1);
        }
    }

    #[tokio::test]
    async fn a_refusal_is_given_in_the_logs_own_words() {
        let server = Server::json(&[(400, r#"{"code":400,"message":"signature mismatch"}"#)]).await;
        let error = append(&server).await.unwrap_err();
        assert!(
            matches!(&error, ServiceError::Refused { status: 400, message, .. } if message == "signature mismatch")
        );
        for body in ["", "{}", "[]", r#"{"x":{}}"#] {
            let server = Server::json(&[(201, body)]).await;
            assert!(matches!(append(&server).await, Err(ServiceError::Answer { .. })), "{body}");
        }
    }

    #[tokio::test]
    async fn a_look_up_gives_only_entries_of_this_object_by_this_signer() {
        let (ours, others) = certificates();
        let find = async |server: &Server| {
            let digest = HashAlgorithm::Sha256.digest(b"object");
            with(server, async |rekor, session| rekor.find(session, &digest, &ours).await).await.unwrap()
        };
        let three = format!(r#"["{}","{}","{}","not-an-id"]"#, id('1'), id('2'), id('3'));
        let (good, theirs, elsewhere) = (entry(b"object", &ours), entry(b"object", &others), entry(b"other", &ours));
        let server = Server::json(&[(200, &three), (200, &theirs), (200, &elsewhere), (200, &good)]).await;
        assert_eq!(find(&server).await.len(), 1);

        let by_certificate = format!(r#"["{}"]"#, id('1'));
        let server = Server::json(&[(200, "[]"), (200, &by_certificate), (200, &good)]).await;
        assert_eq!(find(&server).await.len(), 1);
        assert!(server.requests()[1].contains(r#""format":"x509""#));

        let flood: Vec<String> = (0..500).map(|n| format!("\"{n:064x}\"")).collect();
        let flood = format!("[{}]", flood.join(","));
        let last = format!(r#"["{:016x}{:064x}"]"#, 9, 499);
        let server = Server::json(&[(200, &flood), (200, &last), (200, &good)]).await;
        assert_eq!(find(&server).await.len(), 1);
        assert_eq!(server.calls(), 3);

        let server = Server::json(&[(200, "[]")]).await;
        assert!(find(&server).await.is_empty());
    }
}
