//! Where the agent's sockets are: a directory that is its user's alone, and a lock so that there is one agent in it.
//!
//! A directory or socket that somebody else could have laid there is refused and never mended: whoever answers there
//! would be given identity tokens.

use std::fs::{self, DirBuilder, File, Metadata, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, FileTypeExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, OFlags};
use rustix::process::{getuid, umask};

/// The socket for everything.
const SOCKET: &str = "agent.sock";
/// The socket that may be forwarded to other machines.
const FORWARD_SOCKET: &str = "forward.sock";
const LOCK: &str = "lock";
/// Longest path of a socket, in bytes: `sun_path` has 104 on some systems and 108 on others, the end included.
const MAX_PATH_LEN: usize = 103;

/// Why there is no place for an agent.
#[derive(Debug, thiserror::Error)]
pub enum PlaceError {
    /// Not a directory, but a link to one, or a file.
    #[error("{} is not a directory of its own", .0.display())]
    NotDirectory(PathBuf),
    /// Somebody else's.
    #[error("{} belongs to somebody else (uid {owner})", .path.display())]
    Owner {
        /// What.
        path: PathBuf,
        /// Whose.
        owner: u32,
    },
    /// Others may enter it.
    #[error("{} is open to others (mode {mode:o})", .path.display())]
    Mode {
        /// What.
        path: PathBuf,
        /// Its permissions.
        mode: u32,
    },
    /// Others may put another directory in its place.
    #[error("others may rename what is in {}", .0.display())]
    Exposed(PathBuf),
    /// Something else lies where the socket belongs.
    #[error("{} is not a socket", .0.display())]
    NotSocket(PathBuf),
    /// The system allows no sockets with so long a name.
    #[error("{} is too long for a socket's name: more than {MAX_PATH_LEN} bytes", .0.display())]
    TooLong(PathBuf),
    /// An agent is there.
    #[error("an agent runs in {}", .0.display())]
    Taken(PathBuf),
    /// The file system.
    #[error("cannot use {}: {source}", .path.display())]
    Io {
        /// What.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
}

impl PlaceError {
    fn io(path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |source| PlaceError::Io { path: path.to_owned(), source }
    }

    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> &'static str {
        match self {
            PlaceError::TooLong(_) => "set GITSEAL_AGENT_DIR, or XDG_RUNTIME_DIR, to a shorter path",
            PlaceError::Mode { .. } => "close it with chmod 700, if you trust what is in it; or remove it",
            PlaceError::Taken(_) => "'gitseal agent status' asks it",
            _ => "find out who has put it there; GITSEAL_AGENT_DIR names another directory",
        }
    }
}

/// The directory of one user's agent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    directory: PathBuf,
}

/// A place that is ours for as long as this value lives.
#[derive(Debug)]
pub struct Taken {
    place: Place,
    /// The sockets that were made here, and are removed in the end. One that was handed over is the giver's, who goes on
    /// listening on it.
    made: Vec<PathBuf>,
    _lock: File,
}

impl Place {
    /// The place in `directory`, which need not be there yet.
    ///
    /// # Errors
    /// [`PlaceError::TooLong`].
    pub fn at(directory: PathBuf) -> Result<Self, PlaceError> {
        let place = Place { directory };
        let longest = place.forward_socket();
        if longest.as_os_str().len() > MAX_PATH_LEN { Err(PlaceError::TooLong(longest)) } else { Ok(place) }
    }

    /// The directory.
    #[must_use]
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// The socket for everything.
    #[must_use]
    pub fn socket(&self) -> PathBuf {
        self.directory.join(SOCKET)
    }

    /// The socket that may be forwarded to other machines.
    #[must_use]
    pub fn forward_socket(&self) -> PathBuf {
        self.directory.join(FORWARD_SOCKET)
    }

