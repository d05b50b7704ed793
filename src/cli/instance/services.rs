//! The instance as signing needs it: renewed if it soon expires, with the log that the user wants, and who asks for tokens.

use jiff::Timestamp;

use super::tuf::{Renewal, TufInstance};
use super::{Choice, ChosenConfig};
use crate::cli::error::CliError;
use crate::cli::settings::Settings;
use crate::cli::streams::Streams;
use crate::trust::Instance;
use crate::trust::instance::CLIENT_ID;

/// Fetch what is in force if what is believed soon expires: signing has the network, verifying has not.
///
/// # Errors
/// What is kept cannot be used.
pub fn renew(settings: &Settings, streams: &mut Streams) -> Result<(), CliError> {
    if settings.need_no_instance() {
        return Ok(());
    }
    let Some(instance) = TufInstance::in_force(settings)? else { return Ok(()) };
    if let Renewal::Failed(error) = instance.renew(settings.server_roots(), Timestamp::now())? {
        streams.warning(&format!("what is believed expires within a day, and could not be renewed: {error}"));
    }
    Ok(())
}

/// The instance that the settings choose, for signing.
///
/// # Errors
/// One of its documents cannot be read, or names no log of the wanted version.
pub fn instance(settings: &Settings) -> Result<Instance, CliError> {
    let now = Timestamp::now();
    let choice = Choice::new(settings, now);
    let ChosenConfig { config: mut signing_config, client_id } = choice.signing_config()?;
    if let Some(version) = settings.rekor_version {
        signing_config.logs.retain(|log| log.major_api_version == version);
        if signing_config.logs.is_empty() {
            return Err(CliError::Usage {
                problem: format!("the signing config names no transparency log of version {version}"),
                hint: "unset gitseal.rekorVersion, or use a signing config that names one".into(),
            });
        }
    }
    Ok(Instance {
        name: settings.instance_name().to_string(),
        trusted_root: choice.trusted_root()?.root,
        issuer: signing_config.oidc_provider(now).ok().map(|provider| provider.url.clone()),
        signing_config,
        client_id,
    })
}

/// The audience that tokens must be for, even where the instance cannot be had.
#[must_use]
pub fn client_id(settings: &Settings, now: Timestamp) -> String {
    let chosen = || Choice::new(settings, now).signing_config().map_or(CLIENT_ID.to_owned(), |chosen| chosen.client_id);
    settings.client_id.clone().unwrap_or_else(chosen)
}
