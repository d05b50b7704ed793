//! A server for unit tests, in this process: one scripted answer a connection, faults included.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use super::Url;

/// A server that gives its answers in turn, the last one for ever. An empty answer is silence.
pub(crate) struct Server {
    base: Url,
    requests: Arc<Mutex<Vec<String>>>,
}

impl Server {
    /// A server with these answers, heads and all.
    pub(crate) async fn new<S: Into<String>>(answers: impl IntoIterator<Item = S>) -> Self {
        let answers: Vec<String> = answers.into_iter().map(Into::into).collect();
        Self::on(TcpListener::bind("127.0.0.1:0").await.unwrap(), answers)
    }

    fn on(listener: TcpListener, answers: Vec<String>) -> Self {
        let base = Url::parse(&format!("http://{}", listener.local_addr().unwrap())).unwrap();
        let requests = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&requests);
        tokio::spawn(async move {
            for call in 0.. {
                let (socket, _) = listener.accept().await.unwrap();
                tokio::spawn(serve(socket, answers[call.min(answers.len() - 1)].clone(), Arc::clone(&log)));
            }
        });
        Server { base, requests }
    }

    /// A server whose answers are JSON with these statuses.
    pub(crate) async fn json(answers: &[(u16, &str)]) -> Self {
        Self::new(answers.iter().map(|(status, body)| answer(*status, "", body))).await
    }

    /// A server that answers with JSON in which its own address stands in the place of `name`.
    pub(crate) async fn naming_itself(body: &str, name: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let own = format!("http://{}", listener.local_addr().unwrap());
        Self::on(listener, vec![answer(200, "", &body.replace(name, &own))])
    }

    /// An address here.
    pub(crate) fn url(&self, path: &str) -> Url {
        self.base.join(path).unwrap()
    }

    /// How many requests have come.
    pub(crate) fn calls(&self) -> usize {
        self.requests.lock().unwrap().len()
    }

    /// The requests that have come: head and body.
    pub(crate) fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap().clone()
    }
}

/// An answer with more header lines, each ending in CR LF.
pub(crate) fn answer(status: u16, headers: &str, body: &str) -> String {
    let length = body.len();
    format!("HTTP/1.1 {status} x\r\n{headers}Content-Length: {length}\r\nConnection: close\r\n\r\n{body}")
}

async fn serve(mut socket: TcpStream, answer: String, log: Arc<Mutex<Vec<String>>>) {
    let mut request = Vec::new();
    while !is_whole(&request) {
        let mut part = [0; 4096];
        match socket.read(&mut part).await {
            Ok(0) | Err(_) => break,
            Ok(length) => request.extend_from_slice(&part[..length]),
        }
    }
    log.lock().unwrap().push(String::from_utf8_lossy(&request).into_owned());
    if answer.is_empty() {
        tokio::time::sleep(Duration::from_secs(60)).await;
    }
    let _ = socket.write_all(answer.as_bytes()).await;
}

fn is_whole(request: &[u8]) -> bool {
    let text = String::from_utf8_lossy(request).to_lowercase();
    let Some((head, body)) = text.split_once("\r\n\r\n") else { return false };
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
    body.len() >= length.map_or(0, |length| length.parse().unwrap())
}
