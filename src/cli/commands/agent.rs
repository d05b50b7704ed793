//! `gitseal agent`: the resident signer, for people to look at and to rule over.

use std::time::Duration;

use clap::{Args, Subcommand};
use jiff::Timestamp;

use crate::agent::protocol::{
    Code, Complaint, Forget, Hello, Logged, Nothing, Request, Response, Secret, State, Unlocking, VERSION,
};
use crate::agent::server::LINGER;
use crate::agent::{Client, ClientError};
use crate::cli::agent::daemon::Ties;
use crate::cli::agent::state::{left, one_line, state};
use crate::cli::agent::{self, daemon, start};
use crate::cli::error::CliError;
use crate::cli::exit::Exit;
use crate::cli::instance::store;
use crate::cli::output;
use crate::cli::settings::Settings;
use crate::cli::streams::Streams;
use crate::cli::terminal::{Passphrase, Terminal};
use crate::cli::world::World;

/// Log in once: the agent holds what signs for ten minutes, and never gives a key away.
#[derive(Debug, Args)]
pub struct AgentArgs {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Start the agent, unless it runs.
    Start(Start),
    /// End the agent; what it holds is wiped.
    Stop,
    /// Tell who can sign without logging in, and for how long.
    Status(Json),
    /// Tell all about the credentials that are held.
    List(Json),
    /// Wipe credentials: all, or those that are named.
    Forget(Which),
    /// Answer nothing until the passphrase is given that is asked for now.
    Lock,
    /// Answer again.
    Unlock,
    /// Tell what was signed lately.
    Log(Json),
    /// Print the socket that may be forwarded to another machine; the agent is started.
    ForwardSocket,
}

#[derive(Debug, Args)]
struct Start {
    /// Be the agent, and stay in the foreground: for systemd, launchd, and for looking at it.
    #[arg(long)]
    foreground: bool,
    /// How long it stays when it holds nothing.
    #[arg(long, value_name = "SECONDS", default_value_t = LINGER.as_secs(), value_parser = clap::value_parser!(u64).range(1..=86_400))]
    linger: u64,
    /// Be the agent, and leave whoever started it.
    #[arg(long, hide = true, conflicts_with = "foreground")]
    detached: bool,
}

