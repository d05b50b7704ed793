//! Misbehaviour on request: what a service of the sandbox can be told to do wrong, and how often.
//!
//! A client that has only met servers in good health has untested branches. Every fault is written as text,
//! `NAME[@SERVICE][=SECONDS][*TIMES]`: `5xx@fulcio*2` fails twice and then heals, `slow@rekor=3` delays every answer.

use std::fmt;
use std::str::FromStr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// More rules than this are a mistake.
pub const MAX_RULES: usize = 64;
/// The longest delay that can be asked for.
pub const MAX_DELAY: Duration = Duration::from_secs(600);
const DEFAULT_DELAY: Duration = Duration::from_secs(5);

/// A service that can misbehave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Service {
    /// The OIDC issuer.
    Oidc,
    /// The certificate authority.
    Fulcio,
    /// Its certificate log, whose promises are inside the certificates.
    Ct,
    /// Both transparency logs.
    Rekor,
    /// The timestamp authority.
    Tsa,
    /// Both transparency logs of the second operator.
    SecondRekor,
    /// The timestamp authority of the second operator.
    SecondTsa,
    /// The TUF repository.
    Tuf,
}

const SERVICES: [(&str, Service); 8] = [
    ("oidc", Service::Oidc),
    ("fulcio", Service::Fulcio),
    ("ct", Service::Ct),
    ("rekor", Service::Rekor),
    ("tsa", Service::Tsa),
    ("second-rekor", Service::SecondRekor),
    ("second-tsa", Service::SecondTsa),
    ("tuf", Service::Tuf),
];

/// What goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The log shows a checkpoint from before the entry.
    StaleCheckpoint,
    /// The service signs with a key that nobody trusts.
    WrongKey,
    /// The log signs a checkpoint of another history than the one it proves.
    SplitView,
    /// The answer comes late.
    Slow(Duration),
    /// The answer is 503.
    Unavailable,
    /// The answer is 429.
    TooManyRequests,
    /// The connection is closed without an answer.
    CutConnection,
    /// The issuer sends the browser back with another state.
    WrongState,
    /// The issuer sends the browser back in another issuer's name.
    MixedUp,
    /// The issuer does not log anybody in.
    Denied,
    /// The token is for another login.
    WrongNonce,
    /// The token is by another issuer.
    WrongIssuer,
    /// The token is for another audience.
    WrongAudience,
    /// The token was good until a minute ago.
    ExpiredToken,
    /// Whoever redeems a code, or a device, is sent on to another host.
    RedirectElsewhere,
}

const STALE_CHECKPOINT: &str = "stale-checkpoint";
const WRONG_KEY: &str = "wrong-key";
const SPLIT_VIEW: &str = "split-view";
const SLOW: &str = "slow";
const UNAVAILABLE: &str = "5xx";
const TOO_MANY_REQUESTS: &str = "429";
const CUT_CONNECTION: &str = "cut-connection";
const WRONG_STATE: &str = "wrong-state";
const MIXED_UP: &str = "mixed-up";
const DENIED: &str = "denied";
const WRONG_NONCE: &str = "wrong-nonce";
const WRONG_ISSUER: &str = "wrong-issuer";
const WRONG_AUDIENCE: &str = "wrong-audience";
const EXPIRED_TOKEN: &str = "expired-token";
const REDIRECT_ELSEWHERE: &str = "redirect-elsewhere";

/// The names of all faults.
pub const NAMES: [&str; 15] = [
    STALE_CHECKPOINT,
    WRONG_KEY,
    SPLIT_VIEW,
    SLOW,
    UNAVAILABLE,
    TOO_MANY_REQUESTS,
    CUT_CONNECTION,
    WRONG_STATE,
    MIXED_UP,
    DENIED,
    WRONG_NONCE,
    WRONG_ISSUER,
    WRONG_AUDIENCE,
    EXPIRED_TOKEN,
    REDIRECT_ELSEWHERE,
];

/// The text is not a fault.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a fault; write NAME[@SERVICE][=SECONDS][*TIMES] with a NAME of {names}", names = NAMES.join(", "))]
pub struct FaultError(String);

/// A fault, where, and how often.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rule {
    fault: Fault,
    /// `None`: every service.
    service: Option<Service>,
    /// `None`: until it is taken away.
    left: Option<u32>,
}

impl FromStr for Rule {
    type Err = FaultError;

