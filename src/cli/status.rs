//! Status lines: what git reads (gnupg doc/DETAILS, "Format of the --status-fd output"; git gpg-interface.c).
//!
//! All lines of a run are collected and written at once, at the very end, when the verdict stands: `git log` believes a
//! GOODSIG whatever the exit code is. git looks for a newline *before* GOODSIG and SIG_CREATED, so neither may come
//! first. Trust comes after VALIDSIG, and the signer is never empty: with an empty name git swallows the next line.
//! Trust is stated for the bad, too: without it `git log --format=%GT` ends in "BUG: invalid trust level requested -1".

use std::fmt::Write as _;
use std::fs::File;
use std::io::{self, Write};

use jiff::{Timestamp, tz::Offset};

use super::gpg_arguments::StatusFd;
use crate::crypto::digest::hex;
use crate::crypto::{HashAlgorithm, KeyKind, PublicKey};
use crate::format::x509::Certificate;

/// What the status lines say about the certificate and the signature.
#[derive(Debug, Clone)]
pub struct Signer {
    /// SHA-1 of the certificate's DER: `%GK` and `%GF`.
    pub fingerprint: [u8; 20],
    /// The subject alternative name: `%GS`.
    pub name: String,
    /// When it was signed.
    pub signed_at: Timestamp,
    /// The public-key algorithm, by its OpenPGP number (RFC 9580 section 9.1).
    pub public_key: u8,
    /// The hash algorithm, by its OpenPGP number (RFC 9580 section 9.5).
    pub hash: u8,
}

impl Signer {
    /// The signer that `certificate` names; without a time the epoch stands for "unknown", as in gpg's ERRSIG.
    #[must_use]
    pub fn of(certificate: &Certificate, name: &str, signed_at: Option<Timestamp>) -> Self {
        let mut fingerprint = [0; 20];
        fingerprint.copy_from_slice(HashAlgorithm::Sha1.digest(certificate.der()).as_bytes());
        let (public_key, hash) = match certificate.public_key().map(PublicKey::kind) {
            Ok(KeyKind::Rsa) => (1, 8),
            Ok(KeyKind::EcdsaP384) => (19, 9),
            Ok(KeyKind::EcdsaP521) => (19, 10),
            Ok(KeyKind::Ed25519) => (27, 10),
            Ok(KeyKind::EcdsaP256) | Err(_) => (19, 8),
        };
        let signed_at = signed_at.unwrap_or(Timestamp::UNIX_EPOCH);
        Signer { fingerprint, name: name.to_owned(), signed_at, public_key, hash }
    }
}

/// How far an identity is believed: `%GT`, and what `gpg.minTrustLevel` asks about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trust {
    /// The signature is right and nobody has said who should have made it.
    Undefined,
    /// The signer is one of those expected.
    Fully,
}

/// The status lines of one run.
#[derive(Debug, Default)]
pub struct StatusLines {
    text: String,
}

impl StatusLines {
    /// Every check has passed.
    #[must_use]
    pub fn good(signer: &Signer, trust: Trust) -> Self {
        let mut lines = StatusLines::verification();
        let fingerprint = hex(&signer.fingerprint);
        let seconds = signer.signed_at.as_second();
        let date = Offset::UTC.to_datetime(signer.signed_at).date();
        let (public_key, hash) = (signer.public_key, signer.hash);
        lines.push(&format!("GOODSIG {fingerprint} {}", name_or(&signer.name, &fingerprint)));
        // fingerprint, date, time, expiry, version, reserved, algorithms, class, fingerprint of the primary key
        lines.push(&format!("VALIDSIG {fingerprint} {date} {seconds} 0 1 0 {public_key} {hash} 00 {fingerprint}"));
        lines.push(match trust {
            Trust::Undefined => "TRUST_UNDEFINED 0 shell",
            Trust::Fully => "TRUST_FULLY 0 shell",
        });
        lines
    }

