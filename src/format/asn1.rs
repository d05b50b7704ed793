//! DER (X.690 section 10) element by element: for the places where the bytes as received matter more than a typed tree.
//!
//! A signature covers bytes, not values. [`Elements`] hands out each element with its own encoding, so that what was
//! signed, and what is compared, is never a re-encoding; the functions below it write the same way.

use const_oid::ObjectIdentifier;
use der::asn1::AnyRef;
use der::{Decode as _, Encode as _, Reader as _, SliceReader, Tagged as _};

/// The bytes are not DER of the expected shape.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not DER of the expected shape")]
pub struct Asn1Error;

impl From<der::Error> for Asn1Error {
    fn from(_: der::Error) -> Self {
        Asn1Error
    }
}

/// Identifier octets of the types that are used here (X.690 section 8.1.2).
pub(crate) mod tag {
    pub(crate) const BOOLEAN: u8 = 0x01;
    pub(crate) const INTEGER: u8 = 0x02;
    pub(crate) const BIT_STRING: u8 = 0x03;
    pub(crate) const OCTET_STRING: u8 = 0x04;
    pub(crate) const NULL: u8 = 0x05;
    pub(crate) const OID: u8 = 0x06;
    pub(crate) const UTF8_STRING: u8 = 0x0c;
    pub(crate) const UTC_TIME: u8 = 0x17;
    pub(crate) const GENERALIZED_TIME: u8 = 0x18;
    pub(crate) const SEQUENCE: u8 = 0x30;
    pub(crate) const SET: u8 = 0x31;

    /// `[number]` of a primitive.
    pub(crate) const fn context(number: u8) -> u8 {
        0x80 | number
    }

    /// `[number]` of a structure, or an explicit tag.
    pub(crate) const fn context_constructed(number: u8) -> u8 {
        0xa0 | number
    }
}

/// One element: identifier octet, content, and both together as they were received.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Element<'a> {
    pub(crate) tag: u8,
    pub(crate) content: &'a [u8],
    pub(crate) encoding: &'a [u8],
}

impl<'a> Element<'a> {
    /// Read exactly one element.
    pub(crate) fn from_der(bytes: &'a [u8]) -> Result<Self, Asn1Error> {
        let mut elements = Elements::of(bytes)?;
        let element = elements.next()?;
        elements.end()?;
        Ok(element)
    }

    /// The elements inside, when this is one with identifier `tag`.
    pub(crate) fn open(self, tag: u8) -> Result<Elements<'a>, Asn1Error> {
        Elements::of(self.expect(tag)?)
    }

    /// The content, when this is an element with identifier `tag`.
    pub(crate) fn expect(self, tag: u8) -> Result<&'a [u8], Asn1Error> {
        if self.tag == tag { Ok(self.content) } else { Err(Asn1Error) }
    }

    /// An OBJECT IDENTIFIER.
    pub(crate) fn oid(self) -> Result<ObjectIdentifier, Asn1Error> {
        ObjectIdentifier::from_bytes(self.expect(tag::OID)?).map_err(|_| Asn1Error)
    }

    /// The content octets of an INTEGER in its shortest form.
    pub(crate) fn integer(self) -> Result<&'a [u8], Asn1Error> {
        match self.expect(tag::INTEGER)? {
            [] | [0x00, 0x00..=0x7f, ..] | [0xff, 0x80..=0xff, ..] => Err(Asn1Error),
            content => Ok(content),
        }
    }

    /// A non-negative INTEGER below 2^32.
    pub(crate) fn small(self) -> Result<u32, Asn1Error> {
        small(self.integer()?)
    }
}

/// The value of the content octets of a non-negative INTEGER below 2^32.
pub(crate) fn small(content: &[u8]) -> Result<u32, Asn1Error> {
    let digits = content.strip_prefix(&[0]).unwrap_or(content);
    if content[0] & 0x80 != 0 || digits.len() > 4 {
        return Err(Asn1Error);
    }
    Ok(digits.iter().fold(0, |value, byte| value << 8 | u32::from(*byte)))
}

/// A run of elements, read in order.
pub(crate) struct Elements<'a>(SliceReader<'a>);

impl<'a> Elements<'a> {
    pub(crate) fn of(bytes: &'a [u8]) -> Result<Self, Asn1Error> {
        Ok(Elements(SliceReader::new(bytes)?))
    }

