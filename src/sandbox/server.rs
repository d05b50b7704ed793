//! The server: opens the folder, writes the documents, listens, and stops.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{ConnectInfo, DefaultBodyLimit, Request, State};
use axum::http::{StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use super::connection::{CuttableListener, Scissors};
use super::documents::{Documents, Parties};
use super::environment::{self, Variable};
use super::faults::{self, Fault, Faults, Rule, Service};
use super::folder::{Folder, FolderError};
use super::fulcio::{CERTIFICATE_LIFETIME, Fulcio, FulcioError};
use super::oidc::{AUDIENCE, Oidc, TOKEN_LIFETIME};
use super::operator::{Operator, Seat};
use super::rekor_v1::RekorError;
use super::reply::{Body, Refusal};
use super::request_log::RequestLog;
use super::tuf::TufRepository;
use super::{fulcio, oidc, request_log, tuf};
use crate::crypto::KeyKind;

/// The largest request: an attestation in an envelope, in base64, in JSON.
const MAX_REQUEST_LEN: usize = 8 * 1024 * 1024;
/// Authorities and logs are valid from this long before the folder was made: a clock may be set back.
const BACKDATED: SignedDuration = SignedDuration::from_hours(1);
/// How long the token for a child process is good for: as long as anybody works in a sandbox.
const SESSION_LIFETIME: SignedDuration = SignedDuration::from_hours(24);
/// How long a token in the file is good for, for a script that reads it once.
const FILE_LIFETIME: SignedDuration = SignedDuration::from_hours(1);
/// How often the file is renewed.
const RENEWAL: Duration = Duration::from_secs(240);

/// Whom the issuer vouches for when nobody is named.
pub const DEFAULT_IDENTITY: &str = "dev@example.com";

/// Which of the two logs the signing config names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum RekorVersion {
    /// Rekor v1, whose promise says when.
    #[default]
    V1,
    /// Rekor v2, and the timestamp authority that it needs.
    V2,
}

/// How a sandbox is started.
#[derive(Debug, Clone)]
pub struct Options {
    /// Where to listen; loopback only. Port 0 means the port of the last time, or a free one.
    pub listen: SocketAddr,
    /// Whom the issuer vouches for, unless a login hint says otherwise.
    pub identity: String,
    /// Which log the signing config names.
    pub rekor: RekorVersion,
    /// How long a certificate is valid.
    pub certificate_lifetime: SignedDuration,
    /// How long the identity token of a login is good for, and one that is asked for without a lifetime.
    pub token_lifetime: SignedDuration,
    /// What goes wrong from the start.
    pub faults: Vec<Rule>,
    /// A file to note every request in.
    pub request_log: Option<PathBuf>,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            identity: DEFAULT_IDENTITY.to_owned(),
            rekor: RekorVersion::default(),
            certificate_lifetime: CERTIFICATE_LIFETIME,
            token_lifetime: TOKEN_LIFETIME,
            faults: Vec::new(),
            request_log: None,
        }
    }
}

