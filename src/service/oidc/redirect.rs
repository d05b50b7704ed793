//! Where the browser comes back to (RFC 8252 section 7.3): a port of this machine, open for one answer.
//!
//! Requests that do not carry this login's state are answered and forgotten, and the wait goes on. Failing at the first of
//! them would let any page in any browser here, which can send requests to any port, put an end to every login; and
//! believing one would log the person in as somebody else. Only the answer with the right state ends the wait, and the
//! port with it: a second one finds it closed.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use openidconnect::AuthorizationCode;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::code_flow::CodeFlow;
use super::error::OidcError;
use super::page::Page;
use super::provider::Provider;
use super::redirect_request::{Foreign, Parameters, parse};
use crate::crypto::sha256;
use crate::net::{Url, address};

/// How long a person has to log in, as gitsign has it.
pub const LOGIN_TIME: Duration = Duration::from_secs(120);
/// The path that issuers know for programs of this kind.
const PATH: &str = "/auth/callback";
/// Longest head of a request, in bytes: a code of some KiB, and the cookies of everything that ever ran on `localhost`.
const MAX_HEAD_LEN: usize = 32 * 1024;
/// How long a request may take to arrive. Browsers open connections ahead of need, and these stay silent.
const REQUEST_TIME: Duration = Duration::from_secs(5);
/// How long a page may take to leave.
const ANSWER_TIME: Duration = Duration::from_secs(2);
/// Connections at one time; more wait in the system's queue.
const MAX_CONNECTIONS: usize = 16;
/// How often a port is looked for that is free under both addresses of this machine.
const MAX_TRIES: usize = 8;

/// An open port, and its address as the provider is told.
pub struct Redirect {
    listeners: Vec<TcpListener>,
    uri: Url,
}

impl Redirect {
    /// Open a free port, or the one of `wanted`, which must be an address of this machine.
    ///
    /// # Errors
    /// It is not, or the port is taken.
    pub async fn open(wanted: Option<&str>) -> Result<Self, OidcError> {
        let uri = match wanted {
            Some(wanted) => own_address(wanted)?,
            None => Url::parse(&format!("http://localhost:0{PATH}")).expect("a plain address"),
        };
        let mut tries = 0;
        loop {
            match listen(&uri).await {
                Ok(redirect) => return Ok(redirect),
                // The port was chosen under one address and is somebody else's under the other.
                Err(error)
                    if error.kind() == io::ErrorKind::AddrInUse && uri.port() == Some(0) && tries < MAX_TRIES =>
                {
                    tries += 1;
                }
                Err(source) => return Err(OidcError::Listen { place: address::host(&uri), source }),
            }
        }
    }

    /// The address, port and all.
    #[must_use]
    pub fn uri(&self) -> &Url {
        &self.uri
    }

    /// Wait for the answer to `flow`, at most for `time`.
    ///
    /// # Errors
    /// [`OidcError::NobodyCame`]. What the answer says is in it.
    pub async fn wait(self, flow: &CodeFlow, provider: &Provider<'_>, time: Duration) -> Result<Arrival, OidcError> {
        let mut strangers = 0;
        let (parameters, stream) = timeout(time, self.answered(flow.state(), &mut strangers))
            .await
            .map_err(|_| OidcError::NobodyCame { within: time, strangers })?;
        Ok(Arrival { answer: judge(parameters, provider), browser: Browser(stream) })
    }

    async fn answered(self, state: &str, strangers: &mut usize) -> (Parameters, TcpStream) {
        // Digests, so that the time that comparing takes tells nothing about the state.
        let wanted = sha256(state.as_bytes());
        let mut requests = JoinSet::new();
        loop {
            let is_full = requests.len() >= MAX_CONNECTIONS;
            tokio::select! {
                stream = self.accept(), if !is_full => {
                    if let Some(stream) = stream {
                        requests.spawn(request(stream, self.uri.clone()));
                    }
                }
                Some(done) = requests.join_next() => {
                    let Ok(Some((parameters, stream))) = done else { continue };
                    let found = parameters.state.as_deref().map(|state| sha256(state.as_bytes()));
                    if found == Some(wanted) && (parameters.code.is_some() || parameters.error.is_some()) {
                        return (parameters, stream);
                    }
                    *strangers += 1;
                    requests.spawn(turn_away(stream));
                }
            }
        }
    }

    /// The next connection; `None` if it broke before it was ours.
    async fn accept(&self) -> Option<TcpStream> {
        let accepted = match &self.listeners[..] {
            [one, other] => tokio::select! {
                accepted = one.accept() => accepted,
                accepted = other.accept() => accepted,
            },
            [one, ..] => one.accept().await,
            [] => std::future::pending().await,
        };
        match accepted {
            Ok((stream, _)) => Some(stream),
            Err(_) => {
                // Out of file descriptors, say: it passes, and must not be asked for in a busy loop.
                tokio::time::sleep(Duration::from_millis(50)).await;
                None
            }
        }
    }
}

/// The browser's answer: a code, or why there is none; and the browser, which waits for a page.
pub struct Arrival {
    /// The code.
    pub answer: Result<AuthorizationCode, OidcError>,
    /// Who brought it.
    pub browser: Browser,
}

