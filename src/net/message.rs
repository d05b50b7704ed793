//! Requests and answers (RFC 9110), and what an answer says to people.

use std::fmt;
use std::time::Duration;

use reqwest::header::HeaderValue;
use zeroize::Zeroizing;

use super::address::{self, Url};

/// How much of an error answer is kept for people to read.
const MAX_MESSAGE_LEN: usize = 300;

/// Longest secret in a header: GitHub's request tokens have 2 KB, and servers take 8 KB in all.
const MAX_SECRET_LEN: usize = 8 * 1024;

/// What an `Authorization` header says (RFC 9110 section 11.6.2). Whoever reads it can act as us, so it has no
/// `Display`, shows nothing in `Debug`, and is wiped when dropped.
pub struct Authorization(Zeroizing<String>);

impl Authorization {
    /// `secret` under `scheme`, such as `Bearer` (RFC 6750); `None` if it is empty, or is nothing that a header can hold.
    #[must_use]
    pub fn new(scheme: &'static str, secret: &str) -> Option<Self> {
        let fits = (1..=MAX_SECRET_LEN).contains(&secret.len()) && secret.bytes().all(|byte| byte.is_ascii_graphic());
        fits.then(|| Authorization(Zeroizing::new(format!("{scheme} {secret}"))))
    }

    /// The header, marked so that no layer below writes it to a log or keeps it in a table of headers.
    pub(super) fn header(&self) -> HeaderValue {
        let mut value = HeaderValue::from_str(&self.0).expect("it has visible characters and one space");
        value.set_sensitive(true);
        value
    }
}

impl fmt::Debug for Authorization {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Authorization(redacted)")
    }
}

/// What a request shows, and expects to be shown. These do not mix: what the metadata server is asked goes over a wire
/// in the clear, so no secret can go with it.
#[derive(Debug, Clone, Copy)]
pub(super) enum Proof<'a> {
    /// Nothing.
    None,
    /// A secret, to https or to this machine.
    Secret(&'a Authorization),
    /// That it was not made by a browser that somebody has tricked, and that the answer is the metadata server's.
    MetadataFlavor,
}

/// A request: nothing that could not be repeated.
#[derive(Debug)]
pub struct Request<'a> {
    pub(super) url: &'a Url,
    pub(super) body: Option<(&'static str, Vec<u8>)>,
    pub(super) accept: &'static str,
    pub(super) max_answer: usize,
    pub(super) patience: Option<Duration>,
    pub(super) proof: Proof<'a>,
}

impl<'a> Request<'a> {
    /// Fetch JSON of at most `max_answer` bytes.
    #[must_use]
    pub fn get(url: &'a Url, max_answer: usize) -> Self {
        Request { url, body: None, accept: "application/json", max_answer, patience: None, proof: Proof::None }
    }

    /// Ask the metadata server of this machine, whose address is [`address::metadata_server`]'s. It is the one server
    /// that is not this machine and is spoken to in plain HTTP.
    #[must_use]
    pub fn get_metadata(url: &'a Url, max_answer: usize) -> Self {
        Request { accept: "*/*", proof: Proof::MetadataFlavor, ..Request::get(url, max_answer) }
    }

    /// Send JSON and receive JSON of at most `max_answer` bytes.
    #[must_use]
    pub fn post_json(url: &'a Url, body: Vec<u8>, max_answer: usize) -> Self {
        Request { body: Some(("application/json", body)), ..Request::get(url, max_answer) }
    }

    /// Send `body` and receive another type of at most `max_answer` bytes.
    #[must_use]
    pub fn post(
        url: &'a Url,
        (content_type, body): (&'static str, Vec<u8>),
        accept: &'static str,
        max_answer: usize,
    ) -> Self {
        Request { body: Some((content_type, body)), accept, ..Request::get(url, max_answer) }
    }

    /// Give one attempt so long, not what is usual: for services that are slow by design.
    #[must_use]
    pub fn with_patience(self, patience: Duration) -> Self {
        Request { patience: Some(patience), ..self }
    }

    /// Show a secret.
    #[must_use]
    pub fn with_authorization(self, authorization: &'a Authorization) -> Self {
        Request { proof: Proof::Secret(authorization), ..self }
    }

    /// Where it goes, for messages.
    #[must_use]
    pub fn host(&self) -> String {
        address::host(self.url)
    }
}

/// An answer that is worth reading: success, or a refusal of this very request.
#[derive(Debug)]
pub struct Response {
    /// The status code: not 3xx, not one that [`retry::is_passing`](super::retry::is_passing) names.
    pub status: u16,
    /// The `Location` header, as it came.
    pub location: Option<String>,
    /// The whole body.
    pub body: Vec<u8>,
}

impl Response {
    /// What a refusal says, made fit for a terminal: the `message` of a JSON error or the first line of text.
    #[must_use]
    pub fn message(&self) -> String {
        message(&self.body)
    }
}

/// The `message` of a JSON error (gRPC gateway, go-swagger and RFC 6749 spell it differently), else the first line.
fn message(body: &[u8]) -> String {
    let json = serde_json::from_slice::<serde_json::Value>(body).ok();
    let said = json.as_ref().and_then(|json| {
        ["message", "error_description", "error"].iter().find_map(|key| json.get(key).and_then(|text| text.as_str()))
    });
    let text = match said {
        Some(text) => text.to_owned(),
        None => String::from_utf8_lossy(&body[..body.len().min(MAX_MESSAGE_LEN)]).into_owned(),
    };
    match readable(text.trim().lines().next().unwrap_or("")) {
        empty if empty.is_empty() => "no explanation".to_owned(),
        text => text,
    }
}

/// Text from a server, without what could steer a terminal, and not too long.
pub(super) fn readable(text: &str) -> String {
    let hidden = |c: &char| {
        !c.is_control() && !matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    text.chars().filter(hidden).take(MAX_MESSAGE_LEN).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_one_visible_word_and_is_not_shown() {
        let secret = Authorization::new("Bearer", "s3cret").unwrap();
        assert_eq!(format!("{secret:?} {:?}", secret.header()), "Authorization(redacted) Sensitive");
        assert_eq!(secret.header().as_bytes(), b"Bearer s3cret");
        for bad in ["", "a b", "a\r\nHost: evil", "é", &"x".repeat(MAX_SECRET_LEN + 1)] {
            assert!(Authorization::new("Bearer", bad).is_none(), "{bad:.20}");
        }
    }
}
