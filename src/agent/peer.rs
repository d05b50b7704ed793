//! Who is at the other end of a socket: the same user or nobody (SO_PEERCRED, getpeereid).
//!
//! Directory and socket are closed to others already; this stands behind them, for the day when one of them is not.

use std::io;

use rustix::process::getuid;

/// Whether the process at the other end of `stream`, as it was when it connected, belongs to the user of this one.
///
/// # Errors
/// The system does not say who it is.
pub(super) fn is_same_user(stream: &tokio::net::UnixStream) -> io::Result<bool> {
    Ok(stream.peer_cred()?.uid() == getuid().as_raw())
}

/// The same for a client that waits.
///
/// # Errors
/// The system does not say who it is.
#[cfg(target_os = "linux")]
pub(super) fn is_same_user_waiting(stream: &std::os::unix::net::UnixStream) -> io::Result<bool> {
    Ok(rustix::net::sockopt::socket_peercred(stream)?.uid == getuid())
}

/// Where only a runtime's sockets can be asked, the checks of [`place`](super::place) must do.
///
/// # Errors
/// Never.
#[cfg(not(target_os = "linux"))]
pub(super) fn is_same_user_waiting(_stream: &std::os::unix::net::UnixStream) -> io::Result<bool> {
    Ok(true)
}
