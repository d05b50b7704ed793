//! The online look-up: fetches the log entry of a git signature that carries none, by the object's id.
//!
//! gitsign's online mode logs a second signature, over the hexadecimal id of the finished object. What is found is
//! evidence like any other: the caller has it judged, and may keep it so that the next time needs no network.

use jiff::Timestamp;

use super::error::ServiceError;
use super::rekor_v1::RekorV1;
use super::session::{Session, wait};
use crate::crypto::HashAlgorithm;
use crate::format::log_entry::LogEntry;
use crate::format::x509::Certificate;
use crate::trust::SigningConfig;

/// Why nothing could be looked up.
#[derive(Debug, thiserror::Error)]
pub enum LookUpError {
    /// There is no log that can be searched: Rekor v2 cannot.
    #[error("the signing config lists no transparency log that can be searched")]
    NoLog,
    /// A log did not answer, and no other one has an entry.
    #[error(transparent)]
    Service(#[from] ServiceError),
    /// The operating system gives no event queue.
    #[error("cannot wait for the network: {0}")]
    Runtime(#[from] std::io::Error),
}

impl LookUpError {
    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> &'static str {
        match self {
            LookUpError::NoLog => "name a Rekor v1 log in the signing config, or set gitsign.rekor",
            LookUpError::Service(error) => error.hint(),
            LookUpError::Runtime(_) => "check the limit on open files (ulimit -n)",
        }
    }
}

/// Ask the searchable logs of `config` in service at `now` for entries about the object `id` by the key of
/// `certificate`: one after the other until one has some, or all of them when more than one log is `wanted`. Waits for
/// the network, `session`'s time at the most. No entry anywhere is an empty list.
///
/// # Errors
/// [`LookUpError`] when a log gave no answer and too few others have entries: the caller must not take that for "no
/// entry".
pub fn look_up(
    session: Session<'_>,
    config: &SigningConfig,
    now: Timestamp,
    id: &str,
    certificate: &Certificate,
    wanted: usize,
) -> Result<Vec<LogEntry>, LookUpError> {
    let digest = HashAlgorithm::Sha256.digest(id.as_bytes());
    let in_service = config.logs.iter().filter(|log| log.valid_for.contains(now));
    let logs: Vec<_> = in_service.filter(|log| log.major_api_version == 1).collect();
    if logs.is_empty() {
        return Err(LookUpError::NoLog);
    }
    wait(async {
        let (mut found, mut having, mut failed) = (Vec::new(), 0, None);
        for log in logs {
            let answer = match RekorV1::at(&log.url) {
                Ok(rekor) => rekor.find(session, &digest, certificate).await,
                Err(error) => Err(error),
            };
            match answer {
                Ok(entries) => {
                    having += usize::from(!entries.is_empty());
                    found.extend(entries);
                }
                Err(error) => failed = Some(error),
            }
            if having == 1 && wanted <= 1 {
                break;
            }
        }
        match failed {
            Some(error) if having < wanted.max(1) => Err(error.into()),
            _ => Ok(found),
        }
    })?
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::net::{Client, Limits, Roots};
    use crate::trust::Instance;
    use crate::trust::signing_config::Service;

    #[test]
    fn a_log_that_cannot_be_asked_is_not_a_log_without_the_entry() {
        let certificate = include_bytes!("../../tests/vectors/timestamp/openssl-p256-sha512/tsa.der");
        let certificate = Certificate::from_der(certificate).unwrap();
        let now = "2026-11-22T00:00:00Z".parse().unwrap();
        let client = Client::new(Roots::default(), Limits { attempts: 1, ..Limits::default() });
        let session = Session::new(&client, Duration::from_secs(5));
        let mut config = Instance::staging(now).signing_config;
        let ask = |config: &SigningConfig| look_up(session, config, now, "00", &certificate, 1).unwrap_err();
        config.logs.retain(|log| log.major_api_version == 2);
        assert!(matches!(ask(&config), LookUpError::NoLog));
        // Nobody listens on port 1.
        config.logs = vec![Service::at("http://127.0.0.1:1".into(), 1)];
        assert!(matches!(ask(&config), LookUpError::Service(ServiceError::NoAnswer { .. })));
    }
}
