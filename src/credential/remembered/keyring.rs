//! The keyring of the operating system: the Secret Service on a session bus, or the keychain of macOS.
//!
//! Its clients block, and a keyring that shows a window for its password may block for ever. So each question is asked
//! by a thread of its own, and left behind when it takes too long: a thread does not keep a process alive.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use keyring_core::{CredentialStore, Entry, Error};
use tokio::sync::{Mutex, oneshot};
use zeroize::Zeroizing;

use super::error::RememberError;

/// What `secret-tool search service gitseal` finds.
const SERVICE: &str = "gitseal";

/// Access to the keyring, one question after the other.
#[derive(Debug, Clone)]
pub(super) struct Keyring {
    time: Duration,
    /// Held by a question until it is answered, even if nobody waits any more: a keyring that hangs costs one thread.
    asked: Arc<Mutex<()>>,
}

impl Keyring {
    pub(super) fn new(time: Duration) -> Self {
        Keyring { time, asked: Arc::default() }
    }

    /// The secret of `account`.
    pub(super) async fn get(&self, account: String) -> Result<Option<Zeroizing<String>>, RememberError> {
        self.ask(move |store| read(&entry(store, &account, None)?)).await
    }

    /// Put `secret` there for `account`, and see that it is there.
    pub(super) async fn set(
        &self,
        account: String,
        label: String,
        secret: Zeroizing<String>,
    ) -> Result<(), RememberError> {
        self.ask(move |store| {
            let entry = entry(store, &account, Some(&label))?;
            entry.set_password(&secret)?;
            if read(&entry)?.as_ref() == Some(&secret) { Ok(()) } else { Err(RememberError::NotKept) }
        })
        .await
    }

    /// Remove the secret of `account`, see that it is gone, and say whether there was one.
    pub(super) async fn remove(&self, account: String) -> Result<bool, RememberError> {
        self.ask(move |store| {
            let entry = entry(store, &account, None)?;
            match entry.delete_credential() {
                Ok(()) if read(&entry)?.is_none() => Ok(true),
                Ok(()) => Err(RememberError::NotRemoved),
                Err(Error::NoEntry) => Ok(false),
                Err(error) => Err(error.into()),
            }
        })
        .await
    }

    async fn ask<T: Send + 'static>(
        &self,
        question: impl FnOnce(&CredentialStore) -> Result<T, RememberError> + Send + 'static,
    ) -> Result<T, RememberError> {
        let asked = Arc::clone(&self.asked);
        let answered = async move {
            let turn = asked.lock_owned().await;
            let (answer, answered) = oneshot::channel();
            let work = move || {
                let found = open().map_err(RememberError::from).and_then(|store| question(&*store));
                // Nobody may wait for it any more.
                let _ = answer.send(found);
                drop(turn);
            };
            std::thread::Builder::new().name("keyring".to_owned()).spawn(work).map_err(RememberError::Thread)?;
            // A client that panics leaves no answer.
            answered.await.unwrap_or(Err(RememberError::NoAnswer))
        };
        tokio::time::timeout(self.time, answered).await.unwrap_or(Err(RememberError::TimedOut))
    }
}

/// A connection for one question: the keyring may have come or gone since the last one.
fn open() -> Result<Arc<CredentialStore>, Error> {
    #[cfg(target_os = "macos")]
    let store = apple_native_keyring_store::keychain::Store::new()?;
    #[cfg(not(target_os = "macos"))]
    let store = zbus_secret_service_keyring_store::Store::new()?;
    Ok(store)
}

/// The entry of `account`. A label is for those that are made; the keychain of macOS takes none.
fn entry(store: &CredentialStore, account: &str, label: Option<&str>) -> Result<Entry, Error> {
    let label = label.filter(|_| !cfg!(target_os = "macos")).map(|label| HashMap::from([("label", label)]));
    store.build(SERVICE, account, label.as_ref())
}

fn read(entry: &Entry) -> Result<Option<Zeroizing<String>>, RememberError> {
    match entry.get_password() {
        Ok(secret) => Ok(Some(Zeroizing::new(secret))),
        Err(Error::NoEntry) => Ok(None),
        Err(error) => Err(error.into()),
    }
}
