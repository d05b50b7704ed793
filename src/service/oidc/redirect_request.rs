//! What a browser sends to the redirect address: the head of one HTTP/1.1 request (RFC 9112), and the parameters of an
//! authorization response in it (RFC 6749 section 4.1.2, RFC 9207).
//!
//! Anything on this machine, and any page in any browser here, can send a request to an open port. So nothing counts but
//! a GET of the one path, for the one host (a name that was rebound to this machine sends another), in which no parameter
//! stands twice.

use zeroize::Zeroizing;

use crate::net::Url;

/// Why a request is none of a login; the status that it is answered with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Foreign {
    /// Not HTTP, for another host, or with a parameter twice.
    Malformed,
    /// A favicon, say.
    OtherPath,
    /// Not GET.
    OtherMethod,
    /// The head does not end.
    TooLong,
}

impl Foreign {
    /// The status line's number and words (RFC 9110 section 15).
    pub(super) fn status(self) -> &'static str {
        match self {
            Foreign::Malformed => "400 Bad Request",
            Foreign::OtherPath => "404 Not Found",
            Foreign::OtherMethod => "405 Method Not Allowed",
            Foreign::TooLong => "431 Request Header Fields Too Large",
        }
    }
}

/// The parameters of an authorization response.
#[derive(Default)]
pub(super) struct Parameters {
    pub(super) state: Option<String>,
    pub(super) code: Option<Zeroizing<String>>,
    pub(super) error: Option<String>,
    pub(super) error_description: Option<String>,
    pub(super) issuer: Option<String>,
}

/// Read the head of a request to `uri`, the redirect address.
pub(super) fn parse(head: &[u8], uri: &Url) -> Result<Parameters, Foreign> {
    let head = std::str::from_utf8(head).map_err(|_| Foreign::Malformed)?;
    let (request_line, fields) = head.split_once("\r\n").ok_or(Foreign::Malformed)?;
    let mut words = request_line.split(' ');
    let (Some(method), Some(target), Some("HTTP/1.1" | "HTTP/1.0"), None) =
        (words.next(), words.next(), words.next(), words.next())
    else {
        return Err(Foreign::Malformed);
    };
    if !target.starts_with('/') || !is_for(uri, fields) {
        return Err(Foreign::Malformed);
    }
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    if path != uri.path() {
        return Err(Foreign::OtherPath);
    }
    if method != "GET" {
        return Err(Foreign::OtherMethod);
    }
    parameters(uri, query).ok_or(Foreign::Malformed)
}

/// Whether there is one `Host` field and it names `uri`.
fn is_for(uri: &Url, fields: &str) -> bool {
    let host = uri.host_str().unwrap_or_default();
    let authority = uri.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"));
    let mut hosts = fields
        .split("\r\n")
        .filter_map(|field| field.split_once(':'))
        .filter(|(name, _)| name.eq_ignore_ascii_case("host"))
        .map(|(_, value)| value.trim_matches([' ', '\t']));
    hosts.next().is_some_and(|value| value.eq_ignore_ascii_case(&authority)) && hosts.next().is_none()
}

fn parameters(uri: &Url, query: &str) -> Option<Parameters> {
    let mut url = uri.clone();
    url.set_query(Some(query));
    let mut found = Parameters::default();
    for (name, value) in url.query_pairs() {
        let value = value.into_owned();
        let before = match name.as_ref() {
            "state" => found.state.replace(value).is_some(),
            "code" => found.code.replace(value.into()).is_some(),
            "error" => found.error.replace(value).is_some(),
            "error_description" => found.error_description.replace(value).is_some(),
            "iss" => found.issuer.replace(value).is_some(),
            // RFC 6749 section 4.1.2: others are not ours to judge.
            _ => false,
        };
        if before {
            return None;
        }
    }
    Some(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(head: &str) -> Result<Parameters, Foreign> {
        parse(head.as_bytes(), &Url::parse("http://localhost:7000/auth/callback").unwrap())
    }

    fn get(target: &str) -> Result<Parameters, Foreign> {
        asked(&format!("GET {target} HTTP/1.1\r\nHost: localhost:7000\r\nCookie: a=b\r\n"))
    }

    #[test]
    fn an_answer_has_its_parameters() {
        let answer = get("/auth/callback?code=a%2Bb&state=s+t&iss=https%3A%2F%2Fi&session_state=x").unwrap();
        assert_eq!(answer.code.unwrap().as_str(), "a+b");
        assert_eq!((answer.state.as_deref(), answer.issuer.as_deref()), (Some("s t"), Some("https://i")));
        let refused = get("/auth/callback?error=access_denied&error_description=no+way&state=s").unwrap();
        assert_eq!(
            (refused.error.as_deref(), refused.error_description.as_deref()),
            (Some("access_denied"), Some("no way"))
        );
        assert!(get("/auth/callback").unwrap().state.is_none());
    }

    #[test]
    fn what_is_none_is_foreign() {
        for twice in ["code=a&code=b&state=s", "code=a&state=s&state=s", "error=a&error=b", "iss=a&iss=a"] {
            assert_eq!(get(&format!("/auth/callback?{twice}")).err(), Some(Foreign::Malformed), "{twice}");
        }
        for path in
            ["/favicon.ico", "/", "/auth/callback/", "/auth/callbac", "/auth/%63allback?code=a", "//auth/callback"]
        {
            assert_eq!(get(path).err(), Some(Foreign::OtherPath), "{path}");
        }
        for head in [
            "",
            "GET\r\n",
            "GET /auth/callback HTTP/1.1",
            "GET /auth/callback HTTP/2\r\nHost: localhost:7000\r\n",
            "GET /auth/callback x HTTP/1.1\r\nHost: localhost:7000\r\n",
            "GET http://localhost:7000/auth/callback HTTP/1.1\r\nHost: localhost:7000\r\n",
            "GET /auth/callback HTTP/1.1\r\nX: y\r\n",
            "GET /auth/callback HTTP/1.1\r\nHost: evil.example:7000\r\n",
            "GET /auth/callback HTTP/1.1\r\nHost: localhost\r\n",
            "GET /auth/callback HTTP/1.1\r\nHost: localhost:7000\r\nhost: localhost:7000\r\n",
        ] {
            assert_eq!(asked(head).err(), Some(Foreign::Malformed), "{head:?}");
        }
        assert_eq!(
            parse(b"GET /\xff HTTP/1.1\r\n", &Url::parse("http://localhost/").unwrap()).err(),
            Some(Foreign::Malformed)
        );
        let post = "POST /auth/callback?code=a&state=s HTTP/1.1\r\nHost: localhost:7000\r\n";
        assert_eq!(asked(post).err(), Some(Foreign::OtherMethod));
    }
}
