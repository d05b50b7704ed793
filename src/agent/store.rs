//! What the agent holds: credentials until shortly before their certificates are over, and a log of what they signed.
//!
//! Plain data and no clock. Who is asked for is found by scope; where more than one person could be meant, nobody is.

use std::collections::{BTreeSet, VecDeque};
use std::rc::Rc;
use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};
use tokio::sync::watch;

use super::protocol::{Forget, Held, Logged, Scope};
use crate::credential::{CLOCK_SKEW, Credential};
use crate::service::IdToken;
use crate::trust::InstanceName;

/// How long before the certificate is over its credential is: a log may take so long until it says when it has seen a
/// signature. Of a certificate that is short, a tenth.
const MARGIN: SignedDuration = SignedDuration::from_secs(30);
/// How long before it is over a credential that is in use is renewed, if it can be. Of a certificate that is short, a
/// fifth of its life.
const AHEAD: SignedDuration = SignedDuration::from_secs(60);
/// How many signatures are remembered.
const MAX_LOG: usize = 1000;
/// How many credentials are held; the one that is over first gives way. Nobody is so many people at once.
const MAX_HELD: usize = 64;

/// A moment by both clocks. The wall clock goes on while a machine sleeps and can be set; the other one does neither.
#[derive(Debug, Clone, Copy)]
pub struct Moment {
    /// The wall clock.
    pub wall: Timestamp,
    /// The monotonic clock.
    pub monotonic: Instant,
}

/// Why no credential was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NotFound {
    /// There is none.
    Nobody,
    /// There are several people's.
    Several(BTreeSet<String>),
}

/// A credential to sign with, and a word when it is taken back.
pub struct Found {
    /// The credential.
    pub credential: Rc<Credential>,
    /// Heard of when the credential is forgotten.
    pub revocation: Revocation,
}

/// The news that a credential was forgotten. One that expires or is replaced while it signs may finish.
pub struct Revocation(watch::Receiver<()>);

impl Revocation {
    /// Wait for the news.
    pub async fn wait(&mut self) {
        if self.0.changed().await.is_err() {
            std::future::pending().await
        }
    }
}

/// A credential that should be renewed: whose it is, and for which instance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Due {
    /// The instance.
    pub instance: InstanceName,
    /// Whom the token was about.
    pub subject: String,
}

struct Entry {
    credential: Rc<Credential>,
    instance: InstanceName,
    client_id: String,
    /// Who vouches, by the token.
    issuers: Vec<String>,
    added: Instant,
    /// Whom the token was about: of a workload the certificate gives another name.
    subject: String,
    expires: Timestamp,
    /// The same by the monotonic clock, for wall clocks that are set back.
    expires_at_the_latest: Instant,
    signatures: u64,
    /// Whether a renewal has been tried: once is enough, the next signature asks again.
    renewal_tried: bool,
    revoked: watch::Sender<()>,
}

/// All that is held.
#[derive(Default)]
pub struct Store {
    held: Vec<Entry>,
    log: VecDeque<Logged>,
}

impl Store {
    /// Hold `credential`, which `token` was exchanged for; one for the same person, issuer and instance gives way.
    pub fn add(
        &mut self,
        credential: Credential,
        token: &IdToken,
        instance: &InstanceName,
        client_id: &str,
        now: Moment,
    ) -> Held {
        let issuers: Vec<String> = token.issuers().map(str::to_owned).collect();
        let subject = token.subject().as_str().to_owned();
        self.held.retain(|entry| !entry.is_from(token, instance, client_id));
        if self.held.len() == MAX_HELD {
            self.held.remove(0);
        }
        let end = credential.certificate().not_after();
        let lifetime = end.duration_since(credential.certificate().not_before());
        let expires = end - MARGIN.min(lifetime / 10);
        let left = Duration::try_from(expires.duration_since(now.wall)).unwrap_or_default();
        let entry = Entry {
            credential: Rc::new(credential),
            instance: instance.clone(),
            client_id: client_id.to_owned(),
            issuers,
            added: now.monotonic,
            subject,
            expires,
            expires_at_the_latest: now.monotonic + left,
            signatures: 0,
            renewal_tried: false,
            revoked: watch::Sender::new(()),
        };
        let held = entry.describe();
        self.held.push(entry);
        self.held.sort_by_key(|entry| entry.expires);
        held
    }

    /// What came in since `since` for a token of the same person, from the same issuer and for the same use as `token`.
    pub fn added_since(
        &mut self,
        since: Instant,
        token: &IdToken,
        instance: &InstanceName,
        client_id: &str,
        now: Moment,
    ) -> Option<Held> {
        self.drop_expired(now);
        let fits = |entry: &&Entry| entry.added >= since && entry.is_from(token, instance, client_id);
        self.held.iter().find(fits).map(Entry::describe)
    }

