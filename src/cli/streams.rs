//! What people see: notes, warnings, errors and hints, on the terminal if there is one, else on stderr.
//!
//! Certificates, refs and author names come from strangers, so nothing reaches a terminal before [`neutral`] has taken
//! the control characters out of it. While signing, git holds all three standard streams; then the controlling
//! terminal is opened, because git before 2.40 keeps a failing signer's stderr to itself.

use std::borrow::Cow;
use std::collections::HashSet;
use std::fmt::Write as _;
use std::fs::File;
use std::io::{self, IsTerminal as _, Write};
use std::sync::mpsc;
use std::time::Duration;

use super::terminal;

/// Where messages for people go.
pub struct Streams {
    people: Box<dyn Write>,
    is_terminal: bool,
    colour: bool,
    /// What has been said: the same advice for each of a hundred commits would bury the rest.
    said: HashSet<String>,
}

impl Streams {
    /// For commands that people start, and for verifying: git shows a verifier's stderr in the right place itself.
    #[must_use]
    pub fn stderr() -> Self {
        Streams::new(Box::new(io::stderr()), io::stderr().is_terminal())
    }

    /// For signing under git: stderr if it is a terminal, else the controlling terminal, else stderr after all.
    #[must_use]
    pub fn terminal() -> Self {
        if io::stderr().is_terminal() {
            return Streams::stderr();
        }
        match controlling_terminal() {
            Some(terminal) => Streams::new(Box::new(terminal), true),
            None => Streams::stderr(),
        }
    }

    fn new(people: Box<dyn Write>, is_terminal: bool) -> Self {
        Streams { people, is_terminal, colour: colour_wanted(is_terminal), said: HashSet::new() }
    }

    /// Whether somebody looks at them now.
    #[must_use]
    pub fn is_terminal(&self) -> bool {
        self.is_terminal
    }

    /// A drawing of block characters, such as a QR code: black on white where there is colour, whatever the terminal's
    /// own are, as a camera wants it.
    pub fn drawing(&mut self, rows: &[String]) {
        for row in rows {
            let row = neutral(row);
            let row = if self.colour { format!("{BLACK_ON_WHITE}{row}{PLAIN}\n") } else { format!("{row}\n") };
            let _ = self.people.write_all(row.as_bytes());
        }
    }

    /// Something worth knowing.
    pub fn note(&mut self, text: &str) {
        self.line("", None, text);
    }

    /// Something that should not stay as it is; said once in a run.
    pub fn warning(&mut self, text: &str) {
        if !self.said.insert(text.to_owned()) {
            return;
        }
        self.line("gitseal: warning: ", Some(YELLOW), text);
    }

    /// What went wrong.
    pub fn error(&mut self, text: &str) {
        self.line("gitseal: error: ", Some(RED), text);
    }

    /// What to do about it; said once in a run.
    pub fn hint(&mut self, text: &str) {
        if !self.said.insert(text.to_owned()) {
            return;
        }
        self.line("gitseal: hint: ", Some(CYAN), text);
    }

    fn line(&mut self, label: &str, colour: Option<&str>, text: &str) {
        let text = neutral(text);
        let line = match colour {
            Some(colour) if self.colour => format!("{colour}{label}{PLAIN}{text}\n"),
            _ => format!("{label}{text}\n"),
        };
        // A closed stderr must not keep a verdict from git, which reads another stream.
        let _ = self.people.write_all(line.as_bytes());
    }
}

/// Longer than this nobody waits without wondering for what.
const PATIENCE: Duration = Duration::from_secs(1);

/// Do `work`, and say what is being done on stderr if it takes longer than a second.
pub fn with_patience<T>(doing: &str, work: impl FnOnce() -> T) -> T {
    let (done, waiting) = mpsc::channel::<()>();
    std::thread::scope(|scope| {
        scope.spawn(move || {
            if waiting.recv_timeout(PATIENCE) == Err(mpsc::RecvTimeoutError::Timeout) {
                Streams::stderr().note(doing);
            }
        });
        let result = work();
        drop(done);
        result
    })
}

pub(super) const RED: &str = "\x1b[31m";
pub(super) const YELLOW: &str = "\x1b[33m";
const BLACK_ON_WHITE: &str = "\x1b[38;5;16;48;5;231m";
const CYAN: &str = "\x1b[36m";
pub(super) const PLAIN: &str = "\x1b[m";

/// Whether what goes to a terminal, or not, should be coloured.
pub(super) fn colour_wanted(is_terminal: bool) -> bool {
    let set = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    is_terminal && !set("NO_COLOR") && std::env::var_os("TERM").is_none_or(|term| term != "dumb")
}

/// The terminal of this session, to write on.
fn controlling_terminal() -> Option<File> {
    let device = if cfg!(windows) { "CONOUT$" } else { "/dev/tty" };
    if terminal::is_allowed() { File::options().write(true).open(device).ok() } else { None }
}

/// `text` with every character that a terminal might act on, or that reorders or hides others, spelled out as
/// `\u{202e}`. A newline is one of them: one message is one line.
#[must_use]
pub fn neutral(text: &str) -> Cow<'_, str> {
    if !text.chars().any(is_dangerous) {
        return Cow::Borrowed(text);
    }
    let mut safe = String::with_capacity(text.len() + 16);
    for character in text.chars() {
        if is_dangerous(character) {
            let _ = write!(safe, "{}", character.escape_unicode());
        } else {
            safe.push(character);
        }
    }
    Cow::Owned(safe)
}

/// Control characters (C0, DEL, C1), the format characters of Unicode that move or hide text, and the two that XML has no
/// way to write.
fn is_dangerous(character: char) -> bool {
    character.is_control()
        || matches!(character,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}'
            | '\u{fffe}'..='\u{ffff}' | '\u{e0000}'..='\u{e0fff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_a_terminal_acts_on_survives() {
        for (raw, safe) in [
            ("alice@example.com", "alice@example.com"),
            ("jörg 日本 §", "jörg 日本 §"),
            ("\x1b[2Jx", "\\u{1b}[2Jx"),
            ("a\nb\r", "a\\u{a}b\\u{d}"),
            ("\u{202e}moc", "\\u{202e}moc"),
            ("\u{9b}31m", "\\u{9b}31m"),
            ("a\u{200b}b\0", "a\\u{200b}b\\u{0}"),
        ] {
            assert_eq!(neutral(raw), safe);
        }
    }
}
