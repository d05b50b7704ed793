//! Requests and answers (RFC 9110), and what an answer says to people.

use std::time::Duration;

use super::address::Url;

/// How much of an error answer is kept for people to read.
const MAX_MESSAGE_LEN: usize = 300;

/// A request: no credentials in headers, nothing that could not be repeated.
#[derive(Debug)]
pub struct Request<'a> {
    pub(super) url: &'a Url,
    pub(super) body: Option<(&'static str, Vec<u8>)>,
    pub(super) accept: &'static str,
    pub(super) max_answer: usize,
    pub(super) patience: Option<Duration>,
}

impl<'a> Request<'a> {
    /// Fetch JSON of at most `max_answer` bytes.
    #[must_use]
    pub fn get(url: &'a Url, max_answer: usize) -> Self {
        Request { url, body: None, accept: "application/json", max_answer, patience: None }
    }

    /// Send JSON and receive JSON of at most `max_answer` bytes.
    #[must_use]
    pub fn post_json(url: &'a Url, body: Vec<u8>, max_answer: usize) -> Self {
        Request { url, body: Some(("application/json", body)), accept: "application/json", max_answer, patience: None }
    }

    /// Send `body` and receive another type of at most `max_answer` bytes.
    #[must_use]
    pub fn post(
        url: &'a Url,
        (content_type, body): (&'static str, Vec<u8>),
        accept: &'static str,
        max_answer: usize,
    ) -> Self {
        Request { url, body: Some((content_type, body)), accept, max_answer, patience: None }
    }

    /// Give one attempt so long, not what is usual: for services that are slow by design.
    #[must_use]
    pub fn with_patience(self, patience: Duration) -> Self {
        Request { patience: Some(patience), ..self }
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
