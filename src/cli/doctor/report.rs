//! What `gitseal doctor` saw, as JSON for programs and as lines for people.

use std::path::Path;

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::Offset;
use serde::Serialize;

use super::agent;
use super::finding::{Finding, Severity};
use super::git::{KEYS, VARIABLES};
use super::person::committer_email;
use super::place::{Holder, Located};
use super::programs::Program;
use super::services::Contact;
use super::settings::without_password;
use super::setup::Setup;
use super::token::{platform, token, token_source};
use crate::cli::commands::version;
use crate::cli::error::CliError;
use crate::cli::exit::Exit;
use crate::cli::instance::{Choice, RootOrigin};
use crate::cli::output;
use crate::cli::settings::source::Standing;
use crate::cli::settings::table::{Kind, Setting, TABLE};

const SCHEMA: &str = "gitseal-doctor/1";

/// Everything.
#[derive(Debug, Serialize)]
pub struct Report {
    schema: &'static str,
    program: Option<String>,
    version: String,
    git: Option<String>,
    runs: Option<Runs>,
    repository: Option<String>,
    git_settings: Vec<Row>,
    settings: Vec<Row>,
    trust: Option<Trust>,
    token: Option<Token>,
    /// The platform that gives one when it is asked, for people.
    #[serde(skip)]
    platform: Option<String>,
    agent: Option<String>,
    committer: Option<String>,
    expected: Expected,
    services: Vec<Contact>,
    findings: Vec<Finding>,
}

/// What git runs for an x509 signature.
#[derive(Debug, Serialize)]
struct Runs {
    /// The file, or the name that leads to none.
    program: String,
    /// `this`, `gitseal`, `other` or `missing`.
    is: &'static str,
}

/// One key or setting that is set somewhere.
#[derive(Debug, Serialize)]
struct Row {
    name: String,
    /// By rising precedence.
    values: Vec<Shown>,
}

#[derive(Debug, Serialize)]
struct Shown {
    value: String,
    #[serde(flatten)]
    place: Located,
    /// `counts`, `overridden` or `repository-may-not`.
    standing: &'static str,
}

/// Whom we believe, and how old that is.
#[derive(Debug, Serialize)]
struct Trust {
    /// `embedded`, `tuf`, `files`, `import`, `file` or `pieces`.
    origin: &'static str,
    source: String,
    date: Option<String>,
    age_days: Option<i64>,
}

/// What is known of the token; never the token.
#[derive(Debug, Serialize)]
struct Token {
    source: String,
    subject: Option<String>,
    issuers: Vec<String>,
    expires: Option<String>,
}

#[derive(Debug, Default, Serialize)]
struct Expected {
    identities: Vec<String>,
    identity_patterns: Vec<String>,
    issuers: Vec<String>,
    issuer_patterns: Vec<String>,
}

impl Report {
    /// The report where not even the configuration can be read.
    #[must_use]
    pub fn without_setup(findings: Vec<Finding>) -> Self {
        Report {
            schema: SCHEMA,
            program: std::env::current_exe().ok().map(|path| path.to_string_lossy().into_owned()),
            version: version::line(),
            git: None,
            runs: None,
            repository: None,
            git_settings: Vec::new(),
            settings: Vec::new(),
            trust: None,
            token: None,
            platform: None,
            agent: None,
            committer: None,
            expected: Expected::default(),
            services: Vec::new(),
            findings,
        }
    }

    /// The report on `setup`.
    #[must_use]
    pub fn new(setup: &Setup, services: Vec<Contact>, findings: Vec<Finding>) -> Self {
        let expected = &setup.settings().expected;
        Report {
            git: setup.git.as_ref().map(|git| git.version.clone()),
            runs: Some(runs(setup)),
            repository: setup
                .repository
                .as_ref()
                .map(|repository| setup.directory.join(repository.git_dir()).to_string_lossy().into_owned()),
            git_settings: git_settings(setup),
            settings: TABLE.iter().filter_map(|setting| row(setup, setting)).collect(),
            trust: trust(setup),
            token: token_row(setup),
            platform: platform(setup),
            agent: agent::line(setup),
            committer: committer_email(setup),
            expected: Expected {
                identities: expected.identities.clone(),
                identity_patterns: expected.identity_patterns.clone(),
                issuers: expected.issuers.clone(),
                issuer_patterns: expected.issuer_patterns.clone(),
            },
            services,
            ..Report::without_setup(findings)
        }
    }

    /// Bad if anything is an error.
    #[must_use]
    pub fn exit(&self) -> Exit {
        let is_bad = self.findings.iter().any(|finding| finding.severity == Severity::Error);
        if is_bad { Exit::Bad } else { Exit::Good }
    }

