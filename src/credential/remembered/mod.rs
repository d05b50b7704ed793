//! Remembered logins: an issuer's refresh token in the keyring of the operating system (OpenID Connect Core section
//! 12), so that the next certificate needs no browser.
//!
//! The keyring is the one place: where there is none, nothing is remembered, and nothing ever goes into a file. The
//! kernel's keyring (keyrings(7)) is no second choice: it forgets at every restart, and a process that has not inherited
//! a session keyring can put a key there that it cannot read again.
//!
//! An issuer may give a new refresh token for every old one and take an old one that comes twice for a theft, whereupon
//! all of them are void (RFC 9700 section 4.14.2). So whoever spends or changes one holds a lock, across processes.

mod error;
mod keyring;
mod turn;

use std::path::PathBuf;
use std::time::Duration;

use zeroize::Zeroizing;

pub use error::RememberError;
use keyring::Keyring;
use turn::Turn;

/// How long the keyring may take for one question. The slowest good answer that was measured took 0.2 seconds; one that
/// shows a window for its password takes for ever where nobody sees it.
pub const KEYRING_TIME: Duration = Duration::from_secs(3);
/// How long to wait for another process that is renewing the same login: longer than an issuer takes, shorter than
/// somebody waits who could as well log in.
pub const TURN_TIME: Duration = Duration::from_secs(20);
/// The longest name of an issuer, a client or a person. An address of the web has no limit of its own; keyrings have.
const MAX_NAME_LEN: usize = 1024;
/// The longest refresh token. Those that are signed statements have some 4 KiB; 8 KiB were tried with a keyring.
const MAX_TOKEN_LEN: usize = 8 * 1024;

/// Which login: what is known of it before anybody has logged in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Login {
    issuer: String,
    client_id: String,
    identity: Option<String>,
}

impl Login {
    /// The login at `issuer` as `client_id`, for `identity` if only that one may sign.
    ///
    /// # Errors
    /// [`RememberError::Name`] if one of them could be mistaken for something else.
    pub fn new(issuer: &str, client_id: &str, identity: Option<&str>) -> Result<Self, RememberError> {
        // The three stand in one line, apart by spaces; only the last one may have spaces of its own.
        for (what, name) in [("issuer", issuer), ("client id", client_id)] {
            check_name(what, name, name.contains(char::is_whitespace))?;
        }
        if let Some(identity) = identity {
            check_name("identity", identity, identity.trim() != identity)?;
        }
        let identity = identity.map(str::to_owned);
        Ok(Login { issuer: issuer.to_owned(), client_id: client_id.to_owned(), identity })
    }

    /// What the keyring knows it by: the attribute `username`.
    fn account(&self) -> String {
        let mut account = format!("{} {}", self.issuer, self.client_id);
        if let Some(identity) = &self.identity {
            account.push(' ');
            account.push_str(identity);
        }
        account
    }

    /// What the keyring shows to people.
    fn label(&self) -> String {
        match &self.identity {
            Some(identity) => format!("gitseal: login of {identity} at {}", self.issuer),
            None => format!("gitseal: login at {}", self.issuer),
        }
    }
}

fn check_name(what: &'static str, name: &str, misleading: bool) -> Result<(), RememberError> {
    if name.is_empty() || name.len() > MAX_NAME_LEN || misleading || name.contains(char::is_control) {
        return Err(RememberError::Name(what));
    }
    Ok(())
}

/// What was remembered, and is not any more.
#[derive(Debug)]
pub enum Taken {
    /// Nothing was.
    Nothing,
    /// This refresh token.
    Token(Zeroizing<String>),
    /// Something that is none.
    Useless,
}

/// What an issuer made of a refresh token.
#[derive(Debug)]
pub enum Redemption<T> {
    /// It gave tokens.
    Redeemed {
        /// What it gave.
        tokens: T,
        /// The refresh token for the next time; without one, the old one stays good.
        replacement: Option<Zeroizing<String>>,
    },
    /// It did not take the refresh token (`invalid_grant`, RFC 6749 section 5.2), and never will again.
    Refused,
}

/// A login that was renewed without a person.
#[derive(Debug)]
pub struct Renewed<T> {
    /// What the issuer gave.
    pub tokens: T,
    /// Whether the login can be renewed once more. A failure is worth a warning; the tokens are good.
    pub kept: Result<(), RememberError>,
}

/// Why a login was not renewed.
#[derive(Debug, thiserror::Error)]
pub enum RenewError<E> {
    /// The keyring, or the wait for it.
    #[error(transparent)]
    Remember(RememberError),
    /// The issuer gave no answer that settles anything. The login stays remembered.
    #[error(transparent)]
    Issuer(E),
}

/// The logins in the keyring.
#[derive(Debug, Clone)]
pub struct RememberedLogins {
    keyring: Keyring,
    locks: PathBuf,
}

impl RememberedLogins {
    /// Those of the current user. The lock files go into the folder `locks`, which is made if it is not there; it must be
    /// the same for all of the user's processes.
    #[must_use]
    pub fn new(locks: PathBuf) -> Self {
        RememberedLogins { keyring: Keyring::new(KEYRING_TIME), locks }
    }

    /// Remember `token` for `login`, instead of what was remembered for it.
    ///
    /// # Errors
    /// [`RememberError`]; what was remembered before may be there still.
    pub async fn remember(&self, login: &Login, token: &Zeroizing<String>) -> Result<(), RememberError> {
        let _turn = self.turn(login).await?;
        self.put(login, token).await
    }

