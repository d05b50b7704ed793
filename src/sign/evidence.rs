//! The evidence that makes a signature verifiable after its certificate has expired: log entries and stamps.
//!
//! Every log and every authority that the signing config selects is asked, all at once. One that fails fails the
//! signature: whoever configured so many wants so many, and nobody else is asked in its place.

use std::future::poll_fn;
use std::task::Poll;

use jiff::Timestamp;

use super::error::SignError;
use crate::crypto::HashAlgorithm;
use crate::format::cms::MAX_ATTRIBUTE_VALUES;
use crate::format::log_entry::LogEntry;
use crate::format::x509::Certificate;
use crate::service::{Record, RekorV1, RekorV2, ServiceError, Session, TimestampAuthority, TransparencyLog};
use crate::trust::SigningConfig;
use crate::verify::Thresholds;

/// Where evidence comes from: the logs and the timestamp authorities that the signing config selects.
pub(super) struct Witnesses {
    logs: Vec<Box<dyn TransparencyLog>>,
    pub(super) logs_are_searchable: bool,
    authorities: Vec<TimestampAuthority>,
}

impl Witnesses {
    /// Those that `config` selects at `now`; found wanting before anything is sent anywhere.
    pub(super) fn select(config: &SigningConfig, now: Timestamp) -> Result<Self, SignError> {
        let (logs, authorities) = (config.logs(now)?, config.timestamp_authorities(now)?);
        if !(1..=MAX_ATTRIBUTE_VALUES).contains(&logs.len()) {
            return Err(SignError::LogCount(logs.len()));
        }
        if authorities.len() > MAX_ATTRIBUTE_VALUES {
            return Err(SignError::StampCount(authorities.len()));
        }
        // Rekor v1 signs the time of integration; Rekor v2 leaves that to others. A signing config gives out logs of one
        // version, and no version but these two.
        let are_v1 = logs.iter().all(|log| log.major_api_version == 1);
        if authorities.is_empty() && !are_v1 {
            return Err(SignError::NoClock);
        }
        let client = |url: &str| -> Result<Box<dyn TransparencyLog>, ServiceError> {
            Ok(if are_v1 { Box::new(RekorV1::at(url)?) } else { Box::new(RekorV2::at(url)?) })
        };
        Ok(Witnesses {
            logs: logs.iter().map(|log| client(&log.url)).collect::<Result<_, _>>()?,
            logs_are_searchable: are_v1,
            authorities: authorities.iter().map(|one| TimestampAuthority::at(&one.url)).collect::<Result<_, _>>()?,
        })
    }

    /// What a verifier must find when all of them have seen a signature: each was selected for its operator.
    pub(super) fn thresholds(&self) -> Thresholds {
        Thresholds { logs: self.logs.len(), timestamps: self.authorities.len() }
    }

    /// Log and stamp the signature, all at once.
    pub(super) async fn log_and_stamp(
        &self,
        session: Session<'_>,
        artifact: &[u8],
        signature: &[u8],
        certificate: &Certificate,
    ) -> Result<(Vec<LogEntry>, Vec<Vec<u8>>), ServiceError> {
        tokio::try_join!(self.log(session, artifact, signature, certificate), self.stamp(session, signature))
    }

    /// Log the signature in every log.
    pub(super) async fn log(
        &self,
        session: Session<'_>,
        artifact: &[u8],
        signature: &[u8],
        certificate: &Certificate,
    ) -> Result<Vec<LogEntry>, ServiceError> {
        let record = Record { digest: HashAlgorithm::Sha256.digest(artifact), signature, certificate };
        all(self.logs.iter().map(|log| log.append(session, &record))).await
    }

    /// Have the signature stamped by every authority.
    pub(super) async fn stamp(&self, session: Session<'_>, signature: &[u8]) -> Result<Vec<Vec<u8>>, ServiceError> {
        all(self.authorities.iter().map(|authority| authority.stamp(session, signature))).await
    }
}

/// What all of `work` gives, done side by side; the first failure ends it.
///
/// # Errors
/// That first failure.
pub async fn all<T, E>(work: impl Iterator<Item = impl Future<Output = Result<T, E>>>) -> Result<Vec<T>, E> {
    let mut running: Vec<_> = work.map(|one| (Box::pin(one), None)).collect();
    poll_fn(|context| {
        for (one, answer) in running.iter_mut().filter(|(_, answer)| answer.is_none()) {
            match one.as_mut().poll(context) {
                Poll::Ready(Ok(found)) => *answer = Some(found),
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Pending => {}
            }
        }
        if running.iter().any(|(_, answer)| answer.is_none()) {
            return Poll::Pending;
        }
        Poll::Ready(Ok(running.iter_mut().filter_map(|(_, answer)| answer.take()).collect()))
    })
    .await
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::service::wait;

    async fn after(milliseconds: u64, answer: Result<u64, &'static str>) -> Result<u64, &'static str> {
        tokio::time::sleep(Duration::from_millis(milliseconds)).await;
        answer
    }

    #[test]
    fn answers_come_in_the_order_of_the_questions_and_a_failure_waits_for_nobody() {
        let good = [30, 1, 15].map(|pause| after(pause, Ok(pause)));
        assert_eq!(wait(all(good.into_iter())).unwrap(), Ok(vec![30, 1, 15]));
        let one_fails = [after(60_000, Ok(0)), after(1, Err("down"))];
        assert_eq!(wait(all(one_fails.into_iter())).unwrap(), Err("down"));
    }
}
