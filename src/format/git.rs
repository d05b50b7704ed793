//! git's commit and tag objects, and where their signatures sit (git: gitformat-signature, gitformat-commit).
//!
//! git reads objects leniently: it takes the first of two author lines where others take the last, drops every header
//! that starts with `gpgsig`, and joins several of them. Each leniency is a second object that shows the same valid
//! signature. So this parser accepts what git writes and refuses the rest, and the payload that it returns is a slice
//! of the received bytes with the signature cut out: nothing is ever encoded again.

mod header;
mod tree;

use std::fmt;

pub use header::{
    CommitHeader, CommitLinks, MAX_TITLE_LEN, Person, TagHeader, commit_header, commit_links, tag_header,
};
pub use tree::{EntryKind, TreeEntry, tree_entries};

use super::pem::{self, PemError};
use crate::crypto::{HashAlgorithm, digest};

/// No commit or tag is longer than this, in bytes; the largest known ones are below 1 MiB.
pub const MAX_OBJECT_LEN: usize = 32 * 1024 * 1024;
/// No object has more header lines, continuations apart: an octopus merge of Linux has 66 parents.
pub const MAX_HEADERS: usize = 1024;

/// The armour's label in git's x509 format.
pub const SIGNED_MESSAGE: &str = "SIGNED MESSAGE";

const BEGIN_CMS: &[u8] = b"-----BEGIN SIGNED MESSAGE-----";
/// The first lines by which git tells its signature formats apart (git: gpg-interface.c).
const BEGIN_OTHERS: [&[u8]; 3] =
    [b"-----BEGIN PGP SIGNATURE-----", b"-----BEGIN PGP MESSAGE-----", b"-----BEGIN SSH SIGNATURE-----"];

/// Which kind of object it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ObjectKind {
    /// A commit.
    Commit,
    /// An annotated tag.
    Tag,
}

impl fmt::Display for ObjectKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            ObjectKind::Commit => "commit",
            ObjectKind::Tag => "tag",
        })
    }
}

/// The hash function that names a repository's objects.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ObjectFormat {
    /// 40 hexadecimal digits.
    Sha1,
    /// 64 hexadecimal digits.
    Sha256,
}

impl ObjectFormat {
    /// The header that holds a commit's signature in a repository of this format.
    #[must_use]
    pub fn signature_header(self) -> &'static str {
        match self {
            ObjectFormat::Sha1 => "gpgsig",
            ObjectFormat::Sha256 => "gpgsig-sha256",
        }
    }

    fn second_header(self) -> &'static str {
        match self {
            ObjectFormat::Sha1 => "gpgsig-sha256",
            ObjectFormat::Sha256 => "gpgsig",
        }
    }

    /// The name of an object with content `raw`.
    #[must_use]
    pub fn object_id(self, kind: ObjectKind, raw: &[u8]) -> String {
        let algorithm = match self {
            ObjectFormat::Sha1 => HashAlgorithm::Sha1,
            ObjectFormat::Sha256 => HashAlgorithm::Sha256,
        };
        let mut hasher = digest::Hasher::new(algorithm);
        hasher.update(format!("{kind} {}\0", raw.len()).as_bytes());
        hasher.update(raw);
        hasher.finish().to_hex()
    }

    /// The format that an id in lower case hexadecimal is of, by its length.
    pub(crate) fn of_id(id: &[u8]) -> Option<Self> {
        let hexadecimal = id.iter().all(|c| matches!(c, b'0'..=b'9' | b'a'..=b'f'));
        match id.len() {
            40 if hexadecimal => Some(ObjectFormat::Sha1),
            64 if hexadecimal => Some(ObjectFormat::Sha256),
            _ => None,
        }
    }
}

/// Why an object was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ObjectError {
    /// Longer than [`MAX_OBJECT_LEN`] or with more than [`MAX_HEADERS`] headers.
    #[error("the object is too large to be a commit or tag")]
    TooLarge,
    /// A zero byte: git stops reading there, others do not.
    #[error("the object contains a zero byte")]
    ZeroByte,
    /// A header line that is none, is out of order, missing, or continued where git never continues it.
    #[error("the header {0:?} of the object is malformed or out of place")]
    Header(String),
    /// A header that may occur once occurs twice.
    #[error("the header {0:?} occurs twice")]
    Duplicate(String),
    /// A header line ends in a carriage return, which other readers drop.
    #[error("a header line ends in a carriage return")]
    CarriageReturn,
    /// A header that git drops from what was signed and that this repository has no use for.
    #[error("the header {0:?} is not covered by the signature")]
    UncoveredHeader(String),
    /// The object names its own objects in two formats at once.
    #[error("the object mixes object ids of two lengths")]
    MixedFormats,
    /// A tree with a line that git does not write, or with its lines out of order.
    #[error("the tree is malformed")]
    Tree,
}

