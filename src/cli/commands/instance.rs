//! `gitseal instance`: the Sigstores that the user knows, and which of them is in force.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use jiff::Timestamp;
use serde::Serialize;

use crate::cli::config_file::ConfigFile;
use crate::cli::error::CliError;
use crate::cli::exit::Exit;
use crate::cli::input;
use crate::cli::instance::documents::Documents;
use crate::cli::instance::store::{self, Beside, Pair, Store, StoreError, selector};
use crate::cli::instance::tuf::{TufInstance, root_file};
use crate::cli::instance::{in_its_place, signing_config_file, trusted_root_file};
use crate::cli::output;
use crate::cli::settings::Settings;
use crate::cli::streams::Streams;
use crate::cli::world::World;
use crate::net::address;
use crate::trust::instance::{CLIENT_ID, Definition, InstanceName, Source, check_client_id};
use crate::trust::{SigningConfig, TrustedRoot, TrustedSet};

/// Add, choose and list instances of Sigstore.
#[derive(Debug, Args)]
pub struct InstanceArgs {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Define an instance, from the documents that its operators publish.
    Add(Add),
    /// List the instances that can be chosen.
    List(List),
    /// Tell where an instance's documents come from, and whether it is in force.
    Show(Show),
    /// Choose an instance.
    Use(Use),
    /// Forget an instance.
    Remove(Remove),
}

#[derive(Debug, Args)]
struct Add {
    /// What to call it.
    name: String,
    /// Its TUF repository.
    #[arg(long, value_name = "URL", requires = "root", required_unless_present = "trusted_root")]
    tuf: Option<String>,
    /// The first root of that repository, as its operators gave it to you.
    #[arg(long, value_name = "FILE", requires = "tuf")]
    root: Option<PathBuf>,
    /// The SHA-256 digest that this root must have.
    #[arg(long, value_name = "HEX", requires = "root")]
    checksum: Option<String>,
    /// Its trusted_root.json, where there is no TUF repository.
    #[arg(long, value_name = "FILE", requires = "signing_config", conflicts_with = "tuf")]
    trusted_root: Option<PathBuf>,
    /// Its signing_config.json.
    #[arg(long, value_name = "FILE", requires = "trusted_root")]
    signing_config: Option<PathBuf>,
    /// The OpenID provider to log in at, in place of the one in the signing config.
    #[arg(long, value_name = "URL")]
    issuer: Option<String>,
    /// The audience of its tokens; 'sigstore' if it is not given.
    #[arg(long, value_name = "ID")]
    client_id: Option<String>,
}

#[derive(Debug, Args)]
struct List {
    /// Print a JSON object.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
struct Show {
    /// Which; the one in force if it is not given.
    name: Option<String>,
    /// Print a JSON object.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
struct Use {
    /// Which.
    name: String,
    /// For all repositories of this user.
    #[arg(long, conflicts_with = "local")]
    global: bool,
    /// For this repository only (the default).
    #[arg(long)]
    local: bool,
}

#[derive(Debug, Args)]
struct Remove {
    /// Which.
    name: String,
}

impl InstanceArgs {
    pub(super) fn run(&self, streams: &mut Streams) -> Result<Exit, CliError> {
        match &self.command {
            Command::Add(add) => add.run(streams),
            Command::List(list) => list.run(streams),
            Command::Show(show) => show.run(streams),
            Command::Use(choose) => choose.run(streams),
            Command::Remove(remove) => remove.run(streams),
        }
    }
}

/// What an instance is made of, by the options that say it.
enum Parts<'a> {
    Tuf { url: &'a str, root: &'a Path },
    Files { trusted_root: &'a Path, signing_config: &'a Path },
}

impl Add {
    fn run(&self, streams: &mut Streams) -> Result<Exit, CliError> {
        let name = store::name(&self.name)?;
        if name.embedded().is_some() {
            return Err(StoreError::BuiltIn(name).into());
        }
        if let Some(issuer) = &self.issuer {
            address::parse(issuer).map_err(|error| usage("--issuer", error))?;
        }
        self.client_id.as_deref().map(check_client_id).transpose().map_err(|error| usage("--client-id", error))?;
        let store = Store::open()?;
        if store.definition(&name)?.is_some() {
            return Err(StoreError::Exists(name).into());
        }
        let definition = |source| Definition {
            name: name.clone(),
            source,
            issuer: self.issuer.clone(),
            client_id: self.client_id.clone(),
            added_at: Timestamp::now(),
        };
        match self.parts()? {
            Parts::Files { trusted_root, signing_config } => {
                let pair = files(trusted_root, signing_config)?;
                store.add(&definition(Source::Files {}), &Beside::Documents(pair))?;
                output::line(&format!("added the instance {name}"))?;
            }
            Parts::Tuf { url, root } => {
                let root = self.root(root)?;
                let (instance, fetched) = fetch(&name, url, &root, streams)?;
                let added = store.add(&definition(Source::Tuf { url: url.to_owned() }), &Beside::Root(root));
                added.inspect_err(|_| drop(instance.forget()))?;
                output::line(&format!("added the instance {name}: {}", fetched.origin.summary()))?;
            }
        }
        output::line(&format!("to use it: gitseal instance use {name}, or --global for all your repositories"))?;
        Ok(Exit::Good)
    }

