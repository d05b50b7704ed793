//! Where the user's instances are kept: a directory each, under the user's configuration, with the definition and the
//! documents as they were given.
//!
//! ```text
//! gitseal/instances/corp/instance.json         the definition
//!                        root.json             the first TUF root, or
//!                        trusted_root.json     the two documents
//!                        signing_config.json
//! ```
//!
//! An instance appears and goes as a whole, by renaming its directory.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use directories::ProjectDirs;
use thiserror::Error;

use crate::cli::error::CliError;
use crate::cli::input;
use crate::cli::settings::Selected;
use crate::repo::config::Scope;
use crate::trust::instance::{Definition, DefinitionError, InstanceName, MAX_DEFINITION_LEN, NameError, Source};
use crate::trust::metadata_files::MAX_ROOT_LEN;
use crate::trust::root::MAX_TRUSTED_ROOT_LEN;
use crate::trust::signing_config::MAX_CONFIG_LEN;

/// No more instances are listed: people have one or two.
const MAX_INSTANCES: usize = 256;

const DEFINITION: &str = "instance.json";
const ROOT: &str = "root.json";
const TRUSTED_ROOT: &str = "trusted_root.json";
const SIGNING_CONFIG: &str = "signing_config.json";

/// Why an instance cannot be had, added or removed.
#[derive(Debug, Error)]
pub enum StoreError {
    /// The user has no place of their own.
    #[error("there is no home directory, so no instance of your own")]
    NoHome,
    /// Nobody can be called so.
    #[error("'{name}' can be no instance: {cause}")]
    Name {
        /// What was asked for.
        name: String,
        /// Why not.
        cause: NameError,
    },
    /// There is none of that name.
    #[error("{} selects the instance '{name}', and you have none of that name (there are: {})", .selected, list(.known))]
    Selected {
        /// The name.
        name: InstanceName,
        /// Who selects it.
        selected: String,
        /// Those there are.
        known: Vec<InstanceName>,
    },
    /// There is none of that name.
    #[error("you have no instance '{name}' (there are: {})", list(.known))]
    Unknown {
        /// The name.
        name: InstanceName,
        /// Those there are.
        known: Vec<InstanceName>,
    },
    /// There is one already.
    #[error("there is an instance '{0}' already")]
    Exists(InstanceName),
    /// It came with the program.
    #[error("the instance '{0}' is built in")]
    BuiltIn(InstanceName),
    /// Nothing is known of it yet.
    #[error("nothing was fetched yet for {}", .0.as_ref().map_or("TUF_MIRROR".into(), |name| format!("the instance '{name}'")))]
    NeverFetched(Option<InstanceName>),
    /// What is kept is no definition.
    #[error("the instance '{name}' cannot be used: {cause}")]
    Damaged {
        /// Whose it is.
        name: InstanceName,
        /// What is wrong with it.
        cause: DefinitionError,
    },
}

fn list(names: &[InstanceName]) -> String {
    names.iter().map(InstanceName::as_str).collect::<Vec<_>>().join(", ")
}

impl StoreError {
    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> String {
        match self {
            StoreError::NoHome => {
                "set HOME, or name the documents with gitseal.trustedRoot and gitseal.signingConfig".into()
            }
            StoreError::Name { .. } => "'gitseal instance list' shows those there are".into(),
            StoreError::Selected { name, .. } => format!(
                "if you trust it: gitseal instance add {name} --tuf URL --root FILE, with what its operators publish"
            ),
            StoreError::Unknown { .. } => "'gitseal instance add' adds one; see gitseal-instance(1)".into(),
            StoreError::Exists(name) => format!("to define it anew, first: gitseal instance remove {name}"),
            StoreError::NeverFetched(_) => {
                "run 'gitseal trust update', which asks the network; verifying never does".into()
            }
            StoreError::Damaged { name, .. } => format!("define it anew, first: gitseal instance remove {name}"),
            StoreError::BuiltIn(_) => "choose another name; 'gitseal trust update' renews what is built in".into(),
        }
    }
}

/// The two documents of an instance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pair {
    /// `trusted_root.json`.
    pub trusted_root: Vec<u8>,
    /// `signing_config.json`; older TUF repositories have none.
    pub signing_config: Option<Vec<u8>>,
}

/// What lies beside a definition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Beside {
    /// The first root of its TUF repository.
    Root(Vec<u8>),
    /// The documents.
    Documents(Pair),
}

/// The user's instances.
#[derive(Debug, Clone)]
pub struct Store {
    directory: PathBuf,
}

impl Store {
    /// That of this user.
    ///
    /// # Errors
    /// [`StoreError::NoHome`]
    pub fn open() -> Result<Self, StoreError> {
        let directories = ProjectDirs::from("", "", "gitseal").ok_or(StoreError::NoHome)?;
        Ok(Store { directory: directories.config_dir().join("instances") })
    }

    /// Where the instance that is called `name` is kept.
    #[must_use]
    pub fn path(&self, name: &InstanceName) -> PathBuf {
        self.directory.join(name.as_str())
    }

