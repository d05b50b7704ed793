//! Clocks that jump and machines that sleep: the agent as a library, in a process of its own, whose wall clock is what a
//! file says.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use gitseal::agent::protocol::Hex32;
use gitseal::agent::server::Relogin;
use gitseal::agent::{Definition, Place, Server};
use gitseal::net::Roots;
use gitseal::sandbox::Options;
use gitseal::service::IdToken;
use gitseal::trust::Instance;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::{Bed, Talk, code, scope, sign, until};

fn told(variable: &str) -> PathBuf {
    std::env::var_os(variable).unwrap().into()
}

/// The time, and so many seconds as the file `CLOCK` says.
fn skewed() -> Timestamp {
    let offset: i64 = std::fs::read_to_string(told("CLOCK")).unwrap().trim().parse().unwrap();
    Timestamp::now() + SignedDuration::from_secs(offset)
}

/// Be the agent in `AGENT` for the sandbox in `SANDBOX`.
#[test]
#[ignore = "the agent of the tests below, started by them"]
fn child() {
    let read = |name: &str| std::fs::read(told("SANDBOX").join(name)).unwrap();
    let define = move |name: &_, _, _| {
        let documents = [read("trusted_root.json"), read("signing_config.json")];
        let instance = Instance::from_documents("public", &documents[0], &documents[1], Timestamp::now()).unwrap();
        assert_eq!(&gitseal::trust::InstanceName::public(), name);
        let settings: Hex32 = serde_json::from_value(json!(super::SETTINGS)).unwrap();
        // The login that a keyring would remember.
        let relogin = std::env::var_os("TOKEN").map(|token| -> Arc<Relogin> {
            Arc::new(move |_| {
                // Long enough for a test to come between.
                std::fs::write(told("CLOCK").with_extension("relogin"), "").unwrap();
                std::thread::sleep(Duration::from_secs(1));
                Some(IdToken::parse(token.to_str().unwrap()).unwrap())
            })
        });
        Ok(Definition { instance, settings, server_roots: Roots::default(), may_be_forwarded: false, relogin })
    };
    let mut taken = Place::at(told("AGENT")).unwrap().take().unwrap();
    let sockets = taken.listen().unwrap();
    let server = Server::new(Arc::new(define), &skewed, Duration::from_secs(60), Vec::new());
    server.run(sockets, || Ok(())).unwrap();
}

struct Skewed {
    bed: Bed,
    agent: Child,
}

impl Skewed {
    fn new(certificate_lifetime: i64) -> Self {
        Skewed::start(certificate_lifetime, |_, _| {})
    }

    /// One that can log in again by itself.
    fn that_remembers() -> Self {
        Skewed::start(600, |command, bed| {
            command.env("TOKEN", &bed.token);
        })
    }

    fn start(certificate_lifetime: i64, change: impl FnOnce(&mut Command, &Bed)) -> Self {
        let options =
            Options { certificate_lifetime: SignedDuration::from_secs(certificate_lifetime), ..Options::default() };
        let bed = Bed::with(options);
        let clock = bed.lab.temp().join("clock");
        std::fs::write(&clock, "0").unwrap();
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["--quiet", "--ignored", "--exact", "--nocapture", "agent::clock::child"]);
        command.env("CLOCK", clock).env("SANDBOX", bed.lab.sandbox()).env("AGENT", bed.directory());
        change(&mut command, &bed);
        let agent = command.stdin(Stdio::null()).stdout(Stdio::null()).spawn().unwrap();
        until("it listens", || bed.socket().exists());
        Skewed { bed, agent }
    }

    fn is_off_by(&self, seconds: i64) {
        let clock = self.bed.lab.temp().join("clock");
        let next: &Path = &clock.with_extension("next");
        std::fs::write(next, seconds.to_string()).unwrap();
        std::fs::rename(next, clock).unwrap();
    }

    fn ask(&self, request: &Value) -> Value {
        Talk::greeted(&self.bed.socket()).ask(request)
    }

    fn login(&self) -> Value {
        self.ask(&json!({"login": {"scope": scope(), "token": self.bed.token}}))
    }

    #[track_caller]
    fn signs(&self) {
        let answer = self.ask(&sign());
        let armour = answer["signed"][0]["armour"].as_str().unwrap_or_else(|| panic!("{answer}"));
        self.bed.verifies(armour.as_bytes());
    }

    #[track_caller]
    fn has_nobody_to_sign(&self) {
        let answer = self.ask(&sign());
        assert_eq!(code(&answer), "no-credential", "{answer}");
    }
}

