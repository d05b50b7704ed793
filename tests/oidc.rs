//! Logging in, seen from the library: the sandbox's issuer in every mood, a browser that does what it should not, and
//! strangers at the port where the browser comes back to. Every refusal has a twin that goes well.

#![cfg(feature = "sandbox")]

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use gitseal::net::{Client, Limits, Roots};
use gitseal::service::oidc::redirect::LOGIN_TIME;
use gitseal::service::oidc::renewal::{self, Revoked};
use gitseal::service::oidc::{
    CodeFlow, DeviceFlow, Granted, OidcError, Page, Provider, Redirect, RefreshToken, Registration, Remember,
};
use gitseal::service::wait;
use jiff::Timestamp;

use crate::lab::{ALICE, Lab};
use crate::sandbox::Server;
use crate::terminal::Person;

/// How long a test waits for a browser that does not come.
const SHORT: Duration = Duration::from_millis(700);

/// An answer: the status, where it leads, and all of its text.
struct Answer {
    status: u16,
    location: Option<String>,
    text: String,
}

/// Send these bytes to the host of `url`, and read to the end; `None` if nobody listens.
fn send(url: &str, request: &str) -> Option<Answer> {
    let authority = url.strip_prefix("http://").unwrap().split('/').next().unwrap();
    let mut stream = TcpStream::connect(authority).ok()?;
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    stream.write_all(request.as_bytes()).ok()?;
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).ok()?;
    let text = String::from_utf8_lossy(&bytes).into_owned();
    let location = text.lines().find_map(|line| line.strip_prefix("location: ")).map(str::to_owned);
    Some(Answer { status: text.split(' ').nth(1)?.parse().ok()?, location, text })
}

fn get(url: &str) -> Option<Answer> {
    let (authority, path) = url.strip_prefix("http://").unwrap().split_once('/').unwrap();
    send(url, &format!("GET /{path} HTTP/1.1\r\nHost: {authority}\r\nConnection: close\r\n\r\n"))
}

/// Where the provider sends the browser back to.
fn back(url: &str) -> String {
    get(url).unwrap().location.expect("a redirect")
}

/// The sandbox of one test.
struct Bed {
    _folder: tempfile::TempDir,
    sandbox: Server,
    http: Client,
}

impl Bed {
    fn new(faults: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let sandbox = Server::start(folder.path(), &["--identity", ALICE]);
        sandbox.faults(faults);
        Bed { _folder: folder, sandbox, http: Client::new(Roots::default(), Limits::default()) }
    }

    async fn provider(&self) -> Result<Provider<'_>, OidcError> {
        self.provider_at(&format!("{}/oidc", self.sandbox.url)).await
    }

    async fn provider_at(&self, issuer: &str) -> Result<Provider<'_>, OidcError> {
        let registration = Registration { client_id: "sigstore".into(), secret: None };
        Provider::discover(&self.http, issuer, registration, &Timestamp::now).await
    }

    /// Log in with `browser`, which is given the address to open.
    fn log_in<T: Send + 'static>(
        &self,
        time: Duration,
        browser: impl FnOnce(String) -> T + Send + 'static,
    ) -> (Result<Granted, OidcError>, T) {
        let outcome = wait(async {
            let provider = self.provider().await.unwrap();
            let redirect = Redirect::open(None).await.unwrap();
            let flow = CodeFlow::begin(&provider, redirect.uri(), Some("x"), Remember::Yes).unwrap();
            let url = flow.url().to_string();
            let person = std::thread::spawn(move || browser(url));
            let outcome = match redirect.wait(&flow, &provider, time).await {
                Err(error) => Err(error),
                Ok(arrival) => {
                    let outcome = match arrival.answer {
                        Ok(code) => flow.redeem(&provider, code).await,
                        Err(error) => Err(error),
                    };
                    arrival.browser.show(&Page::of(&outcome, None)).await;
                    outcome
                }
            };
            (outcome, person)
        });
        let (outcome, person) = outcome.unwrap();
        (outcome, person.join().unwrap())
    }

    /// Log in with a browser that does what it is told; the error, and the page.
    fn fails(faults: &[&str]) -> (OidcError, String) {
        let (outcome, page) = Bed::new(faults).log_in(LOGIN_TIME, |url| get(&back(&url)).unwrap().text);
        (outcome.unwrap_err(), page)
    }
}

