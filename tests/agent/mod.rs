//! The agent under abuse, from outside: the real program and a real sandbox, strangers' directories and sockets, broken
//! frames, clocks that jump, processes that are killed, machines that forward its socket, and a look into its memory.
//!
//! Processes are looked at through /proc, so all of this is for Linux. Being another user and reading another process's
//! memory takes root; without it those tests are passed over aloud.

#![cfg(all(feature = "sandbox", target_os = "linux"))]

mod clock;
mod forwarded;
mod interrupted;
mod locked;
mod memory;
mod place;
mod wire;

use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use gitseal::entity::SignerKey;
use gitseal::entity::cms::from_cms;
use gitseal::format::cms::SignedData;
use gitseal::format::git::decode_armour;
use gitseal::format::x509::Certificate;
use gitseal::sandbox::{Options, Running, Sandbox};
use gitseal::trust::Instance;
use gitseal::verify::{Requirements, Verifier, content};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::lab::{ALICE, Lab, gitseal, run};

const PAYLOAD: &[u8] = b"tree 4b825dc642cb6eb9a060e54bf8d69288fbee4904\n\
author A <a@example.com> 1700000000 +0000\ncommitter A <a@example.com> 1700000000 +0000\n\nmessage\n";
/// What a thing that should happen at once may take on a loaded machine.
const PATIENCE: Duration = Duration::from_secs(30);

/// A home, a sandbox in this process, whose faults can be changed meanwhile, and at most one agent, which ends with it.
struct Bed {
    lab: Lab,
    sandbox: Running,
    token: String,
}

impl Bed {
    fn new() -> Self {
        Bed::with(Options::default())
    }

    /// Of the options the identity does not count.
    fn with(options: Options) -> Self {
        let lab = Lab::new();
        let folder = lab.sandbox();
        let (send, receive) = mpsc::channel();
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let options = Options { identity: ALICE.into(), ..options };
                send.send(Sandbox::start(&folder, options).await.unwrap()).unwrap();
                std::future::pending::<()>().await;
            });
        });
        let sandbox = receive.recv().unwrap();
        std::fs::write(lab.home().join("payload"), PAYLOAD).unwrap();
        let token = sandbox.token(ALICE, SignedDuration::from_hours(1));
        Bed { lab, sandbox, token }
    }

    fn faults(&self, rules: &[&str]) {
        self.sandbox.set_faults(rules.iter().map(|rule| rule.parse().unwrap()).collect());
    }

    /// A command in the home, whose gitseal finds sandbox and agent, and nobody to sign as.
    fn command_of_nobody(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = self.lab.command(program);
        command.envs(self.sandbox.variables().iter().map(|variable| (variable.name, &variable.value)));
        command.env_remove("GITSEAL_ID_TOKEN_FILE");
        command
    }

    /// The same with a token of Alice.
    fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = self.command_of_nobody(program);
        command.env("SIGSTORE_ID_TOKEN", &self.token);
        command
    }

    fn gitseal(&self, arguments: &[&str]) -> Output {
        let mut command = self.command_of_nobody(gitseal());
        command.args(arguments);
        run(command)
    }

    /// What git asks for, with the payload.
    fn signer(&self, mut command: Command) -> Command {
        command.args(["--status-fd=2", "-bsau", "x"]);
        command.stdin(std::fs::File::open(self.lab.home().join("payload")).unwrap());
        command
    }

    /// Sign as whoever there is a credential or a token of.
    fn sign(&self) -> Output {
        run(self.signer(self.command(gitseal())))
    }

    /// The same where it must succeed: the certificate.
    #[track_caller]
    fn signs(&self) -> Certificate {
        let output = self.sign();
        assert!(output.status.success(), "{}", said(&output));
        self.verifies(&output.stdout)
    }

    /// The certificate of a signature that verifies.
    #[track_caller]
    fn verifies(&self, armour: &[u8]) -> Certificate {
        let (der, _) = decode_armour(armour).unwrap();
        let message = SignedData::parse(&der).unwrap();
        content::check(&message, PAYLOAD).unwrap();
        let entity = from_cms(&message).unwrap();
        let verifier = Verifier::new(self.instance().trusted_root);
        verifier.verify(&entity, Requirements::default(), Timestamp::now()).unwrap();
        match entity.material.signer {
            SignerKey::Certificate(certificate) => *certificate,
            _ => panic!("no certificate"),
        }
    }

    fn instance(&self) -> Instance {
        let read = |name: &str| std::fs::read(self.sandbox.dir().join(name)).unwrap();
        Instance::from_documents("public", &read("trusted_root.json"), &read("signing_config.json"), Timestamp::now())
            .unwrap()
    }

    fn directory(&self) -> PathBuf {
        self.lab.sandbox().join("agent")
    }

    fn socket(&self) -> PathBuf {
        self.directory().join("agent.sock")
    }

    fn forward_socket(&self) -> PathBuf {
        self.directory().join("forward.sock")
    }

    /// Start the agent; its process.
    #[track_caller]
    fn start(&self) -> u32 {
        let output = self.gitseal(&["agent", "start"]);
        assert!(output.status.success(), "{}", said(&output));
        self.pid()
    }

    fn pid(&self) -> u32 {
        let hello = Talk::to(&self.socket()).ask(&hello());
        u32::try_from(hello["hello"]["pid"].as_u64().unwrap()).unwrap()
    }

    /// The digests of what the agent has signed.
    fn log_len(&self) -> usize {
        Talk::greeted(&self.socket()).ask(&json!({"log": {}}))["log"].as_array().unwrap().len()
    }
}

