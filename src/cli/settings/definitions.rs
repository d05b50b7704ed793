//! Attempts of a repository's own configuration to define an instance.
//!
//! Instances are defined by `gitseal instance add` and by nothing else: there is no key for it anywhere. Whoever tries
//! it in a repository's files, where it would travel with a clone, is told that it does not count.

use super::Ignored;
use crate::cli::shell::quote;
use crate::repo::config::{Config, Key, Scope};
use crate::trust::InstanceName;

/// What somebody might call the address of a TUF repository.
const TUF: [&str; 5] = ["tuf", "tufurl", "tufmirror", "tufrepository", "mirror"];
/// What somebody might call the other parts of an instance, under its name; in lower case.
const PARTS: [&str; 16] = [
    "root",
    "tufroot",
    "tufrootjson",
    "checksum",
    "trustedroot",
    "signingconfig",
    "issuer",
    "clientid",
    "fulcio",
    "fulciourl",
    "rekor",
    "rekorurl",
    "tsa",
    "tsaurl",
    "oidc",
    "oidcissuer",
];

/// The keys by which the repository tries it, and the command that does it rightly.
pub(super) fn attempted(config: &Config) -> Vec<Ignored> {
    let keys = config.keys("gitseal").into_iter().filter(|key| key.scope == Scope::Repository);
    keys.filter(is_attempt).map(|key| Ignored { remedy: remedy(&key), key: key.to_string() }).collect()
}

fn is_attempt(key: &Key) -> bool {
    let name = key.name.as_str();
    match key.subsection.as_deref() {
        // `gitseal init` keeps there what it replaced.
        Some(saved) if saved == "saved" || saved.starts_with("saved.") => false,
        Some(instance) if instance.starts_with("instance.") => true,
        Some(_) => TUF.contains(&name) || PARTS.contains(&name),
        None => TUF.contains(&name) || ["root", "tufroot", "tufrootjson"].contains(&name),
    }
}

fn remedy(key: &Key) -> String {
    let named = key.subsection.as_deref().map(|subsection| subsection.strip_prefix("instance.").unwrap_or(subsection));
    let named = named.and_then(|name| InstanceName::new(name).ok());
    let name = named.as_ref().map_or("NAME", InstanceName::as_str);
    if TUF.contains(&key.name.as_str()) {
        let url = quote(key.value.as_deref().unwrap_or_default());
        format!("gitseal instance add {name} --tuf {url} --root FILE")
    } else {
        format!("gitseal instance add {name} --trusted-root FILE --signing-config FILE")
    }
}
