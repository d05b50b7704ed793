//! The services that signing would talk to, and whether they answer. Connections are made here and nowhere else in
//! `doctor`, and only when a person asked for it.

use std::time::{Duration, Instant};

use serde::Serialize;

use super::finding::{Finding, Id};
use super::settings::without_password;
use super::setup::Setup;
use crate::cli::error::CliError;
use crate::cli::instance::services;
use crate::cli::instance::tuf::TufInstance;
use crate::net::{Client, Limits, Roots};
use crate::service::reachability::reach;
use crate::service::{Peer, Session, wait};
use crate::trust::signing_config::Service;

/// A person is waiting, and a service that answers later than this is as good as none.
const LIMITS: Limits = Limits {
    connect: Duration::from_secs(3),
    attempt: Duration::from_secs(5),
    attempts: 1,
    first_pause: Duration::ZERO,
};
/// How long one service may take, all together.
const REACH_TIME: Duration = Duration::from_secs(6);

/// One service.
#[derive(Debug, Clone, Serialize)]
pub struct Contact {
    /// What it does.
    pub role: String,
    /// Where it is.
    pub url: String,
    /// Whether it answered; `None` if it was not asked.
    pub reached: Option<bool>,
    /// How long that took.
    pub milliseconds: Option<u64>,
    /// Why it did not.
    pub error: Option<String>,
    #[serde(skip)]
    peer: Peer,
    #[serde(skip)]
    address: String,
    #[serde(skip)]
    version: u32,
}

/// Those that signing would use now.
///
/// # Errors
/// The settings choose no instance.
pub(super) fn chosen(setup: &Setup) -> Result<Vec<Contact>, CliError> {
    let config = services::instance(setup.settings())?.signing_config;
    let now = setup.now;
    let mut contacts = Vec::new();
    let mut add = |peer: Peer, service: &Service| {
        contacts.push(Contact {
            role: peer.to_string(),
            url: without_password(&service.url),
            reached: None,
            milliseconds: None,
            error: None,
            peer,
            address: service.url.clone(),
            version: service.major_api_version,
        });
    };
    // Where the trusted root is named, a repository has no part in what is believed.
    let settings = setup.settings();
    if settings.trusted_root.is_none()
        && let Ok(Some(instance)) = TufInstance::in_force(settings)
    {
        add(Peer::TufRepository, &Service::at(instance.url, 1));
    }
    // What cannot be chosen at all is a finding of its own.
    config.oidc_provider(now).into_iter().for_each(|service| add(Peer::OidcProvider, service));
    config.authority(now).into_iter().for_each(|service| add(Peer::CertificateAuthority, service));
    config.logs(now).into_iter().flatten().for_each(|service| add(Peer::TransparencyLog, service));
    config.timestamp_authorities(now).into_iter().flatten().for_each(|service| add(Peer::TimestampAuthority, service));
    Ok(contacts)
}

/// Ask them all at once. A signing config lists a bounded number, so there are not many threads.
pub(super) fn ask(setup: &Setup, contacts: &mut [Contact], findings: &mut Vec<Finding>) {
    let roots = setup.settings().server_roots();
    std::thread::scope(|scope| {
        for contact in contacts.iter_mut() {
            let roots = roots.clone();
            scope.spawn(move || contact.ask(roots));
        }
    });
    for Contact { url, error, .. } in contacts {
        if let Some(error) = error {
            findings.push(Finding::error(Id::ServiceUnreachable, format!("{error} ({url})")));
        }
    }
}

impl Contact {
    fn ask(&mut self, roots: Roots) {
        let client = Client::new(roots, LIMITS);
        let started = Instant::now();
        let session = Session::new(&client, REACH_TIME);
        let outcome = match wait(reach(session, self.peer, &self.address, self.version)) {
            Ok(outcome) => outcome.map_err(|error| error.to_string()),
            Err(error) => Err(error.to_string()),
        };
        self.reached = Some(outcome.is_ok());
        self.error = outcome.err();
        self.milliseconds = u64::try_from(started.elapsed().as_millis()).ok().filter(|_| self.error.is_none());
    }
}