    /// The next element, which must be there.
    pub(crate) fn next(&mut self) -> Result<Element<'a>, Asn1Error> {
        let encoding = self.0.tlv_bytes()?;
        let element = AnyRef::from_der(encoding)?;
        let mut identifier = [0; 1];
        // Tags above 30 take more octets, and nothing that is read here has one.
        element.tag().encode_to_slice(&mut identifier)?;
        Ok(Element { tag: identifier[0], content: element.value(), encoding })
    }

    /// The next element if its identifier is `tag`.
    pub(crate) fn next_if(&mut self, tag: u8) -> Result<Option<Element<'a>>, Asn1Error> {
        if self.0.peek_byte() == Some(tag) { self.next().map(Some) } else { Ok(None) }
    }

    /// All that is left, at most `max` elements.
    pub(crate) fn rest(mut self, max: usize) -> Result<Vec<Element<'a>>, Asn1Error> {
        let mut elements = Vec::new();
        while !self.0.is_finished() {
            if elements.len() == max {
                return Err(Asn1Error);
            }
            elements.push(self.next()?);
        }
        Ok(elements)
    }

    /// Nothing is left.
    pub(crate) fn end(self) -> Result<(), Asn1Error> {
        if self.0.is_finished() { Ok(()) } else { Err(Asn1Error) }
    }
}

/// Write an element around the concatenation of `parts`.
pub(crate) fn tlv(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let length: usize = parts.iter().map(|part| part.len()).sum();
    let mut out = Vec::with_capacity(length + 6);
    out.push(tag);
    match u8::try_from(length) {
        Ok(short @ 0..=0x7f) => out.push(short),
        _ => {
            let digits = length.to_be_bytes();
            let digits = &digits[length.leading_zeros() as usize / 8..];
            out.push(0x80 | digits.len() as u8);
            out.extend_from_slice(digits);
        }
    }
    parts.iter().for_each(|part| out.extend_from_slice(part));
    out
}

/// A SEQUENCE of `parts`.
pub(crate) fn sequence(parts: &[&[u8]]) -> Vec<u8> {
    tlv(tag::SEQUENCE, parts)
}

/// A SET OF `parts`, in DER's order (X.690 section 11.6), under `tag`.
pub(crate) fn set_of(tag: u8, mut parts: Vec<Vec<u8>>) -> Vec<u8> {
    parts.sort();
    let parts: Vec<&[u8]> = parts.iter().map(Vec::as_slice).collect();
    tlv(tag, &parts)
}

/// An OBJECT IDENTIFIER.
pub(crate) fn oid(value: ObjectIdentifier) -> Vec<u8> {
    tlv(tag::OID, &[value.as_bytes()])
}

/// An INTEGER from big-endian bytes without a sign.
pub(crate) fn unsigned(bytes: &[u8]) -> Vec<u8> {
    let digits = &bytes[bytes.iter().take_while(|byte| **byte == 0).count()..];
    let sign: &[u8] = if digits.first().is_none_or(|byte| byte & 0x80 != 0) { &[0] } else { &[] };
    tlv(tag::INTEGER, &[sign, digits])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_and_integers_are_written_in_their_shortest_form() {
        assert_eq!(tlv(tag::OCTET_STRING, &[&[7; 3]]), [4, 3, 7, 7, 7]);
        assert_eq!(tlv(tag::OCTET_STRING, &[&[7; 200]])[..3], [4, 0x81, 200]);
        assert_eq!(tlv(tag::OCTET_STRING, &[&[7; 300]])[..4], [4, 0x82, 1, 44]);
        assert_eq!(unsigned(&[]), [2, 1, 0]);
        assert_eq!(unsigned(&[0, 0, 5]), [2, 1, 5]);
        assert_eq!(unsigned(&[0x80]), [2, 2, 0, 0x80]);
    }

    #[test]
    fn only_der_is_read() {
        assert_eq!(Element::from_der(&[2, 1, 5]).unwrap().small(), Ok(5));
        assert_eq!(Element::from_der(&[2, 2, 0, 0x80]).unwrap().small(), Ok(128));
        assert_eq!(Element::from_der(&[2, 2, 0, 5]).unwrap().integer(), Err(Asn1Error));
        assert_eq!(Element::from_der(&[2, 1, 0xff]).unwrap().small(), Err(Asn1Error));
        for bad in [&[2, 1][..], &[2, 1, 5, 0], &[4, 0x81, 1, 7], &[0x30, 0x80, 0, 0], &[0x1f, 0x1f, 0]] {
            assert!(Element::from_der(bad).is_err(), "{bad:x?}");
        }
    }

    #[test]
    fn a_set_is_sorted() {
        assert_eq!(set_of(tag::SET, vec![vec![5, 0], vec![1, 1, 0xff]]), [0x31, 5, 1, 1, 0xff, 5, 0]);
    }
}
