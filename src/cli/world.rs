//! What surrounds a run: the repository we are in, the settings in force, the time. Read once, then passed down.

use std::path::PathBuf;

use jiff::Timestamp;

use super::error::CliError;
use super::settings::{Ignored, Settings};
use super::streams::Streams;
use crate::repo::{Config, RepoError, Repository};

/// The surroundings of a run.
pub struct World {
    /// The repository that the current directory is in, if there is one.
    pub repository: Option<Repository>,
    /// The settings in force.
    pub settings: Settings,
    /// The current time.
    pub now: Timestamp,
}

impl World {
    /// Look around; values that a repository may not set are reported on `streams`.
    ///
    /// # Errors
    /// The repository or the configuration cannot be read, or a setting means nothing.
    pub fn read(streams: &mut Streams) -> Result<Self, CliError> {
        let directory = std::env::current_dir().map_err(|e| CliError::io("find the current directory", e))?;
        let repository = match Repository::discover(&directory, &|name| std::env::var_os(name)) {
            Ok(repository) => Some(repository),
            Err(RepoError::NotFound(_)) => None,
            Err(error) => return Err(error.into()),
        };
        let (settings, ignored) = settings(repository.as_ref())?;
        for ignored in ignored {
            streams.warning(&format!("{} is set by the repository itself and does not count there", ignored.key));
            streams.hint(&format!("if you want it: {}", ignored.remedy));
        }
        Ok(World { repository, settings, now: Timestamp::now() })
    }

    /// The repository, where a command cannot do without.
    ///
    /// # Errors
    /// There is none.
    pub fn repository(&self) -> Result<&Repository, CliError> {
        self.repository.as_ref().ok_or_else(|| {
            let here = std::env::current_dir().unwrap_or_default();
            CliError::Repo(RepoError::NotFound(here))
        })
    }
}

/// The settings in force in `repository`, or outside any, and what it may not set.
///
/// # Errors
/// The configuration cannot be read, or a setting means nothing.
pub fn settings(repository: Option<&Repository>) -> Result<(Settings, Vec<Ignored>), CliError> {
    let environment = |name: &str| std::env::var_os(name);
    let config = Config::read(repository, &environment)?;
    let home = std::env::var_os("HOME").filter(|home| !home.is_empty()).map(PathBuf::from);
    Ok(Settings::load(&config, &environment, home)?)
}