impl Drop for Bed {
    fn drop(&mut self) {
        if self.socket().exists() {
            let mut quit = self.command_of_nobody(gitseal());
            quit.args(["agent", "stop"]).stdout(Stdio::null()).stderr(Stdio::null()).status().ok();
        }
    }
}

/// One connection, spoken by hand.
struct Talk(UnixStream);

impl Talk {
    fn to(socket: &Path) -> Self {
        let stream = UnixStream::connect(socket).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_write_timeout(Some(PATIENCE)).unwrap();
        Talk(stream)
    }

    fn greeted(socket: &Path) -> Self {
        let mut talk = Talk::to(socket);
        assert_eq!(talk.ask(&hello())["hello"]["version"], 1);
        talk
    }

    fn send(&mut self, message: &Value) {
        self.0.write_all(&frame(message.to_string().as_bytes())).unwrap();
    }

    /// The next response; `None` when the agent has hung up.
    fn hear(&mut self) -> Option<Value> {
        let mut header = [0; 4];
        self.0.read_exact(&mut header).ok()?;
        let mut body = vec![0; u32::from_be_bytes(header) as usize];
        self.0.read_exact(&mut body).unwrap();
        Some(serde_json::from_slice(&body).unwrap())
    }

    #[track_caller]
    fn ask(&mut self, message: &Value) -> Value {
        self.send(message);
        self.hear().expect("an answer")
    }
}

fn frame(body: &[u8]) -> Vec<u8> {
    [&u32::try_from(body.len()).unwrap().to_be_bytes(), body].concat()
}

fn hello() -> Value {
    json!({"hello": {"version": 1}})
}

/// A digest of nobody's settings.
const SETTINGS: &str = "00000000000000000000000000000000000000000000000000000000000000aa";

fn scope() -> Value {
    json!({"instance": "public", "settings": SETTINGS})
}

/// A request for a signature of [`PAYLOAD`].
fn sign() -> Value {
    let digest = gitseal::crypto::digest::hex(&gitseal::crypto::sha256(PAYLOAD));
    json!({"sign": {"scope": scope(), "payloads": [{"digest": digest}], "context": {"kind": "commit"}}})
}

/// The code of an error; empty, if it is none.
fn code(answer: &Value) -> &str {
    answer["error"]["code"].as_str().unwrap_or_default()
}

fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

fn kill(signal: &str, pid: u32) {
    assert!(Command::new("kill").args([&format!("-{signal}"), &pid.to_string()]).status().unwrap().success());
}

#[track_caller]
fn until(what: &str, mut done: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !done() {
        assert!(Instant::now() < deadline, "not within {PATIENCE:?}: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn is_alive(pid: u32) -> bool {
    // One that nobody has waited for yet has ended as well.
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with(['Z', 'X']))
}

/// A test that cannot be made here is passed over aloud, and fails where it must not be.
fn skip(why: &str) {
    assert!(std::env::var("CI").as_deref() != Ok("true"), "skipped, with CI=true: {why}");
    eprintln!("SKIPPED: {why}");
}

fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// A child that is ended with the value.
struct Ended(Child);

impl Drop for Ended {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
