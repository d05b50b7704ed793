//! What the agent answers to each request, and what it keeps from one to the next.

use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;

use super::super::frame::MAX_FRAME_LEN;
use super::super::protocol::{
    Code, Complaint, Forget, Hex32, Logged, Login, MAX_BATCH, MAX_PASSPHRASE_LEN, MAX_REPOSITORY_LEN, Nothing, Request,
    Response, Scope, Secret, Sign, Signature, SignedPayload, State,
};
use super::super::store::{Found, NotFound};
use super::{
    DEFINITION_TIME, Definition, Door, FIRST_PAUSE, MAX_DEFINITIONS, MAX_PAUSE, Meant, REKOR_VERSIONS, Ready, Server,
    greeting,
};
use crate::credential::Credential;
use crate::crypto::{HashedPassphrase, sha256};
use crate::net::{Client, Limits, Roots};
use crate::service::session::SIGNING_TIME;
use crate::service::{IdToken, Session};
use crate::sign::{GitSigner, Payload, SignError, Signed};

impl Server {
    pub(super) async fn answer(&self, request: Request, door: Door) -> Response {
        let refused = |complaint| Response::Error(complaint);
        if door == Door::Forwarded && !matches!(request, Request::Sign(_)) {
            return refused(forbidden("the forwarded socket signs, and does nothing else"));
        }
        if self.lock.borrow().is_some()
            && !matches!(request, Request::Unlock(_) | Request::Forget(_) | Request::Quit(_))
        {
            return refused(locked());
        }
        match request {
            Request::Hello(_) => greeting(),
            Request::Sign(sign) => self.sign(sign, door).await.map_or_else(refused, Response::Signed),
            Request::Login(login) => self.login(login).await.unwrap_or_else(refused),
            Request::List(Nothing {}) => self.state(),
            Request::Forget(which) => Response::Forgotten(self.store.borrow_mut().forget(&which)),
            Request::Lock(lock) => self.lock(lock.passphrase).await.unwrap_or_else(refused),
            Request::Unlock(lock) => self.unlock(lock.passphrase).await.unwrap_or_else(refused),
            Request::Log(Nothing {}) => Response::Log(newest(self.store.borrow().log())),
            Request::Quit(Nothing {}) => {
                self.store.borrow_mut().forget(&Forget::default());
                self.quit.notify_one();
                Response::Done(Nothing {})
            }
        }
    }

    async fn sign(&self, sign: Sign, door: Door) -> Result<Vec<Signature>, Complaint> {
        let Sign { scope, rekor_version, payloads, context } = sign;
        if !(1..=MAX_BATCH).contains(&payloads.len()) {
            let problem = format!("{} payloads in one request; 1 to {MAX_BATCH} are allowed", payloads.len());
            return Err(Complaint::new(Code::Malformed, problem, "ask again for fewer"));
        }
        if context.repository.as_ref().is_some_and(|path| path.len() > MAX_REPOSITORY_LEN) {
            let problem = format!("the repository's directory is longer than {MAX_REPOSITORY_LEN} bytes");
            return Err(Complaint::new(Code::Malformed, problem, "leave it out"));
        }
        if let Some(other) = rekor_version.filter(|version| !REKOR_VERSIONS.contains(version)) {
            let problem = format!("version {other} of the log's interface; there are 1 and 2");
            return Err(Complaint::new(Code::Malformed, problem, "leave it out"));
        }
        let ready = self.ready(&scope, rekor_version, door).await?;
        let found = self.store.borrow_mut().find(&scope, self.now());
        let Found { credential, revocation: mut revoked } = found.map_err(|error| not_found(&scope, &error))?;
        let session = Session::new(&ready.client, SIGNING_TIME);
        let work = payloads.iter().map(|payload| async {
            let _permit = self.in_flight.acquire().await.expect("the semaphore is never closed");
            let payload = match payload {
                SignedPayload::Digest(Hex32(digest)) => Payload::Embedded(*digest),
                SignedPayload::Object(bytes) => Payload::LogOnly(&bytes.0),
            };
            ready.signer.sign_with(session, &credential, &payload).await
        });
        let signed: Vec<Signed> = tokio::select! {
            signed = crate::sign::all(work) => signed.map_err(|error| {
                Complaint::new(Code::Sign, error.to_string(), error.hint())
            })?,
            () = revoked.wait() => {
                let hint = "sign again; a new login is needed";
                return Err(Complaint::new(Code::Forgotten, "the credential was forgotten while it was signing", hint));
            }
        };
        for (payload, signed) in payloads.iter().zip(&signed) {
            let digest = match payload {
                SignedPayload::Digest(digest) => *digest,
                SignedPayload::Object(bytes) => Hex32(sha256(&bytes.0)),
            };
            let logged = Logged {
                time: signed.signing_time,
                identity: signed.identity.subject.clone(),
                instance: scope.instance.clone(),
                digest,
                context: context.clone(),
                log_indices: signed.log_indices.clone(),
                forwarded: door == Door::Forwarded,
            };
            self.store.borrow_mut().record(&credential, logged);
        }
        let signature =
            |Signed { armour, signing_time, log_indices, .. }| Signature { armour, signing_time, log_indices };
        Ok(signed.into_iter().map(signature).collect())
    }

