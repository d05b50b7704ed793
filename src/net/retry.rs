//! When a request is repeated, and after what pause: exponential, with jitter, or what the server asked for.

use std::hash::{BuildHasher as _, Hasher as _};
use std::time::Duration;

use jiff::fmt::rfc2822::DateTimeParser;

/// Longest pause that a server may ask for with `Retry-After`. A person is waiting in front of `git commit`: what
/// takes longer is better tried again by hand.
pub const MAX_RETRY_AFTER: Duration = Duration::from_secs(10);

/// Longest pause of our own choosing.
const MAX_PAUSE: Duration = Duration::from_secs(4);

/// Whether a status is about the server's day and not about our request (RFC 9110 section 15.6, RFC 6585 section 4).
/// 501 and 505 would say the same again.
#[must_use]
pub fn is_passing(status: u16) -> bool {
    matches!(status, 429 | 500 | 502 | 503 | 504)
}

/// The pause before attempt `next` (2 is the first repetition): doubling, and between half and all of it at random, so
/// that a thousand CI jobs which failed together do not return together.
#[must_use]
pub fn pause(first: Duration, next: u32) -> Duration {
    let full = first.saturating_mul(1 << (next.saturating_sub(2)).min(16)).min(MAX_PAUSE);
    full.mul_f64(0.5 + 0.5 * fraction())
}

/// What `Retry-After` asks for (RFC 9110 section 10.2.3): seconds, or a date, which counts from the server's own `Date`
/// so that a wrong clock on either side does no harm.
#[must_use]
pub fn requested(retry_after: &str, date: Option<&str>) -> Option<Duration> {
    let text = retry_after.trim();
    if let Ok(seconds) = text.parse::<u32>() {
        return Some(Duration::from_secs(seconds.into()));
    }
    let parser = DateTimeParser::new();
    let until = parser.parse_timestamp(text).ok()?;
    let now = parser.parse_timestamp(date?.trim()).ok()?;
    Duration::try_from(until.duration_since(now)).ok()
}

/// A number between 0 and 1. Not secret, so the standard library's hasher seed is random enough.
fn fraction() -> f64 {
    let random = std::hash::RandomState::new().build_hasher().finish();
    f64::from((random >> 32) as u32) / f64::from(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_with_jitter_up_to_a_bound() {
        let first = Duration::from_millis(200);
        for (next, full) in [(2, 200), (3, 400), (4, 800), (40, 4000)] {
            let pause = pause(first, next).as_millis();
            assert!((full / 2..=full).contains(&pause), "attempt {next}: {pause} ms");
        }
    }

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        assert_eq!(requested("3", None), Some(Duration::from_secs(3)));
        let (now, later) = ("Sun, 22 Nov 2026 21:00:00 GMT", "Sun, 22 Nov 2026 21:00:07 GMT");
        assert_eq!(requested(later, Some(now)), Some(Duration::from_secs(7)));
        assert_eq!(requested(now, Some(later)), None);
        assert_eq!(requested(later, None), None);
        assert_eq!(requested("soon", Some(now)), None);
    }
}
