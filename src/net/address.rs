//! Addresses of services: which are acceptable, and how a path is put under one.

use std::net::IpAddr;

pub use reqwest::Url;

/// Longest address we take from a setting or a signing config; longer ones are mistakes or attacks.
const MAX_ADDRESS_LEN: usize = 2048;

/// Where Google's machines find their metadata server, and its name there.
const METADATA_ADDRESS: &str = "169.254.169.254";
const METADATA_NAME: &str = "metadata.google.internal";

/// Why an address is not one we talk to.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// It is not a URL.
    #[error("{0:?} is not a URL")]
    NotAUrl(String),
    /// Neither https nor http.
    #[error("{0} is neither https nor http")]
    Scheme(Url),
    /// Plain HTTP to another machine: a token or a signature would be readable and changeable on the way.
    #[error("{0} is plain http and not on this machine")]
    PlainHttp(Url),
    /// It carries a user name, a password, a query or a fragment.
    #[error("{0} carries more than a host, a port and a path")]
    Decorated(Url),
}

/// Read the address of a service: https, or http on this machine; host, port and path only.
///
/// # Errors
/// [`AddressError`] says which of these it is not.
pub fn parse(text: &str) -> Result<Url, AddressError> {
    let url = parse_with_query(text)?;
    if url.query().is_some() { Err(AddressError::Decorated(url)) } else { Ok(url) }
}

/// Read an address of which the query is a part, as a platform hands one out; otherwise like [`parse`].
///
/// # Errors
/// As those of [`parse`].
pub fn parse_with_query(text: &str) -> Result<Url, AddressError> {
    if text.len() > MAX_ADDRESS_LEN {
        return Err(AddressError::NotAUrl(format!("{}...", text.chars().take(40).collect::<String>())));
    }
    let mut url = Url::parse(text).map_err(|_| AddressError::NotAUrl(text.to_owned()))?;
    if !url.username().is_empty() || url.password().is_some() || url.fragment().is_some() {
        // The user name and the password must not reach an error text.
        let _ = url.set_username("");
        let _ = url.set_password(None);
        return Err(AddressError::Decorated(url));
    }
    check(&url)?;
    Ok(url)
}

/// Whether a request may go to `url`: https, or http on this machine.
///
/// # Errors
/// [`AddressError`] says what it is instead.
pub fn check(url: &Url) -> Result<(), AddressError> {
    match url.scheme() {
        "https" if url.has_host() => Ok(()),
        "http" if is_loopback(url) => Ok(()),
        "http" => Err(AddressError::PlainHttp(url.clone())),
        _ => Err(AddressError::Scheme(url.clone())),
    }
}

/// The metadata server of a machine in Google's cloud: `host` or `host:port` of this machine, where it is emulated, or
/// the one address that it has on every machine. Its name there is not looked up, for then somebody else could answer.
///
/// # Errors
/// [`AddressError`] when it is neither.
pub fn metadata_server(host: &str) -> Result<Url, AddressError> {
    let host = if host == METADATA_NAME { METADATA_ADDRESS } else { host };
    let url = Url::parse(&format!("http://{host}")).map_err(|_| AddressError::NotAUrl(host.to_owned()))?;
    let is_host_alone = url.username().is_empty() && url.password().is_none() && url.path() == "/";
    if !is_host_alone || url.query().is_some() || url.fragment().is_some() {
        return Err(AddressError::NotAUrl("what is set".to_owned()));
    }
    check_metadata(&url)?;
    Ok(url)
}

/// Whether `url` is the metadata server's: link-local, so that no router passes it on, and on its own port.
pub(super) fn check_metadata(url: &Url) -> Result<(), AddressError> {
    let is_link_local = url.scheme() == "http" && url.host_str() == Some(METADATA_ADDRESS) && url.port().is_none();
    if is_link_local { Ok(()) } else { check(url) }
}

