//! From BER to DER, as far as CMS writers stray from it (X.690 section 8): indefinite lengths and strings in pieces.
//!
//! gpgsm writes its messages in one pass and so does not know their length when it starts. Here each length is made
//! definite and each OCTET STRING in pieces is joined; every other octet stays as it is, signed attributes and
//! certificates among them. What is not DER after that is refused by the parser.

use super::CmsError;
use crate::format::asn1::tlv;

/// Nothing in CMS nests deeper; the real depth is 12.
const MAX_DEPTH: usize = 24;
const INDEFINITE: u8 = 0x80;
const OCTET_STRING: u8 = 0x04;
const CONSTRUCTED: u8 = 0x20;

/// Whether the outermost length is indefinite.
#[must_use]
pub fn is_indefinite(message: &[u8]) -> bool {
    message.get(1) == Some(&INDEFINITE)
}

/// Rewrite one element with definite lengths.
///
/// # Errors
/// [`CmsError::Malformed`] when an element is cut short, nests too deeply or has a tag of several octets, and
/// [`CmsError::TrailingData`] when something follows it.
pub fn to_der(message: &[u8]) -> Result<Vec<u8>, CmsError> {
    let mut input = message;
    let der = element(&mut input, 0)?;
    if input.is_empty() { Ok(der) } else { Err(CmsError::TrailingData) }
}

fn element(input: &mut &[u8], depth: usize) -> Result<Vec<u8>, CmsError> {
    const CUT: CmsError = CmsError::Malformed("an element is cut short");
    if depth > MAX_DEPTH {
        return Err(CmsError::TooMuch("the depth of nesting"));
    }
    let &[tag, length, ref rest @ ..] = *input else { return Err(CUT) };
    if tag & 0x1f == 0x1f {
        return Err(CmsError::Malformed("a tag of several octets"));
    }
    *input = rest;
    let constructed = tag & CONSTRUCTED != 0;
    let mut parts = Vec::new();
    if length == INDEFINITE {
        if !constructed {
            return Err(CmsError::Malformed("a primitive element of indefinite length"));
        }
        while !input.starts_with(&[0, 0]) {
            parts.push(element(input, depth + 1)?);
        }
        *input = &input[2..];
    } else {
        let len = definite_length(length, input)?;
        let (mut content, tail) = input.split_at_checked(len).ok_or(CUT)?;
        *input = tail;
        if !constructed {
            return Ok(tlv(tag, &[content]));
        }
        while !content.is_empty() {
            parts.push(element(&mut content, depth + 1)?);
        }
    }
    if tag == OCTET_STRING | CONSTRUCTED {
        join(&parts)
    } else {
        Ok(tlv(tag, &parts.iter().map(Vec::as_slice).collect::<Vec<_>>()))
    }
}

fn definite_length(first: u8, input: &mut &[u8]) -> Result<usize, CmsError> {
    if first < 0x80 {
        return Ok(usize::from(first));
    }
    let count = usize::from(first & 0x7f);
    let (octets, rest) = input.split_at_checked(count).ok_or(CmsError::Malformed("a length is cut short"))?;
    // Four octets reach 4 GiB, far past the longest message; a leading zero would be a second spelling.
    if count > 4 || octets.first() == Some(&0) {
        return Err(CmsError::Malformed("a length is not minimal"));
    }
    *input = rest;
    let len = octets.iter().fold(0, |len, octet| len << 8 | usize::from(*octet));
    if len < 0x80 { Err(CmsError::Malformed("a length is not minimal")) } else { Ok(len) }
}

/// One OCTET STRING from pieces, each already a primitive OCTET STRING in DER.
fn join(parts: &[Vec<u8>]) -> Result<Vec<u8>, CmsError> {
    let mut whole = Vec::new();
    for part in parts {
        let mut input = part.get(2..).unwrap_or_default();
        if part.first() != Some(&OCTET_STRING) {
            return Err(CmsError::Malformed("a piece of an octet string is none itself"));
        }
        definite_length(part[1], &mut input)?;
        whole.extend_from_slice(input);
    }
    Ok(tlv(OCTET_STRING, &[&whole]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn indefinite_lengths_become_definite_and_pieces_are_joined() {
        let ber = [0x30, 0x80, 0x24, 0x80, 0x04, 0x01, b'a', 0x04, 0x02, b'b', b'c', 0, 0, 0x02, 0x01, 5, 0, 0];
        assert_eq!(to_der(&ber).unwrap(), [0x30, 8, 0x04, 3, b'a', b'b', b'c', 0x02, 1, 5]);
    }

    #[test]
    fn what_is_cut_short_or_bottomless_is_refused_fail() {
        let ber = [0x30, 0x80, 0x04, 0x01, b'a', 0, 0];
        for len in 0..ber.len() {
            assert!(to_der(&ber[..len]).is_err(), "{len}");
        }
        assert_eq!(to_der(&[0x30, 0x80].repeat(10_000)), Err(CmsError::TooMuch("the depth of nesting")));
        assert_eq!(to_der(&[0x30, 0x80, 0, 0, 9]), Err(CmsError::TrailingData));
        assert!(to_der(&[0x30, 0x80, 0x04, 0x81, 0x01, b'a', 0, 0]).is_err(), "a length in two spellings");
    }
}
