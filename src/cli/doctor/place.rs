//! Where a value stands, told exactly enough to change it there, and the commands that do.

use std::path::{Component, Path, PathBuf};

use serde::Serialize;
use serde::ser::{SerializeStruct as _, Serializer};

use crate::cli::settings::source::{Place, SetValue};
use crate::cli::shell::quote;
use crate::repo::{Origin, Scope, Value};

/// What holds a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Holder {
    /// An environment variable of its own.
    Variable,
    /// A file of git configuration, by its absolute path.
    File(Scope, PathBuf),
    /// A variable that holds git configuration: `GIT_CONFIG_PARAMETERS` or `GIT_CONFIG_COUNT`.
    Carrier(&'static str),
}

/// A value and where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Located {
    /// The key or the variable.
    pub name: String,
    /// What holds it.
    pub holder: Holder,
    /// The text; `None` for a key without `=`.
    pub text: Option<Vec<u8>>,
}

impl Located {
    /// A value of git configuration; `directory` is what relative paths are relative to.
    #[must_use]
    pub fn of_key(name: &str, value: Value<'_>, directory: &Path) -> Self {
        let Value { scope, origin, text } = value;
        Located { name: name.to_owned(), holder: holder(scope, origin, directory), text }
    }

    /// A variable of the environment.
    #[must_use]
    pub fn of_variable(name: &str, text: Vec<u8>) -> Self {
        Located { name: name.to_owned(), holder: Holder::Variable, text: Some(text) }
    }

    /// A value of one of our settings.
    #[must_use]
    pub fn of_setting(value: &SetValue<'_>, directory: &Path) -> Self {
        let holder = match value.place {
            Place::Variable(_) => Holder::Variable,
            Place::Key { scope, origin, .. } => holder(scope, origin, directory),
        };
        Located { name: value.place.name(), holder, text: value.text.clone() }
    }

    /// `system`, `global`, `local`, `command` or `environment`.
    #[must_use]
    pub fn scope(&self) -> &'static str {
        match &self.holder {
            Holder::Variable => "environment",
            Holder::File(scope, _) => scope.as_str(),
            Holder::Carrier(_) => Scope::Command.as_str(),
        }
    }

    /// The file it stands in.
    #[must_use]
    pub fn file(&self) -> Option<&Path> {
        match &self.holder {
            Holder::File(_, path) => Some(path),
            _ => None,
        }
    }

    /// Whether a repository's own files hold it.
    #[must_use]
    pub fn is_the_repositorys(&self) -> bool {
        matches!(self.holder, Holder::File(Scope::Repository, _))
    }

    /// The text as people read it.
    #[must_use]
    pub fn shown(&self) -> String {
        self.text.as_deref().map_or_else(|| "true".into(), String::from_utf8_lossy).into_owned()
    }

    /// The place in a few words.
    #[must_use]
    pub fn place(&self) -> String {
        match &self.holder {
            Holder::Variable => format!("the environment variable {}", self.name),
            Holder::File(scope, path) => format!("{} ({})", path.display(), scope.as_str()),
            Holder::Carrier(variable) => format!("the environment variable {variable}"),
        }
    }
}

impl Serialize for Located {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut place = serializer.serialize_struct("Located", 3)?;
        place.serialize_field("name", &self.name)?;
        place.serialize_field("scope", self.scope())?;
        place.serialize_field("file", &self.file().map(Path::to_string_lossy))?;
        place.end()
    }
}

fn holder(scope: Scope, origin: Origin<'_>, directory: &Path) -> Holder {
    match origin {
        Origin::File(path) => Holder::File(scope, tidy(directory.join(path))),
        Origin::CommandLine => Holder::Carrier("GIT_CONFIG_PARAMETERS"),
        Origin::Environment => Holder::Carrier("GIT_CONFIG_COUNT"),
    }
}

/// The same file without `..`, which a linked work tree's path to its configuration has; no other path is touched, so
/// that people see the name they know.
#[must_use]
pub(super) fn tidy(path: PathBuf) -> PathBuf {
    if !path.components().any(|part| part == Component::ParentDir) {
        return path;
    }
    let folder = path.parent().and_then(|folder| folder.canonicalize().ok());
    match (folder, path.file_name()) {
        (Some(folder), Some(name)) => folder.join(name),
        _ => path,
    }
}

/// Writes commands. It knows which files `git config` has an option for.
#[derive(Debug, Default)]
pub struct Commands {
    /// What `--global` writes to.
    pub global: Option<PathBuf>,
    /// What `--local` writes to.
    pub local: Option<PathBuf>,
}

impl Commands {
    /// Take all values of this name away from where it stands.
    #[must_use]
    pub fn unset(&self, located: &Located) -> String {
        match &located.holder {
            Holder::Variable => format!("unset {}", located.name),
            Holder::Carrier(variable) => format!("unset {variable}"),
            Holder::File(_, path) => format!("git config {} --unset-all {}", self.option(path), located.name),
        }
    }

    /// Take only this value of a list away.
    #[must_use]
    pub fn drop_one(&self, located: &Located) -> String {
        match (&located.holder, &located.text) {
            (Holder::File(_, path), Some(text)) => {
                let (option, name, text) = (self.option(path), &located.name, quote(text));
                format!("git config {option} --fixed-value --unset-all {name} {text}")
            }
            _ => self.unset(located),
        }
    }

    /// Put `value` in the place of what stands there; for the user where that is the machine's.
    #[must_use]
    pub fn replace(&self, located: &Located, value: &str) -> String {
        let value = quote(value.as_bytes());
        let name = &located.name;
        match &located.holder {
            Holder::Variable => format!("export {name}={value}"),
            Holder::Carrier(variable) => format!("unset {variable}"),
            Holder::File(Scope::System, _) => format!("git config --global --replace-all {name} {value}"),
            Holder::File(_, path) => format!("git config {} --replace-all {name} {value}", self.option(path)),
        }
    }

    fn option(&self, path: &Path) -> String {
        let is = |file: &Option<PathBuf>| file.as_deref() == Some(path);
        match () {
            () if is(&self.global) => "--global".into(),
            () if is(&self.local) => "--local".into(),
            () => format!("--file {}", quote(path.as_os_str().as_encoded_bytes())),
        }
    }
}

/// Set a key for the user.
#[must_use]
pub(super) fn set_globally(name: &str, value: &str) -> String {
    format!("git config --global {name} {}", quote(value.as_bytes()))
}

/// Add to a list for the user.
#[must_use]
pub(super) fn add_globally(name: &str, value: &str) -> String {
    format!("git config --global --add {name} {}", quote(value.as_bytes()))
}
