//! The controlling terminal, played by `script` (util-linux): what is asked there, what is shown, and how it is left.
//!
//! The asking side is this test binary once more: `child` does what the variable says, on the terminal it finds.

use std::io::{Read as _, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use gitseal::cli::terminal::{MAX_PASSPHRASE_LEN, Terminal, TerminalError};

use crate::lab::Lab;

/// A person waits no longer for a prompt.
const PATIENCE: Duration = Duration::from_secs(60);

/// Shell text that runs on a terminal of its own, and the person in front of it.
pub(crate) struct Person {
    child: Child,
    keyboard: ChildStdin,
    screen: Receiver<Vec<u8>>,
    seen: String,
}

impl Person {
    /// Have bash run `text` in the lab's home.
    pub(crate) fn watching(lab: &Lab, text: &str) -> Self {
        let script = lab.temp().join("on-terminal");
        std::fs::write(&script, format!("{text}\n")).unwrap();
        Person::of(lab.command("script"), &format!("bash '{}'", script.display()))
    }

    /// The same, inside the sandbox.
    pub(crate) fn in_sandbox(lab: &Lab, text: &str) -> Self {
        let script = lab.temp().join("on-terminal");
        std::fs::write(&script, format!("{text}\n")).unwrap();
        // `script` makes a session of its own: the program that the lab's command starts is enough.
        let command = lab.in_sandbox(&script);
        let words: Vec<String> = command.get_args().map(|word| format!("'{}'", word.to_str().unwrap())).collect();
        Person::of(lab.command("script"), &words.join(" "))
    }

    fn of(mut script: Command, command: &str) -> Self {
        script.args(["--quiet", "--return", "--flush", "--command", command, "/dev/null"]);
        script.env_remove("GIT_TERMINAL_PROMPT").env("TERM", "dumb").stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = script.spawn().unwrap();
        let keyboard = child.stdin.take().unwrap();
        let mut output = child.stdout.take().unwrap();
        let (sender, screen) = channel();
        std::thread::spawn(move || {
            let mut room = [0; 4096];
            while let Ok(count @ 1..) = output.read(&mut room) {
                if sender.send(room[..count].to_vec()).is_err() {
                    break;
                }
            }
        });
        Person { child, keyboard, screen, seen: String::new() }
    }

    /// Wait until `text` is on the screen, after what was waited for before.
    #[track_caller]
    pub(crate) fn sees(&mut self, text: &str) {
        let deadline = Instant::now() + PATIENCE;
        while !self.seen.contains(text) {
            match self.screen.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                Ok(more) => self.seen.push_str(&String::from_utf8_lossy(&more)),
                Err(_) => {
                    self.child.kill().ok();
                    panic!("no {text:?} on the screen:\n{}", self.seen);
                }
            }
        }
    }

    /// Type this.
    pub(crate) fn types(&mut self, keys: &[u8]) {
        self.keyboard.write_all(keys).unwrap();
        self.keyboard.flush().unwrap();
    }

    /// Wait for the end; all that was on the screen, and how it ended.
    pub(crate) fn leaves(mut self) -> (String, ExitStatus) {
        let deadline = Instant::now() + PATIENCE;
        while let Ok(more) = self.screen.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
            self.seen.push_str(&String::from_utf8_lossy(&more));
        }
        self.child.kill().ok();
        let status = self.child.wait().unwrap();
        (self.seen, status)
    }
}

/// Shell words that run `name`, an ignored test of this binary, as a program.
pub(crate) fn own_program(name: &str) -> String {
    let own = std::env::current_exe().unwrap();
    format!("'{}' --quiet --ignored --exact --nocapture {name}", own.display())
}

/// Ask for what `ASK` says, and write the outcome to the file `OUTCOME`.
#[test]
#[ignore = "the asking side of the tests below, started by them"]
fn child() {
    let outcome = |text: &[u8]| std::fs::write(std::env::var_os("OUTCOME").unwrap(), text).unwrap();
    let Some(mut terminal) = Terminal::open() else { return outcome(b"no terminal") };
    match std::env::var("ASK").unwrap().as_str() {
        "question" => match terminal.agrees("Is that so?") {
            Ok(yes) => outcome(if yes { b"yes" } else { b"no" }),
            Err(error) => outcome(error.to_string().as_bytes()),
        },
        _ => match terminal.passphrase("Passphrase: ") {
            Ok(passphrase) => outcome(passphrase.expose()),
            Err(TerminalError::Interrupted) => outcome(b"interrupted"),
            Err(error) => outcome(error.to_string().as_bytes()),
        },
    }
}