    /// Print it for people.
    ///
    /// # Errors
    /// stdout does not take it.
    pub fn print(&self) -> Result<(), CliError> {
        section("program", &self.program_lines())?;
        section("git's settings", &lines_of(&self.git_settings))?;
        section("gitseal's settings", &lines_of(&self.settings))?;
        section("trust", &self.trust_lines())?;
        section("signing", &self.signing_lines())?;
        section("expected", &self.expected_lines())?;
        self.print_findings()
    }

    fn program_lines(&self) -> Vec<String> {
        let mut lines = vec![format!("{}, {}", self.version, self.program.as_deref().unwrap_or("?"))];
        lines.extend(self.git.as_ref().map(|git| format!("git {git}")));
        lines.extend(self.runs.as_ref().map(|Runs { program, is }| match *is {
            "this" => format!("git runs {program}: this gitseal"),
            "gitseal" => format!("git runs {program}: another gitseal"),
            "other" => format!("git runs {program}: another program"),
            _ => format!("git would run {program}, which cannot be run"),
        }));
        lines.push(match &self.repository {
            Some(repository) => format!("repository {repository}"),
            None => "no repository here".into(),
        });
        lines
    }

    fn trust_lines(&self) -> Vec<String> {
        let Some(Trust { origin, source, date, age_days }) = &self.trust else { return Vec::new() };
        vec![match (*origin, date, age_days) {
            ("embedded", Some(date), Some(days)) => {
                format!("the {source} instance, built in, of {date}: {days} days old")
            }
            ("tuf", Some(date), _) => format!("the {source} instance, fetched on {date}"),
            ("files", Some(date), _) => format!("the {source} instance, from files added on {date}"),
            ("import", Some(date), Some(days)) => {
                format!("the {source} instance, imported, of {date}: {days} days old")
            }
            ("import" | "tuf" | "files", ..) => format!("the {source} instance, of unknown age"),
            ("pieces", ..) => format!("the {source} instance, with keys or certificates of gitsign's settings"),
            (_, Some(date), Some(days)) => format!("the file {source}, of {date}: {days} days old"),
            _ => format!("the file {source}"),
        }]
    }

    fn signing_lines(&self) -> Vec<String> {
        let mut lines = Vec::new();
        lines.push(match &self.token {
            Some(Token { source, subject: Some(subject), issuers, expires: Some(expires) }) => {
                format!("token of {subject} ({}) in {source}, until {expires}", issuers.join(", "))
            }
            Some(Token { source, .. }) => format!("token in {source}, of no use"),
            None => match &self.platform {
                Some(platform) => format!("no token now: {platform}"),
                None => "no token now: the next signature asks for a login, or 'gitseal login' does".into(),
            },
        });
        lines.extend(self.agent.clone());
        lines.extend(self.committer.as_ref().map(|committer| format!("committer {committer}")));
        for Contact { role, url, reached, milliseconds, .. } in &self.services {
            let state = match (reached, milliseconds) {
                (Some(true), Some(time)) => format!(": answered in {time} ms"),
                (Some(_), _) => ": no answer".into(),
                (None, _) => String::new(),
            };
            lines.push(format!("{role} {url}{state}"));
        }
        lines
    }

    fn expected_lines(&self) -> Vec<String> {
        let Expected { identities, identity_patterns, issuers, issuer_patterns } = &self.expected;
        let exact =
            |label: &str, list: &[String]| list.iter().map(|text| format!("{label} {text}")).collect::<Vec<_>>();
        let mut lines = exact("identity", identities);
        lines.extend(exact("identity like", identity_patterns));
        lines.extend(exact("issuer", issuers));
        lines.extend(exact("issuer like", issuer_patterns));
        lines
    }

    fn print_findings(&self) -> Result<(), CliError> {
        for Finding { id, severity, problem, place, fix } in &self.findings {
            output::labelled(severity.as_str(), &format!("{problem} ({})", id.code()))?;
            if let Some(place) = place {
                output::line(&format!("  where: {}", place.place()))?;
            }
            match fix {
                Some(fix) => output::line(&format!("  fix: {fix}"))?,
                None => output::line("  fix: no command can")?,
            }
            output::line("")?;
        }
        let count = |wanted: Severity| self.findings.iter().filter(|finding| finding.severity == wanted).count();
        let (errors, warnings) = (count(Severity::Error), count(Severity::Warning));
        output::line(&match (errors, warnings) {
            (0, 0) => "no fault found".to_owned(),
            _ => format!("{}, {}", counted(errors, "error"), counted(warnings, "warning")),
        })
    }
}

fn counted(number: usize, thing: &str) -> String {
    format!("{number} {thing}{}", if number == 1 { "" } else { "s" })
}

