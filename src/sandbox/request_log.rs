//! A file with one line for every request that was answered: what was asked for, how it ended, how long it took here.
//!
//! ```text
//! MICROSECONDS-SINCE-1970 METHOD PATH STATUS MICROSECONDS
//! ```
//!
//! A test reads from it that nothing was asked for; a bench, what the services cost and how many certificates they
//! issued. The path has no query: a query may hold a code or a token.

use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;
use jiff::Timestamp;

/// The open file.
#[derive(Debug)]
pub(super) struct RequestLog(Mutex<File>);

impl RequestLog {
    /// Append to the file at `path`, which is made if it is not there.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        Ok(RequestLog(Mutex::new(OpenOptions::new().create(true).append(true).open(path)?)))
    }

    fn write(&self, line: &str) {
        let mut file = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // The client waits for its answer; whoever filled the disk sees the log end.
        let _ = file.write_all(line.as_bytes());
    }
}

/// Answer, and write the line before the answer leaves: whoever has one finds the other.
pub(super) async fn note(State(log): State<std::sync::Arc<RequestLog>>, request: Request, next: Next) -> Response {
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    let (began, clock) = (Timestamp::now().as_microsecond(), Instant::now());
    let response = next.run(request).await;
    let took = clock.elapsed().as_micros();
    log.write(&format!("{began} {method} {path} {} {took}\n", response.status().as_u16()));
    response
}