/// Whether objects of a repository may carry a second signature, over their form in the other hash function.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SecondSignature {
    /// The repository has `extensions.compatObjectFormat`.
    Allowed,
    /// It has not: the header would be a place for bytes that nobody signed.
    Refused,
}

/// An object taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Object {
    /// Commit or tag.
    pub kind: ObjectKind,
    /// The hash function of the repository that it belongs to.
    pub format: ObjectFormat,
    /// What was signed: the raw object without its signature.
    pub payload: Vec<u8>,
    /// The signature's armour.
    pub signature: Option<Armour>,
    /// The name in a tag's `tag` header.
    pub tag_name: Option<String>,
}

/// The armour of a signature, as it stands in the object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Armour {
    /// git's x509 format.
    Cms(Vec<u8>),
    /// OpenPGP or SSH: not judged here.
    Other(Vec<u8>),
    /// Nothing that git recognises.
    Unknown(Vec<u8>),
}

impl Armour {
    /// Tell a signature's format by its first line.
    #[must_use]
    pub fn of(text: Vec<u8>) -> Self {
        if text.starts_with(BEGIN_CMS) {
            Armour::Cms(text)
        } else if BEGIN_OTHERS.iter().any(|begin| text.starts_with(begin)) {
            Armour::Other(text)
        } else {
            Armour::Unknown(text)
        }
    }
}

/// How the armour of a CMS signature ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ArmourEnd {
    /// In one newline, as it should.
    Newline,
    /// In a further empty line, as smimesign writes it.
    BlankLine,
}

/// The DER of a CMS signature in git's armour.
///
/// # Errors
/// [`PemError`] for every spelling but the canonical one, with or without a further empty line at its end.
pub fn decode_armour(text: &[u8]) -> Result<(Vec<u8>, ArmourEnd), PemError> {
    match text.strip_suffix(b"\n\n") {
        Some(_) => Ok((pem::decode_strict(SIGNED_MESSAGE, &text[..text.len() - 1])?, ArmourEnd::BlankLine)),
        None => Ok((pem::decode_strict(SIGNED_MESSAGE, text)?, ArmourEnd::Newline)),
    }
}

impl Object {
    /// Take a raw object apart.
    ///
    /// # Errors
    /// [`ObjectError`] when it is not as git writes it; see the module's first lines for why that matters.
    pub fn parse(kind: ObjectKind, raw: &[u8], second: SecondSignature) -> Result<Self, ObjectError> {
        if raw.len() > MAX_OBJECT_LEN {
            return Err(ObjectError::TooLarge);
        }
        if raw.contains(&0) {
            return Err(ObjectError::ZeroByte);
        }
        let (headers, body_at) = split_headers(raw)?;
        match kind {
            ObjectKind::Commit => Self::commit(raw, &headers, body_at, second),
            ObjectKind::Tag => Self::tag(raw, &headers, body_at, second),
        }
    }

