//! Checkpoints: a log's signed statement of its size and root (C2SP tlog-checkpoint, carried in a C2SP signed note).
//!
//! ```text
//! origin                          whose tree
//! size                            decimal
//! root                            base64
//! other lines                     Rekor v1 sometimes adds "Timestamp: ns"
//!
//! U+2014 SP name SP base64(key id || signature)
//! ```
//!
//! Any number of witnesses may have signed below the log, in any order and under any name: whose line counts is for
//! the verifier to say, by name and key id. [`log_id`] gives both kinds of key id; [`Checkpoint::verify`] checks a line.

use base64ct::{Base64, Encoding as _};

use super::merkle::Hash;
use crate::crypto::{KeyKind, Keypair, PublicKey, SignatureScheme, sha256};

/// A checkpoint with twenty witnesses is 4 kB.
pub const MAX_CHECKPOINT_LEN: usize = 64 * 1024;
/// As many as golang.org/x/mod/sumdb/note reads.
pub const MAX_SIGNATURES: usize = 100;
/// The body has three lines and at most a few extensions.
pub const MAX_EXTENSIONS: usize = 16;

const SIGNATURE_PREFIX: &str = "\u{2014} ";
const KEY_ID_LEN: usize = 4;

/// Why a text is not a checkpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CheckpointError {
    /// Longer than [`MAX_CHECKPOINT_LEN`], or more lines than the bounds allow.
    #[error("the checkpoint is too large")]
    TooLarge,
    /// Control characters, no blank line, or no final newline.
    #[error("the checkpoint is not a signed note")]
    NotANote,
    /// The first line is empty.
    #[error("the checkpoint has no origin")]
    NoOrigin,
    /// The second line is not a decimal number in its one spelling.
    #[error("the checkpoint has no tree size")]
    BadSize,
    /// The third line is not 32 bytes of base64.
    #[error("the checkpoint has no root hash")]
    BadRoot,
    /// An empty line within the body.
    #[error("the checkpoint has an empty line in its body")]
    EmptyLine,
    /// A line below the blank one that is not a signature.
    #[error("a signature line of the checkpoint is malformed")]
    BadSignatureLine,
    /// No line has the name and key id of the log.
    #[error("the checkpoint is not signed by this log")]
    NotSigned,
    /// A line with the name and key id of the log does not verify.
    #[error("the log's signature of the checkpoint does not verify")]
    SignatureInvalid,
}

/// A signature line: who claims to have signed, and what they wrote.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoteSignature {
    /// The name of the key; for a log's own line, its origin or host name.
    pub name: String,
    /// The first four bytes of the key's id.
    pub key_id: [u8; KEY_ID_LEN],
    /// What follows the key id.
    pub signature: Vec<u8>,
}

/// A parsed checkpoint; believed only as far as one of its signatures is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    origin: String,
    size: u64,
    root: Hash,
    extensions: Vec<String>,
    signed_text: String,
    signatures: Vec<NoteSignature>,
}

impl Checkpoint {
    /// Read a checkpoint.
    ///
    /// # Errors
    /// [`CheckpointError`], naming the line that is wrong.
    pub fn parse(text: &str) -> Result<Self, CheckpointError> {
        if text.len() > MAX_CHECKPOINT_LEN {
            return Err(CheckpointError::TooLarge);
        }
        if text.chars().any(|c| c.is_control() && c != '\n') {
            return Err(CheckpointError::NotANote);
        }
        // The *last* blank line ends the signed text (C2SP signed-note, "Format").
        let blank = text.rfind("\n\n").ok_or(CheckpointError::NotANote)?;
        let (signed_text, signature_lines) = (&text[..=blank], &text[blank + 2..]);
        let signature_lines = signature_lines.strip_suffix('\n').ok_or(CheckpointError::NotANote)?;
        let signatures: Vec<_> =
            signature_lines.split('\n').take(MAX_SIGNATURES + 1).map(NoteSignature::parse).collect::<Result<_, _>>()?;
        if signatures.len() > MAX_SIGNATURES {
            return Err(CheckpointError::TooLarge);
        }

        let mut lines = signed_text[..blank].split('\n');
        let origin = lines.next().filter(|line| !line.is_empty()).ok_or(CheckpointError::NoOrigin)?;
        let size = lines.next().and_then(decimal).ok_or(CheckpointError::BadSize)?;
        let root = lines.next().and_then(hash).ok_or(CheckpointError::BadRoot)?;
        let extensions: Vec<String> = lines.take(MAX_EXTENSIONS + 1).map(str::to_owned).collect();
        if extensions.len() > MAX_EXTENSIONS {
            return Err(CheckpointError::TooLarge);
        }
        if extensions.iter().any(String::is_empty) {
            return Err(CheckpointError::EmptyLine);
        }
        Ok(Checkpoint {
            origin: origin.to_owned(),
            size,
            root,
            extensions,
            signed_text: signed_text.to_owned(),
            signatures,
        })
    }