    fn parts(&self) -> Result<Parts<'_>, CliError> {
        Ok(match (&self.tuf, &self.root, &self.trusted_root, &self.signing_config) {
            (Some(url), Some(root), ..) => Parts::Tuf { url, root },
            (_, _, Some(trusted_root), Some(signing_config)) => Parts::Files { trusted_root, signing_config },
            _ => Err(usage("add", "give either --tuf and --root, or --trusted-root and --signing-config"))?,
        })
    }

    /// The first root, which is what was meant.
    fn root(&self, path: &Path) -> Result<Vec<u8>, CliError> {
        let root = root_file(path)?;
        if let Some(checksum) = &self.checksum {
            input::check_sha256(path, &root, checksum)?;
        }
        // Before anybody is asked: a wrong file is a mistake here, not of the repository.
        TrustedSet::new(&root, Timestamp::now()).map_err(|error| CliError::document(path, error))?;
        Ok(root)
    }
}

/// Both documents, which can be used.
fn files(trusted_root: &Path, signing_config: &Path) -> Result<Pair, CliError> {
    let (root, config) = (trusted_root_file(trusted_root)?, signing_config_file(signing_config)?);
    TrustedRoot::from_json(&root).map_err(|error| CliError::document(trusted_root, error))?;
    SigningConfig::from_json(&config).map_err(|error| CliError::document(signing_config, error))?;
    Ok(Pair { trusted_root: root, signing_config: Some(config) })
}

/// Everything that the repository vouches for, which can be used; or nothing is left of it.
fn fetch(
    name: &InstanceName,
    url: &str,
    root: &[u8],
    streams: &mut Streams,
) -> Result<(TufInstance, Documents), CliError> {
    address::parse(url).map_err(|error| usage("--tuf", error))?;
    let world = World::read(streams)?;
    let instance = TufInstance::named(name, url.to_owned(), root.to_vec())?;
    // Of an instance that had this name once.
    instance.forget()?;
    let fetched = instance.update_patiently(&world.settings, world.now);
    let fetched = fetched.and_then(|documents| documents.check().map(|()| documents));
    let fetched = fetched.inspect_err(|_| drop(instance.forget()))?;
    Ok((instance, fetched))
}

fn usage(option: &str, error: impl std::fmt::Display) -> CliError {
    CliError::Usage { problem: format!("{option}: {error}"), hint: "see gitseal-instance(1)".into() }
}

const SCHEMA: &str = "gitseal-instances/1";

#[derive(Debug, Serialize)]
struct Report {
    schema: &'static str,
    instances: Vec<Entry>,
}

/// One instance.
#[derive(Debug, Serialize)]
struct Entry {
    name: String,
    /// Whether it is the one in force.
    selected: bool,
    /// Who says so; nobody of the default.
    selected_by: Option<String>,
    /// `built-in`, `files`, `import` or `tuf`.
    source: &'static str,
    tuf_url: Option<String>,
    issuer: Option<String>,
    client_id: String,
    added_at: Option<String>,
    /// Where it is kept.
    path: Option<String>,
}

impl Entry {
    fn of(name: &InstanceName, store: Option<&Store>, settings: &Settings) -> Result<Self, CliError> {
        let definition = store.map_or(Ok(None), |store| store.definition(name))?;
        if definition.is_none() && name.embedded().is_none() {
            return Err(
                store.map_or(StoreError::NoHome.into(), |store| store.unknown(name, settings.instance.as_ref()))
            );
        }
        let selected = settings.instance_name() == *name;
        let selected_by = settings.instance.as_ref().filter(|_| selected).map(selector);
        let defined = definition.as_ref();
        let client_id = defined.and_then(|definition| definition.client_id.clone());
        Ok(Entry {
            name: name.to_string(),
            selected,
            selected_by,
            source: defined.map_or("built-in", |definition| store::source(&definition.source)),
            tuf_url: defined.and_then(|definition| match &definition.source {
                Source::Tuf { url } => Some(url.clone()),
                _ => None,
            }),
            issuer: defined.and_then(|definition| definition.issuer.clone()),
            client_id: client_id.unwrap_or_else(|| CLIENT_ID.to_owned()),
            added_at: defined.map(|definition| definition.added_at.to_string()),
            path: defined.and(store).map(|store| store.path(name).display().to_string()),
        })
    }

    fn documents(&self) -> String {
        match (self.source, &self.tuf_url) {
            ("tuf", Some(url)) => format!("the TUF repository at {url}"),
            ("files", _) => "files".to_owned(),
            ("import", _) => "an import".to_owned(),
            _ => "built in".to_owned(),
        }
    }
}

/// The user's instances; none for a user without a home, who can still use what is built in.
fn own() -> Option<Store> {
    Store::open().ok()
}

