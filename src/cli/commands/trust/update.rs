//! `gitseal trust update`: the documents in force, fetched anew from the TUF repository that vouches for them.

use clap::Args;

use crate::cli::error::CliError;
use crate::cli::exit::Exit;
use crate::cli::instance::documents::{Documents, Origin};
use crate::cli::instance::in_its_place;
use crate::cli::instance::store::Store;
use crate::cli::instance::tuf::TufInstance;
use crate::cli::output;
use crate::cli::settings::Settings;
use crate::cli::streams::Streams;
use crate::cli::world::World;
use crate::trust::InstanceName;

/// Fetch the documents in force anew from the TUF repository that vouches for them.
///
/// The network is asked here, by 'instance add --tuf', and while signing; verifying never asks.
#[derive(Debug, Args)]
pub(super) struct Update {}

impl Update {
    #[allow(clippy::unused_self, reason = "all commands are called alike")]
    pub(super) fn run(&self, streams: &mut Streams) -> Result<Exit, CliError> {
        let world = World::read(streams)?;
        let settings = &world.settings;
        let Some(instance) = TufInstance::in_force(settings)? else { return Err(no_repository(settings)) };
        // What cannot be read any more is no news, only what has become of it is.
        let before = Documents::in_force(settings, world.now).ok();
        let after = instance.update_patiently(settings, world.now)?;
        after.check()?;
        if let Some(name) = &instance.name {
            forget_import(name)?;
        }
        let what = instance.name.as_ref().map_or("TUF_MIRROR".to_owned(), |name| format!("the instance {name}"));
        output::line(&format!("updated {what}: {}", after.origin.summary()))?;
        changes(before.as_ref(), &after).iter().try_for_each(|change| output::line(change))?;
        in_its_place(settings).iter().for_each(|text| streams.warning(text));
        Ok(Exit::Good)
    }
}

/// What was imported for a built-in instance has done its service.
fn forget_import(name: &InstanceName) -> Result<(), CliError> {
    if name.embedded().is_none() {
        return Ok(());
    }
    let store = Store::open()?;
    match store.definition(name)? {
        Some(_) => store.remove(name),
        None => Ok(()),
    }
}

fn no_repository(settings: &Settings) -> CliError {
    let name = settings.instance_name();
    CliError::Usage {
        problem: format!("the instance '{name}' comes from files: there is nobody to ask"),
        hint: format!(
            "import newer ones with 'gitseal trust import', or 'gitseal instance remove {name}' and add it anew"
        ),
    }
}

fn changes(before: Option<&Documents>, after: &Documents) -> Vec<String> {
    let Some(before) = before else { return vec!["nothing was there before".to_owned()] };
    let mut changes = Vec::new();
    if let (Origin::Tuf { state: old, .. }, Origin::Tuf { state: new, .. }) = (&before.origin, &after.origin)
        && old.root_version != new.root_version
    {
        changes.push(format!("the root changed from version {} to {}", old.root_version, new.root_version));
    }
    if before.pair.trusted_root.trim_ascii() != after.pair.trusted_root.trim_ascii() {
        changes.push("the trusted root changed".to_owned());
    }
    let config = |documents: &Documents| documents.pair.signing_config.as_deref().map(|c| c.trim_ascii().to_vec());
    if config(before) != config(after) {
        changes.push("the signing config changed".to_owned());
    }
    if changes.is_empty() {
        changes.push("nothing else changed".to_owned());
    }
    changes
}
