//! The agent at work: takes connections, answers requests, wipes what is over, and goes when there is nothing left to do.
//!
//! One thread, and as many requests at once as there are: signing mostly waits for the log. A request costs what it may
//! cost and no more: frames, connections, payloads and time are bounded here, at the door.

mod answers;

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::os::unix::net::UnixListener as StdListener;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{Mutex, Semaphore};

use super::frame::{self, FrameError};
use super::peer;
use super::protocol::{Code, Complaint, Forget, Greeting, Hello, Hex32, Request, Response, VERSION};
use super::store::{Due, Moment, Store};
use crate::crypto::HashedPassphrase;
use crate::net::{Client, Roots};
use crate::service::IdToken;
use crate::sign::GitSigner;
use crate::trust::{Instance, InstanceName};

/// How long the agent stays when it holds nothing.
pub const LINGER: Duration = Duration::from_secs(60);
/// Connections at one time; more are told to come back. A rebase opens one after the other.
pub const MAX_CONNECTIONS: usize = 64;
/// The same for the forwarded socket, beside them: another machine must not keep this one's user from saying `stop`.
pub const MAX_FORWARDED_CONNECTIONS: usize = 16;
/// How long a client may say nothing.
const IDLE_TIME: Duration = Duration::from_secs(30);
/// Signatures in flight at one time; more wait.
const MAX_IN_FLIGHT: usize = 64;
/// The major versions of the log's interface. Any other would be one more definition to look up.
const REKOR_VERSIONS: [u32; 2] = [1, 2];
/// How long a definition counts before it is looked up again: trusted roots change, and users change their minds.
const DEFINITION_TIME: Duration = Duration::from_secs(10);
/// Definitions that are kept at one time. Nobody has so many instances.
const MAX_DEFINITIONS: usize = 32;
/// How often the wall clock is looked at while there are credentials: it may have jumped, and timers sleep with the machine.
const GLANCE: Duration = Duration::from_secs(5);
/// The pause after the first wrong passphrase; it doubles.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
/// The longest pause.
const MAX_PAUSE: Duration = Duration::from_secs(10);

/// What a name of an instance means by the settings of the agent's user.
pub struct Definition {
    /// The instance.
    pub instance: Instance,
    /// The digest of the settings that say so.
    pub settings: Hex32,
    /// Who vouches for its servers.
    pub server_roots: Roots,
    /// Whether the forwarded socket signs for it.
    pub may_be_forwarded: bool,
    /// How somebody is logged in again without being asked, if logins are remembered.
    pub relogin: Option<Arc<Relogin>>,
}

/// Gives a token for the remembered login of the subject that is named; `None` if there is none. It may take its time.
pub type Relogin = dyn Fn(&str) -> Option<IdToken> + Send + Sync;

/// Says what an instance's name, and a version of its log's interface, mean to whoever asks through that socket. It may
/// take its time, and may use the network to renew what is believed.
pub type Resolve = dyn Fn(&InstanceName, Option<u32>, Door) -> Result<Definition, Complaint> + Send + Sync;
/// Says what time it is.
pub type Clock = &'static (dyn Fn() -> Timestamp + Sync);

/// Through which socket a request came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Door {
    /// The user's own programs on this machine.
    Local,
    /// The socket that is forwarded to other machines: it signs with what is there, and nothing else.
    Forwarded,
}

impl Door {
    fn max_connections(self) -> usize {
        match self {
            Door::Local => MAX_CONNECTIONS,
            Door::Forwarded => MAX_FORWARDED_CONNECTIONS,
        }
    }
}

/// An instance's name, and the version of its log's interface that is wanted.
type Meant = (InstanceName, Option<u32>);

/// A definition in use: what can be kept of it from one signature to the next.
struct Ready {
    signer: GitSigner<'static>,
    settings: Hex32,
    may_be_forwarded: bool,
    relogin: Option<Arc<Relogin>>,
    /// With open connections to the log and the timestamp authority.
    client: Arc<Client>,
    looked_up: Instant,
}

/// The agent.
pub struct Server {
    resolve: Arc<Resolve>,
    clock: Clock,
    linger: Duration,
    started: Timestamp,
    weaknesses: Vec<String>,
    store: RefCell<Store>,
    lock: RefCell<Option<Arc<HashedPassphrase>>>,
    /// How often the passphrase was wrong; held while one is tried, so that guessing at once is no faster.
    failures: Mutex<u32>,
    ready: RefCell<BTreeMap<Meant, Rc<Ready>>>,
    clients: RefCell<Vec<(Roots, Arc<Client>)>>,
    /// A login for an instance waits for the one that is under way.
    logins: RefCell<BTreeMap<InstanceName, Rc<Mutex<()>>>>,
    connections: Cell<usize>,
    forwarded_connections: Cell<usize>,
    in_flight: Semaphore,
    busy_until: Cell<Instant>,
    quit: tokio::sync::Notify,
}

