//! The controlling terminal, to ask a person something: standard input carries git's payload and is never asked.
//!
//! It is opened by its name (POSIX.1-2017, General Terminal Interface), so it is there while git holds all three standard
//! streams, and it is not there in a job of CI. What was typed before a question is thrown away: a stray Enter is no
//! answer.

use std::fmt;
use std::fs::File;
use std::io::{self, Read as _, Write as _};

use thiserror::Error;
use zeroize::Zeroizing;

use super::streams::neutral;
use crate::repo::config::parse_boolean;

/// Longest answer, in bytes: a yes or a no, with room for what a confused person types.
const MAX_ANSWER_LEN: usize = 256;
/// Longest passphrase, in bytes: some twenty lines, so more is a file that was pasted by mistake.
pub const MAX_PASSPHRASE_LEN: usize = 1024;

/// Why there is no answer.
#[derive(Debug, Error)]
pub enum TerminalError {
    /// The terminal cannot be read, written or set.
    #[error("cannot use the terminal: {0}")]
    Io(#[from] io::Error),
    /// It was closed, or the person ended the input.
    #[error("the terminal was closed before there was an answer")]
    Closed,
    /// Ctrl-C, while a passphrase was asked for.
    #[error("interrupted")]
    Interrupted,
    /// More than anybody types.
    #[error("the answer is longer than {0} bytes")]
    TooLong(usize),
}

/// What was typed without being seen; wiped when dropped.
pub struct Passphrase(Zeroizing<Vec<u8>>);

impl Passphrase {
    /// Its bytes, as they were typed.
    #[must_use]
    pub fn expose(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Passphrase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Passphrase(redacted)")
    }
}

/// Whether the terminal of this session may be used at all: `GIT_TERMINAL_PROMPT=0` tells git and us to leave it alone.
#[must_use]
pub fn is_allowed() -> bool {
    let prompt = std::env::var_os("GIT_TERMINAL_PROMPT");
    prompt.is_none_or(|value| parse_boolean(Some(value.as_encoded_bytes())) != Some(false))
}

/// The controlling terminal, read and written.
pub struct Terminal {
    keyboard: File,
    screen: File,
}

impl Terminal {
    /// That of this session; `None` where there is none, or where it is not ours to use.
    #[must_use]
    pub fn open() -> Option<Self> {
        if !is_allowed() {
            return None;
        }
        let (keyboard, screen) = if cfg!(windows) { ("CONIN$", "CONOUT$") } else { ("/dev/tty", "/dev/tty") };
        // Without write access Windows refuses to change the mode of the keyboard.
        let keyboard = File::options().read(true).write(true).open(keyboard).ok()?;
        let screen = File::options().write(true).open(screen).ok()?;
        Some(Terminal { keyboard, screen })
    }

    /// Show a line, with nothing in it that a terminal would act on.
    ///
    /// # Errors
    /// The terminal is gone. A person who was not told has not been asked.
    pub fn show(&mut self, line: &str) -> Result<(), TerminalError> {
        Ok(self.screen.write_all(format!("{}\n", neutral(line)).as_bytes())?)
    }

    /// Ask, and take `y` or `yes` for a yes; all else, an empty line too, is a no. Ctrl-C ends this process: the
    /// terminal is as it was.
    ///
    /// # Errors
    /// There is no answer.
    pub fn agrees(&mut self, question: &str) -> Result<bool, TerminalError> {
        self.prompt(&format!("{question} [y/N] "))?;
        let mut answer = Vec::new();
        loop {
            match self.byte()? {
                None if answer.is_empty() => return Err(TerminalError::Closed),
                None | Some(b'\n' | b'\r') => break,
                Some(byte) => answer.push(byte),
            }
            if answer.len() > MAX_ANSWER_LEN {
                return Err(TerminalError::TooLong(MAX_ANSWER_LEN));
            }
        }
        let answer = answer.trim_ascii();
        Ok(answer.eq_ignore_ascii_case(b"y") || answer.eq_ignore_ascii_case(b"yes"))
    }

    /// Ask for a passphrase, which is not shown.
    ///
    /// While it is typed, no key raises a signal: Ctrl-C comes as a byte and means the same, so nothing that a person
    /// does can leave the terminal mute. The keys that edit a line are ours for that time.
    ///
    /// # Errors
    /// There is none, or the terminal cannot be kept from showing it.
    pub fn passphrase(&mut self, prompt: &str) -> Result<Passphrase, TerminalError> {
        let mute = Mute::set(&self.keyboard)?;
        self.prompt(prompt)?;
        let typed = self.typed();
        drop(mute);
        // The Enter was not shown either.
        self.screen.write_all(b"\n")?;
        typed
    }