    fn from_str(text: &str) -> Result<Self, FaultError> {
        let bad = || FaultError(text.to_owned());
        let (rest, left) = match text.split_once('*') {
            Some((rest, times)) => (rest, Some(times.parse().map_err(|_| bad())?)),
            None => (text, None),
        };
        let (rest, seconds) = match rest.split_once('=') {
            Some((rest, seconds)) => (rest, Some(seconds.parse::<f64>().map_err(|_| bad())?)),
            None => (rest, None),
        };
        let (name, service) = match rest.split_once('@') {
            Some((name, service)) => {
                let known = SERVICES.iter().find(|(known, _)| *known == service);
                (name, Some(known.ok_or_else(bad)?.1))
            }
            None => (rest, None),
        };
        let fault = match (name, seconds) {
            (SLOW, seconds) => {
                let delay = seconds.map_or(Ok(DEFAULT_DELAY), Duration::try_from_secs_f64).map_err(|_| bad())?;
                Fault::Slow(delay.min(MAX_DELAY))
            }
            (_, Some(_)) => return Err(bad()),
            (STALE_CHECKPOINT, None) => Fault::StaleCheckpoint,
            (WRONG_KEY, None) => Fault::WrongKey,
            (SPLIT_VIEW, None) => Fault::SplitView,
            (UNAVAILABLE, None) => Fault::Unavailable,
            (TOO_MANY_REQUESTS, None) => Fault::TooManyRequests,
            (CUT_CONNECTION, None) => Fault::CutConnection,
            (WRONG_STATE, None) => Fault::WrongState,
            (MIXED_UP, None) => Fault::MixedUp,
            (DENIED, None) => Fault::Denied,
            (WRONG_NONCE, None) => Fault::WrongNonce,
            (WRONG_ISSUER, None) => Fault::WrongIssuer,
            (WRONG_AUDIENCE, None) => Fault::WrongAudience,
            (EXPIRED_TOKEN, None) => Fault::ExpiredToken,
            (REDIRECT_ELSEWHERE, None) => Fault::RedirectElsewhere,
            _ => return Err(bad()),
        };
        Ok(Rule { fault, service, left })
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.fault {
            Fault::StaleCheckpoint => STALE_CHECKPOINT,
            Fault::WrongKey => WRONG_KEY,
            Fault::SplitView => SPLIT_VIEW,
            Fault::Slow(_) => SLOW,
            Fault::Unavailable => UNAVAILABLE,
            Fault::TooManyRequests => TOO_MANY_REQUESTS,
            Fault::CutConnection => CUT_CONNECTION,
            Fault::WrongState => WRONG_STATE,
            Fault::MixedUp => MIXED_UP,
            Fault::Denied => DENIED,
            Fault::WrongNonce => WRONG_NONCE,
            Fault::WrongIssuer => WRONG_ISSUER,
            Fault::WrongAudience => WRONG_AUDIENCE,
            Fault::ExpiredToken => EXPIRED_TOKEN,
            Fault::RedirectElsewhere => REDIRECT_ELSEWHERE,
        })?;
        if let Some((name, _)) = SERVICES.iter().find(|(_, service)| Some(*service) == self.service) {
            write!(f, "@{name}")?;
        }
        if let Fault::Slow(delay) = self.fault {
            write!(f, "={}", delay.as_secs_f64())?;
        }
        match self.left {
            Some(times) => write!(f, "*{times}"),
            None => Ok(()),
        }
    }
}

/// The faults that are switched on.
#[derive(Debug, Default)]
pub struct Faults(Mutex<Vec<Rule>>);

impl Faults {
    /// Start with these.
    #[must_use]
    pub fn new(rules: Vec<Rule>) -> Self {
        Faults(Mutex::new(rules))
    }

    /// Switch these on instead of the present ones; none at all is good health.
    pub fn set(&self, rules: Vec<Rule>) {
        *self.rules() = rules;
    }

    /// What is switched on.
    #[must_use]
    pub fn list(&self) -> Vec<Rule> {
        self.rules().clone()
    }

    /// Whether `service` shall do `fault` now; counts as one time.
    pub(super) fn strikes(&self, service: Service, fault: Fault) -> bool {
        self.take(service, |rule| rule == fault).is_some()
    }

    /// What shall happen to a call of `service` before anybody looks at it; counts as one time.
    pub(super) fn transport(&self, service: Service) -> Option<Fault> {
        self.take(service, |fault| {
            matches!(fault, Fault::Slow(_) | Fault::Unavailable | Fault::TooManyRequests | Fault::CutConnection)
        })
    }

    fn take(&self, service: Service, wanted: impl Fn(Fault) -> bool) -> Option<Fault> {
        let mut rules = self.rules();
        let here = |rule: &Rule| rule.service.is_none_or(|place| place == service) && wanted(rule.fault);
        let position = rules.iter().position(|rule| here(rule) && rule.left != Some(0))?;
        let fault = rules[position].fault;
        match rules[position].left.as_mut() {
            Some(1) => drop(rules.remove(position)),
            Some(left) => *left -= 1,
            None => {}
        }
        Some(fault)
    }

    fn rules(&self) -> MutexGuard<'_, Vec<Rule>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_is_text() {
        for text in [
            "stale-checkpoint",
            "wrong-key@fulcio",
            "slow@rekor=2.5",
            "5xx@tsa*2",
            "429",
            "slow@oidc=1*3",
            "split-view",
            "wrong-nonce@oidc*1",
        ] {
            assert_eq!(text.parse::<Rule>().unwrap().to_string(), text);
        }
        for text in ["", "fast", "slow@nobody", "slow=x", "slow=-1", "5xx=2", "5xx*x", "5xx*-1"] {
            assert!(text.parse::<Rule>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_counted_fault_heals() {
        let faults = Faults::new(vec!["5xx@fulcio*2".parse().unwrap()]);
        assert_eq!(faults.transport(Service::Rekor), None);
        assert_eq!(faults.transport(Service::Fulcio), Some(Fault::Unavailable));
        assert_eq!(faults.transport(Service::Fulcio), Some(Fault::Unavailable));
        assert_eq!(faults.transport(Service::Fulcio), None);
        assert!(faults.list().is_empty());
    }

    #[test]
    fn an_uncounted_fault_stays_until_it_is_taken_away() {
        let faults = Faults::new(vec!["wrong-key".parse().unwrap()]);
        for _ in 0..3 {
            assert!(faults.strikes(Service::Tsa, Fault::WrongKey));
        }
        faults.set(Vec::new());
        assert!(!faults.strikes(Service::Tsa, Fault::WrongKey));
    }
}