    /// Which log: `rekor.sigstore.dev - TREEID` for v1, the host name for v2.
    #[must_use]
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// How many leaves the tree has.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The root of the tree.
    #[must_use]
    pub fn root(&self) -> &Hash {
        &self.root
    }

    /// The lines between the root and the blank line.
    #[must_use]
    pub fn extensions(&self) -> &[String] {
        &self.extensions
    }

    /// What every signature covers: the body with its last newline, without the blank line.
    #[must_use]
    pub fn signed_text(&self) -> &str {
        &self.signed_text
    }

    /// The signature lines, in their order.
    #[must_use]
    pub fn signatures(&self) -> &[NoteSignature] {
        &self.signatures
    }

    /// Check the lines with this name and key id against `key`; lines of others are not looked at.
    ///
    /// # Errors
    /// [`CheckpointError::NotSigned`] without such a line. [`CheckpointError::SignatureInvalid`] when such a line
    /// fails, even if a twin of it verifies: a log does not write a wrong line under its own name.
    pub fn verify(&self, name: &str, key_id: [u8; KEY_ID_LEN], key: &PublicKey) -> Result<(), CheckpointError> {
        let mut lines = self.signatures.iter().filter(|line| line.name == name && line.key_id == key_id).peekable();
        lines.peek().ok_or(CheckpointError::NotSigned)?;
        let scheme = note_scheme(key);
        for line in lines {
            key.verify(scheme, self.signed_text.as_bytes(), &line.signature)
                .map_err(|_| CheckpointError::SignatureInvalid)?;
        }
        Ok(())
    }
}

impl NoteSignature {
    fn parse(line: &str) -> Result<Self, CheckpointError> {
        let bad = CheckpointError::BadSignatureLine;
        let (name, encoded) = line.strip_prefix(SIGNATURE_PREFIX).and_then(|rest| rest.split_once(' ')).ok_or(bad)?;
        if !is_key_name(name) {
            return Err(bad);
        }
        let bytes = Base64::decode_vec(encoded).map_err(|_| bad)?;
        let (key_id, signature) = bytes.split_first_chunk().ok_or(bad)?;
        if signature.is_empty() {
            return Err(bad);
        }
        Ok(NoteSignature { name: name.to_owned(), key_id: *key_id, signature: signature.to_vec() })
    }
}

/// Write a checkpoint and sign it with one key under `name`.
#[must_use]
pub fn sign(origin: &str, size: u64, root: &Hash, name: &str, key: &dyn Keypair) -> String {
    let text = format!("{origin}\n{size}\n{}\n", Base64::encode_string(root));
    let mut blob = log_id(name, key.public_key())[..KEY_ID_LEN].to_vec();
    blob.extend_from_slice(&key.sign(text.as_bytes()));
    format!("{text}\n{SIGNATURE_PREFIX}{name} {}\n", Base64::encode_string(&blob))
}

/// The id of a log: its first four bytes are the key id of its checkpoint lines (C2SP signed-note, "Signature types").
///
/// For ECDSA it is SHA-256 of the SubjectPublicKeyInfo and the name does not matter, which is also the log id of RFC
/// 6962; Ed25519 and RSA hash the name with the key.
#[must_use]
pub fn log_id(name: &str, key: &PublicKey) -> [u8; 32] {
    let named = |algorithm: &[u8], key: &[u8]| sha256(&[name.as_bytes(), b"\n", algorithm, key].concat());
    match key.kind() {
        KeyKind::EcdsaP256 | KeyKind::EcdsaP384 | KeyKind::EcdsaP521 => key.spki_sha256(),
        KeyKind::Ed25519 => named(b"\x01", key.raw()),
        KeyKind::Rsa => named(b"\xffPKIX-RSA-PKCS#1v1.5", key.spki_der()),
    }
}

/// How a log with this key signs its checkpoints: always with SHA-256, whatever the curve.
#[must_use]
pub fn note_scheme(key: &PublicKey) -> SignatureScheme {
    match key.kind() {
        KeyKind::EcdsaP256 | KeyKind::EcdsaP384 | KeyKind::EcdsaP521 => SignatureScheme::EcdsaSha256,
        KeyKind::Ed25519 => SignatureScheme::Ed25519,
        KeyKind::Rsa => SignatureScheme::RsaPkcs1Sha256,
    }
}

/// Non-empty, no Unicode space, no plus (C2SP signed-note).
fn is_key_name(name: &str) -> bool {
    !name.is_empty() && !name.contains(|c: char| c.is_whitespace() || c == '+')
}

