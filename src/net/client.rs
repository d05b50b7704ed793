//! The client: bounded requests to https servers and to this machine, repeated when that can help.

use std::error::Error as _;
use std::sync::OnceLock;
use std::time::Duration;

use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, DATE, HeaderName, LOCATION, RETRY_AFTER};
use tokio::time::Instant;

use super::address::{self, Url, host};
use super::error::NetError;
use super::message::{Proof, Request, Response, readable};
use super::retry;
use super::tls::{self, Roots};

/// How we introduce ourselves.
pub const USER_AGENT: &str = concat!("gitseal/", env!("CARGO_PKG_VERSION"));

/// The header by which Google's metadata server and those who ask it know each other.
const METADATA_FLAVOR: (&str, &str) = ("metadata-flavor", "Google");

/// How long things may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// To reach a server, TLS included.
    pub connect: Duration,
    /// One attempt, from the first byte sent to the last received; a request may ask for more.
    pub attempt: Duration,
    /// How many attempts there may be.
    pub attempts: u32,
    /// The pause before the second attempt; later ones double.
    pub first_pause: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            connect: Duration::from_secs(5),
            attempt: Duration::from_secs(10),
            attempts: 4,
            first_pause: Duration::from_millis(250),
        }
    }
}

/// The instant by which a whole piece of work, of several requests perhaps, must be done.
#[derive(Debug, Clone, Copy)]
pub struct Deadline(Instant);

impl Deadline {
    /// A deadline that far from now.
    #[must_use]
    pub fn within(time: Duration) -> Self {
        Deadline(Instant::now() + time)
    }

    fn left(self) -> Duration {
        self.0.saturating_duration_since(Instant::now())
    }
}

/// Makes requests. Cheap to create: connections, authorities and proxies are looked at when the first request needs them.
#[derive(Debug, Default)]
pub struct Client {
    roots: Roots,
    limits: Limits,
    remote: OnceLock<reqwest::Client>,
    loopback: OnceLock<reqwest::Client>,
}

impl Client {
    /// A client that believes `roots` and keeps to `limits`.
    #[must_use]
    pub fn new(roots: Roots, limits: Limits) -> Self {
        Client { roots, limits, remote: OnceLock::new(), loopback: OnceLock::new() }
    }

    /// Make a request, repeating it while that can help and `deadline` allows.
    ///
    /// # Errors
    /// [`NetError`] when there is no answer, or only one that is about the server and not about the request.
    pub async fn send(&self, request: &Request<'_>, deadline: Deadline) -> Result<Response, NetError> {
        match request.proof {
            Proof::MetadataFlavor => address::check_metadata(request.url)?,
            Proof::None | Proof::Secret(_) => address::check(request.url)?,
        }
        let client = self.client(request.url)?;
        let mut attempt = 1;
        loop {
            let (error, asked) = match self.attempt(client, request, deadline, attempt).await {
                Ok(answer) if !retry::is_passing(answer.response.status) => return Ok(answer.response),
                Ok(answer) => (answer.unavailable(request.url, attempt), answer.retry_after),
                Err(error @ (NetError::Connection { .. } | NetError::TimedOut { .. })) => (error, None),
                Err(error) => return Err(error),
            };
            attempt += 1;
            let pause = asked.unwrap_or_else(|| retry::pause(self.limits.first_pause, attempt));
            if pause > retry::MAX_RETRY_AFTER
                && let NetError::Unavailable { host, status, .. } = error
            {
                return Err(NetError::AsksToWait { host, status, wait: pause });
            }
            if attempt > self.limits.attempts || pause >= deadline.left() {
                return Err(error);
            }
            tokio::time::sleep(pause).await;
        }
    }

    async fn attempt(
        &self,
        client: &reqwest::Client,
        request: &Request<'_>,
        deadline: Deadline,
        number: u32,
    ) -> Result<Answer, NetError> {
        let within = request.patience.unwrap_or(self.limits.attempt).min(deadline.left());
        let timed_out = |_| NetError::TimedOut { host: host(request.url), within, attempts: number };
        tokio::time::timeout(within, exchange(client, request, number)).await.map_err(timed_out)?
    }