    /// The signature is wrong, or not by whom it should be.
    #[must_use]
    pub fn bad(signer: Option<&Signer>) -> Self {
        let mut lines = StatusLines::verification();
        let fingerprint = signer.map_or_else(|| NO_KEY.to_owned(), |signer| hex(&signer.fingerprint));
        let name = signer.map_or(NO_NAME, |signer| &signer.name);
        lines.push(&format!("BADSIG {fingerprint} {}", name_or(name, &fingerprint)));
        lines.push("TRUST_NEVER 0 shell");
        lines
    }

    /// Something is missing to judge it, or gitseal cannot judge it now.
    #[must_use]
    pub fn undecided(signer: Option<&Signer>) -> Self {
        let mut lines = StatusLines::verification();
        match signer {
            Some(signer) => {
                let fingerprint = hex(&signer.fingerprint);
                let (public_key, hash, seconds) = (signer.public_key, signer.hash, signer.signed_at.as_second());
                lines.push(&format!("ERRSIG {fingerprint} {public_key} {hash} 00 {seconds} {RC_OTHER} {fingerprint}"));
            }
            None => lines.push(&format!("ERRSIG {NO_KEY} 0 0 00 0 {RC_OTHER} -")),
        }
        lines.push("TRUST_UNDEFINED 0 shell");
        lines
    }

    /// A detached signature was made.
    #[must_use]
    pub fn created(signer: &Signer) -> Self {
        let mut lines = StatusLines::default();
        let (public_key, hash) = (signer.public_key, signer.hash);
        lines.push(&format!("BEGIN_SIGNING H{hash}"));
        lines.push(&format!(
            "SIG_CREATED D {public_key} {hash} 00 {} {}",
            signer.signed_at.as_second(),
            hex(&signer.fingerprint)
        ));
        lines
    }

    /// The lines, each ending in a newline.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Write all lines at once.
    ///
    /// # Errors
    /// The descriptor does not take them.
    pub fn write(&self, fd: StatusFd) -> io::Result<()> {
        match fd {
            StatusFd::None => Ok(()),
            StatusFd::Number(1) => {
                let mut stdout = io::stdout().lock();
                stdout.write_all(self.text.as_bytes())?;
                stdout.flush()
            }
            StatusFd::Number(2) => io::stderr().lock().write_all(self.text.as_bytes()),
            // Adopting a foreign descriptor would need unsafe code; its name in the file system does not.
            StatusFd::Number(number) => {
                File::options().write(true).open(format!("/dev/fd/{number}"))?.write_all(self.text.as_bytes())
            }
        }
    }

    fn verification() -> Self {
        let mut lines = StatusLines::default();
        lines.push("NEWSIG");
        lines
    }

    fn push(&mut self, line: &str) {
        let _ = writeln!(self.text, "[GNUPG:] {line}");
    }
}

/// The key of a signature without a readable certificate: as long as an OpenPGP key id, so that callers can parse it.
const NO_KEY: &str = "0000000000000000";
const NO_NAME: &str = "unknown";
/// ERRSIG's reason code, where neither "unknown algorithm" (4) nor "no public key" (9) is true.
const RC_OTHER: u8 = 1;

fn name_or(name: &str, fallback: &str) -> String {
    let escaped = percent_escape(name);
    if escaped.is_empty() { fallback.to_owned() } else { escaped }
}

