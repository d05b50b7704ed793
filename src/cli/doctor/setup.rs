//! What is looked at: the repository, the configuration, the environment, this program. Unlike
//! [`World`](crate::cli::world::World) it stands whatever is wrong with one of them.

use std::ffi::OsString;
use std::path::PathBuf;

use jiff::Timestamp;

use super::finding::{Finding, Id};
use super::place::{Commands, Located, tidy};
use super::programs::{FIRST_WITH_TILDE, Finder, Git, Program};
use crate::cli::error::CliError;
use crate::cli::settings::source::{self, SetValue, Standing};
use crate::cli::settings::table::Name;
use crate::cli::settings::{Reading, Settings};
use crate::cli::shell::quote;
use crate::repo::{Config, RepoError, Repository};

/// The surroundings, read for a look and not for work.
pub struct Setup {
    /// git, if there is one.
    pub git: Option<Git>,
    /// The repository that the current directory is in.
    pub repository: Option<Repository>,
    /// git configuration.
    pub config: Config,
    /// Our settings, and what is wrong with them.
    pub reading: Reading,
    /// Writes commands for this setup.
    pub commands: Commands,
    /// How git finds programs.
    pub finder: Finder,
    /// The current directory.
    pub directory: PathBuf,
    /// The current time.
    pub now: Timestamp,
}

impl Setup {
    /// Look around. `findings` gets what keeps git or us from reading anything at all; then there is no setup.
    ///
    /// # Errors
    /// This process does not know where it is.
    pub fn read(findings: &mut Vec<Finding>) -> Result<Option<Self>, CliError> {
        let directory = std::env::current_dir().map_err(|e| CliError::io("find the current directory", e))?;
        let this = std::env::current_exe().map_err(|e| CliError::io("find my own path", e))?;
        let git = Git::find();
        if let Some(git) = &git
            && let Err(complaint) = git.run(&["config", "--list"])
        {
            findings.push(unreadable(&complaint));
            return Ok(None);
        }
        let repository = match Repository::discover(&directory, &|name| std::env::var_os(name)) {
            Ok(repository) => Some(repository),
            Err(RepoError::NotFound(_)) => None,
            Err(error) => {
                // git says more about what it does not like; where git has nothing to say, only we do not.
                let complaint = git.as_ref().and_then(|git| git.run(&["rev-parse", "--git-dir"]).err());
                let problem =
                    complaint.map_or_else(|| error.to_string(), |said| format!("git refuses this repository: {said}"));
                findings.push(Finding::error(Id::RepositoryUnreadable, problem));
                None
            }
        };
        let environment = |name: &str| std::env::var_os(name);
        let config = match Config::read(repository.as_ref(), &environment) {
            Ok(config) => config,
            Err(error) => {
                findings.push(unreadable(&error.to_string()));
                return Ok(None);
            }
        };
        let home = variable("HOME").map(PathBuf::from);
        let knows_tilde = git.as_ref().is_none_or(|git| git.is_at_least(FIRST_WITH_TILDE));
        let work_tree = repository.as_ref().and_then(Repository::work_tree).map(|path| directory.join(path));
        Ok(Some(Setup {
            commands: Commands {
                global: variable("GIT_CONFIG_GLOBAL")
                    .map(PathBuf::from)
                    .or(home.as_ref().map(|h| h.join(".gitconfig"))),
                local: repository
                    .as_ref()
                    .map(|repository| tidy(directory.join(repository.common_dir()).join("config"))),
            },
            finder: Finder {
                path: variable("PATH"),
                home: home.clone().filter(|_| knows_tilde),
                work_tree,
                directory: directory.clone(),
                this,
            },
            reading: Settings::examine(&config, &environment, home),
            git,
            repository,
            config,
            directory,
            now: Timestamp::now(),
        }))
    }

    /// The settings in force.
    #[must_use]
    pub fn settings(&self) -> &Settings {
        &self.reading.settings
    }

