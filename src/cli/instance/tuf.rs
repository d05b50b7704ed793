//! An instance under TUF's eye: where its first root and its cache are, and when it is fetched anew.
//!
//! Verifying never fetches: the cache is judged again at every use, and refused when it has expired. Signing needs the
//! network anyway, so it renews what has expired or is about to.

use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use directories::ProjectDirs;
use jiff::Timestamp;

use super::documents::{Documents, Origin};
use super::mirror;
use super::store::{Pair, Store, StoreError};
use crate::cli::error::CliError;
use crate::cli::input;
use crate::cli::settings::{Settings, TufMirror};
use crate::cli::streams::with_patience;
use crate::cli::trust_cache::{self, TufDocuments, TufState};
use crate::crypto::digest::hex;
use crate::crypto::sha256;
use crate::net::Roots;
use crate::trust::InstanceName;
use crate::trust::export::TufOrigin;
use crate::trust::instance::Source;
use crate::trust::metadata_files::MAX_ROOT_LEN;

/// Signing renews what expires within this time. The public instance's timestamp lives a week and is renewed every
/// three days, so a machine that signs daily never stands before an expired one.
const RENEW_BEFORE: Duration = Duration::from_secs(24 * 60 * 60);

/// An instance whose documents a TUF repository vouches for.
#[derive(Debug, Clone)]
pub struct TufInstance {
    /// What it is called; cosign's variables give no name.
    pub name: Option<InstanceName>,
    /// The repository.
    pub url: String,
    /// The root that every judgement begins with. The user has it from the user's own hand, or from this program.
    root: Vec<u8>,
    /// The cache.
    folder: PathBuf,
}

impl TufInstance {
    /// The instance in force, if it has a TUF repository: then that is where its news come from, whatever counts now.
    ///
    /// # Errors
    /// Its definition or its first root cannot be read.
    pub fn in_force(settings: &Settings) -> Result<Option<Self>, CliError> {
        if let Some(mirror) = mirror(settings) {
            return Self::mirror(mirror).map(Some);
        }
        let name = settings.instance_name();
        let store = match Store::open() {
            Ok(store) => store,
            // What is built in can be used without a home, but nothing new can be kept.
            Err(_) if name.embedded().is_some() => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        match (store.definition(&name)?.map(|definition| definition.source), name.embedded()) {
            (Some(Source::Tuf { url }), _) => Self::named(&name, url, store.root(&name)?).map(Some),
            (_, Some(embedded)) => Self::named(&name, embedded.tuf_url.to_owned(), embedded.root.to_vec()).map(Some),
            (Some(_), None) => Ok(None),
            (None, None) => Err(store.unknown(&name, settings.instance.as_ref())),
        }
    }

    /// The instance that is called `name`, with its repository at `url`.
    ///
    /// # Errors
    /// There is no place for a cache.
    pub fn named(name: &InstanceName, url: String, root: Vec<u8>) -> Result<Self, CliError> {
        let folder = caches()?.join("tuf").join(name.as_str());
        Ok(TufInstance { name: Some(name.clone()), url, root, folder })
    }

    /// The instance that cosign's variables name. Its cache belongs to its address and its root: another root is
    /// another instance.
    ///
    /// # Errors
    /// The root cannot be read, or there is no place for a cache.
    pub fn mirror(mirror: &TufMirror) -> Result<Self, CliError> {
        let TufMirror { url, root } = mirror;
        let root = root_file(root)?;
        let id = sha256(&[&sha256(url.as_bytes())[..], &sha256(&root)[..]].concat());
        let folder = caches()?.join("tuf-mirror").join(hex(&id));
        Ok(TufInstance { name: None, url: url.clone(), root, folder })
    }

    /// What was fetched before, judged again.
    ///
    /// # Errors
    /// It has expired, or somebody has changed it.
    pub fn cached(&self, now: Timestamp) -> Result<Option<Documents>, CliError> {
        Ok(trust_cache::cached(&self.folder, &self.root, now)?.map(|documents| self.documents(documents)))
    }

    /// What was fetched before, or the reason why there is nothing.
    ///
    /// # Errors
    /// As [`TufInstance::cached`], and if nothing ever was.
    pub fn fetched(&self, now: Timestamp) -> Result<Documents, CliError> {
        self.cached(now)?.ok_or_else(|| StoreError::NeverFetched(self.name.clone()).into())
    }

    /// Fetch what is in force.
    ///
    /// # Errors
    /// The repository cannot be asked or is refused.
    pub fn update(&self, roots: Roots, now: Timestamp) -> Result<Documents, CliError> {
        Ok(self.documents(trust_cache::update(&self.folder, &self.root, &self.url, roots, now)?))
    }

    /// The same for a person who waits, and is told for what if it takes longer.
    ///
    /// # Errors
    /// As [`TufInstance::update`].
    pub fn update_patiently(&self, settings: &Settings, now: Timestamp) -> Result<Documents, CliError> {
        let doing = format!("asking the TUF repository at {} ...", self.url);
        with_patience(&doing, || self.update(settings.server_roots(), now))
    }

    /// Fetch what is in force if what is there has expired, or is about to.
    ///
    /// # Errors
    /// Nothing good is there, and nothing can be fetched.
    pub fn renew(&self, roots: Roots, now: Timestamp) -> Result<Renewal, CliError> {
        match self.cached(now) {
            Ok(Some(Documents { origin: Origin::Tuf { state, .. }, .. })) if state.expires > now + RENEW_BEFORE => {
                return Ok(Renewal::NotNeeded);
            }
            // Nobody has asked for it; what is built in serves.
            Ok(None) if self.is_built_in() => return Ok(Renewal::NotNeeded),
            _ => {}
        }
        let Err(error) = self.update(roots, now) else { return Ok(Renewal::Done) };
        // A new root counts even if nothing came after it, so what is there is looked at again.
        match self.cached(now) {
            Ok(Some(_)) => Ok(Renewal::Failed(error)),
            _ => Err(error),
        }
    }

    /// Forget what was fetched.
    ///
    /// # Errors
    /// It cannot be removed.
    pub fn forget(&self) -> Result<(), CliError> {
        match std::fs::remove_dir_all(&self.folder) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                Err(CliError::io(format!("remove {}", self.folder.display()), error))
            }
            _ => Ok(()),
        }
    }

    fn is_built_in(&self) -> bool {
        self.name.as_ref().is_some_and(|name| name.embedded().is_some())
    }

    fn documents(&self, documents: TufDocuments) -> Documents {
        let TufDocuments { trusted_root, signing_config, state } = documents;
        let (url, fetched_at) = (self.url.clone(), fetched_at(&self.folder));
        Documents {
            instance: self.name.clone(),
            pair: Pair { trusted_root, signing_config },
            origin: Origin::Tuf { url, state, fetched_at },
            issuer: None,
            client_id: None,
        }
    }
}

