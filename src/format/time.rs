//! Points in time as the formats spell them: RFC 3339 in JSON, UTCTime and GeneralizedTime in ASN.1, Unix seconds.

use jiff::Timestamp;

/// A closed interval of time: both ends belong to it, a missing end never comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Interval {
    /// The first moment.
    pub start: Timestamp,
    /// The last moment.
    pub end: Option<Timestamp>,
}

impl Interval {
    /// Whether `time` lies in the interval, ends included.
    #[must_use]
    pub fn contains(&self, time: Timestamp) -> bool {
        self.start <= time && self.end.is_none_or(|end| time <= end)
    }
}

/// The moment `seconds` after 1970-01-01T00:00:00Z; `None` outside the years -9999 to 9999.
#[must_use]
pub fn from_unix_seconds(seconds: i64) -> Option<Timestamp> {
    Timestamp::from_second(seconds).ok()
}

/// A moment of ASN.1, which has whole seconds and the years 1970 to 9999.
pub(crate) fn from_der(time: der::DateTime) -> Option<Timestamp> {
    from_unix_seconds(i64::try_from(time.unix_duration().as_secs()).ok()?)
}

/// `time` for ASN.1, its fraction of a second cut off; `None` before 1970.
pub(crate) fn to_der(time: Timestamp) -> Option<der::DateTime> {
    let seconds = u64::try_from(time.as_second()).ok()?;
    der::DateTime::from_unix_duration(std::time::Duration::from_secs(seconds)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_ends_of_an_interval_belong_to_it() {
        let at = |seconds| from_unix_seconds(seconds).unwrap();
        let interval = Interval { start: at(10), end: Some(at(20)) };
        assert!(interval.contains(at(10)) && interval.contains(at(20)));
        assert!(!interval.contains(at(9)) && !interval.contains(at(21)));
        assert!(Interval { start: at(10), end: None }.contains(at(1 << 33)));
    }
}
