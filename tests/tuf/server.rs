//! A file server on loopback: what is in a map, and one file that never ends.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

/// By path, the leading slash included.
pub(super) type Files = BTreeMap<String, Vec<u8>>;

pub(super) struct Server {
    pub(super) url: String,
    files: Arc<Mutex<Files>>,
    asked: Arc<Mutex<Vec<String>>>,
    endless: Arc<Mutex<Option<String>>>,
}

impl Server {
    pub(super) fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let server = Server {
            url: format!("http://{}", listener.local_addr().unwrap()),
            files: Arc::default(),
            asked: Arc::default(),
            endless: Arc::default(),
        };
        let (files, asked, endless) =
            (Arc::clone(&server.files), Arc::clone(&server.asked), Arc::clone(&server.endless));
        std::thread::spawn(move || {
            for socket in listener.incoming() {
                let (files, asked, endless) = (Arc::clone(&files), Arc::clone(&asked), Arc::clone(&endless));
                std::thread::spawn(move || answer(socket.unwrap(), &files, &asked, &endless));
            }
        });
        server
    }

    pub(super) fn serve(&self, files: Files) {
        *self.files.lock().unwrap() = files;
    }

    /// Let one file go on for ever.
    pub(super) fn never_end(&self, path: Option<&str>) {
        *self.endless.lock().unwrap() = path.map(str::to_owned);
    }

    /// What was asked for since the last time.
    pub(super) fn asked(&self) -> Vec<String> {
        std::mem::take(&mut self.asked.lock().unwrap())
    }
}

fn answer(mut socket: TcpStream, files: &Mutex<Files>, asked: &Mutex<Vec<String>>, endless: &Mutex<Option<String>>) {
    let mut lines = BufReader::new(socket.try_clone().unwrap()).lines();
    let Some(Ok(first)) = lines.next() else { return };
    lines.take_while(|line| line.as_ref().is_ok_and(|line| !line.is_empty())).for_each(drop);
    let path = first.split(' ').nth(1).unwrap().to_owned();
    asked.lock().unwrap().push(path.clone());
    if endless.lock().unwrap().as_ref() == Some(&path) {
        let _ = socket.write_all(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n{");
        while socket.write_all(&[b' '; 4096]).is_ok() {}
        return;
    }
    let file = files.lock().unwrap().get(&path).cloned();
    let (status, body) = file.map_or((404, Vec::new()), |file| (200, file));
    let head = format!("HTTP/1.1 {status} x\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", body.len());
    let _ = socket.write_all(head.as_bytes()).and_then(|()| socket.write_all(&body));
}