    /// The definition of `name`, if the user has one.
    ///
    /// # Errors
    /// It cannot be read, or is none.
    pub fn definition(&self, name: &InstanceName) -> Result<Option<Definition>, CliError> {
        let directory = self.path(name);
        // What cannot be looked at may be there: nothing else takes its place.
        if !directory.try_exists().map_err(|error| self.io("look at", &directory, error))? {
            return Ok(None);
        }
        let path = directory.join(DEFINITION);
        let json = input::file(&path, "the definition of an instance", MAX_DEFINITION_LEN as u64)?;
        let damaged = |cause| StoreError::Damaged { name: name.clone(), cause }.into();
        Definition::from_json(name, &json).map(Some).map_err(damaged)
    }

    /// The documents that lie beside the definition of `name`, with their paths.
    ///
    /// # Errors
    /// One cannot be read.
    pub fn documents(&self, name: &InstanceName) -> Result<Pair, CliError> {
        let read = |file: &str, what, limit| input::file(&self.path(name).join(file), what, limit);
        Ok(Pair {
            trusted_root: read(TRUSTED_ROOT, "the trusted root", MAX_TRUSTED_ROOT_LEN as u64)?,
            signing_config: Some(read(SIGNING_CONFIG, "the signing config", MAX_CONFIG_LEN as u64)?),
        })
    }

    /// The first root of the TUF repository of `name`.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn root(&self, name: &InstanceName) -> Result<Vec<u8>, CliError> {
        input::file(&self.path(name).join(ROOT), "the TUF root", MAX_ROOT_LEN as u64)
    }

    /// The names of the user's own instances, in order.
    ///
    /// # Errors
    /// The directory cannot be read.
    pub fn names(&self) -> Result<Vec<InstanceName>, CliError> {
        let entries = match fs::read_dir(&self.directory) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(self.io("read", &self.directory, error)),
        };
        let names = entries.filter_map(|entry| InstanceName::new(entry.ok()?.file_name().to_str()?).ok());
        let mut names: Vec<_> = names.take(MAX_INSTANCES).collect();
        names.sort();
        Ok(names)
    }

    /// Every name that can be selected: the built-in ones first.
    ///
    /// # Errors
    /// The directory cannot be read.
    pub fn known(&self) -> Result<Vec<InstanceName>, CliError> {
        let own = self.names()?.into_iter().filter(|name| name.embedded().is_none());
        Ok([InstanceName::public(), InstanceName::staging()].into_iter().chain(own).collect())
    }

    /// That there is no instance `name`: why, and who asked for it.
    #[must_use]
    pub fn unknown(&self, name: &InstanceName, selected: Option<&Selected>) -> CliError {
        let known = match self.known() {
            Ok(known) => known,
            Err(error) => return error,
        };
        let name = name.clone();
        match selected {
            Some(selected) if selected.name == name => {
                StoreError::Selected { name, selected: selector(selected), known }.into()
            }
            _ => StoreError::Unknown { name, known }.into(),
        }
    }

    /// Keep a definition and what belongs to it; nothing is left of a failure.
    ///
    /// # Errors
    /// There is one of that name, or the files cannot be written.
    pub fn add(&self, definition: &Definition, beside: &Beside) -> Result<(), CliError> {
        let path = self.path(&definition.name);
        if path.exists() {
            return Err(StoreError::Exists(definition.name.clone()).into());
        }
        let made = self.make(definition, beside).map_err(|error| self.io("write below", &self.directory, error))?;
        fs::rename(made.path(), &path).map_err(|error| self.io("make", &path, error))
    }

    /// The same in the place of what is there.
    ///
    /// # Errors
    /// The files cannot be written.
    pub fn replace(&self, definition: &Definition, beside: &Beside) -> Result<(), CliError> {
        let path = self.path(&definition.name);
        let made = self.make(definition, beside).map_err(|error| self.io("write below", &self.directory, error))?;
        // Between the two renames there is none: whoever looks just then is refused, not misled.
        self.remove(&definition.name)?;
        fs::rename(made.path(), &path).map_err(|error| self.io("make", &path, error))
    }

    /// Forget what is kept of `name`.
    ///
    /// # Errors
    /// The files cannot be removed.
    pub fn remove(&self, name: &InstanceName) -> Result<(), CliError> {
        let path = self.path(name);
        let remove = || -> io::Result<()> {
            // Out of sight first: a half-removed instance must not be found.
            let aside = private_directory(&self.directory)?;
            match fs::rename(&path, aside.path().join("removed")) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
                renamed => renamed,
            }?;
            aside.close()
        };
        remove().map_err(|error| self.io("remove", &path, error))
    }

    /// A directory beside the others that holds the whole instance.
    fn make(&self, definition: &Definition, beside: &Beside) -> io::Result<tempfile::TempDir> {
        make_private(&self.directory)?;
        let made = private_directory(&self.directory)?;
        let files: [(&str, Option<&Vec<u8>>); 2] = match beside {
            Beside::Root(root) => [(ROOT, Some(root)), (TRUSTED_ROOT, None)],
            Beside::Documents(pair) => {
                [(TRUSTED_ROOT, Some(&pair.trusted_root)), (SIGNING_CONFIG, pair.signing_config.as_ref())]
            }
        };
        for (name, content) in files {
            content.map_or(Ok(()), |content| write(&made.path().join(name), content))?;
        }
        write(&made.path().join(DEFINITION), &definition.to_json())?;
        File::open(made.path())?.sync_all()?;
        Ok(made)
    }

    fn io(&self, action: &str, path: &Path, error: io::Error) -> CliError {
        CliError::io(format!("{action} {}", path.display()), error)
    }
}