/// What the child made of `keys`, what was on the screen, and the settings of the terminal afterwards.
fn asked(what: &str, prompt: &str, keys: &[u8]) -> (String, String, String) {
    let lab = Lab::new();
    let outcome = lab.temp().join("outcome");
    let text = format!(
        "ASK={what} OUTCOME='{}' {}; stty -a </dev/tty >'{}'; echo end",
        outcome.display(),
        own_program("terminal::child"),
        lab.temp().join("modes").display()
    );
    let mut person = Person::watching(&lab, &text);
    person.sees(prompt);
    person.types(keys);
    person.sees("end");
    let (screen, _) = person.leaves();
    let read = |path: &Path| std::fs::read_to_string(path).unwrap();
    (read(&outcome), screen, read(&lab.temp().join("modes")))
}

fn answer(keys: &[u8]) -> String {
    asked("question", "Is that so? [y/N] ", keys).0
}

#[test]
fn only_a_yes_is_a_yes() {
    for yes in ["y\n", "Yes\n", " yes \n"] {
        assert_eq!(answer(yes.as_bytes()), "yes", "{yes:?}");
    }
    for no in ["\n", "n\n", "yess\n", "y y\n", "1\n"] {
        assert_eq!(answer(no.as_bytes()), "no", "{no:?}");
    }
}

#[test]
fn no_answer_is_not_a_no() {
    assert_eq!(answer(b"\x04"), "the terminal was closed before there was an answer");
    assert_eq!(answer(format!("{}\n", "y".repeat(300)).as_bytes()), "the answer is longer than 256 bytes");
}

#[test]
fn a_passphrase_is_typed_unseen() {
    let (passphrase, screen, modes) =
        asked("passphrase", "Passphrase: ", b"wrong\x15t0p\x01 sekrx\x7f\xc3\xa9\x7fet\n");
    assert_eq!(passphrase, "t0p sekret");
    for part in ["wrong", "t0p", "sek", "et\r"] {
        assert!(!screen.contains(part), "{part} was shown:\n{screen}");
    }
    assert_spoken(&modes);
}

#[test]
fn ctrl_c_at_a_passphrase_leaves_the_terminal_as_it_was() {
    let (outcome, _, modes) = asked("passphrase", "Passphrase: ", b"sek\x03");
    assert_eq!(outcome, "interrupted");
    assert_spoken(&modes);
    let (outcome, _, modes) = asked("passphrase", "Passphrase: ", b"sek\x04");
    assert_eq!(outcome, "the terminal was closed before there was an answer");
    assert_spoken(&modes);
}

#[test]
fn a_passphrase_has_a_bound() {
    let long = "x".repeat(MAX_PASSPHRASE_LEN);
    assert_eq!(asked("passphrase", "Passphrase: ", format!("{long}\n").as_bytes()).0, long);
    let (outcome, _, modes) = asked("passphrase", "Passphrase: ", format!("{long}x\n").as_bytes());
    assert_eq!(outcome, "the answer is longer than 1024 bytes");
    assert_spoken(&modes);
}

/// The terminal shows what is typed, by lines, and its keys raise signals.
#[track_caller]
fn assert_spoken(modes: &str) {
    for mode in ["echo", "icanon", "isig"] {
        assert!(modes.split_whitespace().any(|word| word == mode), "{mode}: {modes}");
    }
}

#[test]
fn without_a_terminal_nobody_is_asked() {
    let lab = Lab::new();
    let outcome = lab.temp().join("outcome");
    let ask = format!("ASK=question OUTCOME='{}' {}", outcome.display(), own_program("terminal::child"));
    let text = |text: &str| {
        let script = lab.temp().join("script");
        std::fs::write(&script, text).unwrap();
        script
    };
    // No terminal at all (the lab's commands have none), then one that is not ours to use.
    let mut command = lab.command("bash");
    command.arg(text(&ask)).env_remove("GIT_TERMINAL_PROMPT");
    assert!(crate::lab::run(command).status.success());
    assert_eq!(std::fs::read_to_string(&outcome).unwrap(), "no terminal");
    std::fs::remove_file(&outcome).unwrap();
    let (_, status) = Person::watching(&lab, &format!("export GIT_TERMINAL_PROMPT=0; {ask}")).leaves();
    assert!(status.success());
    assert_eq!(std::fs::read_to_string(&outcome).unwrap(), "no terminal");
}