/// Decimal without sign or leading zero.
fn decimal(text: &str) -> Option<u64> {
    let canonical = text.bytes().all(|c| c.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
    if canonical { text.parse().ok() } else { None }
}

fn hash(text: &str) -> Option<Hash> {
    let mut out = [0; 32];
    (Base64::decode(text, &mut out).ok()?.len() == out.len()).then_some(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::ServiceKey;

    const ORIGIN: &str = "log.example";

    fn key(kind: KeyKind) -> ServiceKey {
        ServiceKey::generate(kind).unwrap()
    }

    fn id(name: &str, key: &ServiceKey) -> [u8; 4] {
        *log_id(name, key.public_key()).first_chunk().unwrap()
    }

    #[test]
    fn what_is_signed_is_read_and_verified() {
        for kind in [KeyKind::EcdsaP256, KeyKind::Ed25519] {
            let key = key(kind);
            let text = sign(ORIGIN, 7, &[9; 32], ORIGIN, &key);
            let note = Checkpoint::parse(&text).unwrap();
            assert_eq!((note.origin(), note.size(), note.root()), (ORIGIN, 7, &[9; 32]));
            assert_eq!(note.verify(ORIGIN, id(ORIGIN, &key), key.public_key()), Ok(()));
        }
    }

    #[test]
    fn only_the_line_with_name_and_id_counts_and_it_must_verify() {
        let (log, other) = (key(KeyKind::Ed25519), key(KeyKind::Ed25519));
        let text = sign(ORIGIN, 7, &[9; 32], ORIGIN, &log);
        let witness = sign(ORIGIN, 7, &[9; 32], "witness.example", &other);
        let witness_line = witness.lines().last().unwrap();
        let both = format!("{text}{witness_line}\n");
        let note = Checkpoint::parse(&both).unwrap();
        assert_eq!(note.signatures().len(), 2);
        assert_eq!(note.verify(ORIGIN, id(ORIGIN, &log), log.public_key()), Ok(()));
        assert_eq!(note.verify(ORIGIN, id(ORIGIN, &other), other.public_key()), Err(CheckpointError::NotSigned));
        assert_eq!(note.verify(ORIGIN, id(ORIGIN, &log), other.public_key()), Err(CheckpointError::SignatureInvalid));
        let changed = Checkpoint::parse(&both.replacen("\n7\n", "\n8\n", 1)).unwrap();
        assert_eq!(changed.verify(ORIGIN, id(ORIGIN, &log), log.public_key()), Err(CheckpointError::SignatureInvalid));
    }

    #[test]
    fn a_wrong_twin_of_the_logs_line_is_fatal() {
        let log = key(KeyKind::EcdsaP256);
        let text = sign(ORIGIN, 7, &[9; 32], ORIGIN, &log);
        let twin = sign(ORIGIN, 8, &[9; 32], ORIGIN, &log);
        let both = format!("{text}{}\n", twin.lines().last().unwrap());
        let note = Checkpoint::parse(&both).unwrap();
        assert_eq!(note.verify(ORIGIN, id(ORIGIN, &log), log.public_key()), Err(CheckpointError::SignatureInvalid));
    }

    #[test]
    fn there_is_one_spelling() {
        let good = sign(ORIGIN, 7, &[9; 32], ORIGIN, &key(KeyKind::Ed25519));
        assert!(Checkpoint::parse(&good.replacen("=\n\n", "=\nTimestamp: 1\n\n", 1)).is_ok());
        let root = Base64::encode_string(&[9; 32]);
        for (bad, why) in [
            (good.replacen("\n7\n", "\n07\n", 1), CheckpointError::BadSize),
            (good.replacen("\n7\n", "\n+7\n", 1), CheckpointError::BadSize),
            (good.replacen("\n7\n", "\n18446744073709551616\n", 1), CheckpointError::BadSize),
            (good.replacen(&root, &root[..40], 1), CheckpointError::BadRoot),
            (good.replacen(ORIGIN, "", 1), CheckpointError::NoOrigin),
            (good.replacen("\n7\n", "\r\n7\n", 1), CheckpointError::NotANote),
            (good.trim_end().to_owned(), CheckpointError::NotANote),
            (good.replacen("\n\n", "\n", 1), CheckpointError::NotANote),
            (good.replacen('\u{2014}', "-", 1), CheckpointError::BadSignatureLine),
            (format!("{good}\u{2014} a+b AAAAAAA=\n"), CheckpointError::BadSignatureLine),
            (format!("{good}\u{2014} a AAAA\n"), CheckpointError::BadSignatureLine),
            (format!("{good}\u{2014} a AAAAAA==\n"), CheckpointError::BadSignatureLine),
            (good.replacen("=\n\n", "=\n\nx\n\n", 1), CheckpointError::EmptyLine),
            ("x".repeat(MAX_CHECKPOINT_LEN + 1), CheckpointError::TooLarge),
        ] {
            assert_eq!(Checkpoint::parse(&bad), Err(why), "{bad}");
        }
    }

    #[test]
    fn a_real_rekor_checkpoint_has_the_id_of_its_log() {
        // The first bytes of the public log's id are the key id of its lines.
        let spki = Base64::decode_vec(
            "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE2G2Y+2tabdTV5BcGiBIx0a9fAFwrkBbmLSGtks4L3qX6yYY0zufBnhC8Ur/iy55GhWP/9A/bY2LhC30M9+RYtw==",
        )
        .unwrap();
        let key = PublicKey::from_spki_der(&spki).unwrap();
        assert_eq!(Base64::encode_string(&log_id("rekor.sigstore.dev", &key)[..4]), "wNI9ag==");
    }
}