    /// Whether the directory is ours alone; `None` if there is none.
    ///
    /// # Errors
    /// [`PlaceError`] when it is not.
    pub fn check(&self) -> Result<Option<()>, PlaceError> {
        let Some(found) = look(&self.directory)? else { return Ok(None) };
        if !found.is_dir() {
            return Err(PlaceError::NotDirectory(self.directory.clone()));
        }
        check_owner(&self.directory, &found)?;
        let mode = found.mode() & 0o7777;
        if mode & 0o077 != 0 {
            return Err(PlaceError::Mode { path: self.directory.clone(), mode });
        }
        if let Some(parent) = self.directory.parent() {
            let above = fs::metadata(parent).map_err(PlaceError::io(parent))?;
            let theirs = above.uid() != 0 && above.uid() != getuid().as_raw();
            let shared = above.mode() & 0o022 != 0 && above.mode() & 0o1000 == 0;
            if theirs || shared {
                return Err(PlaceError::Exposed(parent.to_owned()));
            }
        }
        Ok(Some(()))
    }

    /// Make the directory if it is not there, and be the one agent in it.
    ///
    /// # Errors
    /// [`PlaceError::Taken`] when there is one already; others when the directory cannot be used.
    pub fn take(self) -> Result<Taken, PlaceError> {
        let mut builder = DirBuilder::new();
        // Those above it are made as private as it is: they are not there because nobody else has use for them.
        builder.recursive(true).mode(0o700).create(&self.directory).map_err(PlaceError::io(&self.directory))?;
        self.check()?;
        let path = self.directory.join(LOCK);
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(false).mode(0o600);
        options.custom_flags(OFlags::NOFOLLOW.bits().cast_signed());
        let lock = options.open(&path).map_err(PlaceError::io(&path))?;
        match lock.try_lock() {
            Ok(()) => Ok(Taken { place: self, made: Vec::new(), _lock: lock }),
            Err(TryLockError::WouldBlock) => Err(PlaceError::Taken(self.directory)),
            Err(TryLockError::Error(error)) => Err(PlaceError::io(&path)(error)),
        }
    }
}

impl Taken {
    /// The place.
    #[must_use]
    pub fn place(&self) -> &Place {
        &self.place
    }

    /// Listen on both sockets, the one for everything first.
    ///
    /// # Errors
    /// [`PlaceError`]: something lies there that is no socket of an agent that has died, or nobody can listen.
    pub fn listen(&mut self) -> Result<[UnixListener; 2], PlaceError> {
        Ok([self.bind(self.place.socket())?, self.listen_for_forwarded()?])
    }

    /// Listen on the socket that may be forwarded; the other one was handed over.
    ///
    /// # Errors
    /// As for [`Taken::listen`].
    pub fn listen_for_forwarded(&mut self) -> Result<UnixListener, PlaceError> {
        self.bind(self.place.forward_socket())
    }

    fn bind(&mut self, path: PathBuf) -> Result<UnixListener, PlaceError> {
        let listener = bind(&path)?;
        self.made.push(path);
        Ok(listener)
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        // While the lock is still held: whoever takes it next makes new ones.
        for socket in &self.made {
            let _ = fs::remove_file(socket);
        }
    }
}

/// Closed to others from its first moment: `bind` makes the file with what the mask leaves of 0777.
fn bind(path: &Path) -> Result<UnixListener, PlaceError> {
    if check_socket(path)?.is_some() {
        // We hold the lock, so nobody answers there any more.
        fs::remove_file(path).map_err(PlaceError::io(path))?;
    }
    let before = umask(Mode::from_raw_mode(0o177));
    let bound = UnixListener::bind(path);
    umask(before);
    bound.map_err(PlaceError::io(path))
}

/// Whether there is a socket of ours at `path`; `None` if there is nothing.
///
/// # Errors
/// [`PlaceError`] when there is anything else.
pub fn check_socket(path: &Path) -> Result<Option<()>, PlaceError> {
    let Some(found) = look(path)? else { return Ok(None) };
    if !found.file_type().is_socket() {
        return Err(PlaceError::NotSocket(path.to_owned()));
    }
    check_owner(path, &found).map(Some)
}

