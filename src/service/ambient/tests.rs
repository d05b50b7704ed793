//! Each platform against a server in this process: the documented answer, and what no platform should answer.

use std::collections::HashMap;

use base64ct::{Base64UrlUnpadded, Encoding as _};

use super::*;
use crate::net::test_only_server::{Server, answer};
use crate::net::{Limits, NetError, Roots};
use crate::service::id_token::TokenSubject;

const NOW: i64 = 1_700_000_000;
const FAST: Limits = Limits {
    connect: Duration::from_secs(1),
    attempt: Duration::from_millis(300),
    attempts: 2,
    first_pause: Duration::from_millis(5),
};
const GOOGLE: &str = "Metadata-Flavor: Google\r\n";

fn now() -> Timestamp {
    Timestamp::from_second(NOW).unwrap()
}

fn token_for(audience: &str) -> String {
    let part = |text: &str| Base64UrlUnpadded::encode_string(text.as_bytes());
    let claims = format!(
        r#"{{"iss":"https://issuer","sub":"repo:o/r:ref:refs/heads/main","aud":"{audience}","iat":{NOW},"exp":{}}}"#,
        NOW + 300
    );
    format!("{}.{}.c2ln", part(r#"{"alg":"RS256","typ":"JWT"}"#), part(&claims))
}

/// A job with these variables.
fn prepared(platform: Platform, variables: &[(&str, &str)]) -> Result<TokenRequest, AmbientError> {
    let variables: HashMap<&str, &str> = variables.iter().copied().collect();
    let variable = |name: &str| variables.get(name).map(|value| (*value).to_owned());
    let around = Surroundings { variable: &variable, product_name: &|| None, trusted_socket: &|_| false };
    platform.prepare(around, "sigstore")
}

async fn fetched(request: TokenRequest) -> Result<IdToken, AmbientError> {
    request.fetch(&Client::new(Roots::default(), FAST), now()).await
}

fn github(server: &Server) -> TokenRequest {
    let url = server.url("/token?api-version=2.0&job=1").to_string();
    prepared(Platform::GithubActions, &[(github::URL, &url), ("ACTIONS_ID_TOKEN_REQUEST_TOKEN", "s3cret")]).unwrap()
}

fn buildkite(server: &Server) -> TokenRequest {
    let endpoint = server.url("/v3").to_string();
    let job = ("BUILDKITE_JOB_ID", "0184990a-477b-4fa8-9968-496074483cee");
    let secret = ("BUILDKITE_AGENT_ACCESS_TOKEN", "s3cret");
    prepared(Platform::Buildkite, &[(buildkite::ENDPOINT, &endpoint), secret, job]).unwrap()
}

fn host(server: &Server) -> String {
    crate::net::address::host(&server.url("/"))
}

fn google(server: &Server) -> TokenRequest {
    prepared(Platform::GoogleWorkloadIdentity, &[(google::HOST, &host(server))]).unwrap()
}

/// Both of its servers are one here: the metadata server answers first.
fn impersonate(server: &Server) -> TokenRequest {
    let account = ("GOOGLE_SERVICE_ACCOUNT_NAME", "signer@p.iam.gserviceaccount.com");
    let mut request = prepared(Platform::GoogleImpersonate, &[(google::HOST, &host(server)), account]).unwrap();
    let Source::Impersonate(account) = &mut request.source else { panic!("another source") };
    assert_eq!(account.url.host_str(), Some("iamcredentials.googleapis.com"));
    account.url = server.url(account.url.path());
    request
}

/// The first line of a request, and one of its headers.
fn asked(request: &str, header: &str) -> (String, Option<String>) {
    let mut lines = request.lines();
    let first = lines.next().unwrap().to_owned();
    let value = lines.find_map(|line| {
        let (name, value) = line.split_once(": ")?;
        name.eq_ignore_ascii_case(header).then(|| value.to_owned())
    });
    (first, value)
}

#[tokio::test]
async fn github_is_asked_as_it_documents() {
    // The documented answer has a count beside the value.
    let body = format!(r#"{{"count":1,"value":"{}"}}"#, token_for("sigstore"));
    let server = Server::json(&[(200, &body)]).await;
    let token = fetched(github(&server)).await.unwrap();
    assert_eq!(token.subject(), &TokenSubject::Subject("repo:o/r:ref:refs/heads/main".into()));
    let (line, secret) = asked(&server.requests()[0], "authorization");
    assert_eq!(line, "GET /token?api-version=2.0&job=1&audience=sigstore HTTP/1.1");
    assert_eq!(secret.as_deref(), Some("Bearer s3cret"));
}

#[tokio::test]
async fn buildkite_is_asked_as_its_agent_asks() {
    let server = Server::json(&[(200, &format!(r#"{{"token":"{}"}}"#, token_for("sigstore")))]).await;
    fetched(buildkite(&server)).await.unwrap();
    let request = &server.requests()[0];
    let (line, secret) = asked(request, "authorization");
    assert_eq!(line, "POST /v3/jobs/0184990a-477b-4fa8-9968-496074483cee/oidc/tokens HTTP/1.1");
    assert_eq!(secret.as_deref(), Some("Token s3cret"));
    assert!(request.ends_with(r#"{"audience":"sigstore"}"#), "{request}");
}

#[tokio::test]
async fn the_metadata_server_is_asked_with_its_header_and_believed_with_it() {
    let server = Server::new([answer(200, GOOGLE, &token_for("sigstore"))]).await;
    fetched(google(&server)).await.unwrap();
    let (line, flavor) = asked(&server.requests()[0], "metadata-flavor");
    let path = "/computeMetadata/v1/instance/service-accounts/default/identity?audience=sigstore&format=full";
    assert_eq!((line, flavor.as_deref()), (format!("GET {path} HTTP/1.1"), Some("Google")));
    for headers in ["", "Metadata-Flavor: Amazon\r\n"] {
        let server = Server::new([answer(200, headers, &token_for("sigstore"))]).await;
        let error = fetched(google(&server)).await.unwrap_err();
        assert!(matches!(error, AmbientError::NoAnswer { source: NetError::NotTheMetadataServer(_), .. }), "{error}");
    }
}

#[tokio::test]
async fn a_machine_asks_for_the_token_of_another_account() {
    let access = answer(200, GOOGLE, r#"{"access_token":"ya29.x","expires_in":3599,"token_type":"Bearer"}"#);
    let token = answer(200, "", &format!(r#"{{"token":"{}"}}"#, token_for("sigstore")));
    let server = Server::new([access, token]).await;
    fetched(impersonate(&server)).await.unwrap();
    let requests = server.requests();
    let (line, secret) = asked(&requests[0], "authorization");
    let path = "/computeMetadata/v1/instance/service-accounts/default/token";
    assert_eq!((line, secret), (format!("GET {path} HTTP/1.1"), None));
    let (line, secret) = asked(&requests[1], "authorization");
    let path = "/v1/projects/-/serviceAccounts/signer@p.iam.gserviceaccount.com:generateIdToken";
    assert_eq!((line, secret.as_deref()), (format!("POST {path} HTTP/1.1"), Some("Bearer ya29.x")));
    assert!(requests[1].ends_with(r#"{"audience":"sigstore","includeEmail":true}"#), "{}", requests[1]);
}

#[tokio::test]
async fn a_machine_without_an_account_has_no_token_to_give() {
    let client = Client::new(Roots::default(), FAST);
    let unnamed = |server: &Server| {
        let mut request = google(server);
        let Source::Metadata(metadata) = &mut request.source else { panic!("another source") };
        metadata.is_named = false;
        request
    };
    let with = Server::new([answer(200, GOOGLE, "robot@p.iam.gserviceaccount.com")]).await;
    assert!(unnamed(&with).is_answered(&client).await);
    for other in [answer(404, GOOGLE, ""), answer(200, "", "login here"), String::new()] {
        let server = Server::new([other.clone()]).await;
        let started = std::time::Instant::now();
        assert!(!unnamed(&server).is_answered(&client).await, "{other}");
        assert!(started.elapsed() < 2 * google::PROBING_TIME);
        // Whoever names the server gets to see what is wrong with it.
        assert!(google(&server).is_answered(&client).await, "{other}");
    }
}

/// What every service of a platform may answer instead.
async fn hostile(make: fn(&Server) -> TokenRequest, headers: &str, before: &[String]) {
    let name = make(&Server::new(["x"]).await).platform;
    let elsewhere = Server::new([answer(200, headers, "")]).await;
    let location = format!("{headers}Location: {}\r\n", elsewhere.url("/"));
    let huge = "x".repeat(MAX_ANSWER_LEN);
    let token = |of: &str| format!(r#"{{"value":"{of}","token":"{of}","access_token":"{of}"}}"#);
    let json = |of: &str| answer(200, headers, &token(of));
    type Check = fn(&AmbientError) -> bool;
    let cases: [(&str, String, Check); 8] = [
        (
            "refusal",
            answer(403, headers, r#"{"message":"no"}"#),
            |error| matches!(error, AmbientError::Refused { status: 403, message, .. } if message == "no"),
        ),
        ("redirect", answer(302, &location, ""), |error| {
            matches!(error, AmbientError::NoAnswer { source: NetError::Redirected { .. }, .. })
        }),
        ("huge", json(&huge), |error| {
            matches!(error, AmbientError::NoAnswer { source: NetError::TooLarge { .. }, .. })
        }),
        ("silence", String::new(), |error| {
            matches!(error, AmbientError::NoAnswer { source: NetError::TimedOut { .. }, .. })
        }),
        ("broken", answer(500, headers, "x"), |error| {
            matches!(error, AmbientError::NoAnswer { source: NetError::Unavailable { .. }, .. })
        }),
        ("page", answer(200, headers, "<html>welcome</html>"), |error| {
            matches!(error, AmbientError::Answer { .. } | AmbientError::Token { error: TokenError::Malformed(_), .. })
        }),
        ("number", answer(200, headers, r#"{"value":1,"token":1}"#), |error| {
            matches!(error, AmbientError::Answer { .. } | AmbientError::Token { error: TokenError::Malformed(_), .. })
        }),
        ("no token", json("a.b.c"), |error| {
            matches!(error, AmbientError::Token { error: TokenError::Malformed(_), .. })
        }),
    ];
    for (case, last, is_right) in cases {
        let server = Server::new(before.iter().cloned().chain([last])).await;
        let error = fetched(make(&server)).await.unwrap_err();
        assert!(is_right(&error), "{name}, {case}: {error:?}");
        assert!(!error.hint().is_empty() && !format!("{error}{error:?}").contains("s3cret"), "{name}, {case}");
    }
    assert_eq!(elsewhere.calls(), 0, "{name}: nothing followed a redirect");
}

#[tokio::test]
async fn what_no_platform_should_answer_is_an_error_and_carries_no_secret_further() {
    hostile(github, "", &[]).await;
    hostile(buildkite, "", &[]).await;
    hostile(google, GOOGLE, &[]).await;
    hostile(impersonate, GOOGLE, &[]).await;
    let access = answer(200, GOOGLE, r#"{"access_token":"ya29.s3cret"}"#);
    hostile(impersonate, "", &[access]).await;
}

#[tokio::test]
async fn a_token_for_somebody_else_or_of_yesterday_is_refused() {
    let json = |token: &str| format!(r#"{{"value":"{token}"}}"#);
    let server = Server::json(&[(200, &json(&token_for("https://github.com/o")))]).await;
    let error = fetched(github(&server)).await.unwrap_err();
    assert!(matches!(error, AmbientError::Token { error: TokenError::Audience { .. }, .. }), "{error}");

    let server = Server::json(&[(200, &json(&token_for("sigstore")))]).await;
    let later = Timestamp::from_second(NOW + 301).unwrap();
    let client = Client::new(Roots::default(), FAST);
    let error = github(&server).fetch(&client, later).await.unwrap_err();
    assert!(matches!(error, AmbientError::Token { error: TokenError::Expired { .. }, .. }), "{error}");

    // CircleCI's own token is for the organization: the line that gets another is shown.
    let own = token_for("00000000-0000-0000-0000-000000000000");
    let request = prepared(Platform::CircleCi, &[("CIRCLE_OIDC_TOKEN_V2", &own)]).unwrap();
    let hint = fetched(request).await.unwrap_err().hint();
    assert!(hint.contains(r#"circleci run oidc get --claims '{"aud":"sigstore"}'"#), "{hint}");
    let chosen = token_for("sigstore");
    let both = [("CIRCLE_OIDC_TOKEN_V2", own.as_str()), (ID_TOKEN, chosen.as_str())];
    fetched(prepared(Platform::CircleCi, &both).unwrap()).await.unwrap();
}

#[test]
fn what_is_missing_is_named_with_the_lines_that_bring_it() {
    let missing = |platform, variables: &[_], what: &str, lines: &[&str]| {
        let error = prepared(platform, variables).unwrap_err();
        assert!(matches!(error, AmbientError::Missing { .. }) && error.to_string().contains(what), "{error}");
        assert!(lines.iter().all(|line| error.hint().lines().any(|have| have == *line)), "{}", error.hint());
    };
    let permission = ["permissions:", "  id-token: write"];
    missing(Platform::GithubActions, &[("GITHUB_ACTIONS", "true")], github::URL, &permission);
    let url = (github::URL, "https://a.example/?x");
    missing(Platform::GithubActions, &[url], "ACTIONS_ID_TOKEN_REQUEST_TOKEN", &permission);
    let fork = "a pull request from a fork gets no token whatever the workflow says: sign after the merge";
    let lines = [permission[0], permission[1], fork];
    missing(Platform::GithubActions, &[("GITHUB_EVENT_NAME", "pull_request")], github::URL, &lines);
    missing(Platform::Gitlab, &[], ID_TOKEN, &["id_tokens:", "  SIGSTORE_ID_TOKEN:", "    aud: sigstore"]);
    missing(Platform::Buildkite, &[], "BUILDKITE_AGENT_ACCESS_TOKEN", &[]);
    missing(Platform::Buildkite, &[("BUILDKITE_AGENT_ACCESS_TOKEN", "x")], "BUILDKITE_JOB_ID", &[]);
    missing(Platform::CircleCi, &[], "CIRCLE_OIDC_TOKEN_V2", &[]);
    missing(Platform::GoogleImpersonate, &[], "GOOGLE_SERVICE_ACCOUNT_NAME", &[]);
    #[cfg(unix)]
    missing(Platform::Spiffe, &[], "SPIFFE_ENDPOINT_SOCKET", &[]);
}

#[test]
fn a_variable_that_would_lead_a_secret_astray_is_refused_before_anything_is_sent() {
    let secret = ("ACTIONS_ID_TOKEN_REQUEST_TOKEN", "s3cret");
    let access = ("BUILDKITE_AGENT_ACCESS_TOKEN", "s3cret");
    let (job, account) = (("BUILDKITE_JOB_ID", "1-a"), ("GOOGLE_SERVICE_ACCOUNT_NAME", "a@b"));
    let cases: &[(Platform, &[(&str, &str)])] = &[
        (Platform::GithubActions, &[(github::URL, "http://a.example/?x"), secret]),
        (Platform::GithubActions, &[(github::URL, "https://u:p@a.example/?x"), secret]),
        (Platform::GithubActions, &[(github::URL, "file:///etc/passwd"), secret]),
        (Platform::GithubActions, &[(github::URL, "https://a.example"), (secret.0, "a\nb")]),
        (Platform::Buildkite, &[(buildkite::ENDPOINT, "http://a.example"), access, job]),
        (Platform::Buildkite, &[access, (job.0, "../x")]),
        (Platform::Buildkite, &[(access.0, "a b"), job]),
        (Platform::GoogleWorkloadIdentity, &[(google::HOST, "metadata.example.com")]),
        (Platform::GoogleImpersonate, &[(google::HOST, "10.0.0.1"), account]),
        (Platform::GoogleImpersonate, &[(account.0, "a/../../x")]),
        #[cfg(unix)]
        (Platform::Spiffe, &[("SPIFFE_ENDPOINT_SOCKET", "tcp://127.0.0.1:8081")]),
        #[cfg(unix)]
        (Platform::Spiffe, &[("SPIFFE_ENDPOINT_SOCKET", "relative/api.sock")]),
    ];
    for (platform, variables) in cases {
        let error = prepared(*platform, variables).unwrap_err();
        assert!(matches!(error, AmbientError::Variable { .. }), "{platform}: {error}");
        assert!(!error.to_string().contains("s3cret") && !error.hint().is_empty(), "{platform}: {error}");
    }
}

#[test]
fn every_platform_has_its_name_back() {
    for platform in Platform::ALL {
        assert_eq!(Platform::named(platform.name()), Some(platform));
    }
    assert_eq!(Platform::named("google-impersonation"), Some(Platform::GoogleImpersonate));
    assert_eq!(Platform::named("github"), None);
}
