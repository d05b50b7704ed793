//! The evidence that makes a signature verifiable after its certificate has expired: a log entry and a stamp.

use jiff::Timestamp;

use super::error::SignError;
use crate::crypto::HashAlgorithm;
use crate::format::log_entry::LogEntry;
use crate::format::x509::Certificate;
use crate::service::{Record, RekorV1, RekorV2, ServiceError, Session, TimestampAuthority, TransparencyLog};
use crate::trust::SigningConfig;

/// Where evidence comes from: one log, and a timestamp authority if the signing config names any.
pub(super) struct Witnesses {
    log: Box<dyn TransparencyLog>,
    pub(super) log_is_searchable: bool,
    authority: Option<TimestampAuthority>,
}

impl Witnesses {
    /// Those that `config` selects at `now`; found wanting before anything is sent anywhere.
    pub(super) fn select(config: &SigningConfig, now: Timestamp) -> Result<Self, SignError> {
        let logs = config.logs(now)?;
        let [log] = logs[..] else { return Err(SignError::LogCount(logs.len())) };
        let authorities = config.timestamp_authorities(now)?;
        let authority = match authorities[..] {
            [] => None,
            [authority] => Some(TimestampAuthority::at(&authority.url)?),
            _ => return Err(SignError::StampCount(authorities.len())),
        };
        // Rekor v1 signs the time of integration; Rekor v2 leaves that to others.
        let is_v1 = log.major_api_version == 1;
        if authority.is_none() && !is_v1 {
            return Err(SignError::NoClock);
        }
        // The signing config gives out no version but these two.
        let log: Box<dyn TransparencyLog> =
            if is_v1 { Box::new(RekorV1::at(&log.url)?) } else { Box::new(RekorV2::at(&log.url)?) };
        Ok(Witnesses { log, log_is_searchable: is_v1, authority })
    }

    /// Log and stamp the signature, both at once.
    pub(super) async fn log_and_stamp(
        &self,
        session: Session<'_>,
        artifact: &[u8],
        signature: &[u8],
        certificate: &Certificate,
    ) -> Result<(LogEntry, Option<Vec<u8>>), ServiceError> {
        tokio::try_join!(self.log(session, artifact, signature, certificate), self.stamp(session, signature))
    }

    /// Log the signature.
    pub(super) async fn log(
        &self,
        session: Session<'_>,
        artifact: &[u8],
        signature: &[u8],
        certificate: &Certificate,
    ) -> Result<LogEntry, ServiceError> {
        let record = Record { digest: HashAlgorithm::Sha256.digest(artifact), signature, certificate };
        self.log.append(session, &record).await
    }

    /// Stamp the signature, if there is an authority.
    pub(super) async fn stamp(&self, session: Session<'_>, signature: &[u8]) -> Result<Option<Vec<u8>>, ServiceError> {
        match &self.authority {
            Some(authority) => authority.stamp(session, signature).await.map(Some),
            None => Ok(None),
        }
    }
}