/// What is at `path` itself, and not where a link leads.
fn look(path: &Path) -> Result<Option<Metadata>, PlaceError> {
    match fs::symlink_metadata(path) {
        Ok(found) => Ok(Some(found)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(PlaceError::io(path)(error)),
    }
}

fn check_owner(path: &Path, found: &Metadata) -> Result<(), PlaceError> {
    let (owner, us) = (found.uid(), getuid().as_raw());
    if owner == us { Ok(()) } else { Err(PlaceError::Owner { path: path.to_owned(), owner }) }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::symlink_metadata(path).unwrap().permissions().mode() & 0o7777
    }

    #[test]
    fn one_agent_takes_a_place_and_closes_it_to_others() {
        let folder = tempfile::tempdir().unwrap();
        let place = Place::at(folder.path().join("a/b")).unwrap();
        assert_eq!(place.check().unwrap(), None);
        let mut taken = place.clone().take().unwrap();
        assert_eq!(mode(place.directory()), 0o700);
        assert!(matches!(place.clone().take(), Err(PlaceError::Taken(_))));
        let listening = taken.listen().unwrap();
        assert_eq!([mode(&place.socket()), mode(&place.forward_socket())], [0o600; 2]);
        drop((taken, listening));
        assert!(!place.socket().exists());
        place.take().unwrap();
    }

    #[test]
    fn what_others_may_have_put_there_is_refused_fail() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        let take = |name: &str| Place::at(path(name)).unwrap().take();
        fs::create_dir(path("real")).unwrap();
        fs::set_permissions(path("real"), fs::Permissions::from_mode(0o700)).unwrap();
        symlink(path("real"), path("link")).unwrap();
        fs::write(path("file"), "").unwrap();
        fs::create_dir(path("open")).unwrap();
        fs::set_permissions(path("open"), fs::Permissions::from_mode(0o711)).unwrap();
        fs::create_dir(path("shared")).unwrap();
        fs::set_permissions(path("shared"), fs::Permissions::from_mode(0o777)).unwrap();
        assert!(matches!(take("shared/agent"), Err(PlaceError::Exposed(_))));
        fs::set_permissions(path("shared"), fs::Permissions::from_mode(0o1777)).unwrap();
        assert!(take("shared/agent").is_ok());
        assert!(matches!(take("link"), Err(PlaceError::NotDirectory(_))));
        assert!(take("file").is_err());
        assert!(matches!(take("open"), Err(PlaceError::Mode { mode: 0o711, .. })));
        let mut taken = take("real").unwrap();
        fs::write(taken.place().socket(), "mine").unwrap();
        assert!(matches!(taken.listen(), Err(PlaceError::NotSocket(_))));
        fs::remove_file(taken.place().socket()).unwrap();
        symlink(path("elsewhere"), taken.place().socket()).unwrap();
        assert!(matches!(taken.listen(), Err(PlaceError::NotSocket(_))));
        assert!(!path("elsewhere").exists());
        assert!(matches!(Place::at(path(&"x".repeat(100))), Err(PlaceError::TooLong(_))));
    }

    #[test]
    fn a_dead_agents_socket_gives_way() {
        let folder = tempfile::tempdir().unwrap();
        let mut taken = Place::at(folder.path().join("agent")).unwrap().take().unwrap();
        // Dropping a listener leaves its file, as a killed agent does.
        drop(taken.listen().unwrap());
        assert!(taken.place().socket().exists());
        taken.listen().unwrap();
    }

    #[test]
    fn a_socket_that_was_handed_over_stays_where_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let mut taken = Place::at(folder.path().join("agent")).unwrap().take().unwrap();
        let [socket, forward] = [taken.place().socket(), taken.place().forward_socket()];
        let _given = UnixListener::bind(&socket).unwrap();
        let _made = taken.listen_for_forwarded().unwrap();
        drop(taken);
        assert!(socket.exists() && !forward.exists());
    }
}
