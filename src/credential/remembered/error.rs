//! Why a login is not remembered: the states that a keyring can be in.

use std::io;
use std::path::PathBuf;

use keyring_core::Error;
use zeroize::Zeroize as _;

/// Why.
#[derive(Debug, thiserror::Error)]
pub enum RememberError {
    /// There is no session bus.
    #[error("there is no keyring here: no D-Bus session is running")]
    NoBus,
    /// Nothing on the bus keeps secrets.
    #[error("there is no keyring here: nothing on the session bus keeps secrets")]
    NoService,
    /// There is a service, and no keyring in it that new secrets go to.
    #[error("the keyring service has no default keyring")]
    NoCollection,
    /// It is locked, and nobody unlocked it.
    #[error("the keyring is locked")]
    Locked,
    /// It does not let us.
    #[error("the keyring denied access")]
    Denied,
    /// It takes too long.
    #[error("the keyring does not answer")]
    TimedOut,
    /// It gave up in the middle.
    #[error("the keyring's client failed")]
    NoAnswer,
    /// It says that it stored something and shows something else.
    #[error("the keyring did not keep what was stored in it")]
    NotKept,
    /// It says that it removed something, which is there still.
    #[error("the keyring did not remove the login")]
    NotRemoved,
    /// There is more than one for the same login.
    #[error("the keyring holds {0} entries for this login")]
    Ambiguous(usize),
    /// What is in it was put there by somebody else.
    #[error("what the keyring holds for this login is no refresh token")]
    Content,
    /// Any other error of the keyring.
    #[error("the keyring failed: {0}")]
    Keyring(String),
    /// The issuer gave something that is not one.
    #[error("the issuer's refresh token is not of the form that RFC 6749 allows, or too long")]
    Token,
    /// A name that cannot be told from another.
    #[error("no login can be remembered for this {0}")]
    Name(&'static str),
    /// Another process has this login.
    #[error("another process is renewing this login and does not finish")]
    Busy,
    /// The lock file.
    #[error("cannot lock {}: {source}", .path.display())]
    Turn {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// No thread to ask the keyring.
    #[error("cannot ask the keyring: {0}")]
    Thread(io::Error),
}

impl RememberError {
    /// Whether there is no keyring at all, so that nothing can be in it.
    #[must_use]
    pub fn is_absence(&self) -> bool {
        matches!(self, RememberError::NoBus | RememberError::NoService | RememberError::NoCollection)
    }

    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> &'static str {
        match self {
            RememberError::NoBus => {
                "run gitseal in a desktop session or under dbus-run-session, or set gitseal.rememberLogin to false"
            }
            RememberError::NoService => {
                "start a keyring such as gnome-keyring or KWallet, or set gitseal.rememberLogin to false"
            }
            RememberError::NoCollection => {
                "make a default keyring in your desktop's password program; logging in to the desktop usually makes it"
            }
            RememberError::Locked => "unlock the keyring in your desktop's password program",
            RememberError::Denied => "allow gitseal to use the keyring",
            RememberError::TimedOut => "it may be waiting for its password in a window: unlock it, then try again",
            RememberError::NoAnswer
            | RememberError::NotKept
            | RememberError::NotRemoved
            | RememberError::Keyring(_)
            | RememberError::Thread(_) => "set gitseal.rememberLogin to false to go on without the keyring",
            RememberError::Ambiguous(_) | RememberError::Content => {
                "remove the entries with 'secret-tool clear service gitseal' and log in again"
            }
            RememberError::Token => "set gitseal.rememberLogin to false: this issuer's logins cannot be kept",
            RememberError::Name(_) => "look at the issuer, the client id and the identity in the settings",
            RememberError::Busy => "try again, or end the gitseal that hangs",
            RememberError::Turn { .. } => "the folder must be yours, and writable",
        }
    }
}

impl From<Error> for RememberError {
    /// The keyring's error without the secret that two of its variants carry.
    fn from(error: Error) -> Self {
        match error {
            Error::BadEncoding(mut secret) | Error::BadDataFormat(mut secret, _) => {
                secret.zeroize();
                RememberError::Content
            }
            Error::Ambiguous(entries) => RememberError::Ambiguous(entries.len()),
            Error::PlatformFailure(source) | Error::NoStorageAccess(source) => from_platform(&*source),
            other => RememberError::Keyring(other.to_string()),
        }
    }
}

#[cfg(target_os = "macos")]
fn from_platform(source: &(dyn std::error::Error + 'static)) -> RememberError {
    RememberError::Keyring(source.to_string())
}

#[cfg(not(target_os = "macos"))]
fn from_platform(source: &(dyn std::error::Error + 'static)) -> RememberError {
    use secret_service::Error as Service;
    use zbus::DBusError as _;

    let Some(error) = source.downcast_ref::<Service>() else { return RememberError::Keyring(source.to_string()) };
    match error {
        Service::Unavailable => RememberError::NoBus,
        Service::Locked | Service::Prompt | Service::PromptDisconnected => RememberError::Locked,
        Service::NoResult => RememberError::NoCollection,
        Service::Zbus(error) => from_bus(error),
        Service::ZbusFdo(error) => from_answer(error.name().as_str()).unwrap_or_else(|| other(error)),
        error => other(error),
    }
}

#[cfg(not(target_os = "macos"))]
fn from_bus(error: &zbus::Error) -> RememberError {
    use zbus::DBusError as _;

    let named = match error {
        zbus::Error::Connection(..) | zbus::Error::InputOutput(_) | zbus::Error::Handshake(_) => {
            return RememberError::NoBus;
        }
        zbus::Error::MethodError(name, ..) => from_answer(name.as_str()),
        zbus::Error::FDO(error) => from_answer(error.name().as_str()),
        _ => None,
    };
    named.unwrap_or_else(|| other(error))
}

#[cfg(not(target_os = "macos"))]
fn other(error: &impl std::fmt::Display) -> RememberError {
    RememberError::Keyring(error.to_string())
}

/// What an error that came over the bus means (D-Bus specification, Secret Service API section "Errors").
#[cfg(not(target_os = "macos"))]
fn from_answer(name: &str) -> Option<RememberError> {
    Some(match name {
        "org.freedesktop.DBus.Error.ServiceUnknown"
        | "org.freedesktop.DBus.Error.NameHasNoOwner"
        | "org.freedesktop.DBus.Error.UnknownInterface" => RememberError::NoService,
        "org.freedesktop.Secret.Error.IsLocked" => RememberError::Locked,
        "org.freedesktop.Secret.Error.NoSuchObject" | "org.freedesktop.DBus.Error.UnknownObject" => {
            RememberError::NoCollection
        }
        "org.freedesktop.DBus.Error.AccessDenied" | "org.freedesktop.DBus.Error.AuthFailed" => RememberError::Denied,
        "org.freedesktop.DBus.Error.NoReply" | "org.freedesktop.DBus.Error.Timeout" => RememberError::TimedOut,
        _ if name.starts_with("org.freedesktop.DBus.Error.Spawn.") => RememberError::NoService,
        _ => return None,
    })
}

#[cfg(all(test, not(target_os = "macos")))]
mod tests {
    use super::*;

    fn of(error: secret_service::Error) -> RememberError {
        Error::PlatformFailure(Box::new(error)).into()
    }

    #[test]
    fn each_state_of_a_keyring_has_its_error() {
        use secret_service::Error as Service;
        use zbus::fdo;
        let answer = |error: fdo::Error| of(Service::ZbusFdo(error));
        let text = || "text".to_owned();
        assert!(matches!(of(Service::Unavailable), RememberError::NoBus));
        assert!(matches!(of(Service::Zbus(zbus::Error::Handshake(text()))), RememberError::NoBus));
        assert!(matches!(answer(fdo::Error::ServiceUnknown(text())), RememberError::NoService));
        assert!(matches!(answer(fdo::Error::SpawnExecFailed(text())), RememberError::NoService));
        assert!(matches!(of(Service::NoResult), RememberError::NoCollection));
        assert!(matches!(of(Service::Locked), RememberError::Locked));
        assert!(matches!(of(Service::Prompt), RememberError::Locked));
        assert!(matches!(answer(fdo::Error::AccessDenied(text())), RememberError::Denied));
        assert!(matches!(answer(fdo::Error::NoReply(text())), RememberError::TimedOut));
        let wrapped = Service::Zbus(zbus::Error::FDO(Box::new(fdo::Error::AccessDenied(text()))));
        assert!(matches!(of(wrapped), RememberError::Denied));
        assert!(matches!(of(Service::Crypto("text")), RememberError::Keyring(_)));
    }

    #[test]
    fn an_error_never_carries_what_was_stored() {
        for error in [
            Error::BadEncoding(b"c3VwZXI".to_vec()),
            Error::BadDataFormat(b"c3VwZXI".to_vec(), Box::new(std::io::Error::other("x"))),
        ] {
            let ours = RememberError::from(error);
            assert!(matches!(ours, RememberError::Content));
            assert!(!format!("{ours:?} {ours}").contains("c3VwZXI"));
        }
    }
}