    /// The credential that `scope` means.
    ///
    /// # Errors
    /// [`NotFound`] says why there is none.
    pub fn find(&mut self, scope: &Scope, now: Moment) -> Result<Found, NotFound> {
        self.drop_expired(now);
        let fits: Vec<&Entry> = self.held.iter().filter(|entry| entry.fits(scope) && entry.has_begun(now)).collect();
        let people: BTreeSet<String> = fits.iter().map(|entry| entry.name().to_owned()).collect();
        match fits.last() {
            Some(_) if people.len() > 1 => Err(NotFound::Several(people)),
            Some(latest) => Ok(Found {
                credential: Rc::clone(&latest.credential),
                revocation: Revocation(latest.revoked.subscribe()),
            }),
            None => Err(NotFound::Nobody),
        }
    }

    /// Wipe what is over.
    pub fn drop_expired(&mut self, now: Moment) {
        self.held.retain(|entry| now.wall < entry.expires && now.monotonic < entry.expires_at_the_latest);
    }

    /// What will soon be over and has signed something; each is named once. Nobody waits for what nobody uses, and each
    /// certificate is one more line in a public log.
    pub fn due(&mut self, now: Moment) -> Vec<Due> {
        let mut due = Vec::new();
        for entry in self.held.iter_mut().filter(|entry| entry.signatures > 0 && !entry.renewal_tried) {
            let certificate = entry.credential.certificate();
            let ahead = AHEAD.min(certificate.not_after().duration_since(certificate.not_before()) / 5);
            if now.wall + ahead >= entry.expires {
                entry.renewal_tried = true;
                due.push(Due { instance: entry.instance.clone(), subject: entry.subject.clone() });
            }
        }
        due
    }

    /// Whether what was due is held still.
    #[must_use]
    pub fn holds(&self, due: &Due) -> bool {
        self.held.iter().any(|entry| entry.instance == due.instance && entry.subject == due.subject)
    }

    /// When the next credential will be over.
    #[must_use]
    pub fn next_expiry(&self) -> Option<Timestamp> {
        self.held.first().map(|entry| entry.expires)
    }

    /// Wipe what `which` names, also where it is signing at this moment; how many that were.
    pub fn forget(&mut self, which: &Forget) -> u64 {
        let before = self.held.len();
        self.held.retain(|entry| {
            let stays = which.instance.as_ref().is_some_and(|instance| *instance != entry.instance)
                || which.identity.as_ref().is_some_and(|identity| !entry.is(identity));
            if !stays {
                entry.revoked.send_replace(());
            }
            stays
        });
        (before - self.held.len()) as u64
    }

    /// What is held, the one that is over first before the others.
    #[must_use]
    pub fn list(&self) -> Vec<Held> {
        self.held.iter().map(Entry::describe).collect()
    }

    /// Whether a key of these may end up in swap space.
    #[must_use]
    pub fn may_be_swapped_out(&self) -> bool {
        self.held.iter().any(|entry| !entry.credential.is_locked_into_memory())
    }

    /// Note that `credential` has signed.
    pub fn record(&mut self, credential: &Rc<Credential>, logged: Logged) {
        if let Some(entry) = self.held.iter_mut().find(|entry| Rc::ptr_eq(&entry.credential, credential)) {
            entry.signatures += 1;
        }
        if self.log.len() == MAX_LOG {
            self.log.pop_front();
        }
        self.log.push_back(logged);
    }

    /// What was signed lately, oldest first.
    #[must_use]
    pub fn log(&self) -> Vec<Logged> {
        self.log.iter().cloned().collect()
    }
}

impl Entry {
    fn name(&self) -> &str {
        &self.credential.identity().subject
    }

    /// Whether a token such as `token` was exchanged for it.
    fn is_from(&self, token: &IdToken, instance: &InstanceName, client_id: &str) -> bool {
        self.instance == *instance
            && self.client_id == client_id
            && self.subject == token.subject().as_str()
            && self.issuers.iter().map(String::as_str).eq(token.issuers())
    }

    fn is(&self, identity: &str) -> bool {
        identity == self.name() || identity == self.subject
    }

    fn fits(&self, scope: &Scope) -> bool {
        let issuer = |issuer: &String| {
            *issuer == self.credential.identity().issuer || self.issuers.iter().any(|known| known == issuer)
        };
        scope.instance == self.instance
            && scope.issuer.as_ref().is_none_or(issuer)
            && scope.client_id.as_ref().is_none_or(|client_id| *client_id == self.client_id)
            && scope.identity.as_ref().is_none_or(|identity| self.is(identity))
    }

    /// Not before its certificate: a clock that was set back makes no signature that nobody can verify.
    fn has_begun(&self, now: Moment) -> bool {
        now.wall + CLOCK_SKEW >= self.credential.certificate().not_before()
    }

    fn describe(&self) -> Held {
        Held {
            identity: self.name().to_owned(),
            issuer: self.credential.identity().issuer.clone(),
            instance: self.instance.clone(),
            client_id: self.client_id.clone(),
            expires: self.expires,
            signatures: self.signatures,
        }
    }
}