impl Server {
    /// An agent that holds nothing yet. It can say what [`hardening`](super::hardening) did not achieve.
    #[must_use]
    pub fn new(resolve: Arc<Resolve>, clock: Clock, linger: Duration, weaknesses: Vec<String>) -> Rc<Self> {
        Rc::new(Server {
            resolve,
            clock,
            linger,
            started: clock(),
            weaknesses,
            store: RefCell::default(),
            lock: RefCell::default(),
            failures: Mutex::new(0),
            ready: RefCell::default(),
            clients: RefCell::default(),
            logins: RefCell::default(),
            connections: Cell::new(0),
            forwarded_connections: Cell::new(0),
            in_flight: Semaphore::new(MAX_IN_FLIGHT),
            busy_until: Cell::new(Instant::now()),
            quit: tokio::sync::Notify::new(),
        })
    }

    /// Serve until there is nothing to do, somebody says `quit`, or a signal ends it; then everything is wiped. SIGUSR1
    /// wipes what is held and goes on. Calls `listening` once signals and sockets are in place.
    ///
    /// # Errors
    /// The operating system gives no runtime or no signals.
    pub fn run(
        self: Rc<Self>,
        [local, forwarded]: [StdListener; 2],
        listening: impl FnOnce() -> io::Result<()>,
    ) -> io::Result<()> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let tasks = tokio::task::LocalSet::new();
        let place = Standing::of(&local);
        tasks.block_on(&runtime, async {
            let [local, forwarded] = [listener(local)?, listener(forwarded)?];
            let mut terminate = signal(SignalKind::terminate())?;
            let mut interrupt = signal(SignalKind::interrupt())?;
            let mut user = signal(SignalKind::user_defined1())?;
            listening()?;
            self.note_activity();
            // A point in time and no pause: one that began anew with each connection would never end while many come.
            let mut look_at = tokio::time::Instant::now() + self.until_next_look();
            loop {
                look_at = look_at.min(tokio::time::Instant::now() + self.until_next_look());
                tokio::select! {
                    stream = local.accept() => self.admit(stream, Door::Local).await,
                    stream = forwarded.accept() => self.admit(stream, Door::Forwarded).await,
                    _ = terminate.recv() => break,
                    _ = interrupt.recv() => break,
                    () = self.quit.notified() => break,
                    _ = user.recv() => drop(self.store.borrow_mut().forget(&Forget::default())),
                    () = tokio::time::sleep_until(look_at) => {
                        self.look_around();
                        look_at = tokio::time::Instant::now() + self.until_next_look();
                    }
                }
                if self.has_nothing_to_do() || !place.is_there() {
                    break;
                }
            }
            self.store.borrow_mut().forget(&Forget::default());
            Ok(())
        })
        // The tasks go with the runtime, and what they hold is wiped.
    }

    fn now(&self) -> Moment {
        Moment { wall: (self.clock)(), monotonic: Instant::now() }
    }

    fn note_activity(&self) {
        self.busy_until.set(Instant::now() + self.linger);
    }

    fn until_next_look(&self) -> Duration {
        match self.store.borrow().next_expiry() {
            Some(expiry) => Duration::try_from(expiry.duration_since((self.clock)())).unwrap_or_default().min(GLANCE),
            None => self.busy_until.get().saturating_duration_since(Instant::now()).max(Duration::from_millis(10)),
        }
    }

    /// Wipe what is over, and renew what is in use and soon will be.
    fn look_around(self: &Rc<Self>) {
        self.store.borrow_mut().drop_expired(self.now());
        if self.lock.borrow().is_some() {
            return;
        }
        for due in self.store.borrow_mut().due(self.now()) {
            let server = Rc::clone(self);
            tokio::task::spawn_local(async move { server.renew(due).await });
        }
    }

    /// Exchange a new token of the same person, if their login is remembered. What fails here is no loss: the next
    /// signature says that somebody must log in.
    async fn renew(&self, due: Due) {
        let Due { instance, subject } = &due;
        let Ok(ready) = self.look_up((instance.clone(), None), Door::Local).await else { return };
        let Some(relogin) = ready.relogin.clone() else { return };
        let whose = subject.clone();
        let token = tokio::task::spawn_blocking(move || relogin(&whose)).await;
        let Ok(Some(token)) = token else { return };
        if token.subject().as_str() != *subject {
            return;
        }
        let Ok(credential) = self.mint(&ready, &token).await else { return };
        let mut store = self.store.borrow_mut();
        // What was forgotten meanwhile does not come back.
        if store.holds(&due) {
            store.add(credential, &token, instance, &ready.signer.instance().client_id, self.now());
        }
    }

    fn has_nothing_to_do(&self) -> bool {
        let connections = self.connections.get() + self.forwarded_connections.get();
        if self.store.borrow().next_expiry().is_some() || connections > 0 {
            self.note_activity();
        }
        Instant::now() >= self.busy_until.get()
    }

    async fn admit(self: &Rc<Self>, accepted: io::Result<(UnixStream, tokio::net::unix::SocketAddr)>, door: Door) {
        let Ok((mut stream, _)) = accepted else {
            // Out of file descriptors, most likely: those that are open will be closed.
            tokio::time::sleep(FIRST_PAUSE).await;
            return;
        };
        if !peer::is_same_user(&stream).unwrap_or(false) {
            return;
        }
        if self.connections(door).get() >= door.max_connections() {
            let busy = Complaint::new(Code::Busy, "the agent has too many clients at once", "try again");
            // Nobody waits for a client that does not read; a frame this short fits into an empty socket at once.
            if let Ok(frame) = frame::encode(&Response::Error(busy)) {
                let _ = stream.try_write(&frame);
            }
            return;
        }
        self.connections(door).set(self.connections(door).get() + 1);
        let server = Rc::clone(self);
        tokio::task::spawn_local(async move {
            server.converse(&mut stream, door).await;
            server.connections(door).set(server.connections(door).get() - 1);
            server.note_activity();
        });
    }

    fn connections(&self, door: Door) -> &Cell<usize> {
        match door {
            Door::Local => &self.connections,
            Door::Forwarded => &self.forwarded_connections,
        }
    }

    /// One connection from its first frame to its last.
    async fn converse(self: &Rc<Self>, stream: &mut UnixStream, door: Door) {
        let (reader, mut writer) = stream.split();
        // Of one byte: whatever is longer goes past it, to where it is wiped, and a token never lies in it.
        let mut reader = BufReader::with_capacity(1, reader);
        let mut greeted = false;
        loop {
            let Ok(body) = tokio::time::timeout(IDLE_TIME, frame::read(&mut reader)).await else { return };
            let request = match body.and_then(|body| frame::decode::<Request>(&body)) {
                Ok(request) => request,
                Err(FrameError::Closed | FrameError::Io(_)) => return,
                Err(error) => {
                    let _ = frame::write(&mut writer, &malformed(&error.to_string())).await;
                    return;
                }
            };
            let response = match request {
                Request::Hello(Hello { version: VERSION }) => {
                    greeted = true;
                    greeting()
                }
                Request::Hello(Hello { version }) => {
                    let _ = frame::write(&mut writer, &other_version(version)).await;
                    return;
                }
                _ if !greeted => {
                    let _ = frame::write(&mut writer, &malformed("a connection begins with hello")).await;
                    return;
                }
                request => {
                    let answer = self.answer(request, door);
                    // Whoever has gone needs no signature; one more request may wait behind this one.
                    tokio::select! {
                        answer = answer => answer,
                        () = gone(&mut reader) => return,
                    }
                }
            };
            let ends = matches!(&response, Response::Error(Complaint { code: Code::Malformed, .. }));
            if frame::write(&mut writer, &response).await.is_err() || ends {
                return;
            }
        }
    }
}

