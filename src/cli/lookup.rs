//! Judging an object whose log entry is elsewhere: asking the log, and keeping what it said.
//!
//! gitsign, by default, embeds nothing: the entry must be looked up by what was logged (the object's name) and by the
//! certificate. What is found is judged like any other entry, with keys that the trusted root holds; only then is it
//! kept. A runtime and a socket exist here and nowhere else on the way of a verdict.

use std::io::IsTerminal as _;
use std::time::Duration;

use super::error::CliError;
use super::instance::{Choice, ChosenConfig};
use super::judgement::Bench;
use super::settings::{OnlineLookup, Settings};
use super::streams::Streams;
use super::world::World;
use crate::audit::Finding;
use crate::format::log_entry::LogEntry;
use crate::format::x509::Certificate;
use crate::net::{Client, Limits};
use crate::repo::RawObject;
use crate::service::Session;
use crate::service::look_up::look_up;
use crate::verify::Reason;

/// How long all questions about one object may take: a person is waiting, and can ask again.
const LOOKUP_TIME: Duration = Duration::from_secs(20);

/// Judge `object`; if nothing but its log entry is missing, and the settings allow it, ask the log.
pub fn object(bench: &Bench, world: &World, object: &RawObject, streams: &mut Streams) -> Finding {
    let finding = bench.object(world, object);
    with_log(bench, world, finding, streams, |entries| bench.object_with(world, object, entries))
}

/// Judge a signature over a payload, and ask the log as for an [`object`].
pub fn detached(bench: &Bench, world: &World, armour: &[u8], payload: &[u8], streams: &mut Streams) -> Finding {
    let finding = bench.detached(world, armour, payload);
    with_log(bench, world, finding, streams, |entries| bench.detached_with(world, armour, payload, entries))
}

fn with_log(
    bench: &Bench,
    world: &World,
    finding: Finding,
    streams: &mut Streams,
    judge: impl Fn(&[LogEntry]) -> Finding,
) -> Finding {
    let Some(certificate) = missing_entry_of(&finding) else { return finding };
    if !allowed(&world.settings) {
        return finding;
    }
    match ask(bench, world, &finding.logged_names, certificate) {
        Ok(entries) if entries.is_empty() => {
            streams.note("the log knows no entry for it");
            finding
        }
        Ok(entries) => {
            let judged = judge(&entries);
            if !judged.logged.is_empty() {
                keep(bench, &judged, &entries, streams);
            }
            judged
        }
        Err(error) => {
            streams.warning(&format!("the log could not be asked: {error}"));
            finding
        }
    }
}

fn missing_entry_of(finding: &Finding) -> Option<&Certificate> {
    let signer = finding.signer.as_ref()?;
    (finding.reason() == Some(Reason::LogEntryMissing)).then_some(&signer.certificate)
}

fn allowed(settings: &Settings) -> bool {
    match settings.online_lookup {
        OnlineLookup::Always => true,
        OnlineLookup::Never => false,
        OnlineLookup::Auto => {
            // git sets these for the hooks and aliases that it runs: nobody is waiting there, and no hook should
            // depend on a network that it did not ask for.
            let under_git = ["GIT_DIR", "GIT_EXEC_PATH"].iter().any(|name| std::env::var_os(name).is_some());
            !under_git && std::io::stdin().is_terminal() && std::io::stderr().is_terminal()
        }
    }
}

/// The entries of the first name that the log knows.
fn ask(bench: &Bench, world: &World, names: &[String], certificate: &Certificate) -> Result<Vec<LogEntry>, CliError> {
    let wanted = bench.thresholds().logs;
    let settings = &world.settings;
    let ChosenConfig { config, .. } = Choice::new(settings, world.now).signing_config()?;
    let client = Client::new(settings.server_roots(), Limits::default());
    for name in names {
        let entries = look_up(Session::new(&client, LOOKUP_TIME), &config, world.now, name, certificate, wanted)?;
        if !entries.is_empty() {
            return Ok(entries);
        }
    }
    Ok(Vec::new())
}

/// Keeping fails on a full disk or a read-only home; the verdict stands all the same.
fn keep(bench: &Bench, judged: &Finding, entries: &[LogEntry], streams: &mut Streams) {
    let (Some(pins), Some(object)) = (bench.pins(), &judged.object) else { return };
    if let Err(error) = pins.write(object, entries) {
        streams.warning(&error.to_string());
    }
}