fn section(title: &str, lines: &[String]) -> Result<(), CliError> {
    output::line(title)?;
    for line in lines {
        output::line(&format!("  {line}"))?;
    }
    if lines.is_empty() {
        output::line("  none")?;
    }
    output::line("")
}

fn lines_of(rows: &[Row]) -> Vec<String> {
    let mut lines = Vec::new();
    for Row { name, values } in rows {
        for Shown { value, place, standing } in values {
            let remark = match *standing {
                "overridden" => "; overridden",
                "repository-may-not" => "; does not count: a repository may not say this",
                _ => "",
            };
            let (name, holder) = match &place.holder {
                Holder::File(_, path) => (&place.name, path.display().to_string()),
                Holder::Carrier(variable) => (&place.name, (*variable).to_owned()),
                Holder::Variable => (name, place.name.clone()),
            };
            lines.push(format!("{name} = {value}  ({}, {holder}{remark})", place.scope()));
        }
    }
    lines
}

fn runs(setup: &Setup) -> Runs {
    let values = setup.key("gpg.x509.program");
    let (name, found) = match values.last() {
        Some(value) => (value.shown(), setup.program(value)),
        // What git falls back on.
        None => ("gpgsm".to_owned(), setup.finder.find("gpgsm", false)),
    };
    let (program, is) = match found {
        Program::This(path) => (path.to_string_lossy().into_owned(), "this"),
        Program::Gitseal(path, _) => (path.to_string_lossy().into_owned(), "gitseal"),
        Program::Other(path) => (path.to_string_lossy().into_owned(), "other"),
        Program::Missing(_) => (name, "missing"),
    };
    Runs { program, is }
}

fn git_settings(setup: &Setup) -> Vec<Row> {
    let keys = KEYS.iter().map(|key| (*key, setup.key(key)));
    let variables = VARIABLES.iter().map(|name| (*name, setup.variable(name).into_iter().collect()));
    let set = keys.chain(variables).filter(|(_, values): &(_, Vec<Located>)| !values.is_empty());
    set.map(|(name, values)| {
        let last = values.len() - 1;
        let shown = values.into_iter().enumerate().map(|(at, place)| Shown {
            value: place.shown(),
            place,
            standing: if at == last { "counts" } else { "overridden" },
        });
        Row { name: name.to_owned(), values: shown.collect() }
    })
    .collect()
}

fn row(setup: &Setup, setting: &Setting) -> Option<Row> {
    let values = setup.values(setting.name);
    let shown = values.iter().map(|value| {
        let place = Located::of_setting(value, &setup.directory);
        let value_shown = match setting.kind {
            Kind::Secret => "(secret)".to_owned(),
            Kind::Url => without_password(&place.shown()),
            _ => place.shown(),
        };
        let standing = match value.standing {
            Standing::Counts => "counts",
            Standing::Overridden => "overridden",
            Standing::RepositoryMayNot => "repository-may-not",
        };
        Shown { value: value_shown, place, standing }
    });
    let values: Vec<Shown> = shown.collect();
    (!values.is_empty()).then(|| Row { name: setting.label(), values })
}

fn trust(setup: &Setup) -> Option<Trust> {
    let chosen = Choice::new(setup.settings(), setup.now).trusted_root().ok()?;
    let (origin, source, date) = match chosen.origin {
        RootOrigin::File(path) => ("file", path.to_string_lossy().into_owned(), written(&path)),
        RootOrigin::Instance { name, origin, in_pieces } => {
            let name = name.map_or_else(|| "TUF_MIRROR".to_owned(), |name| name.to_string());
            (if in_pieces { "pieces" } else { origin.code() }, name, origin.as_of().map(day))
        }
    };
    let today = day(setup.now);
    Some(Trust {
        origin,
        source,
        date: date.map(|date| date.to_string()),
        age_days: date.and_then(|date| Some(date.until(today).ok()?.get_days().into())),
    })
}

/// When a file was last written: it says no date of its own.
fn written(path: &Path) -> Option<Date> {
    let time = std::fs::metadata(path).ok()?.modified().ok()?;
    Some(day(Timestamp::try_from(time).ok()?))
}

fn day(time: Timestamp) -> Date {
    Offset::UTC.to_datetime(time).date()
}

fn token_row(setup: &Setup) -> Option<Token> {
    let source = token_source(setup)?;
    let token = token(setup).ok().flatten();
    Some(Token {
        source,
        subject: token.as_ref().map(|token| token.subject().as_str().to_owned()),
        issuers: token.iter().flat_map(|token| token.issuers().map(str::to_owned)).collect(),
        expires: token.as_ref().map(|token| token.expires().to_string()),
    })
}
