//! What the agent holds, asked for and told in words.

use jiff::Timestamp;

use crate::agent::protocol::{Held, Nothing, Request, Response, State};
use crate::agent::{Client, ClientError};
use crate::cli::error::CliError;

/// As in "dev@example.com, 6 m 12 s left, 14 signatures".
#[must_use]
pub fn one_line(held: &Held, now: Timestamp) -> String {
    let count = match held.signatures {
        1 => "1 signature".to_owned(),
        count => format!("{count} signatures"),
    };
    format!("{}, {} left, {count}", held.identity, left(held, now))
}

/// How long it will be held, as in "6 m 12 s".
#[must_use]
pub fn left(held: &Held, now: Timestamp) -> String {
    match held.expires.duration_since(now).as_secs().max(0) {
        seconds if seconds < 60 => format!("{seconds} s"),
        seconds => format!("{} m {} s", seconds / 60, seconds % 60),
    }
}

/// What the agent holds.
///
/// # Errors
/// It does not say.
pub fn state(client: &mut Client) -> Result<State, CliError> {
    match client.ask(&Request::List(Nothing {}))? {
        Response::Held(state) => Ok(state),
        _ => Err(ClientError::Answer.into()),
    }
}
