//! Whatever comes in on the agent's socket: the agent answers or hangs up, and afterwards it still answers others.
//!
//! The bytes are a connection's: frames with their lengths. The agent is the real server on a thread of this process, so
//! that the fuzzer sees which of its branches they reach. What decodes must also encode, to the same.

#![no_main]

use std::io::{Read as _, Write as _};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use gitseal::agent::protocol::{Code, Complaint};
use gitseal::agent::{Place, Request, Response, Server, frame};
use jiff::Timestamp;
use libfuzzer_sys::fuzz_target;
use serde::Serialize;
use serde::de::DeserializeOwned;

/// More than the longest pause that the agent makes after a wrong passphrase.
const PATIENCE: Duration = Duration::from_secs(15);

static SOCKETS: LazyLock<[PathBuf; 2]> = LazyLock::new(|| {
    let folder = tempfile::tempdir().expect("a temporary folder").keep();
    let place = Place::at(folder.join("agent")).expect("a short path");
    let mut taken = place.clone().take().expect("a new folder");
    let sockets = taken.listen().expect("two sockets");
    std::thread::spawn(move || {
        // With it go the sockets.
        let _taken = taken;
        let nothing = Arc::new(|_: &_, _, _| Err(Complaint::new(Code::Instance, "no such instance", "name another")));
        let server = Server::new(nothing, &Timestamp::now, Duration::from_secs(86_400), Vec::new());
        server.run(sockets, || Ok(())).expect("it runs");
        // `quit` is a request like others.
        std::process::abort();
    });
    [place.socket(), place.forward_socket()]
});

fn round_trip<T: Serialize + DeserializeOwned>(body: &[u8]) {
    if let Ok(message) = frame::decode::<T>(body) {
        let once = frame::encode(&message).expect("what came in a frame fits into one");
        let again = frame::encode(&frame::decode::<T>(&once[4..]).expect("what was encoded decodes"));
        assert_eq!(*once, *again.expect("it fits"));
    }
}

fn converse(socket: &PathBuf, bytes: &[u8]) -> Vec<u8> {
    let mut stream = UnixStream::connect(socket).expect("the agent listens");
    stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
    let mut answer = Vec::new();
    // It may hang up in the middle.
    let _ = stream.write_all(bytes);
    let _ = stream.shutdown(Shutdown::Write);
    match stream.read_to_end(&mut answer) {
        Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => panic!("no answer and no end"),
        _ => answer,
    }
}

fuzz_target!(|bytes: &[u8]| {
    if let Some(body) = bytes.get(4..) {
        round_trip::<Request>(body);
        round_trip::<Response>(body);
    }
    // An agent that was told to end has ended rightly, and one that is locked answers nothing more.
    if [&b"quit"[..], b"lock"].iter().any(|verb| bytes.windows(4).any(|window| window == *verb)) {
        return;
    }
    for socket in SOCKETS.iter() {
        converse(socket, bytes);
        let hello = b"\0\0\0\x17{\"hello\":{\"version\":1}}";
        assert!(converse(socket, hello).windows(9).any(|window| window == b"\"version\""), "it answers nobody any more");
    }
});