    fn typed(&mut self) -> Result<Passphrase, TerminalError> {
        // All of the room at once: a vector that grows leaves copies behind that nobody wipes.
        let mut typed = Zeroizing::new(Vec::with_capacity(MAX_PASSPHRASE_LEN));
        loop {
            match self.byte()? {
                Some(b'\n' | b'\r') => return Ok(Passphrase(typed)),
                None | Some(END_OF_INPUT) => return Err(TerminalError::Closed),
                Some(INTERRUPT) => return Err(TerminalError::Interrupted),
                Some(BACKSPACE | DELETE) => erase(&mut typed),
                Some(KILL_LINE) => typed.clear(),
                Some(control) if control < b' ' => {}
                Some(_) if typed.len() == MAX_PASSPHRASE_LEN => {
                    return Err(TerminalError::TooLong(MAX_PASSPHRASE_LEN));
                }
                Some(byte) => typed.push(byte),
            }
        }
    }

    fn prompt(&mut self, text: &str) -> Result<(), TerminalError> {
        #[cfg(unix)]
        rustix::termios::tcflush(&self.keyboard, rustix::termios::QueueSelector::IFlush).map_err(io::Error::from)?;
        Ok(self.screen.write_all(neutral(text).as_bytes())?)
    }

    /// The next byte, at the end of the input `None`.
    fn byte(&mut self) -> Result<Option<u8>, TerminalError> {
        let mut byte = Zeroizing::new([0]);
        loop {
            match self.keyboard.read(&mut byte[..]) {
                Ok(0) => return Ok(None),
                Ok(_) => return Ok(Some(byte[0])),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error.into()),
            }
        }
    }
}

/// Ctrl-C, Ctrl-D, Ctrl-H, DEL and Ctrl-U, as terminals send them.
const INTERRUPT: u8 = 3;
const END_OF_INPUT: u8 = 4;
const BACKSPACE: u8 = 8;
const DELETE: u8 = 127;
const KILL_LINE: u8 = 21;

/// Take the last character away, all bytes of it (UTF-8).
fn erase(typed: &mut Vec<u8>) {
    while let Some(byte) = typed.pop() {
        if byte & 0b1100_0000 != 0b1000_0000 {
            break;
        }
    }
}

/// A terminal that shows nothing and raises no signals, until this is dropped.
#[cfg(unix)]
struct Mute {
    keyboard: File,
    before: rustix::termios::Termios,
}

#[cfg(unix)]
impl Mute {
    fn set(keyboard: &File) -> Result<Self, TerminalError> {
        use rustix::termios::{LocalModes, OptionalActions, SpecialCodeIndex, tcgetattr, tcsetattr};
        let before = tcgetattr(keyboard).map_err(io::Error::from)?;
        let mut mute = before.clone();
        mute.local_modes.remove(LocalModes::ECHO | LocalModes::ECHONL | LocalModes::ICANON | LocalModes::ISIG);
        // Without lines, a read waits for one byte and for no time.
        mute.special_codes[SpecialCodeIndex::VMIN] = 1;
        mute.special_codes[SpecialCodeIndex::VTIME] = 0;
        let mute_keyboard = Mute { keyboard: keyboard.try_clone()?, before };
        tcsetattr(keyboard, OptionalActions::Flush, &mute).map_err(io::Error::from)?;
        Ok(mute_keyboard)
    }
}

#[cfg(unix)]
impl Drop for Mute {
    fn drop(&mut self) {
        // A terminal that is gone needs no mode.
        let _ = rustix::termios::tcsetattr(&self.keyboard, rustix::termios::OptionalActions::Flush, &self.before);
    }
}

/// Windows has another way to mute a console, which needs `unsafe`: no passphrase is asked for there.
#[cfg(not(unix))]
struct Mute;

#[cfg(not(unix))]
impl Mute {
    fn set(_: &File) -> Result<Self, TerminalError> {
        Err(io::Error::from(io::ErrorKind::Unsupported).into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_character_is_erased_whole() {
        for (typed, left) in [("", ""), ("ab", "a"), ("aé", "a"), ("日", "")] {
            let mut typed = typed.as_bytes().to_vec();
            erase(&mut typed);
            assert_eq!(typed, left.as_bytes());
        }
    }

    #[test]
    fn a_passphrase_shows_nothing_of_itself() {
        assert_eq!(format!("{:?}", Passphrase(Zeroizing::new(b"x".to_vec()))), "Passphrase(redacted)");
    }
}