    fn commit(
        raw: &[u8],
        headers: &[Header<'_>],
        body_at: usize,
        second: SecondSignature,
    ) -> Result<Self, ObjectError> {
        let parents = headers.iter().skip(1).take_while(|header| header.name == b"parent").count();
        let format = check_order(headers, &[b"tree", b"parent", b"author", b"committer"], parents)?;
        for header in &headers[..=parents] {
            if ObjectFormat::of_id(header.first_line()) != Some(format) {
                return Err(ObjectError::MixedFormats);
            }
        }
        let extra = &headers[parents + 3..];
        check_extra(extra, &[b"tree", b"parent", b"author", b"committer"])?;
        let kept = without_signatures(raw, headers, body_at, format, second, &[format.signature_header()])?;
        let signature = find(headers, format.signature_header()).map(|header| Armour::of(header.unfolded()));
        Ok(Object { kind: ObjectKind::Commit, format, payload: kept, signature, tag_name: None })
    }

    fn tag(raw: &[u8], headers: &[Header<'_>], body_at: usize, second: SecondSignature) -> Result<Self, ObjectError> {
        // Tags of the first years have no tagger.
        let with_tagger: &[&[u8]] = &[b"object", b"type", b"tag", b"tagger"];
        let order = if headers.get(3).is_some_and(|header| header.name == b"tagger") { 4 } else { 3 };
        let format = check_order(headers, &with_tagger[..order], 0)?;
        check_extra(&headers[order..], with_tagger)?;
        let name = std::str::from_utf8(headers[2].first_line());
        let name = name.map_err(|_| ObjectError::Header("tag".into()))?.to_owned();

        let at = signature_at(raw, body_at);
        let mut payload = without_signatures(&raw[..at], headers, body_at.min(at), format, second, &[])?;
        let signature = (at < raw.len()).then(|| Armour::of(raw[at..].to_vec()));
        if signature.is_none() {
            payload = raw.to_vec();
        }
        Ok(Object { kind: ObjectKind::Tag, format, payload, signature, tag_name: Some(name) })
    }
}

/// Where the signature of a tag begins: at the last line that opens one, as git looks for it (git: gpg-interface.c,
/// parse_signed_buffer); `raw.len()` when there is none.
pub(super) fn signature_at(raw: &[u8], body_at: usize) -> usize {
    let mut found = raw.len();
    let mut at = body_at;
    while at < raw.len() {
        let line = &raw[at..];
        if line.starts_with(BEGIN_CMS) || BEGIN_OTHERS.iter().any(|begin| line.starts_with(begin)) {
            found = at;
        }
        at += line.iter().position(|c| *c == b'\n').map_or(line.len(), |end| end + 1);
    }
    found
}

struct Header<'a> {
    name: &'a [u8],
    /// The whole header in the object, continuations and last newline included.
    span: std::ops::Range<usize>,
    /// The value with its continuations still folded, without the last newline.
    folded: &'a [u8],
}

impl Header<'_> {
    fn first_line(&self) -> &[u8] {
        self.folded.split(|c| *c == b'\n').next().unwrap_or_default()
    }

    fn is_folded(&self) -> bool {
        self.folded.contains(&b'\n')
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(self.name).into_owned()
    }

    /// The value with each continuation's space taken away and a newline at its end.
    fn unfolded(&self) -> Vec<u8> {
        let mut value = Vec::with_capacity(self.folded.len() + 1);
        for (number, line) in self.folded.split(|c| *c == b'\n').enumerate() {
            value.extend_from_slice(if number == 0 { line } else { &line[1..] });
            value.push(b'\n');
        }
        value
    }
}

/// The headers, and where the rest begins: at the empty line, or at the end of an object without a message.
fn split_headers(raw: &[u8]) -> Result<(Vec<Header<'_>>, usize), ObjectError> {
    let mut headers: Vec<Header<'_>> = Vec::new();
    let mut at = 0;
    while at < raw.len() && raw[at] != b'\n' {
        let line_len = raw[at..].iter().position(|c| *c == b'\n');
        let line_len = line_len.ok_or_else(|| ObjectError::Header("(unfinished line)".into()))?;
        let line = &raw[at..at + line_len];
        if line.last() == Some(&b'\r') {
            return Err(ObjectError::CarriageReturn);
        }
        let end = at + line_len + 1;
        if line.first() == Some(&b' ') {
            let header = headers.last_mut().ok_or_else(|| ObjectError::Header("(continuation)".into()))?;
            header.folded = &raw[header.span.start + header.name.len() + 1..end - 1];
            header.span.end = end;
        } else {
            if headers.len() == MAX_HEADERS {
                return Err(ObjectError::TooLarge);
            }
            let space = line.iter().position(|c| *c == b' ').filter(|space| *space > 0);
            let space = space.ok_or_else(|| ObjectError::Header(String::from_utf8_lossy(line).into_owned()))?;
            headers.push(Header { name: &line[..space], span: at..end, folded: &line[space + 1..] });
        }
        at = end;
    }
    Ok((headers, at))
}

