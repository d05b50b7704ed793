//! TLS (RFC 8446, RFC 5246): the cryptography provider, and which certificate authorities vouch for a server.
//!
//! Only who answers is decided here, never what a signature is worth: trust in signatures comes from a trusted root.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::crypto::CryptoProvider;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::{ClientConfig, RootCertStore};

/// Largest file of certificate authorities: the usual ones have 0.25 MB.
const MAX_BUNDLE_LEN: u64 = 8 * 1024 * 1024;

/// Where systems keep all their authorities in one file. One file costs 1 ms to read; the folder of hashed names beside
/// it costs 5 ms, and on a machine without any the library that reads it refuses to work at all.
const BUNDLE_FILES: [&str; 5] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
    "/usr/local/etc/ssl/cert.pem",
];

/// Which certificate authorities vouch for servers.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Roots {
    /// A PEM file that a person has named (`SSL_CERT_FILE`, `gitseal.sslCAInfo`). When it cannot be used, nothing else
    /// is tried: naming one is also a way of not believing the others.
    pub ca_file: Option<PathBuf>,
}

impl Roots {
    /// Whether the named file, if there is one, can be used.
    ///
    /// # Errors
    /// What every request to a server would fail with.
    pub fn check(&self) -> Result<(), TlsError> {
        if self.ca_file.is_some() { load(self).map(|_| ()) } else { Ok(()) }
    }
}

/// Why there is no TLS.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// The named file cannot be read.
    #[error("cannot read the certificate authorities in {}: {source}", .file.display())]
    Unreadable {
        /// Which file.
        file: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The named file holds no usable certificate.
    #[error("no certificate authority in {}", .0.display())]
    Empty(PathBuf),
    /// The provider does not offer the protocol versions.
    #[error("tls cannot be set up: {0}")]
    Setup(#[from] rustls::Error),
}

/// The one place that chooses whose cryptography TLS uses: aws-lc, which checks signatures as well.
fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::aws_lc_rs::default_provider())
}

/// TLS towards servers that `roots` vouch for.
pub(super) fn remote(roots: &Roots) -> Result<ClientConfig, TlsError> {
    configure(load(roots)?)
}

/// TLS that trusts nobody, for the client that speaks plain HTTP to this machine: reqwest wants some configuration, and
/// reading authorities that nobody will ask costs more than the request.
pub(super) fn none() -> Result<ClientConfig, TlsError> {
    configure(RootCertStore::empty())
}

fn configure(roots: RootCertStore) -> Result<ClientConfig, TlsError> {
    Ok(ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth())
}

/// The named file, else the first known bundle that has certificates, else the ones that came with the program.
fn load(roots: &Roots) -> Result<RootCertStore, TlsError> {
    if let Some(file) = &roots.ca_file {
        let store = read(file).map_err(|source| TlsError::Unreadable { file: file.clone(), source })?;
        return if store.is_empty() { Err(TlsError::Empty(file.clone())) } else { Ok(store) };
    }
    let bundle = BUNDLE_FILES.iter().filter_map(|file| read(Path::new(file)).ok()).find(|store| !store.is_empty());
    Ok(bundle.unwrap_or_else(|| webpki_roots::TLS_SERVER_ROOTS.iter().cloned().collect()))
}

fn read(file: &Path) -> io::Result<RootCertStore> {
    let mut pem = Vec::new();
    if File::open(file)?.take(MAX_BUNDLE_LEN + 1).read_to_end(&mut pem)? as u64 > MAX_BUNDLE_LEN {
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, "larger than 8 MB"));
    }
    let mut store = RootCertStore::empty();
    // Bundles hold a few certificates that no TLS library of today reads; the others are good.
    store.add_parsable_certificates(CertificateDer::pem_slice_iter(&pem).filter_map(Result::ok));
    Ok(store)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_named_file_that_is_no_use_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("ca.pem");
        let roots = Roots { ca_file: Some(file.clone()) };
        assert!(matches!(remote(&roots), Err(TlsError::Unreadable { .. })));
        std::fs::write(&file, "no certificate").unwrap();
        assert!(matches!(remote(&roots), Err(TlsError::Empty(_))));
    }

    #[test]
    fn without_a_named_file_there_are_always_roots() {
        assert!(!load(&Roots::default()).unwrap().is_empty());
    }
}