/// Who selects an instance, as a person would look for it.
pub fn selector(selected: &Selected) -> String {
    let Selected { by, scope, .. } = selected;
    match scope {
        Some(Scope::Repository) => format!("the repository's own {by}"),
        Some(Scope::Global) => format!("your {by}"),
        Some(Scope::System) => format!("the machine's {by}"),
        Some(Scope::Command) | None => by.clone(),
    }
}

/// `text` as the name of an instance.
///
/// # Errors
/// [`StoreError::Name`]
pub fn name(text: &str) -> Result<InstanceName, StoreError> {
    InstanceName::new(text).map_err(|cause| StoreError::Name { name: text.to_owned(), cause })
}

/// How the source of a definition is called.
#[must_use]
pub fn source(source: &Source) -> &'static str {
    match source {
        Source::Tuf { .. } => "tuf",
        Source::Files {} => "files",
        Source::Import(_) => "import",
    }
}

fn write(path: &Path, content: &[u8]) -> io::Result<()> {
    let mut file = File::options().write(true).create_new(true).open(path)?;
    file.write_all(content)?;
    file.sync_all()
}

/// A new directory in `parent` that nobody else can look into; it goes with the value unless it was renamed.
fn private_directory(parent: &Path) -> io::Result<tempfile::TempDir> {
    let mut builder = tempfile::Builder::new();
    // No instance's name begins with a dot: what a crash leaves behind is never taken for one.
    builder.prefix(".new-");
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o700));
    builder.tempdir_in(parent)
}

/// Make `path` and what is missing above it, for its owner alone.
fn make_private(path: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn store() -> (tempfile::TempDir, Store) {
        let directory = tempfile::tempdir().unwrap();
        let store = Store { directory: directory.path().join("gitseal/instances") };
        (directory, store)
    }

    fn definition(name: &str) -> Definition {
        let name = InstanceName::new(name).unwrap();
        let added_at = "2026-11-24T00:00:00Z".parse().unwrap();
        Definition { name, source: Source::Files {}, issuer: None, client_id: None, added_at }
    }

    fn beside(text: &str) -> Beside {
        Beside::Documents(Pair { trusted_root: text.into(), signing_config: Some(text.into()) })
    }

    #[test]
    fn an_instance_comes_and_goes_as_a_whole() {
        let (_directory, store) = store();
        let corp = definition("corp");
        assert_eq!(store.definition(&corp.name).unwrap(), None);
        store.add(&corp, &beside("one\n")).unwrap();
        assert_eq!(store.definition(&corp.name).unwrap(), Some(corp.clone()));
        assert_eq!(Beside::Documents(store.documents(&corp.name).unwrap()), beside("one\n"), "byte for byte");
        store.replace(&corp, &beside("two")).unwrap();
        assert_eq!(Beside::Documents(store.documents(&corp.name).unwrap()), beside("two"));
        assert_eq!(store.names().unwrap(), std::slice::from_ref(&corp.name));
        assert_eq!(store.known().unwrap().len(), 3);
        store.remove(&corp.name).unwrap();
        store.remove(&corp.name).unwrap();
        assert_eq!(store.definition(&corp.name).unwrap(), None);
        assert_eq!(fs::read_dir(&store.directory).unwrap().count(), 0, "nothing is left behind");
    }

    #[cfg(unix)]
    #[test]
    fn nobody_else_can_look() {
        use std::os::unix::fs::PermissionsExt as _;
        let (_directory, store) = store();
        let corp = definition("corp");
        store.add(&corp, &beside("one")).unwrap();
        for path in [store.directory.clone(), store.path(&corp.name)] {
            assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o700, "{}", path.display());
        }
    }

    #[test]
    fn an_instance_is_not_replaced_by_adding_one_fail() {
        let (_directory, store) = store();
        let corp = definition("corp");
        store.add(&corp, &beside("one")).unwrap();
        assert!(matches!(store.add(&corp, &beside("two")), Err(CliError::Instance(StoreError::Exists(_)))));
        assert_eq!(Beside::Documents(store.documents(&corp.name).unwrap()), beside("one"));
    }

    #[test]
    fn a_definition_under_another_name_is_refused_fail() {
        let (_directory, store) = store();
        let corp = definition("corp");
        store.add(&corp, &beside("one")).unwrap();
        let other = InstanceName::new("other").unwrap();
        fs::rename(store.path(&corp.name), store.path(&other)).unwrap();
        assert!(matches!(store.definition(&other), Err(CliError::Instance(StoreError::Damaged { .. }))));
    }
}