#[test]
fn a_person_logs_in_and_the_page_says_so() {
    let (outcome, page) = Bed::new(&[]).log_in(LOGIN_TIME, |url| {
        for part in ["code_challenge_method=S256", "scope=openid+email+offline_access", "connector_id=x", "nonce="] {
            assert!(url.contains(part), "{part} in {url}");
        }
        assert!(url.contains("redirect_uri=http%3A%2F%2Flocalhost%3A"));
        let back = back(&url);
        let page = get(&back).unwrap();
        assert_eq!(page.status, 200);
        // One answer: the port is closed before the page has been read.
        assert!(get(&back).is_none_or(|second| second.status != 200));
        page.text
    });
    let granted = outcome.unwrap();
    assert_eq!(granted.id_token.subject().as_str(), ALICE);
    assert!(granted.refresh_token.is_some());
    assert!(page.contains("You are logged in") && page.contains("as <b>alice<wbr>@example.com</b>"));
    for header in
        ["Content-Security-Policy: default-src 'none';", "Cache-Control: no-store", "Referrer-Policy: no-referrer"]
    {
        assert!(page.contains(header), "{header}");
    }
}

#[test]
fn a_token_that_is_not_for_this_login_is_refused_fail() {
    let bad = |fault: &str| {
        let (error, page) = Bed::fails(&[&format!("{fault}@oidc")]);
        assert!(page.contains("You are not logged in") && !page.contains(ALICE), "{page}");
        assert!(matches!(error, OidcError::BadIdToken(_)), "{fault}: {error}");
        assert!(!error.hint().is_empty());
        error.to_string()
    };
    for (fault, says) in [
        ("wrong-nonce", "is for another login"),
        ("wrong-issuer", "is by another issuer"),
        ("wrong-audience", "is for somebody else"),
        ("expired-token", "has expired"),
        ("wrong-key", "is not signed by this provider"),
    ] {
        assert!(bad(fault).contains(says), "{fault}");
    }
}

#[test]
fn another_host_is_told_no_code_fail() {
    let (error, page) = Bed::fails(&["redirect-elsewhere@oidc"]);
    assert!(error.to_string().contains("redirects to https://elsewhere.example, which is not followed"), "{error}");
    assert!(page.contains("You are not logged in"));
}

#[test]
fn a_refusal_is_told_in_the_providers_words_fail() {
    let (error, page) = Bed::fails(&["denied@oidc"]);
    assert_eq!(error.to_string(), "the login was refused: fault (access_denied)");
    assert!(page.contains("The login was refused: fault (access_denied)."));
}

#[test]
fn an_answer_in_another_issuers_name_is_refused_fail() {
    let (error, _) = Bed::fails(&["mixed-up@oidc"]);
    assert!(matches!(&error, OidcError::MixedUp { found, .. } if found == "https://elsewhere.example"), "{error}");
    // One that should name itself and does not.
    let unnamed = |url: String| get(back(&url).split("&iss=").next().unwrap()).unwrap().text;
    let (outcome, _) = Bed::new(&[]).log_in(LOGIN_TIME, unnamed);
    assert!(matches!(outcome, Err(OidcError::MixedUp { .. })));
}

#[test]
fn another_state_is_no_answer_fail() {
    let bed = Bed::new(&["wrong-state@oidc"]);
    let (outcome, page) = bed.log_in(SHORT, |url| get(&back(&url)).unwrap());
    assert!(matches!(outcome, Err(OidcError::NobodyCame { strangers: 1, .. })));
    assert_eq!(page.status, 400);
    assert!(page.text.contains("Not the login that is waiting"));
}

