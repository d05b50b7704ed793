//! `gitseal trust show`: who is believed, until when, and how old the document is that says so.

use clap::{Args, Subcommand};
use serde::Serialize;

use crate::cli::error::CliError;
use crate::cli::exit::Exit;
use crate::cli::instance::{self, ChosenRoot, RootOrigin};
use crate::cli::output;
use crate::cli::streams::Streams;
use crate::cli::world::World;
use crate::crypto::digest::hex;
use crate::format::time::Interval;
use crate::trust::root::{Authority, LogKey};

/// Look at what is believed.
#[derive(Debug, Args)]
pub struct Trust {
    #[command(subcommand)]
    command: TrustCommand,
}

#[derive(Debug, Subcommand)]
enum TrustCommand {
    /// List the authorities and logs that are believed, and until when.
    Show {
        /// Print a JSON object.
        #[arg(long)]
        json: bool,
    },
}

const SCHEMA: &str = "gitseal-trust/1";

#[derive(Debug, Serialize)]
struct Report {
    schema: &'static str,
    /// `embedded`, `file` or `pieces`.
    origin: &'static str,
    /// The instance's name, or the file's.
    source: String,
    /// The date of an embedded document.
    date: Option<String>,
    age_days: Option<i64>,
    certificate_authorities: Vec<Entry>,
    transparency_logs: Vec<Entry>,
    certificate_logs: Vec<Entry>,
    timestamp_authorities: Vec<Entry>,
}

#[derive(Debug, Serialize)]
struct Entry {
    url: String,
    /// A log's id, or the subject of an authority's certificate.
    name: String,
    valid_from: String,
    valid_until: Option<String>,
}

impl Trust {
    pub(super) fn run(&self, streams: &mut Streams) -> Result<Exit, CliError> {
        let TrustCommand::Show { json } = &self.command;
        let world = World::read(streams)?;
        let report = Report::new(&instance::trusted_root(&world.settings)?, &world);
        if *json {
            output::json(&report)?;
        } else {
            report.print()?;
        }
        Ok(Exit::Good)
    }
}

impl Report {
    fn new(chosen: &ChosenRoot, world: &World) -> Self {
        let ChosenRoot { root, origin } = chosen;
        let (origin, source, date) = match origin {
            RootOrigin::Embedded { name, date } => ("embedded", (*name).to_owned(), Some(*date)),
            RootOrigin::File(path) => ("file", path.display().to_string(), None),
            RootOrigin::Pieces(name) => ("pieces", (*name).to_owned(), None),
        };
        let today = jiff::tz::Offset::UTC.to_datetime(world.now).date();
        Report {
            schema: SCHEMA,
            origin,
            source,
            date: date.map(|date| date.to_string()),
            age_days: date.and_then(|date| Some(date.until(today).ok()?.get_days().into())),
            certificate_authorities: root.certificate_authorities.iter().map(Entry::authority).collect(),
            transparency_logs: root.logs.iter().map(Entry::log).collect(),
            certificate_logs: root.ct_logs.iter().map(Entry::log).collect(),
            timestamp_authorities: root.timestamp_authorities.iter().map(Entry::authority).collect(),
        }
    }

    fn print(&self) -> Result<(), CliError> {
        let Report { source, .. } = self;
        output::line(&match (self.origin, &self.date, self.age_days) {
            ("embedded", Some(date), Some(days)) => {
                format!("The {source} instance, as built in: its document is of {date}, {days} days old.")
            }
            ("pieces", ..) => format!("The {source} instance, with keys or certificates of gitsign's settings."),
            _ => format!("The trusted root in {source}."),
        })?;
        for (title, entries) in [
            ("certificate authorities", &self.certificate_authorities),
            ("transparency logs", &self.transparency_logs),
            ("certificate logs", &self.certificate_logs),
            ("timestamp authorities", &self.timestamp_authorities),
        ] {
            output::line("")?;
            output::line(format!("{title}: {}", if entries.is_empty() { "none" } else { "" }).trim_end())?;
            for Entry { url, name, valid_from, valid_until } in entries {
                let until = valid_until.as_deref().unwrap_or("now");
                output::line(&format!("  {url}"))?;
                output::line(&format!("    {name}"))?;
                output::line(&format!("    from {valid_from} until {until}"))?;
            }
        }
        Ok(())
    }
}

impl Entry {
    fn log(log: &LogKey) -> Self {
        Entry::new(&log.base_url, hex(&log.id), log.valid_for)
    }

    fn authority(authority: &Authority) -> Self {
        Entry::new(&authority.uri, authority.chain[0].subject_name(), authority.valid_for)
    }

    fn new(url: &str, name: String, valid_for: Interval) -> Self {
        Entry {
            url: url.to_owned(),
            name,
            valid_from: valid_for.start.to_string(),
            valid_until: valid_for.end.map(|end| end.to_string()),
        }
    }
}
