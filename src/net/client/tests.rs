//! The client against a server that misbehaves, one scripted answer a connection.

use tokio::net::TcpListener;

use super::*;
use crate::net::Authorization;
use crate::net::test_only_server::Server;

const FAST: Limits = Limits {
    connect: Duration::from_secs(1),
    attempt: Duration::from_millis(300),
    attempts: 3,
    first_pause: Duration::from_millis(5),
};
const LIMIT: usize = 64;

async fn get(server: &Server) -> Result<Response, NetError> {
    let client = Client::new(Roots::default(), FAST);
    let url = server.url("/x");
    client.send(&Request::get(&url, LIMIT), Deadline::within(Duration::from_secs(5))).await
}

const GOOD: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok";
const BROKEN: &str = "HTTP/1.1 200 OK\r\nContent-Length: 9\r\nConnection: close\r\n\r\ntrunc";
const BUSY: &str = "HTTP/1.1 503 no\r\nContent-Length: 18\r\nConnection: close\r\n\r\n{\"message\":\"busy\"}";

#[tokio::test]
async fn what_may_pass_is_tried_again() {
    let cut = "HTTP";
    let limited = "HTTP/1.1 429 slow\r\nRetry-After: 0\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
    for (first, name) in [(BUSY, "5xx"), (limited, "429"), (BROKEN, "truncated"), (cut, "cut"), ("", "silent")] {
        let server = Server::new([first, GOOD]).await;
        assert_eq!(get(&server).await.unwrap().body, b"ok", "{name}");
        assert_eq!(server.calls(), 2, "{name}");
    }
}

#[tokio::test]
async fn what_does_not_pass_ends_with_the_last_fault() {
    let server = Server::new([BUSY]).await;
    let error = get(&server).await.unwrap_err();
    assert!(matches!(&error, NetError::Unavailable { status: 503, attempts: 3, message, .. } if message == "busy"));
    assert_eq!(server.calls(), 3);
    assert!(matches!(get(&Server::new([BROKEN]).await).await, Err(NetError::Connection { .. })));
    assert!(matches!(get(&Server::new([""]).await).await, Err(NetError::TimedOut { .. })));
}

#[tokio::test]
async fn a_refusal_is_an_answer_and_asked_once() {
    for status in [400, 401, 404, 409, 501] {
        let answer = format!("HTTP/1.1 {status} x\r\nLocation: /y\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
        let server = Server::new([answer]).await;
        let response = get(&server).await.unwrap();
        assert_eq!((response.status, response.location.as_deref()), (status, Some("/y")));
        assert_eq!(server.calls(), 1);
    }
}

#[tokio::test]
async fn an_answer_larger_than_the_limit_is_refused_announced_or_not() {
    let announced = "HTTP/1.1 200 OK\r\nContent-Length: 65\r\nConnection: close\r\n\r\n";
    let chunked = format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n41\r\n{}\r\n0\r\n\r\n", "x".repeat(65));
    for answer in [announced, &chunked] {
        let server = Server::new([answer]).await;
        assert!(matches!(get(&server).await, Err(NetError::TooLarge { limit: LIMIT, .. })));
        assert_eq!(server.calls(), 1);
    }
}

#[tokio::test]
async fn no_redirect_is_followed() {
    let elsewhere = Server::new([GOOD]).await;
    let answer = format!("HTTP/1.1 307 x\r\nLocation: {}\r\nContent-Length: 0\r\n\r\n", elsewhere.url("/"));
    let server = Server::new([answer]).await;
    assert!(matches!(get(&server).await, Err(NetError::Redirected { .. })));
    assert_eq!(elsewhere.calls(), 0);
}

#[tokio::test]
async fn the_metadata_address_is_for_the_metadata_server_and_for_no_secret() {
    let client = Client::new(Roots::default(), FAST);
    let refused = async |request: Request<'_>| {
        let error = client.send(&request, Deadline::within(Duration::from_millis(50))).await.unwrap_err();
        matches!(error, NetError::Address(address::AddressError::PlainHttp(_)))
    };
    let metadata = Url::parse("http://169.254.169.254/x").unwrap();
    let secret = Authorization::new("Bearer", "s3cret").unwrap();
    assert!(!refused(Request::get_metadata(&metadata, LIMIT)).await);
    assert!(refused(Request::get(&metadata, LIMIT)).await);
    assert!(refused(Request::get(&metadata, LIMIT).with_authorization(&secret)).await);
    assert!(refused(Request::get_metadata(&metadata, LIMIT).with_authorization(&secret)).await);
    let other = Url::parse("http://10.0.0.1/x").unwrap();
    assert!(refused(Request::get_metadata(&other, LIMIT)).await);
    assert!(refused(Request::get(&other, LIMIT).with_authorization(&secret)).await);
}