/// What came of renewing.
#[derive(Debug)]
pub enum Renewal {
    /// What is there is good for some time.
    NotNeeded,
    /// It is new.
    Done,
    /// It could not be renewed, and is good nevertheless, for now.
    Failed(CliError),
}

/// The bytes of a first root that a setting or an option names.
///
/// # Errors
/// The file cannot be read.
pub fn root_file(path: &Path) -> Result<Vec<u8>, CliError> {
    input::file(path, "the TUF root", MAX_ROOT_LEN as u64)
}

/// What is said of `state` outside this machine.
#[must_use]
pub fn exported(url: &str, state: &TufState) -> TufOrigin {
    let TufState { root_version, root_expires, signed_by, timestamp_version, expires, .. } = state.clone();
    TufOrigin { url: url.to_owned(), root_version, root_expires, timestamp_version, expires, signed_by }
}

/// When the newest word of the repository came; that it is still the newest may have been heard later.
fn fetched_at(folder: &Path) -> Option<Timestamp> {
    let modified: SystemTime = std::fs::metadata(folder.join("timestamp.json")).ok()?.modified().ok()?;
    Timestamp::try_from(modified).ok()
}

/// Where caches are.
fn caches() -> Result<PathBuf, StoreError> {
    let directories = ProjectDirs::from("", "", "gitseal").ok_or(StoreError::NoHome)?;
    Ok(directories.cache_dir().to_owned())
}

#[cfg(test)]
#[cfg(feature = "sandbox")]
mod tests {
    use super::*;
    use crate::sandbox::{Options, Sandbox};

    const DAY: Duration = Duration::from_secs(24 * 60 * 60);

    fn expires(documents: &Documents) -> Timestamp {
        match &documents.origin {
            Origin::Tuf { state, .. } => state.expires,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn signing_renews_what_is_about_to_expire_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let (started, wait) = std::sync::mpsc::channel();
        let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
        let dir = folder.path().join("sandbox");
        let server = std::thread::spawn(move || {
            crate::service::wait(async {
                let running = Sandbox::start(&dir, Options::default()).await.unwrap();
                started.send((running.tuf_url(), running.dir().join("tuf-root.json"))).unwrap();
                stopped.await.unwrap();
            })
            .unwrap();
        });
        let (url, root) = wait.recv().unwrap();
        let (name, root) = (Some(InstanceName::new("corp").unwrap()), root_file(&root).unwrap());
        let instance = TufInstance { name, url, root, folder: folder.path().join("cache") };
        let now = Timestamp::now();
        let renew = |at| instance.renew(Roots::default(), at);
        assert!(matches!(instance.fetched(now), Err(CliError::Instance(StoreError::NeverFetched(_)))));

        // Nothing is there, and there is a network: the first signature fetches.
        assert!(matches!(renew(now), Ok(Renewal::Done)));
        assert!(matches!(renew(now), Ok(Renewal::NotNeeded)));
        let expires = expires(&instance.fetched(now).unwrap());
        assert!(matches!(renew(expires - DAY / 2), Ok(Renewal::Done)));

        // From here on the repository cannot be asked.
        stop.send(()).unwrap();
        server.join().unwrap();
        assert!(matches!(renew(expires - 2 * DAY), Ok(Renewal::NotNeeded)));
        assert!(matches!(renew(expires - DAY / 2), Ok(Renewal::Failed(CliError::Update(_)))));
        assert!(instance.fetched(expires - DAY / 2).is_ok(), "a failure to renew leaves what is good");
        assert!(matches!(renew(expires + DAY), Err(CliError::Update(_))));
        assert!(matches!(instance.fetched(expires + DAY), Err(CliError::Cache(_))), "expired, and refused offline");
        instance.forget().unwrap();
        let built_in = TufInstance { name: Some(InstanceName::public()), ..instance.clone() };
        assert!(matches!(built_in.renew(Roots::default(), now), Ok(Renewal::NotNeeded)), "nobody has asked for it");
        assert!(instance.cached(now).unwrap().is_none());
    }
}
