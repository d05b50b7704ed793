//! The client's side: connect, say hello, ask. It waits without a runtime, for git starts one client for each commit.

use std::io::{self, Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use zeroize::Zeroizing;

use super::frame::{self, FrameError};
use super::peer;
use super::place::{self, Place, PlaceError};
use super::protocol::{Complaint, Hello, Request, Response, VERSION};
use crate::service::session::SIGNING_TIME;

/// How long an answer may take: a signature's time, and some for the way.
const PATIENCE: Duration = SIGNING_TIME.saturating_add(Duration::from_secs(15));

/// Why the agent gave no answer.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// There is none.
    #[error("no agent answers on {0}")]
    NoAgent(String),
    /// What is there may be somebody else's.
    #[error(transparent)]
    Place(#[from] PlaceError),
    /// What answers there is somebody else's.
    #[error("the agent on {0} is run by somebody else")]
    Stranger(String),
    /// It went away before it had answered.
    #[error("the agent ended in the middle of its work")]
    Ended,
    /// It does not speak this protocol.
    #[error("the agent cannot be understood: {0}")]
    Frame(FrameError),
    /// It answers something else than what was asked.
    #[error("the agent answered something else than what it was asked")]
    Answer,
    /// It refuses.
    #[error("{}", .0.message)]
    Refused(Complaint),
}

impl ClientError {
    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> &str {
        match self {
            ClientError::NoAgent(_) => "'gitseal agent start' starts one",
            ClientError::Place(error) => error.hint(),
            ClientError::Stranger(_) => "find out who has put it there; GITSEAL_AGENT_DIR names another directory",
            ClientError::Ended => "nothing was signed; try again, and another agent is started",
            ClientError::Frame(_) | ClientError::Answer => {
                "it may be of another version: 'gitseal agent stop' ends it, and the next signature starts another"
            }
            ClientError::Refused(complaint) => &complaint.hint,
        }
    }
}

/// A connection to an agent.
pub struct Client {
    stream: UnixStream,
    greeted: bool,
}

impl Client {
    /// Connect to the agent in `place`.
    ///
    /// # Errors
    /// [`ClientError`]: there is none, or one that is not ours.
    pub fn connect(place: &Place) -> Result<Self, ClientError> {
        match place.check()? {
            Some(()) => Client::connect_to(&place.socket()),
            None => Err(ClientError::NoAgent(place.socket().display().to_string())),
        }
    }

    /// Connect to the agent behind `socket`, which somebody else may have put in a directory that is not ours alone.
    ///
    /// # Errors
    /// [`ClientError`]: there is none, or one that is not ours.
    pub fn connect_to(socket: &Path) -> Result<Self, ClientError> {
        let nobody = || ClientError::NoAgent(socket.display().to_string());
        place::check_socket(socket)?.ok_or_else(nobody)?;
        let stream = match UnixStream::connect(socket) {
            Ok(stream) => stream,
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused) => {
                return Err(nobody());
            }
            Err(error) => return Err(ClientError::Frame(error.into())),
        };
        let is_ours = peer::is_same_user_waiting(&stream).map_err(|error| ClientError::Frame(error.into()))?;
        if !is_ours {
            return Err(ClientError::Stranger(socket.display().to_string()));
        }
        let set = stream.set_read_timeout(Some(PATIENCE)).and_then(|()| stream.set_write_timeout(Some(PATIENCE)));
        set.map_err(|error| ClientError::Frame(error.into()))?;
        Ok(Client { stream, greeted: false })
    }

    /// Ask, and wait for the answer.
    ///
    /// # Errors
    /// [`ClientError`]: a refusal is one too.
    pub fn ask(&mut self, request: &Request) -> Result<Response, ClientError> {
        if self.greeted {
            self.send(&[request])?;
        } else {
            // Both at once: the answer to the first decides nothing that the second would wait for.
            self.send(&[&Request::Hello(Hello { version: VERSION }), request])?;
            match self.receive()? {
                Response::Hello(greeting) if greeting.version == VERSION => self.greeted = true,
                _ => return Err(ClientError::Answer),
            }
        }
        self.receive()
    }

    /// In one piece: the agent is woken once.
    fn send(&mut self, requests: &[&Request]) -> Result<(), ClientError> {
        let frames: Vec<_> = requests
            .iter()
            .map(|request| frame::encode(request).map_err(ClientError::Frame))
            .collect::<Result<_, _>>()?;
        let mut all = Zeroizing::new(Vec::with_capacity(frames.iter().map(|frame| frame.len()).sum()));
        frames.iter().for_each(|frame| all.extend_from_slice(frame));
        self.write(&all)
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), ClientError> {
        // An agent that is too busy says so and closes; what it said is still there to be read.
        match self.stream.write_all(bytes) {
            Ok(()) => Ok(()),
            Err(error) if matches!(error.kind(), io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset) => Ok(()),
            Err(error) => Err(ClientError::Frame(error.into())),
        }
    }

    fn receive(&mut self) -> Result<Response, ClientError> {
        let mut header = [0; 4];
        self.read(&mut header)?;
        let mut body = vec![0; frame::length(header).map_err(ClientError::Frame)?];
        self.read(&mut body)?;
        match frame::decode(&body).map_err(ClientError::Frame)? {
            Response::Error(complaint) => Err(ClientError::Refused(complaint)),
            response => Ok(response),
        }
    }

    fn read(&mut self, bytes: &mut [u8]) -> Result<(), ClientError> {
        self.stream.read_exact(bytes).map_err(|error| match error.kind() {
            io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionReset => ClientError::Ended,
            _ => ClientError::Frame(error.into()),
        })
    }
}