impl List {
    fn run(&self, streams: &mut Streams) -> Result<Exit, CliError> {
        let world = World::read(streams)?;
        let store = own();
        let known = store.as_ref().map_or(Ok(vec![InstanceName::public(), InstanceName::staging()]), Store::known)?;
        let settings = &world.settings;
        let entries = known.iter().map(|name| Entry::of(name, store.as_ref(), settings));
        let report = Report { schema: SCHEMA, instances: entries.collect::<Result<_, _>>()? };
        if self.json {
            output::json(&report)?;
        } else {
            let width = report.instances.iter().map(|entry| entry.name.len()).max().unwrap_or(0);
            for entry in &report.instances {
                let mark = if entry.selected { '*' } else { ' ' };
                output::line(&format!("{mark} {:width$}  {}", entry.name, entry.documents()))?;
            }
        }
        if let (Some(selected), Some(store)) = (&settings.instance, &store)
            && !known.contains(&selected.name)
        {
            let unknown = store.unknown(&selected.name, Some(selected));
            streams.warning(&unknown.to_string());
            unknown.hint().into_iter().for_each(|hint| streams.hint(&hint));
        }
        in_its_place(settings).iter().for_each(|text| streams.warning(text));
        Ok(Exit::Good)
    }
}

impl Show {
    fn run(&self, streams: &mut Streams) -> Result<Exit, CliError> {
        let world = World::read(streams)?;
        let settings = &world.settings;
        let name = self.name.as_deref().map_or_else(|| Ok(settings.instance_name()), store::name)?;
        let entry = Entry::of(&name, own().as_ref(), settings)?;
        if self.json {
            output::json(&Report { schema: SCHEMA, instances: vec![entry] })?;
        } else {
            entry.print()?;
        }
        in_its_place(settings).iter().for_each(|text| streams.warning(text));
        Ok(Exit::Good)
    }
}

impl Entry {
    fn print(&self) -> Result<(), CliError> {
        let selected = match (self.selected, &self.selected_by) {
            (true, Some(by)) => format!("yes, by {by}"),
            (true, None) => "yes, by default".to_owned(),
            (false, _) => "no".to_owned(),
        };
        let lines = [
            ("instance", Some(self.name.clone())),
            ("documents", Some(self.documents())),
            ("added", self.added_at.clone()),
            ("kept in", self.path.clone()),
            ("issuer", Some(self.issuer.clone().unwrap_or_else(|| "as the signing config says".to_owned()))),
            ("audience", Some(self.client_id.clone())),
            ("selected", Some(selected)),
        ];
        for (label, value) in lines {
            value.map_or(Ok(()), |value| output::line(&format!("{label:11} {value}")))?;
        }
        Ok(())
    }
}

impl Use {
    fn run(&self, streams: &mut Streams) -> Result<Exit, CliError> {
        let name = store::name(&self.name)?;
        if name.embedded().is_none() {
            let store = Store::open()?;
            store.definition(&name)?.ok_or_else(|| store.unknown(&name, None))?;
        }
        let file = if self.global {
            ConfigFile::global()
        } else {
            ConfigFile::local(&format!("gitseal instance use --global {name}"))?
        };
        file.replace("gitseal.instance", &[name.to_string()])?;
        output::line(&format!("gitseal.instance = {name}"))?;
        let world = World::read(streams)?;
        if world.settings.instance_name() != name
            && let Some(other) = &world.settings.instance
        {
            streams.warning(&format!("{} selects '{}' and counts more here", selector(other), other.name));
        }
        in_its_place(&world.settings).iter().for_each(|text| streams.warning(text));
        Ok(Exit::Good)
    }
}

impl Remove {
    fn run(&self, streams: &mut Streams) -> Result<Exit, CliError> {
        let name = store::name(&self.name)?;
        let store = Store::open()?;
        match (store.path(&name).exists(), name.embedded()) {
            // Whatever the definition says, even if it cannot be read: this is how to be rid of it.
            (true, _) => store.remove(&name)?,
            (false, Some(_)) => return Err(StoreError::BuiltIn(name).into()),
            (false, None) => return Err(store.unknown(&name, None)),
        }
        output::line(&match name.embedded() {
            Some(_) => format!("removed what was imported for {name}; what is built in counts again"),
            None => format!("removed the instance {name}"),
        })?;
        if name.embedded().is_none() {
            // What it had fetched is of no use to anybody, least of all to another instance of this name.
            TufInstance::named(&name, String::new(), Vec::new())?.forget()?;
        }
        // It is done; whatever is wrong with the surroundings is no reason to say that it is not.
        if let Ok(world) = World::read(streams)
            && let Some(selected) = world.settings.instance.as_ref().filter(|selected| selected.name == name)
            && name.embedded().is_none()
        {
            streams.warning(&format!("{} still selects it", selector(selected)));
            streams.hint("choose another: gitseal instance use public");
        }
        Ok(Exit::Good)
    }
}
