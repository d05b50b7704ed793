//! `gitseal trust show`: which instance is in force and why, how old its documents are, whom they make believe and whom
//! they make ask.

use clap::Args;
use jiff::Timestamp;
use serde::Serialize;

use crate::cli::error::CliError;
use crate::cli::exit::Exit;
use crate::cli::instance::documents::Origin;
use crate::cli::instance::store::selector;
use crate::cli::instance::tuf::exported;
use crate::cli::instance::{Choice, ChosenConfig, ChosenRoot, RootOrigin};
use crate::cli::output;
use crate::cli::streams::Streams;
use crate::cli::world::World;
use crate::crypto::digest::hex;
use crate::format::time::Interval;
use crate::trust::export::{Origin as ExportedOrigin, TufOrigin};
use crate::trust::root::{Authority, LogKey};
use crate::trust::signing_config::{SelectError, Service};

/// Tell which instance is in force, how old its documents are, and whom they make believe.
#[derive(Debug, Args)]
pub(super) struct Show {
    /// Print a JSON object.
    #[arg(long)]
    json: bool,
}

const SCHEMA: &str = "gitseal-trust/1";

#[derive(Debug, Serialize)]
struct Report {
    schema: &'static str,
    /// `embedded`, `tuf`, `files`, `import`, `file` (a setting's) or `pieces`.
    origin: &'static str,
    /// The instance's name, or the file's.
    source: String,
    /// Which setting selects the instance; none of the default.
    selected_by: Option<String>,
    /// The date of an embedded document.
    date: Option<String>,
    /// When the documents were last known to be in force.
    as_of: Option<String>,
    age_days: Option<i64>,
    /// When imported documents were exported.
    exported_at: Option<String>,
    /// What a TUF repository vouches with, or did where the documents were exported.
    tuf: Option<TufOrigin>,
    certificate_authorities: Vec<Entry>,
    transparency_logs: Vec<Entry>,
    certificate_logs: Vec<Entry>,
    timestamp_authorities: Vec<Entry>,
    signing: Option<Signing>,
    /// Why there is nothing to sign with.
    signing_error: Option<String>,
}

#[derive(Debug, Serialize)]
struct Entry {
    url: String,
    /// A log's id, or the subject of an authority's certificate.
    name: String,
    valid_from: String,
    valid_until: Option<String>,
    state: State,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
enum State {
    InUse,
    Ended,
    NotYet,
}

/// Whom signing would ask now.
#[derive(Debug, Serialize)]
struct Signing {
    certificate_authority: String,
    transparency_logs: Vec<String>,
    timestamp_authorities: Vec<String>,
    issuer: Option<String>,
    client_id: String,
}

impl Show {
    pub(super) fn run(&self, streams: &mut Streams) -> Result<Exit, CliError> {
        let world = World::read(streams)?;
        let report = Report::new(&Choice::new(&world.settings, world.now), &world)?;
        if self.json {
            output::json(&report)?;
        } else {
            report.print()?;
        }
        Ok(Exit::Good)
    }
}

/// What is known of documents, apart from the instance's name.
#[derive(Default)]
struct Known {
    origin: &'static str,
    date: Option<String>,
    as_of: Option<Timestamp>,
    exported_at: Option<Timestamp>,
    tuf: Option<TufOrigin>,
}

impl Known {
    fn of(origin: &Origin) -> Self {
        let known = Known { origin: origin.code(), as_of: origin.as_of(), ..Known::default() };
        match origin {
            Origin::BuiltIn { date } => Known { date: Some(date.to_string()), ..known },
            Origin::Files { .. } => known,
            Origin::Import { exported, .. } => Known {
                exported_at: Some(exported.exported_at),
                tuf: match &exported.origin {
                    ExportedOrigin::Tuf(tuf) => Some(tuf.clone()),
                    _ => None,
                },
                ..known
            },
            Origin::Tuf { url, state, .. } => Known { tuf: Some(exported(url, state)), ..known },
        }
    }
}

impl Report {
    fn new(choice: &Choice<'_>, world: &World) -> Result<Self, CliError> {
        let (now, settings) = (world.now, &world.settings);
        let ChosenRoot { root, origin } = choice.trusted_root()?;
        let (source, known) = match &origin {
            RootOrigin::File(path) => (path.display().to_string(), Known { origin: "file", ..Known::default() }),
            RootOrigin::Instance { name, origin, in_pieces } => {
                let known = Known::of(origin);
                let source = name.as_ref().map(ToString::to_string).unwrap_or_default();
                (source, if *in_pieces { Known { origin: "pieces", ..known } } else { known })
            }
        };
        let named = matches!(origin, RootOrigin::Instance { .. });
        let signing = Signing::new(choice, now);
        let entry = |entries: &[LogKey]| entries.iter().map(|log| Entry::log(log, now)).collect();
        let authority = |entries: &[Authority]| entries.iter().map(|one| Entry::authority(one, now)).collect();
        Ok(Report {
            schema: SCHEMA,
            origin: known.origin,
            source,
            selected_by: settings.instance.as_ref().filter(|_| named).map(selector),
            date: known.date,
            as_of: known.as_of.map(|time| time.to_string()),
            age_days: known.as_of.map(|time| now.duration_since(time).as_hours() / 24),
            exported_at: known.exported_at.map(|time| time.to_string()),
            tuf: known.tuf,
            certificate_authorities: authority(&root.certificate_authorities),
            transparency_logs: entry(&root.logs),
            certificate_logs: entry(&root.ct_logs),
            timestamp_authorities: authority(&root.timestamp_authorities),
            signing_error: signing.as_ref().err().cloned(),
            signing: signing.ok(),
        })
    }