impl Drop for Skewed {
    fn drop(&mut self) {
        let _ = self.agent.kill();
        let _ = self.agent.wait();
        let _ = std::fs::remove_file(self.bed.socket());
    }
}

#[test]
fn a_machine_that_slept_wakes_without_credentials() {
    let agent = Skewed::new(600);
    assert!(agent.login().get("credential").is_some());
    agent.signs();
    // Awake again after nine minutes: half a minute is kept for the log.
    agent.is_off_by(560);
    agent.signs();
    agent.is_off_by(575);
    agent.has_nobody_to_sign();
    // It is wiped, not hidden.
    agent.is_off_by(0);
    agent.has_nobody_to_sign();
    assert!(agent.login().get("credential").is_some());
    agent.signs();
}

#[test]
fn what_is_in_use_is_renewed_ahead_if_the_login_is_remembered_and_nothing_else() {
    let agent = Skewed::that_remembers();
    let signatures = |agent: &Skewed| {
        let listed = agent.ask(&json!({"list": {}}));
        listed["held"]["credentials"][0]["signatures"].as_u64()
    };
    assert!(agent.login().get("credential").is_some());
    agent.is_off_by(520);
    // Longer than the agent goes without a look at the clock.
    std::thread::sleep(Duration::from_secs(6));
    assert_eq!(signatures(&agent), Some(0));
    let unused = agent.ask(&json!({"list": {}}))["held"]["credentials"][0]["expires"].clone();
    agent.signs();
    // The new one has not signed yet.
    until("it is renewed", || signatures(&agent) == Some(0));
    assert_ne!(agent.ask(&json!({"list": {}}))["held"]["credentials"][0]["expires"], unused);
    let forgetful = Skewed::new(600);
    assert!(forgetful.login().get("credential").is_some());
    forgetful.signs();
    forgetful.is_off_by(520);
    std::thread::sleep(Duration::from_secs(6));
    assert_eq!(signatures(&forgetful), Some(1));
}

#[test]
fn what_is_forgotten_while_it_is_renewed_does_not_come_back() {
    let agent = Skewed::that_remembers();
    assert!(agent.login().get("credential").is_some());
    agent.signs();
    agent.is_off_by(520);
    until("somebody is logged in again", || agent.bed.lab.temp().join("clock.relogin").exists());
    assert_eq!(agent.ask(&json!({"forget": {}})), json!({"forgotten": 1}));
    // Longer than the rest of a renewal takes; its good twin is above.
    std::thread::sleep(Duration::from_secs(3));
    agent.has_nobody_to_sign();
}

#[test]
fn a_clock_that_is_set_back_makes_no_signature_that_nobody_can_verify() {
    let agent = Skewed::new(600);
    assert!(agent.login().get("credential").is_some());
    // A little is what clocks are off by.
    agent.is_off_by(-30);
    agent.signs();
    for seconds in [-65, -3600, -400_000_000] {
        agent.is_off_by(seconds);
        agent.has_nobody_to_sign();
        assert_eq!(code(&agent.login()), "login", "nor is a certificate taken that is not valid yet");
    }
    agent.is_off_by(0);
    agent.signs();
    // And far ahead.
    agent.is_off_by(400_000_000);
    agent.has_nobody_to_sign();
}

#[test]
fn a_credential_does_not_outlive_its_time_on_a_clock_that_was_set_back() {
    let agent = Skewed::new(5);
    assert!(agent.login().get("credential").is_some());
    agent.signs();
    agent.is_off_by(-40);
    agent.signs();
    std::thread::sleep(Duration::from_secs(5));
    // By the wall clock forty seconds are left.
    agent.has_nobody_to_sign();
}