/// The headers that must come first, in order; the second of them `repeats` times. Returns the format of the first.
fn check_order(headers: &[Header<'_>], order: &[&[u8]], repeats: usize) -> Result<ObjectFormat, ObjectError> {
    let is_commit = order.contains(&b"parent".as_slice());
    let expected = order.iter().flat_map(|name| {
        let times = if is_commit && *name == b"parent" { repeats } else { 1 };
        std::iter::repeat_n(*name, times)
    });
    let mut given = headers.iter();
    for name in expected {
        match given.next() {
            Some(header) if header.name == name && !header.is_folded() => {}
            _ => return Err(ObjectError::Header(String::from_utf8_lossy(name).into_owned())),
        }
    }
    let first = headers.first().map(Header::first_line).unwrap_or_default();
    ObjectFormat::of_id(first).ok_or_else(|| ObjectError::Header(String::from_utf8_lossy(order[0]).into_owned()))
}

/// The headers that follow: none of the fixed ones again, and none twice whose first or last value a reader would pick.
/// Others may repeat (`mergetag` does); the signature covers them all.
fn check_extra(extra: &[Header<'_>], fixed: &[&[u8]]) -> Result<(), ObjectError> {
    for (index, header) in extra.iter().enumerate() {
        let single = header.name.starts_with(b"gpgsig") || header.name == b"encoding";
        let again = single && extra[..index].iter().any(|earlier| earlier.name == header.name);
        if again || fixed.contains(&header.name) {
            return Err(ObjectError::Duplicate(header.text()));
        }
    }
    Ok(())
}

fn find<'a, 'b>(headers: &'b [Header<'a>], name: &str) -> Option<&'b Header<'a>> {
    headers.iter().find(|header| header.name == name.as_bytes())
}

/// `raw` without the headers that git takes out of the payload; any that should not be there is an error.
fn without_signatures(
    raw: &[u8],
    headers: &[Header<'_>],
    body_at: usize,
    format: ObjectFormat,
    second: SecondSignature,
    own: &[&str],
) -> Result<Vec<u8>, ObjectError> {
    let mut payload = Vec::with_capacity(raw.len());
    for header in headers {
        if !header.name.starts_with(b"gpgsig") {
            payload.extend_from_slice(&raw[header.span.clone()]);
            continue;
        }
        let name = header.text();
        let second_allowed = second == SecondSignature::Allowed && name == format.second_header();
        if !own.contains(&name.as_str()) && !second_allowed {
            return Err(ObjectError::UncoveredHeader(name));
        }
    }
    payload.extend_from_slice(&raw[body_at..]);
    Ok(payload)
}

/// What kind of object `payload` is the payload of, by its first header; `None` when it is none.
#[must_use]
pub fn recognise(payload: &[u8]) -> Option<(ObjectKind, ObjectFormat)> {
    let (kind, rest) = match (payload.strip_prefix(b"tree "), payload.strip_prefix(b"object ")) {
        (Some(rest), _) => (ObjectKind::Commit, rest),
        (_, Some(rest)) => (ObjectKind::Tag, rest),
        (None, None) => return None,
    };
    let id = rest.split(|c| *c == b'\n').next()?;
    Some((kind, ObjectFormat::of_id(id)?))
}

/// The object that git makes of a payload and a signature: in a commit the signature becomes the last header, in a tag
/// it follows the message. `None` when the payload of a commit has no end of headers.
#[must_use]
pub fn assemble(kind: ObjectKind, format: ObjectFormat, payload: &[u8], armour: &[u8]) -> Option<Vec<u8>> {
    let mut raw = Vec::with_capacity(payload.len() + armour.len() + 80);
    match kind {
        ObjectKind::Tag => {
            raw.extend_from_slice(payload);
            raw.extend_from_slice(armour);
        }
        ObjectKind::Commit => {
            let end = payload.windows(2).position(|pair| pair == b"\n\n")? + 1;
            raw.extend_from_slice(&payload[..end]);
            raw.extend_from_slice(format.signature_header().as_bytes());
            for line in armour.strip_suffix(b"\n").unwrap_or(armour).split(|c| *c == b'\n') {
                raw.push(b' ');
                raw.extend_from_slice(line);
                raw.push(b'\n');
            }
            raw.extend_from_slice(&payload[end..]);
        }
    }
    Some(raw)
}