    async fn login(&self, login: Login) -> Result<Response, Complaint> {
        let Login { scope, token } = login;
        let arrived = Instant::now();
        let refused = |error: &dyn std::fmt::Display, hint: &str| Complaint::new(Code::Login, error.to_string(), hint);
        let ready = self.ready(&scope, None, Door::Local).await?;
        let token = IdToken::parse(token.reveal()).map_err(|error| refused(&error, error.hint()))?;
        if let Some(wanted) = scope.identity.as_deref().filter(|wanted| *wanted != token.subject().as_str()) {
            let problem = format!("the token is for {}, and not for {wanted}", token.subject().as_str());
            return Err(refused(&problem, "log in as the one who is expected"));
        }
        let client_id = &ready.signer.instance().client_id;
        // Several commits that begin at once all find nobody who can sign, and each brings a token. The first is
        // exchanged, and the others find what it was exchanged for.
        let turn = Rc::clone(self.logins.borrow_mut().entry(scope.instance.clone()).or_default());
        let _turn = turn.lock().await;
        if let Some(held) = self.store.borrow_mut().added_since(arrived, &token, &scope.instance, client_id, self.now())
        {
            return Ok(Response::Credential(held));
        }
        let credential = self.mint(&ready, &token).await.map_err(|error| refused(&error, error.hint()))?;
        let mut store = self.store.borrow_mut();
        Ok(Response::Credential(store.add(credential, &token, &scope.instance, client_id, self.now())))
    }

    /// Exchange `token` for a credential.
    pub(super) async fn mint(&self, ready: &Ready, token: &IdToken) -> Result<Credential, SignError> {
        ready.signer.mint(Session::new(&ready.client, SIGNING_TIME), token).await
    }

    /// What the scope's instance means, checked to be what the client means by it.
    async fn ready(&self, scope: &Scope, rekor_version: Option<u32>, door: Door) -> Result<Rc<Ready>, Complaint> {
        let key = (scope.instance.clone(), rekor_version);
        let known = self.ready.borrow().get(&key).cloned();
        // A client on another machine has other files; it says which instance, and this machine says what that is.
        let fits = |ready: &Ready| door == Door::Forwarded || ready.settings == scope.settings;
        let fresh = |ready: &Rc<Ready>| ready.looked_up.elapsed() < DEFINITION_TIME && fits(ready);
        let ready = match known.filter(fresh) {
            Some(ready) => ready,
            None => self.look_up(key, door).await?,
        };
        if door == Door::Forwarded && !ready.may_be_forwarded {
            return Err(Complaint::not_forwarded(&scope.instance));
        }
        if !fits(&ready) {
            let problem = format!("the agent's settings mean another '{}' than yours", scope.instance);
            let hint = "it was started with other settings; 'gitseal agent stop' ends it, and the next signature starts another";
            return Err(Complaint::new(Code::OtherSettings, problem, hint));
        }
        Ok(ready)
    }

    pub(super) async fn look_up(&self, key: Meant, door: Door) -> Result<Rc<Ready>, Complaint> {
        let resolve = Arc::clone(&self.resolve);
        let (name, version) = key.clone();
        // It reads files and may ask a TUF repository, on a runtime of its own.
        let definition = tokio::task::spawn_blocking(move || resolve(&name, version, door)).await;
        let Definition { instance, settings, server_roots, may_be_forwarded, relogin } = definition
            .map_err(|_| Complaint::new(Code::Instance, "the instance cannot be looked up", "try again"))??;
        let client = self.client(server_roots);
        let signer = GitSigner::new(instance, self.clock);
        let ready = Rc::new(Ready { signer, settings, may_be_forwarded, relogin, client, looked_up: Instant::now() });
        let mut all = self.ready.borrow_mut();
        if all.len() >= MAX_DEFINITIONS {
            all.clear();
        }
        all.insert(key, Rc::clone(&ready));
        Ok(ready)
    }

