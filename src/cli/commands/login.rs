//! `gitseal login`, `logout`, `whoami`: who signs, said once and not at every commit.

use std::path::PathBuf;

use clap::Args;
use jiff::Timestamp;
use serde::Serialize;

use crate::agent::ClientError;
use crate::agent::protocol::{Forget, Held, Request, Response};
use crate::cli::agent;
use crate::cli::agent::state::{left, state};
use crate::cli::committer::Committer;
use crate::cli::disclosure::Assent;
use crate::cli::error::CliError;
use crate::cli::exit::Exit;
use crate::cli::input;
use crate::cli::instance::services;
use crate::cli::instance::store;
use crate::cli::login::Way;
use crate::cli::login::remembered::{Account, Forgotten};
use crate::cli::output;
use crate::cli::settings::{AgentUse, Selected, Settings};
use crate::cli::signatory::{self, Signatory};
use crate::cli::streams::Streams;
use crate::cli::world::World;
use crate::service::IdToken;

/// Log in, and let the agent hold what signs.
#[derive(Debug, Args)]
pub struct Login {
    #[command(flatten)]
    which: Which,
    /// Show a code and an address, to log in with any browser anywhere.
    #[arg(long, conflicts_with_all = ["browser", "token_file"])]
    device: bool,
    /// Open a browser on this machine.
    #[arg(long, conflicts_with = "token_file")]
    browser: bool,
    /// Take the identity token in a file, and ask nobody.
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
    /// Agree beforehand that your identity becomes public for ever.
    #[arg(long)]
    yes: bool,
}

/// Make an end of a login: in the agent, in the keyring, and at the provider.
#[derive(Debug, Args)]
pub struct Logout {
    #[command(flatten)]
    which: Which,
}

/// Tell who would sign now.
#[derive(Debug, Args)]
pub struct Whoami {
    #[command(flatten)]
    which: Which,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
struct Which {
    /// For another instance than the one in force.
    #[arg(long, value_name = "NAME")]
    instance: Option<String>,
}

impl Which {
    fn settings(&self, streams: &mut Streams) -> Result<Settings, CliError> {
        let mut settings = World::read(streams)?.settings;
        if let Some(name) = self.instance.as_deref() {
            let name = store::name(name)?;
            settings.instance = Some(Selected { name, by: "--instance".to_owned(), scope: None });
        }
        Ok(settings)
    }
}

impl Login {
    pub(super) fn run(&self, streams: &mut Streams) -> Result<Exit, CliError> {
        let settings = self.which.settings(streams)?;
        if settings.agent.wanted == AgentUse::Off && !settings.login.remember {
            return Err(CliError::Usage {
                problem: "there is nobody to keep a login: gitseal.agent is off, and gitseal.rememberLogin too".into(),
                hint: "without them each signature logs in by itself; git config --global --unset gitseal.agent".into(),
            });
        }
        let token = self.token(&settings, streams)?;
        if settings.agent.wanted == AgentUse::Off {
            output::line(&format!("logged in as {}", token.subject().as_str()))?;
            return Ok(Exit::Good);
        }
        let held = agent::sign::log_in(&settings, &token)?;
        let left = left(&held, Timestamp::now());
        output::line(&format!("logged in as {}: the agent signs for {left} without asking", held.identity))?;
        Ok(Exit::Good)
    }

    fn token(&self, settings: &Settings, streams: &mut Streams) -> Result<IdToken, CliError> {
        let assent = if self.yes { Assent::Given } else { Assent::Ask };
        let way = match (self.device, self.browser) {
            (true, _) => Some(Way::Device),
            (_, true) => Some(Way::Browser),
            _ => None,
        };
        match &self.token_file {
            Some(file) => {
                let token = IdToken::parse(&input::text(file, "the identity token")?)?;
                signatory::expect(settings.identity.as_deref(), token.subject())?;
                Ok(token)
            }
            None => signatory::log_in(settings, way, assent, streams),
        }
    }
}

impl Logout {
    pub(super) fn run(&self, streams: &mut Streams) -> Result<Exit, CliError> {
        let settings = self.which.settings(streams)?;
        let name = settings.instance_name();
        if let Some(mut client) = agent::connect(&settings.agent)? {
            let which = Forget { instance: Some(name), identity: settings.identity.clone() };
            match client.ask(&Request::Forget(which))? {
                Response::Forgotten(0) => {}
                Response::Forgotten(1) => output::line("the agent has wiped 1 credential")?,
                Response::Forgotten(count) => output::line(&format!("the agent has wiped {count} credentials"))?,
                _ => return Err(ClientError::Answer.into()),
            }
        }
        let instance = services::instance(&settings)?;
        if let Some(issuer) = &instance.issuer {
            let account = Account { settings: &settings, issuer, client_id: &instance.client_id };
            match account.forget(streams)? {
                Forgotten::Nothing => {}
                Forgotten::Revoked => {
                    output::line(&format!("the keyring has forgotten the login, and so has {issuer}"))?
                }
                Forgotten::KeyringOnly => output::line("the keyring has forgotten the login")?,
            }
        }
        output::line("logged out")?;
        Ok(Exit::Good)
    }
}

/// Who would sign, and why.
#[derive(Debug, Serialize)]
pub(super) struct Person {
    /// The subject.
    pub(super) identity: String,
    /// Who vouches for it.
    pub(super) issuer: Option<String>,
    /// `token` or `agent`.
    by: &'static str,
    /// When that is over.
    expires: Timestamp,
}

impl Whoami {
    pub(super) fn run(&self, streams: &mut Streams) -> Result<Exit, CliError> {
        let settings = self.which.settings(streams)?;
        let people = people(&settings)?;
        if self.json {
            output::json_line(&people)?;
        }
        let now = Timestamp::now();
        for Person { identity, issuer, by, expires } in people.iter().filter(|_| !self.json) {
            let vouched = issuer.as_ref().map(|issuer| format!(" of {issuer}")).unwrap_or_default();
            let until = if *expires > now { "until" } else { "which expired at" };
            let source = if *by == "agent" { "held by the agent" } else { "the token that is given" };
            output::line(&format!("{identity}{vouched}: {source}, {until} {expires:.0}"))?;
        }
        if people.is_empty() && !self.json {
            output::line(if Signatory::of(&settings, &Committer::Anybody)?.is_machine() {
                "nobody yet: the platform says who, when something is signed"
            } else {
                "nobody: the next signature asks for a login"
            })?;
        }
        Ok(if people.is_empty() { Exit::Undecided } else { Exit::Good })
    }
}

/// The one whose token is given, or those whose credentials the agent holds.
pub(super) fn people(settings: &Settings) -> Result<Vec<Person>, CliError> {
    let signatory = Signatory::of(settings, &Committer::Anybody)?;
    if let Some(token) = signatory.given() {
        return Ok(vec![Person {
            identity: token.subject().as_str().to_owned(),
            issuer: signatory.issuer(),
            by: "token",
            expires: token.expires(),
        }]);
    }
    let Some(mut client) = agent::connect(&settings.agent)?.filter(|_| settings.agent.wanted != AgentUse::Off) else {
        return Ok(Vec::new());
    };
    let held = state(&mut client)?.credentials;
    let name = settings.instance_name();
    let fits = |held: &Held| {
        held.instance == name && settings.identity.as_ref().is_none_or(|identity| *identity == held.identity)
    };
    let person =
        |held: Held| Person { identity: held.identity, issuer: Some(held.issuer), by: "agent", expires: held.expires };
    Ok(held.into_iter().filter(fits).map(person).collect())
}
