//! An instance: one Sigstore, with whom we believe and whom we ask of it.

use jiff::Timestamp;

use super::embedded::{self, Embedded};
use super::root::{TrustedRoot, TrustedRootError};
use super::signing_config::{SigningConfig, SigningConfigError};

/// The client id that Sigstore's OpenID providers know programs like this one by; it is the tokens' audience.
pub const CLIENT_ID: &str = "sigstore";

/// Why the documents make no instance.
#[derive(Debug, thiserror::Error)]
pub enum InstanceError {
    /// The trusted root cannot be used.
    #[error(transparent)]
    TrustedRoot(#[from] TrustedRootError),
    /// The signing config cannot be used.
    #[error(transparent)]
    SigningConfig(#[from] SigningConfigError),
}

/// One Sigstore.
#[derive(Debug, Clone)]
pub struct Instance {
    /// What people call it.
    pub name: String,
    /// Whom to believe.
    pub trusted_root: TrustedRoot,
    /// Whom to ask.
    pub signing_config: SigningConfig,
    /// The OpenID provider to log in at; tokens that come from elsewhere need none.
    pub issuer: Option<String>,
    /// The audience of its tokens.
    pub client_id: String,
}

impl Instance {
    /// The instance that these documents describe, with the OpenID provider in service at `now`.
    ///
    /// # Errors
    /// [`InstanceError`] when one of them cannot be used.
    pub fn from_documents(
        name: &str,
        trusted_root: &[u8],
        signing_config: &[u8],
        now: Timestamp,
    ) -> Result<Self, InstanceError> {
        let signing_config = SigningConfig::from_json(signing_config)?;
        Ok(Instance {
            name: name.to_owned(),
            trusted_root: TrustedRoot::from_json(trusted_root)?,
            issuer: signing_config.oidc_provider(now).ok().map(|provider| provider.url.clone()),
            signing_config,
            client_id: CLIENT_ID.to_owned(),
        })
    }

    /// The public-good instance, as embedded.
    #[must_use]
    pub fn public(now: Timestamp) -> Self {
        Self::embedded(&embedded::PUBLIC, now)
    }

    /// The staging instance, as embedded.
    #[must_use]
    pub fn staging(now: Timestamp) -> Self {
        Self::embedded(&embedded::STAGING, now)
    }

    fn embedded(documents: &Embedded, now: Timestamp) -> Self {
        Self::from_documents(documents.name, documents.trusted_root, documents.signing_config, now)
            .expect("the embedded documents are sound")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_embedded_instances_know_their_provider() {
        let now = "2026-11-22T00:00:00Z".parse().unwrap();
        let issuers = [Instance::public(now), Instance::staging(now)].map(|instance| instance.issuer);
        let want = ["https://oauth2.sigstore.dev/auth", "https://oauth2.sigstage.dev/auth"];
        assert_eq!(issuers, want.map(|url| Some(url.to_owned())));
    }
}