#[test]
fn strangers_cannot_put_an_end_to_a_login() {
    let (outcome, status) = Bed::new(&[]).log_in(LOGIN_TIME, |url| {
        let back = back(&url);
        let (base, query) = back.split_once('?').unwrap();
        let host = base.strip_prefix("http://").unwrap().split('/').next().unwrap();
        let root = base.strip_suffix("/auth/callback").unwrap();
        // Connections that say nothing, as browsers keep some ready; then requests that are none of ours.
        let _silent: Vec<_> = (0..12).map(|_| TcpStream::connect(host).unwrap()).collect();
        let status = |answer: Option<Answer>| answer.map(|answer| answer.status);
        for query in ["", "?code=stolen", "?code=stolen&state=guessed", "?error=access_denied", "?state=a&state=b"] {
            assert_eq!(status(get(&format!("{base}{query}"))), Some(400), "{query}");
        }
        assert_eq!(status(get(&format!("{root}/favicon.ico"))), Some(404));
        let rebound = format!("GET /auth/callback?{query} HTTP/1.1\r\nHost: evil.example\r\n\r\n");
        assert_eq!(status(send(base, &rebound)), Some(400));
        let post = format!("POST /auth/callback?{query} HTTP/1.1\r\nHost: {host}\r\nContent-Length: 0\r\n\r\n");
        assert_eq!(status(send(base, &post)), Some(405));
        let endless = format!("GET /auth/callback HTTP/1.1\r\nHost: {host}\r\nX: {}", "y".repeat(33 * 1024));
        assert!(send(base, &endless).is_none_or(|answer| answer.status == 431));
        assert_eq!(status(send(base, "\u{7f}nonsense\r\n\r\n")), Some(400));
        get(&back).unwrap().status
    });
    assert_eq!(outcome.unwrap().id_token.subject().as_str(), ALICE);
    assert_eq!(status, 200);
}

#[test]
fn a_page_that_is_closed_ends_the_wait_fail() {
    let started = Instant::now();
    let (outcome, ()) = Bed::new(&[]).log_in(SHORT, |_| ());
    let error = outcome.unwrap_err();
    assert!(matches!(error, OidcError::NobodyCame { strangers: 0, .. }));
    assert!(error.hint().contains("--device"));
    assert!(started.elapsed() < Duration::from_secs(20));
}

#[test]
fn a_provider_that_is_another_is_not_believed_fail() {
    let bed = Bed::new(&[]);
    let ask = |issuer: String| wait(async { bed.provider_at(&issuer).await.map(|_| ()) }).unwrap();
    let named = format!("{}/oidc", bed.sandbox.url);
    assert!(ask(named.clone()).is_ok());
    // The same server under another name: its document says who it is.
    for other in [named.replace("127.0.0.1", "localhost"), format!("{named}/")] {
        assert!(matches!(ask(other.clone()), Err(OidcError::Document { .. })), "{other}");
    }
    for nobody in [format!("{}/nowhere", bed.sandbox.url), "http://issuer.example".into(), "x".into()] {
        assert!(ask(nobody.clone()).is_err(), "{nobody}");
    }
}

#[test]
fn a_provider_that_is_down_is_named_fail() {
    let bed = Bed::new(&["cut-connection@oidc"]);
    let error = wait(async { bed.provider().await.map(|_| ()) }).unwrap().unwrap_err();
    assert!(error.to_string().starts_with("OpenID provider: 127.0.0.1:"), "{error}");
}

fn device(bed: &Bed) -> Result<Granted, OidcError> {
    wait(async {
        let provider = bed.provider().await?;
        let flow = DeviceFlow::begin(&provider, Remember::No).await?;
        assert!(flow.complete_page().unwrap().as_str().ends_with(flow.user_code()));
        flow.wait(&provider).await
    })
    .unwrap()
}

#[test]
fn a_device_logs_in_after_it_has_waited() {
    assert_eq!(device(&Bed::new(&[])).unwrap().id_token.subject().as_str(), ALICE);
}

#[test]
fn a_device_is_refused_as_a_browser_is_fail() {
    let refused = device(&Bed::new(&["denied@oidc"])).unwrap_err();
    assert_eq!(refused.to_string(), "the login was refused: fault (access_denied)");
    for fault in ["wrong-key@oidc", "wrong-audience@oidc", "wrong-issuer@oidc", "expired-token@oidc"] {
        assert!(matches!(device(&Bed::new(&[fault])), Err(OidcError::BadIdToken(_))), "{fault}");
    }
    assert!(device(&Bed::new(&["redirect-elsewhere@oidc"])).is_err());
}