/// `name` in printable ASCII: every other byte, and `%`, as `%0A`, and spaces at either end too. What a certificate may
/// name (mail addresses, URIs) is ASCII anyway; everything else is somebody drawing on our terminal, or forging the
/// next status line.
fn percent_escape(name: &str) -> String {
    let inner = name.trim_matches(' ');
    let start = name.len() - name.trim_start_matches(' ').len();
    let mut escaped = String::with_capacity(name.len());
    for (at, byte) in name.bytes().enumerate() {
        let plain = match byte {
            b'%' => false,
            b' ' => at >= start && at < start + inner.len(),
            _ => byte.is_ascii_graphic(),
        };
        if plain {
            escaped.push(char::from(byte));
        } else {
            let _ = write!(escaped, "%{byte:02X}");
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    const K: &str = "0101010101010101010101010101010101010101";

    fn signer(name: &str) -> Signer {
        Signer {
            fingerprint: [1; 20],
            name: name.to_owned(),
            signed_at: Timestamp::from_second(1_700_000_000).unwrap(),
            public_key: 19,
            hash: 8,
        }
    }

    fn lines(lines: &StatusLines) -> Vec<&str> {
        lines.as_str().lines().collect()
    }

    #[test]
    fn the_good_are_named_validated_and_trusted_in_that_order() {
        let status = StatusLines::good(&signer("alice@example.com"), Trust::Fully);
        assert_eq!(
            lines(&status),
            [
                "[GNUPG:] NEWSIG".to_owned(),
                format!("[GNUPG:] GOODSIG {K} alice@example.com"),
                format!("[GNUPG:] VALIDSIG {K} 2023-11-14 1700000000 0 1 0 19 8 00 {K}"),
                "[GNUPG:] TRUST_FULLY 0 shell".to_owned(),
            ]
        );
        let undefined = StatusLines::good(&signer("a"), Trust::Undefined);
        assert_eq!(lines(&undefined)[3], "[GNUPG:] TRUST_UNDEFINED 0 shell");
    }

    #[test]
    fn the_others_get_one_verdict_and_no_trust() {
        assert_eq!(
            StatusLines::bad(Some(&signer("alice"))).as_str(),
            format!("[GNUPG:] NEWSIG\n[GNUPG:] BADSIG {K} alice\n[GNUPG:] TRUST_NEVER 0 shell\n")
        );
        assert_eq!(
            StatusLines::bad(None).as_str(),
            "[GNUPG:] NEWSIG\n[GNUPG:] BADSIG 0000000000000000 unknown\n[GNUPG:] TRUST_NEVER 0 shell\n"
        );
        assert_eq!(
            StatusLines::undecided(Some(&signer("alice"))).as_str(),
            format!(
                "[GNUPG:] NEWSIG\n[GNUPG:] ERRSIG {K} 19 8 00 1700000000 1 {K}\n[GNUPG:] TRUST_UNDEFINED 0 shell\n"
            )
        );
        assert_eq!(
            StatusLines::undecided(None).as_str(),
            "[GNUPG:] NEWSIG\n[GNUPG:] ERRSIG 0000000000000000 0 0 00 0 1 -\n[GNUPG:] TRUST_UNDEFINED 0 shell\n"
        );
    }

    #[test]
    fn a_signature_made_does_not_open_the_output() {
        assert_eq!(
            StatusLines::created(&signer("x")).as_str(),
            format!("[GNUPG:] BEGIN_SIGNING H8\n[GNUPG:] SIG_CREATED D 19 8 00 1700000000 {K}\n")
        );
    }

    #[test]
    fn a_name_stays_one_ascii_field_on_its_line() {
        for (name, escaped) in [
            ("alice@example.com", "alice@example.com"),
            (
                "https://github.com/o/r/.github/workflows/ci.yml@refs/heads/main",
                "https://github.com/o/r/.github/workflows/ci.yml@refs/heads/main",
            ),
            ("CN=Ann Other", "CN=Ann Other"),
            ("", K),
            (" ", "%20"),
            (" a b ", "%20a b%20"),
            ("a\n[GNUPG:] GOODSIG 1 eve", "a%0A[GNUPG:] GOODSIG 1 eve"),
            ("a\r\n[GNUPG:] TRUST_FULLY", "a%0D%0A[GNUPG:] TRUST_FULLY"),
            ("\x1b]0;x\x07", "%1B]0;x%07"),
            ("nul\0", "nul%00"),
            ("\u{202e}moc.elpmaxe", "%E2%80%AEmoc.elpmaxe"),
            ("100%0A", "100%250A"),
            ("jörg", "j%C3%B6rg"),
            ("\u{9b}", "%C2%9B"),
            ("tab\there", "tab%09here"),
        ] {
            let status = StatusLines::good(&signer(name), Trust::Fully);
            assert_eq!(lines(&status).len(), 4, "{name:?}");
            assert_eq!(lines(&status)[1], format!("[GNUPG:] GOODSIG {K} {escaped}"), "{name:?}");
            assert!(status.as_str().is_ascii());
            let bad = StatusLines::bad(Some(&signer(name)));
            assert_eq!(lines(&bad).len(), 3, "{name:?}");
        }
    }
}