#[tokio::test]
async fn nobody_waits_longer_than_the_bounds() {
    let server =
        Server::new(["HTTP/1.1 429 x\r\nRetry-After: 3600\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"]).await;
    let started = Instant::now();
    let error = get(&server).await.unwrap_err();
    assert!(matches!(error, NetError::AsksToWait { status: 429, wait, .. } if wait.as_secs() == 3600));

    let (silent, client) = (Server::new([""]).await, Client::new(Roots::default(), FAST));
    let deadline = Deadline::within(Duration::from_millis(100));
    let error = client.send(&Request::get(&silent.url("/"), LIMIT), deadline).await.unwrap_err();
    assert!(matches!(error, NetError::TimedOut { .. }));
    assert!(started.elapsed() < Duration::from_secs(2));
}

#[tokio::test]
async fn a_closed_port_is_named_with_its_cause() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = Url::parse(&format!("http://{}/", listener.local_addr().unwrap())).unwrap();
    drop(listener);
    let client = Client::new(Roots::default(), FAST);
    let error = client.send(&Request::get(&url, LIMIT), Deadline::within(FAST.connect)).await.unwrap_err();
    assert!(error.to_string().to_lowercase().contains("connection refused"), "{error}");
}

#[tokio::test]
async fn what_a_server_says_cannot_steer_a_terminal() {
    let server = Server::new([
        "HTTP/1.1 400 x\r\nConnection: close\r\n\r\n{\"message\":\"a\\u001b[31mb\\u202ec\\nsecond line\"}",
    ])
    .await;
    assert_eq!(get(&server).await.unwrap().message(), "a[31mbc");
}

#[test]
fn our_name_has_our_version() {
    assert_eq!(USER_AGENT, format!("gitseal/{}", env!("CARGO_PKG_VERSION")));
}

/// openssl serves pages over TLS with a certificate of its own making.
struct TlsServer {
    process: std::process::Child,
    url: Url,
    folder: tempfile::TempDir,
}

impl TlsServer {
    fn new() -> Self {
        use std::io::{BufRead as _, BufReader};
        use std::process::{Command, Stdio};
        let folder = tempfile::tempdir().unwrap();
        let openssl = |arguments: &str| {
            let mut command = Command::new("openssl");
            command.args(arguments.split(' ')).current_dir(folder.path()).stdin(Stdio::null()).stderr(Stdio::null());
            command
        };
        let config = "[req]\ndistinguished_name = name\n[name]\n";
        std::fs::write(folder.path().join("config"), config).unwrap();
        let request = "req -x509 -config config -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj";
        let name = "-addext subjectAltName=IP:127.0.0.1";
        let constraints = "-addext basicConstraints=critical,CA";
        for arguments in [
            format!("{request} /CN=authority {constraints}:TRUE -keyout ca.key -out ca"),
            format!("{request} /CN=server {constraints}:FALSE {name} -CA ca -CAkey ca.key -keyout key -out cert"),
        ] {
            assert!(openssl(&arguments).status().unwrap().success());
        }
        let mut server = openssl("s_server -accept 127.0.0.1:0 -cert cert -key key -www");
        let mut process = server.stdout(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let port = lines.find_map(|line| line.unwrap().strip_prefix("ACCEPT 127.0.0.1:").map(str::to_owned)).unwrap();
        let url = Url::parse(&format!("https://127.0.0.1:{port}/")).unwrap();
        TlsServer { process, url, folder }
    }
}

impl Drop for TlsServer {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[tokio::test]
async fn a_server_is_believed_only_when_the_roots_vouch_for_it() {
    let server = TlsServer::new();
    let get = async |roots| {
        let limits = Limits { attempts: 1, ..Limits::default() };
        let request = Request::get(&server.url, 64 * 1024);
        Client::new(roots, limits).send(&request, Deadline::within(Duration::from_secs(5))).await
    };
    let vouched = Roots { ca_file: Some(server.folder.path().join("ca")) };
    assert_eq!(get(vouched).await.unwrap().status, 200);
    let error = get(Roots::default()).await.unwrap_err().to_string();
    assert!(error.contains("certificate"), "{error}");
}
