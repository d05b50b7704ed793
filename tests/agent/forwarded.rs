//! The socket that is forwarded to another machine: it signs with what is there, for whom it may, and does nothing else.
//!
//! The way there is a relay, as sshd is one: it copies bytes and knows nothing of them. Everything is asked through it.

use std::io;
use std::net::Shutdown;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::process::Output;

use serde_json::{Value, json};

use super::{Bed, Talk, code, hello, said, scope, sign};
use crate::lab::{Lab, gitseal, run};

/// Another machine: a home of its own, and there a socket that leads to the agent's second one.
struct Elsewhere {
    lab: Lab,
    socket: PathBuf,
}

impl Elsewhere {
    fn of(bed: &Bed) -> Self {
        let output = bed.gitseal(&["agent", "forward-socket"]);
        let socket = String::from_utf8(output.stdout.clone()).unwrap();
        assert_eq!(Path::new(socket.trim()), bed.forward_socket(), "{}", said(&output));
        let lab = Lab::new();
        let here = lab.temp().join("home.sock");
        let listener = UnixListener::bind(&here).unwrap();
        std::thread::spawn(move || {
            for near in listener.incoming() {
                let (Ok(near), Ok(far)) = (near, UnixStream::connect(socket.trim())) else { return };
                copy(near.try_clone().unwrap(), far.try_clone().unwrap());
                copy(far, near);
            }
        });
        std::fs::write(lab.home().join("payload"), super::PAYLOAD).unwrap();
        Elsewhere { lab, socket: here }
    }

    /// Sign there: nothing of the home's settings, no token, and an agent that must do it.
    fn sign(&self, more: &[(&str, &str)]) -> Output {
        let mut command = self.lab.command(gitseal());
        command
            .args(["--status-fd=2", "-bsau", "x"])
            .env("GITSEAL_AGENT_SOCK", &self.socket)
            .envs(more.iter().copied());
        command.env("GITSEAL_AGENT", "require");
        command.stdin(std::fs::File::open(self.lab.home().join("payload")).unwrap());
        run(command)
    }

    fn ask(&self, request: &Value) -> Value {
        Talk::greeted(&self.socket).ask(request)
    }
}

fn copy(mut from: UnixStream, mut to: UnixStream) {
    std::thread::spawn(move || {
        let _ = io::copy(&mut from, &mut to);
        let _ = to.shutdown(Shutdown::Write);
    });
}

#[test]
fn it_signs_with_what_is_there_and_says_so_at_home() {
    let bed = Bed::new();
    bed.lab.allow_forwarding("public");
    let elsewhere = Elsewhere::of(&bed);

    // Nobody has logged in at home. A token that is there is of no use, and goes nowhere.
    for more in [&[][..], &[("SIGSTORE_ID_TOKEN", bed.token.as_str())]] {
        let output = elsewhere.sign(more);
        assert!(!output.status.success() && output.stdout.is_empty(), "{}", said(&output));
        let words = said(&output);
        assert!(words.contains("gitseal: error: the agent holds no credential"), "{words}");
        assert!(words.contains("gitseal: hint: log in on the agent's machine with 'gitseal login'"), "{words}");
    }
    assert!(said(&bed.gitseal(&["agent", "status"])).contains("the agent holds nothing"));

    let certificate = bed.signs();
    let output = elsewhere.sign(&[]);
    assert!(output.status.success(), "{}", said(&output));
    assert_eq!(bed.verifies(&output.stdout), certificate);
    let log = said(&bed.gitseal(&["agent", "log"]));
    let lines: Vec<&str> = log.lines().collect();
    assert!(lines.len() == 2 && !lines[0].contains("forwarded") && lines[1].ends_with(", forwarded"), "{log}");
    assert_eq!(said(&bed.gitseal(&["agent", "status"])).matches("2 signatures").count(), 1);
}