/// Why the sandbox does not start.
#[derive(Debug, thiserror::Error)]
pub enum SandboxError {
    /// The folder or a file in it.
    #[error(transparent)]
    Folder(#[from] FolderError),
    /// The authorities.
    #[error(transparent)]
    Authority(#[from] FulcioError),
    /// The logs.
    #[error(transparent)]
    Log(#[from] RekorError),
    /// The file for requests.
    #[error("cannot note requests in {}: {source}", path.display())]
    RequestLog {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The address is not a loopback address.
    #[error("{0} is not a loopback address; the sandbox gives everybody every identity")]
    NotLoopback(SocketAddr),
    /// The address cannot be had.
    #[error("cannot listen on {address}: {source}")]
    Listen {
        /// Where.
        address: SocketAddr,
        /// Why.
        source: io::Error,
    },
}

/// Everything that the handlers share, but for the logs and stamps of an [`Operator`].
pub(super) struct Services {
    pub(super) base: String,
    pub(super) oidc: Oidc,
    pub(super) fulcio: Fulcio,
    pub(super) tuf: TufRepository,
    pub(super) faults: Arc<Faults>,
}

/// The sandbox.
#[derive(Debug)]
pub struct Sandbox;

/// A sandbox that listens; it stops when this value is dropped.
pub struct Running {
    services: Arc<Services>,
    folder: Arc<Folder>,
    variables: Vec<Variable>,
    identity: String,
    servers: [JoinHandle<io::Result<()>>; 2],
    renewal: JoinHandle<()>,
}

impl Sandbox {
    /// Start a sandbox in `dir`, which keeps its keys and logs, on the current tokio runtime.
    ///
    /// # Errors
    /// [`SandboxError`]
    pub async fn start(dir: &Path, options: Options) -> Result<Running, SandboxError> {
        if !options.listen.ip().is_loopback() {
            return Err(SandboxError::NotLoopback(options.listen));
        }
        let request_log = options.request_log.map(|path| match RequestLog::open(&path) {
            Ok(log) => Ok(Arc::new(log)),
            Err(source) => Err(SandboxError::RequestLog { path, source }),
        });
        let request_log = request_log.transpose()?;
        let folder = Arc::new(Folder::open(dir)?);
        folder.remove("ready")?;
        let (listener, address) = listen(&folder, "port", options.listen).await?;
        // Another operator is another host; on one machine that is another port.
        let any_port = SocketAddr::new(address.ip(), 0);
        let (second_listener, second_address) = listen(&folder, "second-port", any_port).await?;
        let start = born(&folder)?;
        let base = format!("http://{address}");
        let host = address.ip().to_string();
        let oidc_key = folder.key("oidc", KeyKind::EcdsaP256)?;
        let oidc = Oidc::new(format!("{base}/oidc"), oidc_key, options.identity.clone(), options.token_lifetime);
        let fulcio = Fulcio::open(&folder, start, options.certificate_lifetime)?;
        let faults = Arc::new(Faults::new(options.faults));
        let operator = |seat, base| Operator::open(&folder, seat, base, &host, start, Arc::clone(&faults));
        let first = operator(Seat::First, base.clone())?;
        let second = operator(Seat::Second, format!("http://{second_address}"))?;
        let parties =
            Parties { base: &base, issuer: oidc.issuer(), fulcio: &fulcio, first: &first, second: &second, start };
        let documents = Documents::new(&parties, options.rekor);
        let tuf = TufRepository::open(&folder, documents.targets(), start)?;
        documents.write(&folder)?;
        folder.write("tuf-root.json", tuf.root())?;
        let variables = environment::variables(folder.path(), &base, oidc.issuer(), options.rekor);
        folder.write("env", environment::shell(&variables).as_bytes())?;
        let services = Arc::new(Services { base, oidc, fulcio, tuf, faults: Arc::clone(&faults) });
        let mischief = |service_of| Mischief { faults: Arc::clone(&faults), service_of };
        let servers = [
            serve(
                listener,
                router(Arc::clone(&services)).merge(first.routes()),
                mischief(service_of),
                request_log.clone(),
            ),
            serve(second_listener, second.routes(), mischief(|path| Seat::Second.service_of(path)), request_log),
        ];
        write_token(&folder, &services, &options.identity)?;
        let renewal = tokio::spawn(renew(Arc::clone(&folder), Arc::clone(&services), options.identity.clone()));
        folder.write("ready", format!("{}\n", services.base).as_bytes())?;
        Ok(Running { services, folder, variables, identity: options.identity, servers, renewal })
    }
}

impl Running {
    /// Where everything is: the base of Fulcio, both Rekors, and the sandbox's own pages.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.services.base
    }

    /// The OIDC issuer.
    #[must_use]
    pub fn issuer(&self) -> &str {
        self.services.oidc.issuer()
    }

    /// The timestamp authority.
    #[must_use]
    pub fn timestamp_url(&self) -> String {
        format!("{}/api/v1/timestamp", self.services.base)
    }

    /// The TUF repository.
    #[must_use]
    pub fn tuf_url(&self) -> String {
        format!("{}/tuf", self.services.base)
    }

    /// The folder.
    #[must_use]
    pub fn dir(&self) -> &Path {
        self.folder.path()
    }

    /// The variables by which programs find it; the token is [`Running::session_token`].
    #[must_use]
    pub fn variables(&self) -> &[Variable] {
        &self.variables
    }

    /// A token of the configured identity that lasts a working day.
    #[must_use]
    pub fn session_token(&self) -> String {
        self.services.oidc.token(&self.identity, AUDIENCE, None, SESSION_LIFETIME, Timestamp::now())
    }

    /// A token of `identity` that lasts for `lifetime`, which may be negative.
    #[must_use]
    pub fn token(&self, identity: &str, lifetime: SignedDuration) -> String {
        self.services.oidc.token(identity, AUDIENCE, None, lifetime, Timestamp::now())
    }

    /// Switch on `rules` instead of the present faults.
    pub fn set_faults(&self, rules: Vec<Rule>) {
        self.services.faults.set(rules);
    }

    /// Wait until the server fails; it does not end by itself.
    ///
    /// # Errors
    /// What made it fail.
    pub async fn wait(&mut self) -> io::Result<()> {
        let [first, second] = &mut self.servers;
        let ended = tokio::select! { ended = first => ended, ended = second => ended };
        ended.unwrap_or_else(|error| Err(io::Error::other(error)))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.servers.iter().for_each(JoinHandle::abort);
        self.renewal.abort();
        // Best effort: a file that says "ready" is checked by connecting anyway.
        let _ = self.folder.remove("ready");
    }
}

/// Port 0 is the port of the last time, which is in `file`, if it can be had again: documents that somebody copied stay
/// true.
async fn listen(folder: &Folder, file: &str, address: SocketAddr) -> Result<(TcpListener, SocketAddr), SandboxError> {
    let last = folder.read(file)?.and_then(|text| String::from_utf8(text).ok()?.trim().parse::<u16>().ok());
    let again = match last {
        Some(port) if address.port() == 0 => TcpListener::bind((address.ip(), port)).await.ok(),
        _ => None,
    };
    let failed = |source| SandboxError::Listen { address, source };
    let listener = match again {
        Some(listener) => listener,
        None => TcpListener::bind(address).await.map_err(failed)?,
    };
    let bound = listener.local_addr().map_err(failed)?;
    folder.write(file, format!("{}\n", bound.port()).as_bytes())?;
    Ok((listener, bound))
}

/// When the folder was made, less [`BACKDATED`]; the same at every start, and so are the documents.
fn born(folder: &Folder) -> Result<Timestamp, SandboxError> {
    let stored = folder.read("born")?.and_then(|text| String::from_utf8(text).ok()?.trim().parse().ok());
    if let Some(born) = stored {
        return Ok(born);
    }
    let now = Timestamp::now() - BACKDATED;
    let born = Timestamp::from_second(now.as_second()).unwrap_or(now);
    folder.write("born", format!("{born}\n").as_bytes())?;
    Ok(born)
}

/// Write the token file.
fn write_token(folder: &Folder, services: &Services, identity: &str) -> Result<(), FolderError> {
    let token = services.oidc.token(identity, AUDIENCE, None, FILE_LIFETIME, Timestamp::now());
    folder.write("id-token", token.as_bytes())
}

/// Keep the token file fresh.
async fn renew(folder: Arc<Folder>, services: Arc<Services>, identity: String) {
    loop {
        tokio::time::sleep(RENEWAL).await;
        // When the folder has gone there is nobody left to read it.
        let _ = write_token(&folder, &services, &identity);
    }
}

fn router(services: Arc<Services>) -> Router {
    Router::new()
        .merge(oidc::routes())
        .merge(fulcio::routes())
        .merge(tuf::routes())
        .route("/sandbox/faults", get(list_faults).post(set_faults).delete(clear_faults))
        .with_state(services)
}

/// What goes wrong at an address.
#[derive(Clone)]
struct Mischief {
    faults: Arc<Faults>,
    service_of: fn(&str) -> Option<Service>,
}

/// Serve `routes`, with the faults of the service that a path belongs to, and note what was asked for.
fn serve(
    listener: TcpListener,
    routes: Router,
    mischief: Mischief,
    request_log: Option<Arc<RequestLog>>,
) -> JoinHandle<io::Result<()>> {
    let mut app = routes
        .layer(axum::middleware::from_fn_with_state(mischief, misbehave))
        .layer(DefaultBodyLimit::max(MAX_REQUEST_LEN));
    if let Some(log) = request_log {
        app = app.layer(axum::middleware::from_fn_with_state(log, request_log::note));
    }
    let app = app.into_make_service_with_connect_info::<Scissors>();
    tokio::spawn(async move { axum::serve(CuttableListener(listener), app).await })
}

/// Which service a path of the first address belongs to; `None` for the sandbox's own.
fn service_of(path: &str) -> Option<Service> {
    const PREFIXES: [(&str, Service); 8] = [
        ("/oidc/", Service::Oidc),
        ("/token", Service::Oidc),
        ("/api/v1/signingCert", Service::Fulcio),
        ("/api/v2/signingCert", Service::Fulcio),
        ("/api/v2/trustBundle", Service::Fulcio),
        ("/api/v2/configuration", Service::Fulcio),
        ("/api/v1/rootCert", Service::Fulcio),
        ("/tuf/", Service::Tuf),
    ];
    let found = PREFIXES.iter().find(|(prefix, _)| path.starts_with(prefix)).map(|(_, service)| *service);
    found.or_else(|| Seat::First.service_of(path))
}

/// The faults that need no look at the request.
async fn misbehave(
    State(Mischief { faults, service_of }): State<Mischief>,
    ConnectInfo(scissors): ConnectInfo<Scissors>,
    request: Request,
    next: Next,
) -> Response {
    let fault = service_of(request.uri().path()).and_then(|service| faults.transport(service));
    match fault {
        Some(Fault::Slow(delay)) => tokio::time::sleep(delay).await,
        Some(Fault::Unavailable) => {
            return (StatusCode::SERVICE_UNAVAILABLE, Json(json!({ "code": 503, "message": "fault" }))).into_response();
        }
        Some(Fault::TooManyRequests) => {
            let body = Json(json!({ "code": 429, "message": "fault" }));
            return (StatusCode::TOO_MANY_REQUESTS, [(header::RETRY_AFTER, "1")], body).into_response();
        }
        Some(Fault::CutConnection) => {
            scissors.cut();
            return StatusCode::NO_CONTENT.into_response();
        }
        _ => {}
    }
    next.run(request).await
}

#[derive(Deserialize)]
struct FaultRequest {
    faults: Vec<String>,
}

async fn list_faults(State(services): State<Arc<Services>>) -> Json<Value> {
    let rules: Vec<_> = services.faults.list().iter().map(Rule::to_string).collect();
    Json(json!({ "faults": rules, "known": faults::NAMES }))
}

async fn set_faults(
    State(services): State<Arc<Services>>,
    Body(request): Body<FaultRequest>,
) -> Result<Json<Value>, Refusal> {
    if request.faults.len() > faults::MAX_RULES {
        return Err(Refusal::bad_request(format!("at most {} faults", faults::MAX_RULES)));
    }
    let rules = request.faults.iter().map(|text| text.parse()).collect::<Result<Vec<Rule>, _>>();
    services.faults.set(rules.map_err(Refusal::bad_request)?);
    Ok(list_faults(State(services)).await)
}

async fn clear_faults(State(services): State<Arc<Services>>) -> Json<Value> {
    services.faults.set(Vec::new());
    list_faults(State(services)).await
}
