//! What comes in: the payload that git pipes, signatures, keys and documents, each with a bound.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use super::error::CliError;
use super::gpg_arguments::Input;
use crate::crypto::digest::{hex, unhex};
use crate::crypto::sha256;
use crate::format::git::MAX_OBJECT_LEN;

/// A SHA-256 digest, in bytes.
const SHA256_LEN: usize = 32;
/// No payload is longer, in bytes: git's are objects, or push certificates that list refs.
pub const MAX_PAYLOAD_LEN: u64 = MAX_OBJECT_LEN as u64;
/// No signature is longer, in bytes: the longest known ones, S/MIME with three RSA certificates, have 10 KiB.
pub const MAX_SIGNATURE_LEN: u64 = 1 << 20;
/// No file of keys, certificates or settings is longer, in bytes; a system's whole list of authorities has 220 KiB.
pub const MAX_DOCUMENT_LEN: u64 = 4 << 20;

/// Read all of `input`, to its end even if it is too long: whoever writes to our standard input waits for that.
///
/// # Errors
/// It cannot be read, or is longer than `limit`.
pub fn read(input: &Input, what: &str, limit: u64) -> Result<Vec<u8>, CliError> {
    match input {
        Input::Stdin => {
            let mut stdin = io::stdin().lock();
            let bytes = read_bounded(&mut stdin, what, limit);
            if matches!(bytes, Err(CliError::TooLarge { .. })) {
                let _ = io::copy(&mut stdin, &mut io::sink());
            }
            bytes
        }
        Input::File(path) => file(path, what, limit),
    }
}

/// Read the file at `path`.
///
/// # Errors
/// It cannot be read, or is longer than `limit`.
pub fn file(path: &Path, what: &str, limit: u64) -> Result<Vec<u8>, CliError> {
    let mut file = File::open(path).map_err(|error| CliError::file(what, path, error))?;
    read_bounded(&mut file, what, limit)
}

/// Read the text file at `path`, of at most [`MAX_DOCUMENT_LEN`] bytes.
///
/// # Errors
/// It cannot be read, is too long, or is not UTF-8.
pub fn text(path: &Path, what: &str) -> Result<String, CliError> {
    let bytes = file(path, what, MAX_DOCUMENT_LEN)?;
    String::from_utf8(bytes)
        .map_err(|_| CliError::file(what, path, io::Error::new(io::ErrorKind::InvalidData, "it is not text")))
}

/// Check that `content`, which was read from `path`, is what somebody has named by its digest.
///
/// # Errors
/// It is not, or `checksum` is no digest.
pub fn check_sha256(path: &Path, content: &[u8], checksum: &str) -> Result<(), CliError> {
    let wanted = unhex(checksum).filter(|digest| digest.len() == SHA256_LEN).ok_or_else(|| CliError::Usage {
        problem: format!("'{checksum}' is no SHA-256 digest"),
        hint: "it has 64 hexadecimal digits, as sha256sum prints them".into(),
    })?;
    let found = sha256(content);
    if found[..] == wanted[..] {
        return Ok(());
    }
    Err(CliError::Checksum { path: path.to_owned(), found: hex(&found), wanted: hex(&wanted) })
}

fn read_bounded(source: &mut impl Read, what: &str, limit: u64) -> Result<Vec<u8>, CliError> {
    let mut bytes = Vec::new();
    let read = source.take(limit + 1).read_to_end(&mut bytes);
    read.map_err(|error| CliError::io(format!("read {what}"), error))?;
    if bytes.len() as u64 > limit {
        return Err(CliError::TooLarge { what: what.to_owned(), limit });
    }
    Ok(bytes)
}