    /// The client that believes `roots`, with the connections that it has open.
    fn client(&self, roots: Roots) -> Arc<Client> {
        let mut clients = self.clients.borrow_mut();
        if let Some((_, client)) = clients.iter().find(|(known, _)| *known == roots) {
            return Arc::clone(client);
        }
        if clients.len() >= MAX_DEFINITIONS {
            clients.clear();
        }
        let client = Arc::new(Client::new(roots.clone(), Limits::default()));
        clients.push((roots, Arc::clone(&client)));
        client
    }

    fn state(&self) -> Response {
        let mut store = self.store.borrow_mut();
        store.drop_expired(self.now());
        let mut weaknesses = self.weaknesses.clone();
        if store.may_be_swapped_out() {
            weaknesses.push("keys may be written to swap space: no more memory can be locked (ulimit -l)".to_owned());
        }
        let credentials = store.list();
        Response::Held(State { pid: std::process::id(), started: self.started, weaknesses, credentials })
    }

    async fn lock(&self, passphrase: Secret) -> Result<Response, Complaint> {
        check_passphrase(&passphrase)?;
        let hashed = tokio::task::spawn_blocking(move || HashedPassphrase::new(passphrase.reveal().as_bytes())).await;
        let hashed =
            hashed.map_err(|_| Complaint::new(Code::Passphrase, "the passphrase cannot be hashed", "try again"))?;
        let mut lock = self.lock.borrow_mut();
        if lock.is_some() {
            return Err(locked());
        }
        *lock = Some(Arc::new(hashed));
        Ok(Response::Done(Nothing {}))
    }

    async fn unlock(&self, passphrase: Secret) -> Result<Response, Complaint> {
        check_passphrase(&passphrase)?;
        let mut failures = self.failures.lock().await;
        let Some(lock) = self.lock.borrow().clone() else {
            return Err(Complaint::new(Code::NotLocked, "the agent is not locked", "there is nothing to do"));
        };
        let matches = tokio::task::spawn_blocking(move || lock.matches(passphrase.reveal().as_bytes())).await;
        if matches.unwrap_or(false) {
            *failures = 0;
            *self.lock.borrow_mut() = None;
            return Ok(Response::Done(Nothing {}));
        }
        tokio::time::sleep((FIRST_PAUSE * 2_u32.pow((*failures).min(8))).min(MAX_PAUSE)).await;
        *failures = failures.saturating_add(1);
        let hint = "try again; 'gitseal agent stop' ends it with all that it holds";
        Err(Complaint::new(Code::Passphrase, "this is not the passphrase", hint))
    }
}

/// The newest of `log` that fit into a frame; how long they are is up to those who had them signed.
fn newest(mut log: Vec<Logged>) -> Vec<Logged> {
    // The brackets, the verb and its quotes.
    let mut room = MAX_FRAME_LEN - 16;
    let fits = |logged: &&Logged| {
        let length = serde_json::to_vec(logged).map_or(usize::MAX, |json| json.len() + 1);
        room.checked_sub(length).inspect(|left| room = *left).is_some()
    };
    let count = log.iter().rev().take_while(fits).count();
    log.split_off(log.len() - count)
}

fn forbidden(problem: &str) -> Complaint {
    Complaint::new(Code::Forbidden, problem, "ask on the machine where the agent runs")
}

fn locked() -> Complaint {
    Complaint::new(Code::Locked, "the agent is locked", "'gitseal agent unlock' asks for the passphrase")
}

fn check_passphrase(passphrase: &Secret) -> Result<(), Complaint> {
    if (1..=MAX_PASSPHRASE_LEN).contains(&passphrase.reveal().len()) {
        return Ok(());
    }
    let problem = format!("a passphrase has 1 to {MAX_PASSPHRASE_LEN} bytes");
    Err(Complaint::new(Code::Passphrase, problem, "choose another one"))
}

fn not_found(scope: &Scope, error: &NotFound) -> Complaint {
    match error {
        NotFound::Nobody => {
            let who = scope.identity.as_ref().map(|identity| format!(" of {identity}")).unwrap_or_default();
            let problem = format!("the agent holds no credential{who} for the instance '{}'", scope.instance);
            Complaint::new(Code::NoCredential, problem, "log in on the agent's machine with 'gitseal login'")
        }
        NotFound::Several(people) => {
            let people: Vec<&str> = people.iter().map(String::as_str).collect();
            let problem = format!("the agent holds credentials of {}", people.join(" and "));
            let hint = "say who signs: git config gitseal.identity ADDRESS; or 'gitseal agent forget' the others";
            Complaint::new(Code::Ambiguous, problem, hint)
        }
    }
}
