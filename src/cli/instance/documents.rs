//! The documents of the instance in force: built in, kept by the user, or under TUF's eye; and what is known of them.

use jiff::Timestamp;
use jiff::civil::Date;

use super::mirror;
use super::store::{Pair, Store};
use super::tuf::{self, TufInstance};
use crate::cli::error::CliError;
use crate::cli::settings::{Selected, Settings};
use crate::cli::trust_cache::TufState;
use crate::trust::embedded::Embedded;
use crate::trust::export::{Exported, Origin as ExportedOrigin};
use crate::trust::instance::{Definition, Source};
use crate::trust::{InstanceName, SigningConfig, TrustedRoot};

/// The documents of an instance.
#[derive(Debug, Clone)]
pub struct Documents {
    /// What it is called; cosign's variables give no name.
    pub instance: Option<InstanceName>,
    /// Whom to believe and whom to ask.
    pub pair: Pair,
    /// Where that comes from.
    pub origin: Origin,
    /// The OpenID provider, in place of the signing config's.
    pub issuer: Option<String>,
    /// The audience of tokens, in place of the usual one.
    pub client_id: Option<String>,
}

/// Where the documents of an instance come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// They came with this program.
    BuiltIn {
        /// When they were published.
        date: Date,
    },
    /// From files that the user gave.
    Files {
        /// When.
        added_at: Timestamp,
    },
    /// From an export that the user gave.
    Import {
        /// When.
        imported_at: Timestamp,
        /// What they were where they were exported.
        exported: Exported,
    },
    /// From a TUF repository.
    Tuf {
        /// Its address.
        url: String,
        /// What it vouches with.
        state: TufState,
        /// When its newest word came.
        fetched_at: Option<Timestamp>,
    },
}

impl Origin {
    /// When the documents were last known to be in force.
    #[must_use]
    pub fn as_of(&self) -> Option<Timestamp> {
        match self {
            Origin::BuiltIn { date } => date.to_zoned(jiff::tz::TimeZone::UTC).ok().map(|day| day.timestamp()),
            Origin::Files { added_at } => Some(*added_at),
            Origin::Import { exported, .. } => exported.as_of,
            Origin::Tuf { fetched_at, .. } => *fetched_at,
        }
    }

    /// The word for programs.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Origin::BuiltIn { .. } => "embedded",
            Origin::Files { .. } => "files",
            Origin::Import { .. } => "import",
            Origin::Tuf { .. } => "tuf",
        }
    }

    /// What a person wants to know at once.
    #[must_use]
    pub fn summary(&self) -> String {
        match self {
            Origin::Tuf { state, .. } => {
                format!("root version {}, to be renewed before {}", state.root_version, state.expires)
            }
            other => other.as_of().map_or("of unknown age".to_owned(), |time| format!("as of {time}")),
        }
    }

    /// What an export says of them.
    #[must_use]
    pub fn exported(&self, now: Timestamp) -> Exported {
        let exported = |origin| Exported { exported_at: now, as_of: self.as_of(), origin };
        match self {
            Origin::BuiltIn { .. } => exported(ExportedOrigin::BuiltIn {}),
            Origin::Files { .. } => exported(ExportedOrigin::Files {}),
            Origin::Import { exported: before, .. } => exported(before.origin.clone()),
            Origin::Tuf { url, state, .. } => exported(ExportedOrigin::Tuf(tuf::exported(url, state))),
        }
    }
}

impl Documents {
    /// Those of the instance that `settings` choose.
    ///
    /// # Errors
    /// There is no such instance, or its documents cannot be had without asking the network.
    pub fn in_force(settings: &Settings, now: Timestamp) -> Result<Self, CliError> {
        match mirror(settings) {
            Some(mirror) => TufInstance::mirror(mirror)?.fetched(now),
            None => Self::of(&settings.instance_name(), settings.instance.as_ref(), now),
        }
    }

    /// Whether this program can use them: better known at once than at the next signature.
    ///
    /// # Errors
    /// One of them is not what it should be.
    pub fn check(&self) -> Result<(), CliError> {
        let failed = |cause: String| CliError::instance(self.instance.as_ref(), cause);
        TrustedRoot::from_json(&self.pair.trusted_root).map_err(|error| failed(error.to_string()))?;
        let config = self.pair.signing_config.as_deref().map(SigningConfig::from_json).transpose();
        config.map(drop).map_err(|error| failed(error.to_string()))
    }

    fn of(name: &InstanceName, selected: Option<&Selected>, now: Timestamp) -> Result<Self, CliError> {
        let store = match Store::open() {
            Ok(store) => store,
            // Without a home there is no choice of one's own, but what is built in needs none.
            Err(error) => return name.embedded().map(|own| Self::built_in(name, &own)).ok_or_else(|| error.into()),
        };
        match (store.definition(name)?, name.embedded()) {
            (Some(definition), _) => Self::defined(&store, definition, now),
            (None, Some(embedded)) => {
                let tuf = TufInstance::named(name, embedded.tuf_url.to_owned(), embedded.root.to_vec())?;
                Ok(tuf.cached(now)?.unwrap_or_else(|| Self::built_in(name, &embedded)))
            }
            (None, None) => Err(store.unknown(name, selected)),
        }
    }

    fn built_in(name: &InstanceName, embedded: &Embedded) -> Self {
        Documents {
            instance: Some(name.clone()),
            pair: Pair {
                trusted_root: embedded.trusted_root.to_vec(),
                signing_config: Some(embedded.signing_config.to_vec()),
            },
            origin: Origin::BuiltIn { date: embedded.date },
            issuer: None,
            client_id: None,
        }
    }

    fn defined(store: &Store, definition: Definition, now: Timestamp) -> Result<Self, CliError> {
        let Definition { name, source, issuer, client_id, added_at } = definition;
        let (pair, origin) = match source {
            Source::Files {} => (store.documents(&name)?, Origin::Files { added_at }),
            Source::Import(exported) => (store.documents(&name)?, Origin::Import { imported_at: added_at, exported }),
            Source::Tuf { url } => {
                let root = store.root(&name)?;
                let fetched = TufInstance::named(&name, url, root)?.fetched(now)?;
                (fetched.pair, fetched.origin)
            }
        };
        Ok(Documents { instance: Some(name), pair, origin, issuer, client_id })
    }
}