    fn client(&self, url: &Url) -> Result<&reqwest::Client, NetError> {
        let (cell, is_plain) = match url.scheme() {
            "http" => (&self.loopback, true),
            _ => (&self.remote, false),
        };
        if let Some(client) = cell.get() {
            return Ok(client);
        }
        let mut builder = reqwest::Client::builder()
            .user_agent(USER_AGENT)
            .connect_timeout(self.limits.connect)
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            // HTTP/2 is compiled in for the one service that speaks nothing else; these never needed it.
            .http1_only();
        builder = if is_plain {
            // A proxy has no business with this machine's own services, and `localhost` must not be looked up: what
            // answers under that name elsewhere would receive the token in the clear.
            let here = [std::net::Ipv4Addr::LOCALHOST.into(), std::net::Ipv6Addr::LOCALHOST.into()];
            let here = here.map(|address: std::net::IpAddr| (address, 0).into());
            builder.no_proxy().resolve_to_addrs("localhost", &here).tls_backend_preconfigured(tls::none()?)
        } else {
            builder.https_only(true).tls_backend_preconfigured(tls::remote(&self.roots)?)
        };
        let client = builder.build().map_err(|error| NetError::Setup(innermost(&error)))?;
        Ok(cell.get_or_init(|| client))
    }
}

struct Answer {
    response: Response,
    retry_after: Option<Duration>,
}

impl Answer {
    fn unavailable(&self, url: &Url, attempts: u32) -> NetError {
        let Response { status, .. } = self.response;
        NetError::Unavailable { host: host(url), status, attempts, message: self.response.message() }
    }
}

async fn exchange(client: &reqwest::Client, request: &Request<'_>, number: u32) -> Result<Answer, NetError> {
    let broken = |error: reqwest::Error| {
        let cause = if error.is_timeout() { "cannot connect in time".to_owned() } else { innermost(&error) };
        NetError::Connection { host: host(request.url), cause, attempts: number }
    };
    let builder = match &request.body {
        None => client.get(request.url.clone()),
        Some((content_type, body)) => {
            client.post(request.url.clone()).header(CONTENT_TYPE, *content_type).body(body.clone())
        }
    };
    let builder = match request.proof {
        Proof::None => builder,
        Proof::Secret(authorization) => builder.header(AUTHORIZATION, authorization.header()),
        Proof::MetadataFlavor => builder.header(METADATA_FLAVOR.0, METADATA_FLAVOR.1),
    };
    let mut answer = builder.header(ACCEPT, request.accept).send().await.map_err(broken)?;
    let status = answer.status();
    let (flavor, google) = METADATA_FLAVOR;
    if matches!(request.proof, Proof::MetadataFlavor)
        && answer.headers().get(flavor).is_none_or(|value| value != google)
    {
        // On other clouds, and behind some captive portals, somebody else has that address.
        return Err(NetError::NotTheMetadataServer(host(request.url)));
    }
    let text = |name: HeaderName| answer.headers().get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
    let location = text(LOCATION);
    if status.is_redirection() {
        let to = location.map_or_else(|| "nowhere".to_owned(), |to| readable(&to));
        return Err(NetError::Redirected { host: host(request.url), to });
    }
    let retry_after = text(RETRY_AFTER).and_then(|wait| retry::requested(&wait, text(DATE).as_deref()));

    // The length that the header announces is only a hint: what counts is what arrives.
    let limit = request.max_answer;
    let too_large = || NetError::TooLarge { host: host(request.url), limit };
    if answer.content_length().is_some_and(|length| length > limit as u64) {
        return Err(too_large());
    }
    let mut body = Vec::new();
    while let Some(chunk) = answer.chunk().await.map_err(broken)? {
        if body.len() + chunk.len() > limit {
            return Err(too_large());
        }
        body.extend_from_slice(&chunk);
    }
    Ok(Answer { response: Response { status: status.as_u16(), location, body }, retry_after })
}

/// The last cause in the chain, which names the fault; the outer ones name layers.
pub(super) fn innermost(error: &reqwest::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    // An io::Error may wrap another error without giving it as its source.
    match cause.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref) {
        Some(inner) => readable(&inner.to_string()),
        None if error.source().is_none() => "the request failed".to_owned(),
        None => readable(&cause.to_string()),
    }
}

#[cfg(test)]
mod tests;
