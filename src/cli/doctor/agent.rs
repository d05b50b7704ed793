//! The agent: whether it could be asked, and what it would say. It is never started here.

use jiff::Timestamp;

use super::finding::{Finding, Id};
use super::setup::Setup;
use crate::agent::protocol::{Code, Complaint};
use crate::agent::{ClientError, PlaceError};
use crate::cli::agent::connect;
use crate::cli::agent::state::{one_line, state};
use crate::cli::error::CliError;
use crate::cli::settings::AgentUse;
use crate::cli::settings::table::Name;
use crate::cli::shell::quote;

/// What it holds, in a few words; `None` where none is wanted, or what is there cannot be asked.
#[must_use]
pub(super) fn line(setup: &Setup) -> Option<String> {
    let agent = &setup.settings().agent;
    if agent.wanted == AgentUse::Off {
        return None;
    }
    let Some(mut client) = connect(agent).ok()? else {
        return Some("no agent runs now; the first signature starts one".to_owned());
    };
    match state(&mut client) {
        Ok(state) if state.credentials.is_empty() => Some("the agent holds nothing".to_owned()),
        Ok(state) => {
            let now = Timestamp::now();
            let held: Vec<String> = state.credentials.iter().map(|held| one_line(held, now)).collect();
            Some(format!("the agent holds {}", held.join("; ")))
        }
        Err(CliError::Agent(ClientError::Refused(Complaint { code: Code::Locked, .. }))) => {
            Some("the agent is locked".to_owned())
        }
        // Somebody else's, which signs and does nothing else, and does not say for whom.
        Err(CliError::Agent(ClientError::Refused(Complaint { code: Code::Forbidden, .. }))) => {
            Some("the agent is one that was forwarded".to_owned())
        }
        Err(_) => None,
    }
}

/// An agent that cannot be asked. Signing goes on without one, unless it is required.
pub(super) fn unusable(setup: &Setup) -> Option<Finding> {
    let agent = &setup.settings().agent;
    if agent.wanted == AgentUse::Off {
        return None;
    }
    let finding = |problem: String| match agent.wanted {
        AgentUse::Require => Finding::error(Id::AgentUnusable, problem),
        AgentUse::Auto | AgentUse::Off => Finding::warning(Id::AgentUnusable, problem),
    };
    let error = match connect(agent) {
        Ok(None) if agent.socket.is_some() => {
            let problem = format!("{}: no agent answers there", setup.label(Name::AgentSocket));
            return Some(setup.about(finding(problem), Name::AgentSocket));
        }
        Ok(_) => return None,
        Err(error) => error,
    };
    let finding = finding(error.to_string());
    Some(match error {
        CliError::Agent(ClientError::Place(PlaceError::Mode { path, .. })) => {
            finding.fix(format!("chmod 700 {}", quote(path.as_os_str().as_encoded_bytes())))
        }
        _ if agent.socket.is_some() => setup.about(finding, Name::AgentSocket),
        _ if agent.directory.is_some() => setup.about(finding, Name::AgentDirectory),
        _ => finding.fix("git config --global gitseal.agent off"),
    })
}
