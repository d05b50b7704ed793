//! The keys of a principal: read strictly, and refused where a stranger could meet them.

use std::collections::BTreeMap;

use base64ct::{Base64, Encoding as _};
use toml::Spanned;

use super::error::{Fault, PolicyFileError, excerpt};
use super::shape::{KeylessShape, List, PrincipalShape, X509Shape};
use super::{Lines, MAX_KEYS, bounded, check_text};
use crate::format::x509::{Certificate, Claim};
use crate::policy::rules::PrincipalKey;

/// Claims that stay with one repository, one owner or one account, whatever their names become.
const IMMUTABLE: [Claim; 3] =
    [Claim::SourceRepositoryIdentifier, Claim::SourceRepositoryOwnerIdentifier, Claim::TokenSubject];

/// The public platforms whose subjects are names of repositories (fulcio: docs/oidc.md). An entry that ends in a slash
/// stands for what follows it too, and an enterprise of GitHub's has its name behind the issuer.
const CI_PLATFORMS: [&str; 6] = [
    "https://token.actions.githubusercontent.com",
    "https://token.actions.githubusercontent.com/",
    "https://gitlab.com",
    "https://agent.buildkite.com",
    "https://oidc.circleci.com/org/",
    "https://oidc.codefresh.io",
];

/// Public keys that ssh-keygen(1) makes and signs with. Certificates are not keys: they prove membership, not a person.
const SSH_TYPES: [&str; 7] = [
    "ssh-ed25519",
    "ssh-rsa",
    "ecdsa-sha2-nistp256",
    "ecdsa-sha2-nistp384",
    "ecdsa-sha2-nistp521",
    "sk-ssh-ed25519@openssh.com",
    "sk-ecdsa-sha2-nistp256@openssh.com",
];

/// No public key is longer, in bytes: RSA of 16384 bits has 2 KiB.
const MAX_SSH_LEN: usize = 4096;

/// Whether `issuer` vouches for the repositories of a public CI platform.
#[must_use]
pub(in crate::policy) fn is_ci_platform(issuer: &str) -> bool {
    CI_PLATFORMS.iter().any(|known| if known.ends_with('/') { issuer.starts_with(known) } else { issuer == *known })
}

/// All keys of a principal, each with its line.
pub(super) fn read_all(shape: &PrincipalShape, lines: &Lines) -> Result<Vec<(usize, PrincipalKey)>, PolicyFileError> {
    let mut keys = Vec::new();
    if let Some(list) = &shape.keyless {
        check_list(list, lines)?;
        for key in list.get_ref() {
            keys.push((lines.at(key), keyless(key, lines)?));
        }
    }
    texts(shape.ssh.as_ref(), ssh, lines, &mut keys)?;
    texts(shape.pgp.as_ref(), pgp, lines, &mut keys)?;
    if let Some(list) = &shape.x509 {
        check_list(list, lines)?;
        for key in list.get_ref() {
            keys.push((lines.at(key), x509(key.get_ref(), lines)?));
        }
    }
    Ok(keys)
}

fn check_list<T>(list: &Spanned<Vec<T>>, lines: &Lines) -> Result<(), PolicyFileError> {
    if list.get_ref().is_empty() {
        return Err(lines.error(list, Fault::EmptyList));
    }
    bounded(list.get_ref().len(), MAX_KEYS, "keys in one list").map_err(|fault| lines.error(list, fault))
}

fn texts(
    list: Option<&List>,
    read: impl Fn(&str) -> Result<PrincipalKey, Fault>,
    lines: &Lines,
    keys: &mut Vec<(usize, PrincipalKey)>,
) -> Result<(), PolicyFileError> {
    let Some(list) = list else { return Ok(()) };
    check_list(list, lines)?;
    for text in list.get_ref() {
        keys.push((lines.at(text), read(text.get_ref()).map_err(|fault| lines.error(text, fault))?));
    }
    Ok(())
}

