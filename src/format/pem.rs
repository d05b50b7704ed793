//! PEM armour (RFC 7468), of which one spelling per value is accepted: lines of 64 columns and a final newline.
//!
//! git stores the armour of a signature inside the object, so a second spelling of the same signature would be a
//! second object with the same signature. Trust documents, which people edit, are read with [`decode_all`].

use base64ct::{Base64, Encoding as _};

/// No armoured text is longer than this, in bytes: a Sigstore signature is about 3 KiB, S/MIME with a long chain 20 KiB.
pub const MAX_ARMOUR_LEN: usize = 256 * 1024;
/// The width of a line, in columns (RFC 7468 section 2).
const COLUMNS: usize = 64;

/// Why a text is not the armour that it should be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PemError {
    /// Longer than [`MAX_ARMOUR_LEN`].
    #[error("the armour is longer than {MAX_ARMOUR_LEN} bytes")]
    TooLong,
    /// Something stands before the first line.
    #[error("the armour does not begin with its BEGIN line")]
    NoBegin,
    /// The last line is missing.
    #[error("the armour has no END line")]
    NoEnd,
    /// Something stands after the last line.
    #[error("there is data after the armour")]
    TrailingData,
    /// The body is not base64.
    #[error("the body of the armour is not base64")]
    NotBase64,
    /// The same bytes have another, canonical spelling.
    #[error("the armour is not in its canonical form")]
    NotCanonical,
}

/// Encode `der` under `label`, with a final newline.
#[must_use]
pub fn encode(label: &str, der: &[u8]) -> String {
    let body = Base64::encode_string(der);
    let mut text = String::with_capacity(body.len() + body.len() / COLUMNS + 2 * label.len() + 40);
    text.push_str("-----BEGIN ");
    text.push_str(label);
    text.push_str("-----\n");
    let mut rest = body.as_str();
    while !rest.is_empty() {
        let (line, tail) = rest.split_at(rest.len().min(COLUMNS));
        text.push_str(line);
        text.push('\n');
        rest = tail;
    }
    text.push_str("-----END ");
    text.push_str(label);
    text.push_str("-----\n");
    text
}

/// Decode exactly what [`encode`] writes.
///
/// # Errors
/// [`PemError`] for every other text, with the most telling reason.
pub fn decode_strict(label: &str, text: &[u8]) -> Result<Vec<u8>, PemError> {
    if text.len() > MAX_ARMOUR_LEN {
        return Err(PemError::TooLong);
    }
    let begin = format!("-----BEGIN {label}-----\n");
    let end = format!("-----END {label}-----\n");
    let body = text.strip_prefix(begin.as_bytes()).ok_or(PemError::NoBegin)?;
    let at = find(body, end.as_bytes()).ok_or(PemError::NoEnd)?;
    if at + end.len() != body.len() {
        return Err(PemError::TrailingData);
    }
    let packed: Vec<u8> = body[..at].iter().copied().filter(|byte| *byte != b'\n').collect();
    let packed = std::str::from_utf8(&packed).map_err(|_| PemError::NotBase64)?;
    let der = Base64::decode_vec(packed).map_err(|_| PemError::NotBase64)?;
    if encode(label, &der).as_bytes() != text { Err(PemError::NotCanonical) } else { Ok(der) }
}

/// Decode every block of a text under `label`, tolerating CRLF, comments between blocks and any width of line.
///
/// # Errors
/// [`PemError`] when there is no block, or when one is cut short or not base64.
pub fn decode_all(label: &str, text: &str) -> Result<Vec<Vec<u8>>, PemError> {
    if text.len() > 4 * MAX_ARMOUR_LEN {
        return Err(PemError::TooLong);
    }
    let (begin, end) = (format!("-----BEGIN {label}-----"), format!("-----END {label}-----"));
    let mut blocks = Vec::new();
    let mut rest = text;
    while let Some((_, after)) = rest.split_once(&begin) {
        let (body, tail) = after.split_once(&end).ok_or(PemError::NoEnd)?;
        let packed: String = body.chars().filter(|c| !c.is_ascii_whitespace()).collect();
        blocks.push(Base64::decode_vec(&packed).map_err(|_| PemError::NotBase64)?);
        rest = tail;
    }
    if blocks.is_empty() { Err(PemError::NoBegin) } else { Ok(blocks) }
}

fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack.windows(needle.len()).position(|window| window == needle)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_value_has_one_spelling() {
        for len in [0, 1, 47, 48, 49, 96, 1000] {
            let der: Vec<u8> = (0..len).map(|n| n as u8).collect();
            let text = encode("SIGNED MESSAGE", &der);
            assert_eq!(decode_strict("SIGNED MESSAGE", text.as_bytes()), Ok(der));
        }
    }

    #[test]
    fn every_other_spelling_is_refused_fail() {
        let good = encode("X", &[7; 100]);
        let cases = [
            (format!("junk\n{good}"), PemError::NoBegin),
            (good.replace('\n', "\r\n"), PemError::NoBegin),
            (good.trim_end().to_owned(), PemError::NoEnd),
            (format!("{good}\n"), PemError::TrailingData),
            (format!("{good}{good}"), PemError::TrailingData),
            (good.replacen("BwcH\n", "Bwc\nH", 1), PemError::NotCanonical),
            (good.replacen("BwcH", "Bw!H", 1), PemError::NotBase64),
            (good.replace("Bw==", "Bx=="), PemError::NotBase64),
        ];
        for (text, reason) in cases {
            assert_eq!(decode_strict("X", text.as_bytes()), Err(reason), "{text}");
        }
    }
}