    fn print(&self) -> Result<(), CliError> {
        for line in self.head() {
            output::line(&line)?;
        }
        for (title, entries) in [
            ("certificate authorities", &self.certificate_authorities),
            ("transparency logs", &self.transparency_logs),
            ("certificate logs", &self.certificate_logs),
            ("timestamp authorities", &self.timestamp_authorities),
        ] {
            output::line("")?;
            output::line(format!("{title}: {}", if entries.is_empty() { "none" } else { "" }).trim_end())?;
            entries.iter().try_for_each(Entry::print)?;
        }
        output::line("")?;
        match (&self.signing, &self.signing_error) {
            (Some(signing), _) => signing.print(),
            (None, error) => output::line(&format!("to sign: {}", error.as_deref().unwrap_or("nothing"))),
        }
    }

    /// Which documents, how old, and who chose them.
    fn head(&self) -> Vec<String> {
        let source = &self.source;
        let instance =
            if source.is_empty() { "The instance of TUF_MIRROR".to_owned() } else { format!("The {source} instance") };
        let days = self.age_days.unwrap_or_default();
        let as_of = self.as_of.as_deref().unwrap_or("an unknown time");
        let mut lines = vec![match self.origin {
            "embedded" => {
                let date = self.date.as_deref().unwrap_or_default();
                format!("{instance}, as built in: its document is of {date}, {days} days old.")
            }
            "pieces" => format!("{instance}, with keys or certificates of gitsign's settings."),
            "tuf" => format!("{instance}, as its TUF repository has it: fetched at {as_of}."),
            "files" => format!("{instance}, from files that were added {days} days ago."),
            "import" => {
                let at = self.exported_at.as_deref().unwrap_or_default();
                format!("{instance}, as imported: exported at {at}, known to be in force at {as_of}.")
            }
            _ => format!("The trusted root in {source}."),
        }];
        if let Some(tuf) = &self.tuf {
            let TufOrigin { url, root_version, root_expires, expires, .. } = tuf;
            lines.push(match self.origin {
                "import" => format!("It came from the TUF repository at {url}, to be renewed before {expires}."),
                _ => format!("From the TUF repository at {url}, to be renewed before {expires}."),
            });
            lines.push(format!("Its root has version {root_version}, expires {root_expires}, and is signed by:"));
            lines.extend(tuf.signed_by.iter().map(|key| format!("  {key}")));
        }
        lines.extend(self.selected_by.as_ref().map(|by| format!("Selected by {by}.")));
        lines
    }
}

impl Entry {
    fn log(log: &LogKey, now: Timestamp) -> Self {
        Entry::new(&log.base_url, hex(&log.id), log.valid_for, now)
    }

    fn authority(authority: &Authority, now: Timestamp) -> Self {
        Entry::new(&authority.uri, authority.chain[0].subject_name(), authority.valid_for, now)
    }

    fn new(url: &str, name: String, valid_for: Interval, now: Timestamp) -> Self {
        let state = match valid_for {
            _ if valid_for.contains(now) => State::InUse,
            Interval { start, .. } if now < start => State::NotYet,
            _ => State::Ended,
        };
        Entry {
            url: url.to_owned(),
            name,
            valid_from: valid_for.start.to_string(),
            valid_until: valid_for.end.map(|end| end.to_string()),
            state,
        }
    }

    fn print(&self) -> Result<(), CliError> {
        let Entry { url, name, valid_from, valid_until, state } = self;
        let until = valid_until.as_ref().map(|until| format!(" until {until}")).unwrap_or_default();
        let state = match state {
            State::InUse => "in use",
            State::Ended => "ended",
            State::NotYet => "not yet",
        };
        output::line(&format!("  {url}"))?;
        output::line(&format!("    {name}"))?;
        output::line(&format!("    {state}: from {valid_from}{until}"))
    }
}

impl Signing {
    /// Or why nobody can be asked: that is worth knowing, and no reason not to tell the rest.
    fn new(choice: &Choice<'_>, now: Timestamp) -> Result<Self, String> {
        let chosen = choice.signing_config().map_err(|error| error.to_string())?;
        Signing::select(chosen, now).map_err(|error| error.to_string())
    }

    fn select(chosen: ChosenConfig, now: Timestamp) -> Result<Self, SelectError> {
        let ChosenConfig { config, client_id } = chosen;
        let urls = |services: Vec<&Service>| services.into_iter().map(|service| service.url.clone()).collect();
        Ok(Signing {
            certificate_authority: config.authority(now)?.url.clone(),
            transparency_logs: urls(config.logs(now)?),
            timestamp_authorities: urls(config.timestamp_authorities(now)?),
            issuer: config.oidc_provider(now).ok().map(|provider| provider.url.clone()),
            client_id,
        })
    }

    fn print(&self) -> Result<(), CliError> {
        let several = |urls: &[String]| if urls.is_empty() { "none".to_owned() } else { urls.join(", ") };
        output::line("to sign:")?;
        output::line(&format!("  certificate  {}", self.certificate_authority))?;
        output::line(&format!("  log          {}", several(&self.transparency_logs)))?;
        output::line(&format!("  time stamp   {}", several(&self.timestamp_authorities)))?;
        let issuer = self.issuer.as_deref().unwrap_or("no provider of its own");
        output::line(&format!("  token        {issuer}, for {}", self.client_id))
    }
}
