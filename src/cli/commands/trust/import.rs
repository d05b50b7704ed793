//! `gitseal trust import`: the documents of an instance, from a file that came another way than the network.

use std::path::PathBuf;

use clap::Args;
use jiff::Timestamp;

use crate::cli::error::CliError;
use crate::cli::exit::Exit;
use crate::cli::input;
use crate::cli::instance::store::{self, Beside, Pair, Store, StoreError};
use crate::cli::output;
use crate::cli::streams::Streams;
use crate::net::address;
use crate::trust::Export;
use crate::trust::export::{Exported, MAX_EXPORT_LEN};
use crate::trust::instance::{Definition, InstanceName, Source};

/// Take the documents of an instance from a file that 'trust export' wrote.
///
/// A ClientTrustConfig of another Sigstore program can be read, too.
#[derive(Debug, Args)]
pub(super) struct Import {
    /// The file.
    file: PathBuf,
    /// What to call the instance, in place of the name in the file.
    #[arg(long = "as", value_name = "NAME")]
    name: Option<String>,
    /// The SHA-256 digest that the file must have.
    #[arg(long, value_name = "HEX")]
    checksum: Option<String>,
}

impl Import {
    pub(super) fn run(&self, _streams: &mut Streams) -> Result<Exit, CliError> {
        let json = input::file(&self.file, "an export", MAX_EXPORT_LEN as u64)?;
        if let Some(checksum) = &self.checksum {
            input::check_sha256(&self.file, &json, checksum)?;
        }
        let export = Export::from_json(&json).map_err(|error| CliError::document(&self.file, error))?;
        if let Some(issuer) = &export.issuer {
            address::parse(issuer).map_err(|error| CliError::document(&self.file, error))?;
        }
        let name = self.name(&export)?;
        let source = export.exported.map_or(Source::Files {}, Source::Import);
        let (issuer, client_id) = (export.issuer, export.client_id);
        let definition = Definition { name, source, issuer, client_id, added_at: Timestamp::now() };
        let pair = Pair { trusted_root: export.trusted_root, signing_config: Some(export.signing_config) };
        keep(&Store::open()?, &definition, &Beside::Documents(pair))?;
        say(&definition)?;
        Ok(Exit::Good)
    }

    fn name(&self, export: &Export) -> Result<InstanceName, CliError> {
        match (&self.name, &export.instance) {
            (Some(name), _) => Ok(store::name(name)?),
            (None, Some(name)) => Ok(name.clone()),
            (None, None) => Err(CliError::Usage {
                problem: "the file does not say which instance it is".into(),
                hint: "give it a name: --as NAME".into(),
            }),
        }
    }
}

/// A newer import takes the place of an older one, and of nothing else.
fn keep(store: &Store, definition: &Definition, documents: &Beside) -> Result<(), CliError> {
    match (store.definition(&definition.name)?.map(|there| there.source), &definition.source) {
        (None, _) => store.add(definition, documents),
        (Some(Source::Import(there)), Source::Import(new)) if age(&there) <= age(new) => {
            store.replace(definition, documents)
        }
        (Some(Source::Import(there)), Source::Import(new)) => Err(CliError::Usage {
            problem: format!("the file is older than what is there: of {} and not of {}", age(new), age(&there)),
            hint: format!("to go back nevertheless, first: gitseal instance remove {}", definition.name),
        }),
        (Some(_), _) => Err(StoreError::Exists(definition.name.clone()).into()),
    }
}

/// Of when the documents are; at the latest they were there when they were exported.
fn age(exported: &Exported) -> Timestamp {
    exported.as_of.unwrap_or(exported.exported_at)
}

fn say(definition: &Definition) -> Result<(), CliError> {
    let name = &definition.name;
    output::line(&match &definition.source {
        Source::Import(Exported { exported_at, as_of: Some(as_of), .. }) => {
            format!("imported the instance {name}, exported at {exported_at}, as of {as_of}")
        }
        Source::Import(Exported { exported_at, .. }) => {
            format!("imported the instance {name}, exported at {exported_at}, of unknown age")
        }
        _ => format!("imported the instance {name}, of unknown age"),
    })?;
    output::line(&match name.embedded() {
        Some(_) => {
            format!(
                "it counts more than what is built in, until 'gitseal trust update' or 'gitseal instance remove {name}'"
            )
        }
        None => format!("to use it: gitseal instance use {name}, or --global for all your repositories"),
    })
}
