//! The public instances' documents, as they came with the PyPI package `sigstore` 4.5.1, byte for byte, and the roots
//! of their TUF repositories, as they came with the crate `sigstore-trust-root` 0.15.1, which has newer ones.
//!
//! A verifier that has never been online can use them; `trust show` says how old they are. To renew them, replace the
//! files from a newer release of that package and correct the date.

use jiff::civil::{Date, date};

/// The documents of one public instance.
#[derive(Debug, Clone, Copy)]
pub struct Embedded {
    /// What people call the instance.
    pub name: &'static str,
    /// The address of its TUF repository.
    pub tuf_url: &'static str,
    /// The root of that repository, from which on later ones are followed.
    pub root: &'static [u8],
    /// `trusted_root.json`.
    pub trusted_root: &'static [u8],
    /// `signing_config.json`.
    pub signing_config: &'static [u8],
    /// When the package that they came with was released.
    pub date: Date,
}

/// When `sigstore` 4.5.1 was released.
const RELEASED: Date = date(2026, 10, 20);

/// The public-good instance at sigstore.dev.
pub const PUBLIC: Embedded = Embedded {
    name: "public",
    tuf_url: "https://tuf-repo-cdn.sigstore.dev",
    root: include_bytes!("public/root.json"),
    trusted_root: include_bytes!("public/trusted_root.json"),
    signing_config: include_bytes!("public/signing_config.json"),
    date: RELEASED,
};

/// Its staging twin at sigstage.dev, for trying things out.
pub const STAGING: Embedded = Embedded {
    name: "staging",
    tuf_url: "https://tuf-repo-cdn.sigstage.dev",
    root: include_bytes!("staging/root.json"),
    trusted_root: include_bytes!("staging/trusted_root.json"),
    signing_config: include_bytes!("staging/signing_config.json"),
    date: RELEASED,
};

/// Both.
pub const ALL: [Embedded; 2] = [PUBLIC, STAGING];