    /// Forget `login`, and give out what there was, so that its issuer can be told.
    ///
    /// # Errors
    /// [`RememberError`]
    pub async fn take(&self, login: &Login) -> Result<Taken, RememberError> {
        // A renewal that is under way would otherwise bring it back.
        let _turn = self.turn(login).await?;
        let found = self.keyring.get(login.account()).await;
        // What cannot be used is removed all the same.
        let was_there = self.keyring.remove(login.account()).await?;
        Ok(match found {
            Ok(Some(token)) if is_token(&token) => Taken::Token(token),
            _ if was_there => Taken::Useless,
            _ => Taken::Nothing,
        })
    }

    /// Whether `login` is remembered, without touching it.
    ///
    /// # Errors
    /// [`RememberError`]
    pub async fn knows(&self, login: &Login) -> Result<bool, RememberError> {
        Ok(self.get(login).await?.is_some())
    }

    /// Renew `login`: hand its refresh token to `redeem`, which asks the issuer. `None` if nothing is remembered, or what
    /// is has become worthless and is forgotten now.
    ///
    /// 1. It is our turn: the same refresh token is never spent twice.
    /// 2. The refresh token is read only now: somebody may have renewed it while we waited.
    /// 3. The issuer takes it. If it does not, it is forgotten; if nobody can tell, it stays.
    /// 4. Its replacement is in the keyring, read back, before anybody sees the new tokens: a process that dies over
    ///    them has lost nothing.
    /// 5. If that fails, the old one is removed, for it is spent; to present it again could end the login everywhere.
    ///
    /// # Errors
    /// [`RenewError`]
    pub async fn renew<T, E, F>(
        &self,
        login: &Login,
        redeem: impl FnOnce(Zeroizing<String>) -> F,
    ) -> Result<Option<Renewed<T>>, RenewError<E>>
    where
        F: Future<Output = Result<Redemption<T>, E>>,
    {
        let _turn = self.turn(login).await.map_err(RenewError::Remember)?;
        let Some(token) = self.get(login).await.map_err(RenewError::Remember)? else { return Ok(None) };
        match redeem(token).await.map_err(RenewError::Issuer)? {
            Redemption::Refused => {
                self.keyring.remove(login.account()).await.map_err(RenewError::Remember)?;
                Ok(None)
            }
            Redemption::Redeemed { tokens, replacement: None } => Ok(Some(Renewed { tokens, kept: Ok(()) })),
            Redemption::Redeemed { tokens, replacement: Some(replacement) } => {
                let kept = self.put(login, &replacement).await;
                if kept.is_err() {
                    // What could not be written can often not be removed either; then the issuer will refuse it.
                    let _ = self.keyring.remove(login.account()).await;
                }
                Ok(Some(Renewed { tokens, kept }))
            }
        }
    }

    async fn turn(&self, login: &Login) -> Result<Turn, RememberError> {
        Turn::take(&self.locks, &login.account(), TURN_TIME).await
    }

    async fn put(&self, login: &Login, token: &Zeroizing<String>) -> Result<(), RememberError> {
        if !is_token(token) {
            return Err(RememberError::Token);
        }
        self.keyring.set(login.account(), login.label(), token.clone()).await
    }

    async fn get(&self, login: &Login) -> Result<Option<Zeroizing<String>>, RememberError> {
        let found = self.keyring.get(login.account()).await?;
        match found {
            Some(token) if !is_token(&token) => Err(RememberError::Content),
            found => Ok(found),
        }
    }
}

/// RFC 6749 appendix A.17: visible ASCII and spaces. KWallet would take no more than UTF-8.
fn is_token(text: &str) -> bool {
    !text.is_empty() && text.len() <= MAX_TOKEN_LEN && text.bytes().all(|byte| matches!(byte, b' '..=b'~'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn logins_that_differ_have_accounts_that_differ() {
        let login = |issuer, client, identity| Login::new(issuer, client, identity).unwrap();
        let some = [
            login("https://a", "sigstore", None),
            login("https://a", "sigstore", Some("me@example.com")),
            login("https://a", "sigstore", Some("me@example.com x")),
            login("https://a", "other", None),
            login("https://b", "sigstore", None),
        ];
        let mut accounts: Vec<_> = some.iter().map(Login::account).collect();
        accounts.sort();
        accounts.dedup();
        assert_eq!(accounts.len(), some.len());
    }

    #[test]
    fn a_name_that_could_be_taken_for_another_is_refused() {
        let long = "a".repeat(MAX_NAME_LEN + 1);
        for (issuer, client, identity) in [
            ("https://a sigstore", "x", None),
            ("https://a", "sigstore me@example.com", None),
            ("", "sigstore", None),
            ("https://a", "", None),
            ("https://a", "sigstore", Some("")),
            ("https://a", "sigstore", Some(" me@example.com")),
            ("https://a", "sigstore", Some("me@example.com\nx")),
            ("https://a\u{7}", "sigstore", None),
            (long.as_str(), "sigstore", None),
        ] {
            let refused = Login::new(issuer, client, identity);
            assert!(matches!(refused, Err(RememberError::Name(_))), "{issuer} {client} {identity:?}");
        }
    }

    #[test]
    fn a_refresh_token_is_visible_ascii_of_some_length() {
        assert!(is_token("v1.MjQ_~- x"));
        assert!(is_token(&"a".repeat(MAX_TOKEN_LEN)));
        for bad in ["", "a\n", "ä", "\u{7f}", &"a".repeat(MAX_TOKEN_LEN + 1)] {
            assert!(!is_token(bad), "{bad:?}");
        }
    }
}