fn keyless(key: &Spanned<KeylessShape>, lines: &Lines) -> Result<PrincipalKey, PolicyFileError> {
    let shape = key.get_ref();
    let issuer = shape.issuer.get_ref();
    if check_text(issuer).is_err() || !(issuer.starts_with("https://") || issuer.starts_with("http://")) {
        return Err(lines.error(&shape.issuer, Fault::Issuer(excerpt(issuer))));
    }
    if let Some(subject) = &shape.subject {
        check_text(subject.get_ref()).map_err(|fault| lines.error(subject, fault))?;
    }
    let mut claims = BTreeMap::new();
    for (name, value) in &shape.claims {
        let claim = Claim::of_name(name.get_ref())
            .ok_or_else(|| lines.error(name, Fault::UnknownClaim(excerpt(name.get_ref()))))?;
        check_text(value.get_ref()).map_err(|fault| lines.error(value, fault))?;
        claims.insert(claim, value.get_ref().clone());
    }
    let lasts = IMMUTABLE.iter().any(|claim| claims.contains_key(claim));
    let fault = match &shape.subject {
        None if claims.is_empty() => Some(Fault::KeyOfAnybody(excerpt(issuer))),
        None if !lasts => Some(Fault::ClaimsOfAnybody),
        Some(_) if !lasts && is_ci_platform(issuer) => Some(Fault::SubjectOfName),
        _ => None,
    };
    if let Some(fault) = fault {
        return Err(lines.error(key, fault));
    }
    let subject = shape.subject.as_ref().map(|subject| subject.get_ref().clone());
    Ok(PrincipalKey::Keyless { issuer: issuer.clone(), subject, claims })
}

/// `TYPE BASE64`, and perhaps a comment, which is dropped.
fn ssh(text: &str) -> Result<PrincipalKey, Fault> {
    ssh_key(text).map(PrincipalKey::Ssh).ok_or_else(|| Fault::Ssh(excerpt(text)))
}

/// An SSH public key without its comment; `None` when `text` is none.
pub(in crate::policy) fn ssh_key(text: &str) -> Option<String> {
    let mut words = text.split(' ');
    let (kind, data) = (words.next()?, words.next()?);
    if !SSH_TYPES.contains(&kind) || data.len() > MAX_SSH_LEN || text.contains(char::is_control) {
        return None;
    }
    // The blob begins with the type again (RFC 4253 section 6.6): what ssh-keygen goes by.
    let blob = Base64::decode_vec(data).ok()?;
    let length = u32::from_be_bytes(blob.get(..4)?.try_into().ok()?);
    let inner = blob.get(4..)?.get(..usize::try_from(length).ok()?)?;
    (inner == kind.as_bytes() && blob.len() > 4 + inner.len()).then(|| format!("{kind} {data}"))
}

fn pgp(text: &str) -> Result<PrincipalKey, Fault> {
    let digits = text.bytes().all(|c| matches!(c, b'0'..=b'9' | b'A'..=b'F'));
    if !digits || !matches!(text.len(), 40 | 64) {
        return Err(Fault::Pgp(excerpt(text)));
    }
    Ok(PrincipalKey::Pgp(text.to_owned()))
}

fn x509(shape: &X509Shape, lines: &Lines) -> Result<PrincipalKey, PolicyFileError> {
    let refuse = |cause: &str| lines.error(&shape.root, Fault::X509(excerpt(cause)));
    let chain = Certificate::from_pem_chain(shape.root.get_ref()).map_err(|error| refuse(&error.to_string()))?;
    let [root] = <[Certificate; 1]>::try_from(chain).map_err(|_| refuse("there are several"))?;
    if !root.is_ca() {
        return Err(refuse("it may not issue certificates"));
    }
    check_text(shape.subject.get_ref()).map_err(|fault| lines.error(&shape.subject, fault))?;
    Ok(PrincipalKey::X509 { root: Box::new(root), subject: shape.subject.get_ref().clone() })
}

/// The same text for the same key alone.
pub(super) fn identifier(key: &PrincipalKey) -> String {
    match key {
        PrincipalKey::Keyless { issuer, subject, claims } => format!("keyless {issuer:?} {subject:?} {claims:?}"),
        PrincipalKey::Ssh(key) => format!("ssh {key}"),
        PrincipalKey::Pgp(fingerprint) => format!("pgp {fingerprint}"),
        PrincipalKey::X509 { root, subject } => format!("x509 {:?} {subject:?}", root.der()),
    }
}