#[test]
fn it_does_nothing_else_fail() {
    let bed = Bed::new();
    bed.lab.allow_forwarding("public");
    let elsewhere = Elsewhere::of(&bed);
    bed.signs();
    assert!(elsewhere.ask(&sign()).get("signed").is_some(), "the twin of all that follow");
    for request in [
        json!({"login": {"scope": scope(), "token": bed.token}}),
        json!({"list": {}}),
        json!({"forget": {}}),
        json!({"lock": {"passphrase": "x"}}),
        json!({"unlock": {"passphrase": "x"}}),
        json!({"log": {}}),
        json!({"quit": {}}),
    ] {
        let answer = elsewhere.ask(&request);
        assert_eq!(code(&answer), "forbidden", "{request}");
        assert_eq!(answer["error"]["message"], "the forwarded socket signs, and does nothing else");
        // Not by following a request that is allowed, either.
        let mut talk = Talk::greeted(&elsewhere.socket);
        [&sign(), &request].into_iter().for_each(|request| talk.send(request));
        assert!(talk.hear().unwrap().get("signed").is_some());
        assert_eq!(code(&talk.hear().unwrap()), "forbidden", "{request}");
    }
    let home = Talk::greeted(&bed.socket()).ask(&json!({"list": {}}));
    assert_eq!(home["held"]["credentials"].as_array().unwrap().len(), 1, "all is as it was: {home}");

    // Only as those that have logged in, and by the client's own commands no more than by hand.
    let mut other = sign();
    other["sign"]["scope"]["identity"] = "bob@example.com".into();
    assert_eq!(code(&elsewhere.ask(&other)), "no-credential");
    for command in ["list", "log", "stop", "forget"] {
        let mut gitseal = elsewhere.lab.command(gitseal());
        gitseal.args(["agent", command]).env("GITSEAL_AGENT_SOCK", &elsewhere.socket);
        let output = run(gitseal);
        assert!(!output.status.success(), "{command}");
        assert!(said(&output).contains("the forwarded socket signs, and does nothing else"), "{}", said(&output));
    }
}

#[test]
fn it_signs_for_no_instance_that_was_not_allowed_fail() {
    let bed = Bed::new();
    let elsewhere = Elsewhere::of(&bed);
    bed.signs();
    let refused = |instance: &str| {
        let mut request = sign();
        request["sign"]["scope"]["instance"] = instance.into();
        let answer = elsewhere.ask(&request);
        assert_eq!(code(&answer), "forbidden", "{answer}");
        answer["error"]["message"].as_str().unwrap().replace(instance, "NAME")
    };
    // It is not told which instances there are at home.
    assert_eq!(refused("public"), refused("nonsuch"));
    let output = elsewhere.sign(&[]);
    assert!(!output.status.success() && output.stdout.is_empty());
    let words = said(&output);
    assert!(words.contains("the forwarded socket does not sign for the instance 'public'"), "{words}");
    assert!(words.contains("git config --global --add gitseal.forwardInstance public"), "{words}");

    // Allowed while it runs: it looks again after some seconds. Taken back, likewise.
    bed.lab.allow_forwarding("public");
    super::until("it has looked again", || elsewhere.ask(&sign()).get("signed").is_some());
    refused("nonsuch");
}

#[test]
fn a_crowd_elsewhere_keeps_nobody_out_at_home() {
    let bed = Bed::new();
    bed.start();
    let crowd: Vec<Talk> = (0..16).map(|_| Talk::greeted(&bed.forward_socket())).collect();
    let mut late = Talk::to(&bed.forward_socket());
    assert_eq!(code(&late.hear().expect("a word")), "busy");
    assert!(Talk::to(&bed.socket()).ask(&hello()).get("hello").is_some());
    // What the log remembers of a stranger's long words still fits into an answer.
    drop(crowd);
    bed.lab.allow_forwarding("public");
    bed.signs();
    let mut request = sign();
    let payload = request["sign"]["payloads"][0].clone();
    request["sign"]["payloads"] = vec![payload; 64].into();
    request["sign"]["context"]["repository"] = "\u{1}".repeat(4096).into();
    super::until("there is room again", || code(&Talk::to(&bed.forward_socket()).ask(&hello())) != "busy");
    assert!(Talk::greeted(&bed.forward_socket()).ask(&request).get("signed").is_some());
    let log = Talk::greeted(&bed.socket()).ask(&json!({"log": {}}));
    let count = log["log"].as_array().unwrap().len();
    assert!((30..64).contains(&count), "{count}");
    let output = bed.gitseal(&["agent", "log"]);
    assert!(output.status.success() && !output.stdout.contains(&1), "no raw control character reaches a terminal");
}