    /// All values of a key of git configuration, such as `gpg.x509.program`, lowest precedence first.
    #[must_use]
    pub fn key(&self, name: &str) -> Vec<Located> {
        let (section, rest) = name.split_once('.').unwrap_or((name, ""));
        let (subsection, key) = rest.rsplit_once('.').map_or((None, rest), |(under, key)| (Some(under), key));
        let values = self.config.values_under(section, subsection, key);
        values.into_iter().map(|value| Located::of_key(name, value, &self.directory)).collect()
    }

    /// A variable that git reads, if it is set.
    #[must_use]
    pub fn variable(&self, name: &str) -> Option<Located> {
        variable(name).map(|value| Located::of_variable(name, value.into_encoded_bytes()))
    }

    /// All values of one of our settings, lowest precedence first.
    #[must_use]
    pub fn values(&self, name: Name) -> Vec<SetValue<'_>> {
        source::values_of(name.setting(), &self.config, &|name| std::env::var_os(name))
    }

    /// The value of one of our settings that counts most.
    #[must_use]
    pub fn counting(&self, name: Name) -> Option<Located> {
        let values = self.values(name);
        let last = values.iter().rfind(|value| value.standing == Standing::Counts)?;
        Some(Located::of_setting(last, &self.directory))
    }

    /// What one of our settings is called where it is set, or what it would be.
    #[must_use]
    pub fn label(&self, name: Name) -> String {
        self.counting(name).map_or_else(|| name.setting().label(), |located| located.name)
    }

    /// A finding about one of our settings, which goes away with the value that counts.
    #[must_use]
    pub fn about(&self, finding: Finding, name: Name) -> Finding {
        match self.counting(name) {
            Some(located) => finding.at(&located).fix(self.commands.unset(&located)),
            None => finding,
        }
    }

    /// What git would run for the name in `located`. A program that only the repository names is not run here.
    #[must_use]
    pub fn program(&self, located: &Located) -> Program {
        if located.text.is_none() {
            return Program::Missing("it has no value".into());
        }
        let may_run = !located.is_the_repositorys();
        self.finder.find(&located.shown(), may_run)
    }

    /// Have a key of git hold `good`, where `is_good` says which values would do as well. What stands in a repository
    /// goes away if what is beneath it is good; nothing else is touched.
    #[must_use]
    pub fn mend(&self, finding: Finding, name: &str, good: &str, is_good: &dyn Fn(&Located) -> bool) -> Finding {
        let values = self.key(name);
        let Some(last) = values.last() else { return finding.fix(super::place::set_globally(name, good)) };
        let beneath = values.iter().rfind(|value| value.holder != last.holder);
        let fix = match beneath {
            Some(beneath) if last.is_the_repositorys() && is_good(beneath) => self.commands.unset(last),
            _ => self.commands.replace(last, good),
        };
        finding.at(last).fix(fix)
    }

    /// Take the repository for one's own.
    #[must_use]
    pub fn trust_repository(&self) -> Option<String> {
        let repository = self.repository.as_ref()?;
        let top = repository.work_tree().unwrap_or_else(|| repository.git_dir());
        let top = self.directory.join(top);
        let top = top.canonicalize().unwrap_or(top);
        Some(format!("git config --global --add safe.directory {}", quote(top.as_os_str().as_encoded_bytes())))
    }

    /// What `scope` outside the repository says about a key, as a boolean.
    #[must_use]
    pub fn users_boolean(&self, name: &str) -> Option<bool> {
        let is_ours = |value: &&Located| !value.is_the_repositorys();
        let values = self.key(name);
        crate::repo::config::parse_boolean(values.iter().rfind(is_ours)?.text.as_deref())
    }
}

fn variable(name: &str) -> Option<OsString> {
    std::env::var_os(name).filter(|value| !value.is_empty())
}

fn unreadable(complaint: &str) -> Finding {
    let finding =
        Finding::error(Id::ConfigurationUnreadable, format!("git's configuration cannot be read: {complaint}"));
    // git names the file and the line of everything but the list that `git -c` hands down.
    if complaint.contains("command-line config") || complaint.contains("GIT_CONFIG_PARAMETERS") {
        return finding.fix("unset GIT_CONFIG_PARAMETERS");
    }
    finding
}