#[test]
fn a_login_is_renewed_until_it_is_revoked() {
    let bed = Bed::new(&[]);
    let (outcome, _) = bed.log_in(LOGIN_TIME, |url| get(&back(&url)).unwrap().status);
    let first = outcome.unwrap().refresh_token.unwrap();
    let shown = format!("{first:?}");
    assert!(!shown.contains(first.secret()));
    wait(async {
        let provider = bed.provider().await.unwrap();
        let renewed = renewal::refresh(&provider, first).await.unwrap();
        assert_eq!(renewed.id_token.subject().as_str(), ALICE);
        let second = renewed.refresh_token.unwrap();
        assert_eq!(renewal::revoke(&provider, &second).await.unwrap(), Revoked::Yes);
        let gone = renewal::refresh(&provider, RefreshToken::new(second.secret().to_owned().into())).await;
        assert!(matches!(gone, Err(OidcError::Refused { code, .. }) if code == "invalid_grant"));
    })
    .unwrap();
}

#[test]
fn a_renewed_token_is_checked_like_the_first_fail() {
    let bed = Bed::new(&[]);
    let (outcome, _) = bed.log_in(LOGIN_TIME, |url| get(&back(&url)).unwrap().status);
    bed.sandbox.faults(&["wrong-key@oidc"]);
    let token = outcome.unwrap().refresh_token.unwrap();
    let renewed = wait(async { renewal::refresh(&bed.provider().await.unwrap(), token).await }).unwrap();
    assert!(matches!(renewed, Err(OidcError::BadIdToken(_))));
}

#[test]
fn only_this_machine_is_where_a_browser_comes_back_to_fail() {
    let open = |wanted: &str| wait(Redirect::open(Some(wanted))).unwrap().map(|redirect| redirect.uri().to_string());
    for good in ["http://localhost:0/auth/callback", "http://127.0.0.1:0/x", "http://localhost:0"] {
        assert!(open(good).unwrap().starts_with("http://"), "{good}");
    }
    for bad in ["http://example.com/auth/callback", "https://localhost/", "http://localhost.example.com:1/", "x"] {
        assert!(matches!(open(bad), Err(OidcError::RedirectUrl(_))), "{bad}");
    }
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let place = format!("http://localhost:{}/auth/callback", taken.local_addr().unwrap().port());
    assert!(matches!(open(&place), Err(OidcError::Listen { .. })));
}

#[test]
fn ctrl_c_leaves_nothing() {
    let lab = Lab::new();
    let sandbox = lab.sandbox();
    // What a person has in front of them: a shell on a terminal, git under it, and gitseal under that.
    std::fs::write(
        lab.home().join("session"),
        "unset GITSEAL_ID_TOKEN_FILE SIGSTORE_ID_TOKEN GITSIGN_TOKEN_PROVIDER; export GITSEAL_AGENT=off\n\
         gitseal init --global >/dev/null 2>&1; git init -q demo; cd demo\n\
         trap 'echo interrupted' INT\n\
         GITSEAL_URL_OPENER='true {{.URL}}' git commit -q -S --allow-empty -m no\n\
         git rev-parse -q --verify HEAD || echo \"no commit, $(ls -A $TMPDIR | grep -vc on-terminal) files\"\n",
    )
    .unwrap();
    let text = format!("gitseal sandbox run --dir '{}' -- bash ~/session; sleep 1", sandbox.display());
    let mut person = Person::watching(&lab, &text);
    person.sees("waiting for the browser");
    person.types(b"\x03");
    person.sees("no commit, 0 files");
    let (screen, _) = person.leaves();
    assert!(!screen.contains("logged in as"), "{screen}");
    // The port went with the process.
    let port = screen.split("localhost%3A").nth(1).unwrap().split('%').next().unwrap();
    assert!(TcpStream::connect(format!("127.0.0.1:{port}")).is_err());
}