#[derive(Debug, Args)]
struct Json {
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
struct Which {
    /// Those of this identity alone.
    #[arg(long, value_name = "IDENTITY")]
    identity: Option<String>,
    /// Those for this instance alone.
    #[arg(long, value_name = "NAME")]
    instance: Option<String>,
}

impl AgentArgs {
    pub(super) fn run(&self, streams: &mut Streams) -> Result<Exit, CliError> {
        let settings = World::read(streams)?.settings;
        match &self.command {
            Command::Start(how) => how.run(&settings),
            Command::Stop => stop(&settings),
            Command::Status(Json { json }) => status(&settings, *json, streams),
            Command::List(Json { json }) => list(&settings, *json),
            Command::Forget(which) => which.forget(&settings),
            Command::Lock => lock(&settings),
            Command::Unlock => unlock(&settings),
            Command::Log(Json { json }) => log(&settings, *json),
            Command::ForwardSocket => forward_socket(&settings, streams),
        }
    }
}

impl Start {
    fn run(&self, settings: &Settings) -> Result<Exit, CliError> {
        let linger = Duration::from_secs(self.linger);
        match (self.foreground, self.detached) {
            (true, _) => daemon::run(settings, linger, Ties::Watched)?,
            (_, true) => daemon::run(settings, linger, Ties::Detached)?,
            _ => {
                if let Some(mut running) = agent::connect(&settings.agent)? {
                    // One that does not answer is worse than none.
                    running.ask(&Request::Hello(Hello { version: VERSION }))?;
                    output::line("the agent runs already")?;
                    return Ok(Exit::Good);
                }
                start::start(&agent::place(&settings.agent)?, linger)?;
                output::line("the agent is started")?;
            }
        }
        Ok(Exit::Good)
    }
}

/// The agent that runs, or a word that there is none.
fn running(settings: &Settings) -> Result<Option<Client>, CliError> {
    let client = agent::connect(&settings.agent)?;
    if client.is_none() {
        output::line("no agent is running")?;
    }
    Ok(client)
}

fn stop(settings: &Settings) -> Result<Exit, CliError> {
    if let Some(mut client) = running(settings)? {
        client.ask(&Request::Quit(Nothing {}))?;
        output::line("the agent has ended, and what it held is wiped")?;
    }
    Ok(Exit::Good)
}

fn status(settings: &Settings, json: bool, streams: &mut Streams) -> Result<Exit, CliError> {
    let Some(mut client) = agent::connect(&settings.agent)? else {
        if json {
            output::json_line(&serde_json::json!({ "running": false }))?;
        } else {
            output::line("no agent is running")?;
        }
        return Ok(Exit::Undecided);
    };
    match state(&mut client) {
        Ok(state) if json => {
            let mut told = serde_json::to_value(&state).expect("a state has a JSON form");
            told["running"] = true.into();
            told["locked"] = false.into();
            output::json_line(&told)?;
        }
        Ok(state) => tell(&state, streams)?,
        Err(CliError::Agent(ClientError::Refused(Complaint { code: Code::Locked, .. }))) if json => {
            output::json_line(&serde_json::json!({ "running": true, "locked": true }))?;
        }
        Err(CliError::Agent(ClientError::Refused(Complaint { code: Code::Locked, .. }))) => {
            output::line("the agent is locked")?;
        }
        Err(error) => return Err(error),
    }
    Ok(Exit::Good)
}

fn tell(state: &State, streams: &mut Streams) -> Result<(), CliError> {
    if state.credentials.is_empty() {
        output::line("the agent holds nothing")?;
    }
    let now = Timestamp::now();
    for held in &state.credentials {
        output::line(&one_line(held, now))?;
    }
    for weakness in &state.weaknesses {
        streams.warning(weakness);
    }
    Ok(())
}

fn list(settings: &Settings, json: bool) -> Result<Exit, CliError> {
    let Some(mut client) = agent::connect(&settings.agent)? else {
        if json {
            output::json_line(&serde_json::json!([]))?;
        } else {
            output::line("no agent is running")?;
        }
        return Ok(Exit::Undecided);
    };
    let State { credentials, .. } = state(&mut client)?;
    if json {
        output::json_line(&credentials)?;
        return Ok(Exit::Good);
    }
    let now = Timestamp::now();
    for held in &credentials {
        output::line(&held.identity)?;
        output::line(&format!("  issuer      {}", held.issuer))?;
        output::line(&format!("  instance    {}", held.instance))?;
        output::line(&format!("  client id   {}", held.client_id))?;
        output::line(&format!("  until       {} ({} left)", held.expires, left(held, now)))?;
        output::line(&format!("  signatures  {}", held.signatures))?;
    }
    Ok(Exit::Good)
}

impl Which {
    fn forget(&self, settings: &Settings) -> Result<Exit, CliError> {
        let instance = self.instance.as_deref().map(store::name).transpose()?;
        let Some(mut client) = running(settings)? else { return Ok(Exit::Good) };
        let which = Forget { instance, identity: self.identity.clone() };
        match client.ask(&Request::Forget(which))? {
            Response::Forgotten(1) => output::line("1 credential is wiped")?,
            Response::Forgotten(count) => output::line(&format!("{count} credentials are wiped"))?,
            _ => return Err(ClientError::Answer.into()),
        }
        Ok(Exit::Good)
    }
}

fn lock(settings: &Settings) -> Result<Exit, CliError> {
    let Some(mut client) = running(settings)? else { return Ok(Exit::Undecided) };
    let mut terminal = terminal()?;
    let first = terminal.passphrase("Passphrase to unlock the agent with: ")?;
    let second = terminal.passphrase("The same once more: ")?;
    if first.expose() != second.expose() {
        return Err(CliError::Usage {
            problem: "the two passphrases are not the same; the agent is not locked".into(),
            hint: "try again".into(),
        });
    }
    client.ask(&Request::Lock(Unlocking { passphrase: secret(&first)? }))?;
    output::line("the agent is locked")?;
    Ok(Exit::Good)
}

fn unlock(settings: &Settings) -> Result<Exit, CliError> {
    let Some(mut client) = running(settings)? else { return Ok(Exit::Undecided) };
    let passphrase = terminal()?.passphrase("Passphrase: ")?;
    client.ask(&Request::Unlock(Unlocking { passphrase: secret(&passphrase)? }))?;
    output::line("the agent is unlocked")?;
    Ok(Exit::Good)
}

fn terminal() -> Result<Terminal, CliError> {
    Terminal::open().ok_or_else(|| CliError::Usage {
        problem: "there is no terminal to type a passphrase at".into(),
        hint: "run it in a terminal; 'gitseal agent stop' needs none".into(),
    })
}

fn secret(passphrase: &Passphrase) -> Result<Secret, CliError> {
    let text = std::str::from_utf8(passphrase.expose()).map_err(|_| CliError::Usage {
        problem: "the passphrase is not UTF-8".into(),
        hint: "choose one that is, or set the terminal to it".into(),
    })?;
    Ok(Secret::new(text))
}

fn log(settings: &Settings, json: bool) -> Result<Exit, CliError> {
    let Some(mut client) = running(settings)? else { return Ok(Exit::Undecided) };
    let Response::Log(log) = client.ask(&Request::Log(Nothing {}))? else { return Err(ClientError::Answer.into()) };
    for logged in &log {
        if json {
            output::json_line(logged)?;
        } else {
            output::line(&entry(logged))?;
        }
    }
    Ok(Exit::Good)
}

fn entry(logged: &Logged) -> String {
    let Logged { time, identity, context, log_indices, forwarded, .. } = logged;
    let place = context.repository.as_ref().map(|path| format!(" in {path}")).unwrap_or_default();
    let indices: Vec<String> = log_indices.iter().map(u64::to_string).collect();
    let way = if *forwarded { ", forwarded" } else { "" };
    format!("{time:.0} {identity} {}{place}, log entry {}{way}", context.kind, indices.join(" and "))
}

fn forward_socket(settings: &Settings, streams: &mut Streams) -> Result<Exit, CliError> {
    let place = agent::place(&settings.agent)?;
    if agent::connect(&settings.agent)?.is_none() {
        start::start(&place, LINGER)?;
    }
    if settings.agent.forward_instances.is_empty() {
        streams.warning("no instance may be signed for through it");
        streams.hint("allow one: git config --global --add gitseal.forwardInstance NAME");
    }
    output::line(&place.forward_socket().display().to_string())?;
    Ok(Exit::Good)
}

/// End the agent in `directory`, if there is one; for a sandbox, whose agent goes with it.
#[cfg(feature = "sandbox")]
pub(super) fn end(directory: &std::path::Path) {
    let Ok(place) = crate::agent::Place::at(directory.to_owned()) else { return };
    if let Ok(mut client) = Client::connect(&place) {
        let _ = client.ask(&Request::Quit(Nothing {}));
    }
}