/// Whether the host is this machine, by its name or address alone: nothing is looked up.
#[must_use]
pub fn is_loopback(url: &Url) -> bool {
    match url.host_str() {
        Some("localhost") => true,
        Some(host) => host.trim_matches(['[', ']']).parse::<IpAddr>().is_ok_and(|address| address.is_loopback()),
        None => false,
    }
}

/// The address of `path` (which begins with a slash) under the service at `base`, whose own path is kept.
#[must_use]
pub fn endpoint(base: &Url, path: &str) -> Url {
    let mut url = base.clone();
    url.set_path(&format!("{}{path}", base.path().trim_end_matches('/')));
    url
}

/// `host` or `host:port`, for messages.
#[must_use]
pub fn host(url: &Url) -> String {
    let name = url.host_str().unwrap_or("?");
    url.port().map_or_else(|| name.to_owned(), |port| format!("{name}:{port}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_http_is_for_this_machine_only() {
        for good in ["https://fulcio.sigstore.dev", "http://127.0.0.1:8080", "http://localhost:1", "http://[::1]:1/x"] {
            assert!(parse(good).is_ok(), "{good}");
        }
        for bad in
            ["http://example.com", "http://127.0.0.1.example.com", "http://localhost.example.com", "http://10.0.0.1"]
        {
            assert!(matches!(parse(bad), Err(AddressError::PlainHttp(_))), "{bad}");
        }
        for bad in ["file:///etc/passwd", "ftp://127.0.0.1", "unix:/x", "data:,x"] {
            assert!(matches!(parse(bad), Err(AddressError::Scheme(_))), "{bad}");
        }
        assert!(matches!(parse("fulcio.sigstore.dev"), Err(AddressError::NotAUrl(_))));
        assert!(matches!(parse("https://"), Err(AddressError::NotAUrl(_))));
    }

    #[test]
    fn a_password_is_refused_and_not_repeated() {
        let error = parse("https://user:secret@example.com").unwrap_err();
        assert!(matches!(error, AddressError::Decorated(_)));
        assert!(!error.to_string().contains("secret"));
        assert!(matches!(parse("https://example.com/?q"), Err(AddressError::Decorated(_))));
    }

    #[test]
    fn a_query_is_for_those_who_ask_for_it() {
        assert!(parse_with_query("https://a.example/x?y=z").is_ok());
        assert!(matches!(parse("https://a.example/x?y=z"), Err(AddressError::Decorated(_))));
        let error = parse_with_query("https://user:secret@example.com?x").unwrap_err();
        assert!(matches!(&error, AddressError::Decorated(_)) && !error.to_string().contains("secret"));
        assert!(matches!(parse_with_query("http://example.com/?x"), Err(AddressError::PlainHttp(_))));
    }

    #[test]
    fn the_metadata_server_has_one_address_and_no_other_host_is_it() {
        for (good, url) in [
            ("169.254.169.254", "http://169.254.169.254/"),
            ("metadata.google.internal", "http://169.254.169.254/"),
            ("127.0.0.1:8080", "http://127.0.0.1:8080/"),
            ("localhost:1", "http://localhost:1/"),
        ] {
            assert_eq!(metadata_server(good).unwrap().as_str(), url);
        }
        for bad in [
            "example.com",
            "169.254.169.253",
            "169.254.169.254:8080",
            "169.254.169.254.example.com",
            "x@169.254.169.254",
            "169.254.169.254/x",
            "169.254.169.254?x",
            "169.254.169.254#x",
            "[fd00:ec2::254]",
            "",
        ] {
            assert!(metadata_server(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_path_goes_under_the_base() {
        for (base, want) in
            [("https://a.example", "https://a.example/api/v1"), ("https://a.example/x/", "https://a.example/x/api/v1")]
        {
            assert_eq!(endpoint(&parse(base).unwrap(), "/api/v1").as_str(), want);
        }
    }
}
