//! One unary gRPC call over a unix socket (gRPC over HTTP/2, "PROTOCOL-HTTP2"), bounded: for agents of this machine that
//! speak nothing else. What the messages mean is the caller's business. No TLS: the socket's file says who is behind it.

use std::path::Path;
use std::time::Duration;

use http_body_util::BodyExt as _;
use reqwest::header::{CONTENT_TYPE, HeaderMap, TE};

use super::client::{USER_AGENT, innermost};
use super::error::NetError;
use super::message::readable;
use super::tls;

/// A flag, and the length of the message that follows.
const PREFIX_LEN: usize = 5;
/// The code of success.
const OK: u32 = 0;
/// Longest word of an error that is decoded; what people see is cut again.
const MAX_MESSAGE_LEN: usize = 1024;

/// A call of one method with one message.
#[derive(Debug, Clone, Copy)]
pub struct Call<'a> {
    /// Where the server listens.
    pub socket: &'a Path,
    /// `/Service/Method`.
    pub method: &'static str,
    /// Metadata to send along.
    pub metadata: (&'static str, &'static str),
    /// The request message, encoded.
    pub message: &'a [u8],
    /// The longest answer.
    pub max_answer: usize,
    /// How long all of it may take.
    pub within: Duration,
}

/// Why a call has no answer.
#[derive(Debug, thiserror::Error)]
pub enum GrpcError {
    /// Nobody listens, or the connection broke.
    #[error("{}: {cause}", .socket.display())]
    Connection {
        /// Where.
        socket: std::path::PathBuf,
        /// The innermost cause.
        cause: String,
    },
    /// It took too long.
    #[error("no answer within {} s", .0.as_secs())]
    TimedOut(Duration),
    /// The answer is larger than any right one.
    #[error("the answer is larger than {0} bytes")]
    TooLarge(usize),
    /// The server will not do this.
    #[error("refused with gRPC status {code}: {message}")]
    Refused {
        /// The status.
        code: u32,
        /// Its own words.
        message: String,
    },
    /// Something else than a gRPC answer of one message.
    #[error("answered {0}")]
    Answer(&'static str),
    /// The HTTP client cannot be set up.
    #[error(transparent)]
    Setup(#[from] NetError),
}

impl Call<'_> {
    /// Make the call; the answer's message, still encoded.
    ///
    /// # Errors
    /// [`GrpcError`] when there is none.
    pub async fn make(&self) -> Result<Vec<u8>, GrpcError> {
        tokio::time::timeout(self.within, self.exchange()).await.map_err(|_| GrpcError::TimedOut(self.within))?
    }

    async fn exchange(&self) -> Result<Vec<u8>, GrpcError> {
        let setup = |error: reqwest::Error| NetError::Setup(innermost(&error));
        let client = reqwest::Client::builder()
            .user_agent(USER_AGENT)
            .unix_socket(self.socket)
            .http2_prior_knowledge()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .tls_backend_preconfigured(tls::none().map_err(NetError::from)?)
            .build()
            .map_err(setup)?;
        let broken =
            |error: reqwest::Error| GrpcError::Connection { socket: self.socket.into(), cause: innermost(&error) };
        let (name, value) = self.metadata;
        let answer = client
            .post(format!("http://localhost{}", self.method))
            .header(CONTENT_TYPE, "application/grpc")
            .header(TE, "trailers")
            .header(name, value)
            .body(framed(self.message))
            .send()
            .await
            .map_err(broken)?;
        let is_grpc = |kind: &[u8]| kind == b"application/grpc" || kind == b"application/grpc+proto";
        if answer.status() != 200 || !answer.headers().get(CONTENT_TYPE).is_some_and(|kind| is_grpc(kind.as_bytes())) {
            return Err(GrpcError::Answer("as no gRPC server does"));
        }
        // A server that refuses may say so at once, in place of an answer that it would have to end with the status.
        if let Some(refusal) = refusal(answer.headers())? {
            return Err(refusal);
        }
        let mut body = reqwest::Body::from(answer);
        let mut bytes = Vec::new();
        let mut trailers = None;
        while let Some(frame) = body.frame().await {
            match frame.map_err(broken)?.into_data() {
                Ok(data) if bytes.len() + data.len() > PREFIX_LEN + self.max_answer => {
                    return Err(GrpcError::TooLarge(self.max_answer));
                }
                Ok(data) => bytes.extend_from_slice(&data),
                Err(frame) => trailers = frame.into_trailers().ok(),
            }
        }
        // Without its status an answer may be half of one.
        let trailers = trailers.ok_or(GrpcError::Answer("without a status"))?;
        if let Some(refusal) = refusal(&trailers)? {
            return Err(refusal);
        }
        if !trailers.contains_key("grpc-status") {
            return Err(GrpcError::Answer("without a status"));
        }
        unframed(bytes)
    }
}

/// A message as it goes over the wire: not compressed, its length before it.
fn framed(message: &[u8]) -> Vec<u8> {
    let length = u32::try_from(message.len()).expect("our own messages are short");
    [&[0], &length.to_be_bytes()[..], message].concat()
}

/// The one message of an answer.
fn unframed(bytes: Vec<u8>) -> Result<Vec<u8>, GrpcError> {
    let problem = GrpcError::Answer("with something else than one message");
    let Some((prefix, message)) = bytes.split_first_chunk::<PREFIX_LEN>() else { return Err(problem) };
    let [compressed, length @ ..] = *prefix;
    if compressed != 0 || usize::try_from(u32::from_be_bytes(length)) != Ok(message.len()) {
        return Err(problem);
    }
    Ok(message.to_vec())
}

/// The refusal that headers or trailers speak of, if they do.
fn refusal(headers: &HeaderMap) -> Result<Option<GrpcError>, GrpcError> {
    let Some(status) = headers.get("grpc-status") else { return Ok(None) };
    let code =
        status.to_str().ok().and_then(|text| text.parse().ok()).ok_or(GrpcError::Answer("a status of no kind"))?;
    let message = headers.get("grpc-message").map_or_else(String::new, |text| unescaped(text.as_bytes()));
    let message = if message.is_empty() { "no explanation".to_owned() } else { message };
    Ok((code != OK).then_some(GrpcError::Refused { code, message }))
}

/// A `grpc-message`: percent-encoded where it is not plain ASCII.
fn unescaped(text: &[u8]) -> String {
    let mut bytes = Vec::new();
    let mut rest = &text[..text.len().min(MAX_MESSAGE_LEN)];
    while let Some((first, after)) = rest.split_first() {
        let digits = after.get(..2).filter(|_| *first == b'%').and_then(|digits| std::str::from_utf8(digits).ok());
        let escaped = digits.and_then(|digits| u8::from_str_radix(digits, 16).ok());
        bytes.push(escaped.unwrap_or(*first));
        rest = if escaped.is_some() { &after[2..] } else { after };
    }
    readable(String::from_utf8_lossy(&bytes).lines().next().unwrap_or(""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_one_whole_message() {
        assert_eq!(unframed(framed(b"hello")).unwrap(), b"hello");
        assert_eq!(unframed(framed(b"")).unwrap(), b"");
        let bad: [&[u8]; 5] = [b"", b"\0\0\0\0", b"\0\0\0\0\x02x", b"\0\0\0\0\x01xy", b"\x01\0\0\0\x01x"];
        for bytes in bad {
            assert!(matches!(unframed(bytes.to_vec()), Err(GrpcError::Answer(_))), "{bytes:?}");
        }
    }

    #[test]
    fn a_refusal_is_read_and_cannot_steer_a_terminal() {
        let headers = |pairs: &[(&'static str, &'static str)]| {
            pairs.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect::<HeaderMap>()
        };
        assert!(refusal(&headers(&[])).unwrap().is_none());
        assert!(refusal(&headers(&[("grpc-status", "0")])).unwrap().is_none());
        let said = refusal(&headers(&[("grpc-status", "7"), ("grpc-message", "no%20%1b[31mone%0aelse %zz %")]));
        assert_eq!(said.unwrap().unwrap().to_string(), "refused with gRPC status 7: no [31mone");
        assert!(refusal(&headers(&[("grpc-status", "x")])).is_err());
    }

    #[tokio::test]
    async fn a_socket_that_nobody_listens_at_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let socket = folder.path().join("no.sock");
        let (metadata, within) = (("x", "y"), Duration::from_secs(1));
        let call = Call { socket: &socket, method: "/A/B", metadata, message: b"", max_answer: 1, within };
        let error = call.make().await.unwrap_err();
        assert!(matches!(&error, GrpcError::Connection { .. }) && error.to_string().contains("no.sock"), "{error}");
        let listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
        let call = Call { within: Duration::from_millis(50), ..call };
        assert!(matches!(call.make().await, Err(GrpcError::TimedOut(_))));
        drop(listener);
    }

    /// What a server answers: a status and a type, data, and trailers, if it ends with any.
    #[derive(Clone)]
    struct Script(u16, &'static str, Vec<u8>, Option<&'static [(&'static str, &'static str)]>);

    /// The outcome of a call of a server that answers so.
    async fn called(script: Script) -> Result<Vec<u8>, GrpcError> {
        let folder = tempfile::tempdir().unwrap();
        let socket = folder.path().join("agent.sock");
        let listener = tokio::net::UnixListener::bind(&socket).unwrap();
        tokio::spawn(async move {
            let (stream, _) = listener.accept().await.unwrap();
            let mut connection = h2::server::handshake(stream).await.unwrap();
            while let Some(Ok((request, mut answers))) = connection.accept().await {
                assert_eq!((request.uri().path(), request.headers()["te"].as_bytes()), ("/A/B", &b"trailers"[..]));
                let Script(status, kind, data, trailers) = script.clone();
                let head = http::Response::builder().status(status).header("content-type", kind).body(()).unwrap();
                let mut body = answers.send_response(head, false).unwrap();
                body.send_data(data.into(), trailers.is_none()).unwrap();
                if let Some(pairs) = trailers {
                    let pair = |(name, value): &(&str, &str)| {
                        (name.parse::<http::HeaderName>().unwrap(), value.parse().unwrap())
                    };
                    body.send_trailers(pairs.iter().map(pair).collect()).unwrap();
                }
            }
        });
        let (metadata, within) = (("x", "y"), Duration::from_secs(5));
        Call { socket: &socket, method: "/A/B", metadata, message: b"hi", max_answer: 8, within }.make().await
    }

    #[tokio::test]
    async fn an_answer_counts_with_its_status_and_not_without() {
        const GRPC: &str = "application/grpc";
        let good = || framed(b"12345678");
        let status: &[_] = &[("grpc-status", "0")];
        assert_eq!(called(Script(200, GRPC, good(), Some(status))).await.unwrap(), b"12345678");
        assert!(called(Script(200, "application/grpc+proto", good(), Some(status))).await.is_ok());
        let wrong = [
            ("cut short", Script(200, GRPC, good(), None)),
            ("no status", Script(200, GRPC, good(), Some(&[("x", "0")]))),
            ("a page", Script(200, "text/html", good(), Some(status))),
            ("an error page", Script(502, GRPC, good(), Some(status))),
            ("two messages", Script(200, GRPC, [framed(b"1"), framed(b"2")].concat(), Some(status))),
            ("nothing", Script(200, GRPC, Vec::new(), Some(status))),
        ];
        for (name, script) in wrong {
            assert!(matches!(called(script).await, Err(GrpcError::Answer(_))), "{name}");
        }
        let long = Script(200, GRPC, framed(b"123456789"), Some(status));
        assert!(matches!(called(long).await, Err(GrpcError::TooLarge(8))));
        let refused = Script(200, GRPC, good(), Some(&[("grpc-status", "7"), ("grpc-message", "no")]));
        assert!(matches!(called(refused).await, Err(GrpcError::Refused { code: 7, .. })));
    }
}
