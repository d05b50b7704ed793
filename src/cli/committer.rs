//! Whoever made the commit or tag that is to be signed, held against whoever signs it (`gitseal.matchCommitter`).

use super::error::CliError;
use super::settings::MatchCommitter;
use super::streams::Streams;
use crate::service::id_token::TokenSubject;

/// Whoever made the commit or tag that is to be signed, and how much it matters who that is.
#[derive(Debug, PartialEq, Eq)]
pub enum Committer {
    /// Not at all.
    Anybody,
    /// A person is told if it is not this one.
    Preferably(String),
    /// It must be this one.
    Exactly(String),
}

impl Committer {
    /// That of `payload`, as far as `matching` asks for it. A push certificate has none, which is wrong where one is
    /// required.
    ///
    /// # Errors
    /// One is required, and there is none.
    pub fn of(payload: &[u8], matching: MatchCommitter) -> Result<Self, CliError> {
        match (matching, committer(payload)) {
            (MatchCommitter::Off, _) | (MatchCommitter::Warn, None) => Ok(Committer::Anybody),
            (MatchCommitter::Warn, Some(committer)) => Ok(Committer::Preferably(committer)),
            (MatchCommitter::Require, Some(committer)) => Ok(Committer::Exactly(committer)),
            (MatchCommitter::Require, None) => Err(CliError::Usage {
                problem: "gitseal.matchCommitter is set, and what is to be signed names no committer".into(),
                hint: "only commits and tags do; unset it to sign anything else, such as a push".into(),
            }),
        }
    }

    /// Who must sign it, if that matters.
    #[must_use]
    pub fn required(&self) -> Option<&str> {
        match self {
            Committer::Exactly(committer) => Some(committer),
            Committer::Anybody | Committer::Preferably(_) => None,
        }
    }

    /// Whether whoever a token is about may sign it, as far as that is known before it travels: the name of a workload is
    /// not, its authority makes it up.
    ///
    /// # Errors
    /// It must be somebody else.
    pub fn admit(&self, subject: &TokenSubject, streams: &mut Streams) -> Result<(), CliError> {
        match subject {
            TokenSubject::Email(email) => self.judge(email, streams),
            TokenSubject::Subject(_) => Ok(()),
        }
    }

    /// Whether `identity` may sign it.
    ///
    /// # Errors
    /// It must be somebody else.
    pub fn judge(&self, identity: &str, streams: &mut Streams) -> Result<(), CliError> {
        let (Committer::Preferably(committer) | Committer::Exactly(committer)) = self else { return Ok(()) };
        if committer == identity {
            return Ok(());
        }
        let problem = format!("{identity} would sign what {committer} has committed");
        let hint = "set user.email to the address you sign with, or unset gitseal.matchCommitter";
        if matches!(self, Committer::Exactly(_)) {
            return Err(CliError::Usage { problem, hint: hint.into() });
        }
        streams.warning(&format!("{identity} signs what {committer} has committed"));
        streams.hint(hint);
        Ok(())
    }
}

/// The mail address of whoever made the commit or tag that `payload` is.
fn committer(payload: &[u8]) -> Option<String> {
    let headers = payload.split(|byte| *byte == b'\n').take_while(|line| !line.is_empty());
    let mut lines = headers.filter(|line| line.starts_with(b"committer ") || line.starts_with(b"tagger "));
    let line = std::str::from_utf8(lines.next()?).ok()?;
    let (_, rest) = line.split_once('<')?;
    rest.split_once('>').map(|(email, _)| email.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_committer_is_read_from_the_payload() {
        let commit = b"tree 0\nauthor A <a@x> 1 +0000\ncommitter B <b@x> 1 +0000\n\ncommitter <c@x>\n";
        assert_eq!(committer(commit).unwrap(), "b@x");
        assert_eq!(committer(b"object 0\ntype commit\ntag v\ntagger T <t@x> 1 +0000\n\nm\n").unwrap(), "t@x");
        let push = b"certificate version 0.1\npusher x\n\ncommitter <c@x>\n";
        assert_eq!(committer(push), None);
        assert!(Committer::of(push, MatchCommitter::Require).is_err());
        assert_eq!(Committer::of(push, MatchCommitter::Warn).unwrap(), Committer::Anybody);
    }
}
