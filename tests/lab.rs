//! A place to run git in: an empty home, the built program first in `PATH`, and a sandbox of its own for as long as the
//! command runs.
//!
//! Nothing of the caller's environment comes along, so a developer's git configuration decides nothing here. The command
//! has no terminal (`setsid`): what gitseal says to people lands on stderr, where a test can read it.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

/// Who signs, unless a test says otherwise: the sandbox's token names this address.
pub(crate) const ALICE: &str = "alice@example.com";

/// A session that takes longer hangs: the slowest waits some seconds for a fault to time out.
const SESSION_LIMIT: Duration = Duration::from_secs(180);

const GIT_CONFIG: &str = "\
[user]
\tname = Alice
\temail = alice@example.com
[init]
\tdefaultBranch = main
[advice]
\tdetachedHead = false
[protocol \"file\"]
\tallow = always
";

/// The built program.
pub(crate) fn gitseal() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_gitseal"))
}

/// A fresh home, deleted with the value; `GITSEAL_KEEP=1` keeps it for a look.
pub(crate) struct Lab {
    root: tempfile::TempDir,
}

impl Lab {
    pub(crate) fn new() -> Self {
        let mut root = tempfile::Builder::new().prefix("gitseal-lab").tempdir().unwrap();
        root.disable_cleanup(std::env::var_os("GITSEAL_KEEP").is_some());
        let lab = Self { root };
        for folder in [lab.home(), lab.temp(), lab.sandbox()] {
            std::fs::create_dir(folder).unwrap();
        }
        std::fs::write(lab.home().join(".gitconfig"), GIT_CONFIG).unwrap();
        lab
    }

    pub(crate) fn home(&self) -> PathBuf {
        self.root.path().join("home")
    }

    /// `TMPDIR` of everything that runs here: what is left in it was left behind.
    pub(crate) fn temp(&self) -> PathBuf {
        self.root.path().join("tmp")
    }

    /// The sandbox's log and keys; they outlive one command, so that the next finds the same instance.
    pub(crate) fn sandbox(&self) -> PathBuf {
        self.root.path().join("sandbox")
    }

    /// What the sandbox was asked for, one request a line.
    pub(crate) fn requests(&self) -> PathBuf {
        self.root.path().join("requests")
    }

    /// Let the agent in this home sign for `instance` through its forwarded socket.
    pub(crate) fn allow_forwarding(&self, instance: &str) {
        let mut config = std::fs::read_to_string(self.home().join(".gitconfig")).unwrap();
        config.push_str(&format!("[gitseal]\n\tforwardInstance = {instance}\n"));
        std::fs::write(self.home().join(".gitconfig"), config).unwrap();
    }

    /// A command in this home, without a sandbox and without a terminal.
    pub(crate) fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = Command::new("setsid");
        command.arg(program).current_dir(self.home()).env_clear().stdin(Stdio::null());
        let own = gitseal().parent().unwrap().to_str().unwrap();
        let path = std::env::var("PATH").unwrap_or_default();
        command
            .env("PATH", format!("{own}:{path}"))
            .env("HOME", self.home())
            .env("TMPDIR", self.temp())
            .env("LC_ALL", "C.UTF-8")
            .env("TZ", "UTC")
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .env("GIT_TERMINAL_PROMPT", "0");
        command
    }

    /// `bash SCRIPT` in this home, inside the sandbox.
    pub(crate) fn in_sandbox(&self, script: &Path) -> Command {
        if std::env::var_os("LAB_FAKE").is_some() {
            let mut c = self.command("bash");
            c.arg(script);
            return c;
        }
        let mut command = self.command(gitseal());
        command.args(["sandbox", "run", "--identity", ALICE, "--dir"]).arg(self.sandbox());
        command.arg("--request-log").arg(self.requests());
        command.arg("--").arg("bash").arg(script);
        command
    }

    /// Runs shell text inside the sandbox and returns its output; a failure of the text is a failure of the test.
    #[track_caller]
    pub(crate) fn shell(&self, text: &str) -> String {
        let script = self.root.path().join("shell");
        std::fs::write(&script, format!("set -euo pipefail\n{text}\n")).unwrap();
        let output = run(self.in_sandbox(&script));
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
        said
    }
}

/// Runs a command to its end, or ends it: a hang is a failure with a name.
#[track_caller]
pub(crate) fn run(mut command: Command) -> Output {
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let id = child.id();
    let (sender, receiver) = std::sync::mpsc::channel();
    let waiter = std::thread::spawn(move || {
        let output = child.wait_with_output();
        sender.send(()).ok();
        output
    });
    let started = Instant::now();
    if receiver.recv_timeout(SESSION_LIMIT).is_err() {
        // `setsid` made it the leader of a group: the whole of it goes, and nobody else.
        Command::new("kill").args(["-KILL", "--", &format!("-{id}")]).status().ok();
        let output = waiter.join().unwrap().unwrap();
        panic!("still running after {:?}\n{}", started.elapsed(), String::from_utf8_lossy(&output.stdout));
    }
    waiter.join().unwrap().unwrap()
}