/// A browser that waits for its page.
pub struct Browser(TcpStream);

impl Browser {
    /// Show it. A browser that has gone away misses nothing: the terminal says the same.
    pub async fn show(self, page: &Page) {
        let Browser(stream) = self;
        write(stream, "200 OK", page).await;
    }
}

/// An answer that has the right state, so it is about this login.
fn judge(parameters: Parameters, provider: &Provider<'_>) -> Result<AuthorizationCode, OidcError> {
    // RFC 9207 section 2.4: with two logins under way, a code must not be taken to the wrong provider.
    let wanted = provider.issuer();
    match parameters.issuer {
        Some(found) if found != wanted => return Err(OidcError::MixedUp { found, wanted: wanted.to_owned() }),
        None if provider.names_itself() => {
            return Err(OidcError::MixedUp { found: "nobody in particular".to_owned(), wanted: wanted.to_owned() });
        }
        _ => {}
    }
    match (parameters.error, parameters.code) {
        (Some(error), _) => Err(OidcError::refused(&error, parameters.error_description.as_deref())),
        (None, Some(code)) => Ok(AuthorizationCode::new(code.to_string())),
        (None, None) => Err(OidcError::refused("no code", None)),
    }
}

/// The redirect address that somebody wants: http, this machine, a path, and nothing else.
fn own_address(wanted: &str) -> Result<Url, OidcError> {
    let refused = || OidcError::RedirectUrl(wanted.chars().take(200).collect());
    let uri = address::parse(wanted).map_err(|_| refused())?;
    if uri.scheme() == "http" && address::is_loopback(&uri) { Ok(uri) } else { Err(refused()) }
}

/// Listen where `uri` says, and under both addresses that `localhost` has: a browser may try either first, and what the
/// other one leads to would see the answer.
async fn listen(uri: &Url) -> io::Result<Redirect> {
    let host = uri.host_str().unwrap_or_default().trim_matches(['[', ']']);
    let addresses: Vec<IpAddr> = match host.parse() {
        Ok(address) => vec![address],
        Err(_) => vec![Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()],
    };
    let mut port = uri.port_or_known_default().unwrap_or(0);
    let mut listeners = Vec::new();
    for address in addresses {
        match TcpListener::bind(SocketAddr::new(address, port)).await {
            Ok(listener) => {
                port = listener.local_addr()?.port();
                listeners.push(listener);
            }
            // This machine has no IPv6, and then nobody is there.
            Err(error) if address.is_ipv6() && !listeners.is_empty() && error.kind() != io::ErrorKind::AddrInUse => {}
            Err(error) => return Err(error),
        }
    }
    let mut uri = uri.clone();
    // Never fails: the address has a host.
    let _ = uri.set_port(Some(port));
    Ok(Redirect { listeners, uri })
}

/// Read a request; what does not concern the login is answered at once.
async fn request(mut stream: TcpStream, uri: Url) -> Option<(Parameters, TcpStream)> {
    let head = timeout(REQUEST_TIME, head(&mut stream)).await.ok()?.ok()?;
    let parsed = match head {
        Some(head) => parse(&head, &uri),
        None => Err(Foreign::TooLong),
    };
    match parsed {
        Ok(parameters) => Some((parameters, stream)),
        Err(foreign) => {
            write(stream, foreign.status(), &Page::foreign()).await;
            None
        }
    }
}

async fn turn_away(stream: TcpStream) -> Option<(Parameters, TcpStream)> {
    write(stream, "400 Bad Request", &Page::foreign()).await;
    None
}

/// The head of a request without the empty line that ends it; `None` if it has no end.
async fn head(stream: &mut TcpStream) -> io::Result<Option<zeroize::Zeroizing<Vec<u8>>>> {
    let mut head = zeroize::Zeroizing::new(Vec::with_capacity(4096));
    loop {
        if let Some(end) = head.windows(4).position(|window| window == b"\r\n\r\n") {
            head.truncate(end + 2);
            return Ok(Some(head));
        }
        if head.len() > MAX_HEAD_LEN {
            return Ok(None);
        }
        if stream.read_buf(&mut *head).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
}

async fn write(mut stream: TcpStream, status: &str, page: &Page) {
    let body = page.html();
    let head = format!(
        "HTTP/1.1 {status}\r\nContent-Type: text/html; charset=utf-8\r\nContent-Length: {}\r\n\
         Content-Security-Policy: {}\r\nCache-Control: no-store\r\nReferrer-Policy: no-referrer\r\n\
         X-Content-Type-Options: nosniff\r\nConnection: close\r\n\r\n",
        body.len(),
        page.policy(),
    );
    let writing = async {
        stream.write_all(head.as_bytes()).await?;
        stream.write_all(body.as_bytes()).await?;
        stream.shutdown().await?;
        // Until the other side has closed as well: closing first over unread bytes would reset the connection, and the
        // page with it.
        let mut rest = [0; 1024];
        while stream.read(&mut rest).await? > 0 {}
        io::Result::Ok(())
    };
    // A browser that does not take its page has gone.
    let _ = timeout(ANSWER_TIME, writing).await;
}