/// The file of a socket: when it is gone, or another one is in its place, nobody finds the agent any more, and what it
/// holds is of no use to anybody. A home that was temporary ends like this.
struct Standing(Option<(PathBuf, u64)>);

impl Standing {
    fn of(socket: &StdListener) -> Self {
        let path = socket.local_addr().ok().and_then(|address| address.as_pathname().map(Path::to_owned));
        Standing(path.and_then(|path| Some((path.clone(), inode(&path)?))))
    }

    fn is_there(&self) -> bool {
        self.0.as_ref().is_none_or(|(path, number)| inode(path) == Some(*number))
    }
}

fn inode(path: &Path) -> Option<u64> {
    Some(std::fs::symlink_metadata(path).ok()?.ino())
}

fn listener(listener: StdListener) -> io::Result<UnixListener> {
    listener.set_nonblocking(true)?;
    UnixListener::from_std(listener)
}

/// Until the other side has closed the connection; never, if it sends something first.
async fn gone(reader: &mut (impl tokio::io::AsyncBufRead + Unpin)) {
    match reader.fill_buf().await {
        Ok([]) | Err(_) => {}
        Ok(_) => std::future::pending().await,
    }
}

fn greeting() -> Response {
    let agent = concat!("gitseal ", env!("CARGO_PKG_VERSION")).to_owned();
    Response::Hello(Greeting { version: VERSION, agent, pid: std::process::id() })
}

fn malformed(problem: &str) -> Response {
    let hint = "see gitseal-protocol(7) for what the agent understands";
    Response::Error(Complaint::new(Code::Malformed, problem, hint))
}

fn other_version(version: u32) -> Response {
    let problem = format!("version {version} of the protocol was asked for; this agent speaks version {VERSION}");
    let hint = "'gitseal agent stop' ends it, and the next signature starts one of your own version";
    Response::Error(Complaint::new(Code::Version, problem, hint))
}
