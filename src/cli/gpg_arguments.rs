//! The command line of a signature program: what git, jj and others write (git gpg-interface.c, jj gpg_signing.rs,
//! gpg(1), gitsign's root command).
//!
//! Read by hand, so that git never waits for the command line of people to be built. What cannot change the result is
//! accepted and forgotten; an option that is not known is an error, since it may have asked for a check we do not make.

use std::ffi::{OsStr, OsString};
use std::path::PathBuf;

use thiserror::Error;

/// What the caller wants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GpgRequest {
    /// Make a detached signature.
    Sign {
        /// What to sign.
        payload: Input,
        /// PEM, or DER.
        encoding: Encoding,
        /// Where SIG_CREATED goes.
        status: StatusFd,
    },
    /// Judge a detached signature.
    Verify {
        /// The signature.
        signature: Input,
        /// What it signs.
        payload: Input,
        /// Where the verdict goes.
        status: StatusFd,
    },
    /// `--version`.
    Version,
    /// `--help`.
    Help,
}

/// Where bytes come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Input {
    /// Standard input.
    Stdin,
    /// A file.
    File(PathBuf),
}

/// How a signature is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    /// `-----BEGIN SIGNED MESSAGE-----`, which is what git takes.
    Armor,
    /// DER.
    Binary,
}

/// Where status lines go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum StatusFd {
    /// Nowhere.
    #[default]
    None,
    /// An open file descriptor.
    Number(u16),
}

/// Why a command line is not one.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ArgumentError {
    /// Nobody knows it.
    #[error("unknown option '{0}'")]
    Unknown(String),
    /// It needs a value, and the line ends.
    #[error("option '{0}' needs a value")]
    NoValue(String),
    /// It takes none.
    #[error("option '{0}' takes no value")]
    StrayValue(String),
    /// Not a number, or standard input.
    #[error("'{0}' is not a file descriptor that can be written to")]
    BadFd(String),
    /// Neither or both of sign and verify.
    #[error("'{0}' and '{1}' exclude each other")]
    Conflict(&'static str, &'static str),
    /// Neither signing nor verifying was asked for.
    #[error("nothing to do: neither signing nor verifying was asked for")]
    NoAction,
    /// `--sign` without `--detach-sign`.
    #[error("only detached signatures are made")]
    Attached,
    /// `--verify SIG`, where gpg would expect an attached signature.
    #[error("only detached signatures are judged, and the data is missing")]
    NoData,
    /// More operands than the action takes.
    #[error("unexpected operand '{0}'")]
    Operand(String),
    /// Both the signature and the data from standard input.
    #[error("the signature and the data cannot both come from standard input")]
    StdinTwice,
}

impl ArgumentError {
    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> &'static str {
        match self {
            ArgumentError::Attached => "add --detach-sign; git signs with 'gitseal --status-fd=2 -bsau KEY'",
            ArgumentError::NoData | ArgumentError::StdinTwice => "give both: gitseal --verify SIGNATURE DATA",
            ArgumentError::Unknown(option) if option == "-d" || option == "--decrypt" || option == "--encrypt" => {
                "gitseal signs and verifies; set it as gpg.x509.program, not as gpg.program of another tool"
            }
            _ => "see 'gitseal --help' and gitseal-protocol(7)",
        }
    }
}

/// What one option does.
enum Action {
    Sign,
    Detach,
    Armor,
    Verify,
    LocalUser,
    StatusFd,
    Version,
    Help,
    /// Takes no value and changes nothing.
    Nothing,
    /// Takes a value and changes nothing.
    Forget,
}

/// Options by long name. The last group asks for what is so anyway: no prompt, no colour, no chatter.
const LONG: &[(&str, Action)] = &[
    ("sign", Action::Sign),
    ("detach-sign", Action::Detach),
    ("detached-sign", Action::Detach),
    ("armor", Action::Armor),
    ("armour", Action::Armor),
    ("verify", Action::Verify),
    ("local-user", Action::LocalUser),
    ("status-fd", Action::StatusFd),
    ("version", Action::Version),
    ("help", Action::Help),
    ("keyid-format", Action::Forget),
    ("include-certs", Action::Forget),
    ("display-charset", Action::Forget),
    ("charset", Action::Forget),
    ("lc-ctype", Action::Forget),
    ("lc-messages", Action::Forget),
    ("ttyname", Action::Forget),
    ("ttytype", Action::Forget),
    ("batch", Action::Nothing),
    ("no-tty", Action::Nothing),
    ("yes", Action::Nothing),
    ("quiet", Action::Nothing),
    ("verbose", Action::Nothing),
    ("no-verbose", Action::Nothing),
    ("no-greeting", Action::Nothing),
    ("no-secmem-warning", Action::Nothing),
    ("no-permission-warning", Action::Nothing),
    ("use-agent", Action::Nothing),
];

const SHORT: &[(u8, Action)] = &[
    (b's', Action::Sign),
    (b'b', Action::Detach),
    (b'a', Action::Armor),
    // As in gitsign; gpg's own -v asks for chatter, which no caller of a signature program wants.
    (b'v', Action::Verify),
    (b'u', Action::LocalUser),
    (b'q', Action::Nothing),
    (b'h', Action::Help),
    (b'V', Action::Version),
];

/// Whether a command line is git's and not a person's: it opens with an option.
#[must_use]
pub fn is_gpg_style(arguments: &[OsString]) -> bool {
    arguments.first().is_some_and(|first| first.as_encoded_bytes().starts_with(b"-"))
}

/// Every option, as it is typed: for the test that holds the man page to them.
#[cfg(test)]
pub(super) fn all_options() -> impl Iterator<Item = String> {
    let long = LONG.iter().map(|(name, _)| format!("--{name}"));
    long.chain(SHORT.iter().map(|(letter, _)| format!("-{}", char::from(*letter))))
}

/// Read a command line, program name excluded.
///
/// # Errors
/// It asks for something that gitseal does not do.
pub fn parse(arguments: &[OsString]) -> Result<GpgRequest, ArgumentError> {
    let mut wanted = Wanted::default();
    let mut rest = arguments.iter();
    while let Some(argument) = rest.next() {
        let bytes = argument.as_encoded_bytes();
        match bytes {
            b"--" => {
                wanted.operands.extend(rest.by_ref().cloned());
            }
            [b'-', b'-', ..] => wanted.long(argument, &mut rest)?,
            [b'-', _, ..] => wanted.shorts(argument, &mut rest)?,
            _ => wanted.operands.push(argument.clone()),
        }
    }
    wanted.decide()
}

/// What has been asked for so far.
#[derive(Default)]
struct Wanted {
    sign: bool,
    detach: bool,
    armor: bool,
    verify: bool,
    version: bool,
    help: bool,
    status: StatusFd,
    operands: Vec<OsString>,
}

type Rest<'a> = std::slice::Iter<'a, OsString>;

impl Wanted {
    fn long(&mut self, argument: &OsStr, rest: &mut Rest<'_>) -> Result<(), ArgumentError> {
        let text = argument.to_string_lossy();
        let (name, attached) = match text[2..].split_once('=') {
            Some((name, value)) => (name, Some(value.to_owned())),
            None => (&text[2..], None),
        };
        let unknown = || ArgumentError::Unknown(format!("--{name}"));
        let (_, action) = LONG.iter().find(|(known, _)| *known == name).ok_or_else(unknown)?;
        self.act(action, &format!("--{name}"), attached, rest)
    }

    fn shorts(&mut self, argument: &OsStr, rest: &mut Rest<'_>) -> Result<(), ArgumentError> {
        let bytes = argument.as_encoded_bytes();
        for (at, letter) in bytes.iter().enumerate().skip(1) {
            let option = format!("-{}", char::from(*letter));
            let action = SHORT.iter().find(|(known, _)| known == letter).map(|(_, action)| action);
            let action = action.ok_or_else(|| ArgumentError::Unknown(option.clone()))?;
            if action.takes_value() {
                let attached = &bytes[at + 1..];
                let attached = (!attached.is_empty()).then(|| String::from_utf8_lossy(attached).into_owned());
                return self.act(action, &option, attached, rest);
            }
            self.act(action, &option, None, rest)?;
        }
        Ok(())
    }

    fn act(
        &mut self,
        action: &Action,
        option: &str,
        attached: Option<String>,
        rest: &mut Rest<'_>,
    ) -> Result<(), ArgumentError> {
        let value = if action.takes_value() {
            let next = || rest.next().map(|value| value.to_string_lossy().into_owned());
            attached.or_else(next).ok_or_else(|| ArgumentError::NoValue(option.to_owned()))?
        } else if attached.is_some() {
            return Err(ArgumentError::StrayValue(option.to_owned()));
        } else {
            String::new()
        };
        match action {
            Action::Sign => self.sign = true,
            Action::Detach => self.detach = true,
            Action::Armor => self.armor = true,
            Action::Verify => self.verify = true,
            Action::StatusFd => self.status = status_fd(&value)?,
            Action::Version => self.version = true,
            Action::Help => self.help = true,
            // Who signs is decided by the identity token, never by a name on the command line.
            Action::LocalUser | Action::Nothing | Action::Forget => {}
        }
        Ok(())
    }

    fn decide(self) -> Result<GpgRequest, ArgumentError> {
        if self.help {
            return Ok(GpgRequest::Help);
        }
        if self.version {
            return Ok(GpgRequest::Version);
        }
        let encoding = if self.armor { Encoding::Armor } else { Encoding::Binary };
        let mut operands = self.operands.into_iter();
        let (first, second) = (operands.next(), operands.next());
        let stray = |operand: Option<OsString>| match operand {
            Some(operand) => Err(ArgumentError::Operand(operand.to_string_lossy().into_owned())),
            None => Ok(()),
        };
        stray(operands.next())?;
        match (self.verify, self.sign || self.detach) {
            (true, true) => {
                Err(ArgumentError::Conflict("--verify", if self.sign { "--sign" } else { "--detach-sign" }))
            }
            (true, false) if self.armor => Err(ArgumentError::Conflict("--verify", "--armor")),
            (true, false) => {
                let (Some(signature), Some(data)) = (first, second) else { return Err(ArgumentError::NoData) };
                let (signature, payload) = (input(signature), input(data));
                if signature == Input::Stdin && payload == Input::Stdin {
                    return Err(ArgumentError::StdinTwice);
                }
                Ok(GpgRequest::Verify { signature, payload, status: self.status })
            }
            (false, true) if !self.detach => Err(ArgumentError::Attached),
            (false, true) => {
                stray(second)?;
                Ok(GpgRequest::Sign { payload: first.map_or(Input::Stdin, input), encoding, status: self.status })
            }
            (false, false) => Err(ArgumentError::NoAction),
        }
    }
}

impl Action {
    fn takes_value(&self) -> bool {
        matches!(self, Action::LocalUser | Action::StatusFd | Action::Forget)
    }
}

fn input(operand: OsString) -> Input {
    if operand == "-" { Input::Stdin } else { Input::File(operand.into()) }
}

fn status_fd(text: &str) -> Result<StatusFd, ArgumentError> {
    match text.parse::<i32>() {
        Ok(-1) => Ok(StatusFd::None),
        Ok(number @ 1..=0xffff) => Ok(StatusFd::Number(u16::try_from(number).expect("in range"))),
        _ => Err(ArgumentError::BadFd(text.to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(line: &[&str]) -> Result<GpgRequest, ArgumentError> {
        let arguments: Vec<OsString> = line.iter().map(OsString::from).collect();
        parse(&arguments)
    }

    fn sign(encoding: Encoding, status: StatusFd) -> Result<GpgRequest, ArgumentError> {
        Ok(GpgRequest::Sign { payload: Input::Stdin, encoding, status })
    }

    fn verify(signature: &str, payload: Input, status: StatusFd) -> Result<GpgRequest, ArgumentError> {
        Ok(GpgRequest::Verify { signature: Input::File(signature.into()), payload, status })
    }

    const ONE: StatusFd = StatusFd::Number(1);
    const TWO: StatusFd = StatusFd::Number(2);

    #[test]
    fn every_known_caller_signs() {
        let key = "Ann Other <ann@example.com>";
        for line in [
            &["--status-fd=2", "-bsau", key][..],
            &["--status-fd", "2", "-bsau", key],
            &["-bsau", key, "--status-fd=2"],
            &["-sb", "-a", "-u", key, "--status-fd=2"],
            &["-sbau-dash-key", "--status-fd=2"],
            &["--status-fd=2", "--sign", "--detach-sign", "--armor", "--local-user", key],
            &["--status-fd=2", "--detached-sign", "--armor", "--local-user=-"],
            &["--batch", "--no-tty", "--status-fd=2", "--include-certs=-2", "-bsau", key],
            &["--include-certs", "-2", "--status-fd=2", "-bsau", "--"],
            &["--status-fd=2", "-bsau", key, "--"],
            &["--status-fd=2", "-bsau", key, "-"],
            &["--keyid-format=long", "--status-fd=2", "-bsau", key],
            &["--status-fd=1", "--status-fd=2", "-bsau", ""],
        ] {
            assert_eq!(parsed(line), sign(Encoding::Armor, TWO), "{line:?}");
        }
        assert_eq!(parsed(&["-abu", key]), sign(Encoding::Armor, StatusFd::None), "jj");
        assert_eq!(parsed(&["-b"]), sign(Encoding::Binary, StatusFd::None));
        assert_eq!(parsed(&["-b", "--status-fd", "-1"]), sign(Encoding::Binary, StatusFd::None));
        let from_file = GpgRequest::Sign { payload: Input::File("-f".into()), encoding: Encoding::Armor, status: TWO };
        assert_eq!(parsed(&["--status-fd=2", "-bsau", key, "--", "-f"]), Ok(from_file));
    }

    #[test]
    fn every_known_caller_verifies() {
        let data = || Input::File("data".into());
        for (line, wanted) in [
            (
                &["--status-fd=1", "--verify", "/tmp/.git_vtag_tmpX", "-"][..],
                verify("/tmp/.git_vtag_tmpX", Input::Stdin, ONE),
            ),
            (&["--keyid-format=long", "--status-fd=1", "--verify", "sig", "-"], verify("sig", Input::Stdin, ONE)),
            (&["--status-fd=1", "--verify", "sig", "data"], verify("sig", data(), ONE)),
            (&["--verify", "--status-fd=1", "--", "sig", "data"], verify("sig", data(), ONE)),
            (&["--verify", "sig", "data", "--status-fd", "1"], verify("sig", data(), ONE)),
            (&["-v", "--status-fd=3", "--", "-sig", "-"], verify("-sig", Input::Stdin, StatusFd::Number(3))),
        ] {
            assert_eq!(parsed(line), wanted, "{line:?}");
        }
        let from_stdin = GpgRequest::Verify { signature: Input::Stdin, payload: data(), status: StatusFd::None };
        assert_eq!(parsed(&["--verify", "-", "data"]), Ok(from_stdin));
    }

    #[test]
    fn what_is_not_asked_rightly_is_refused() {
        let text = str::to_owned;
        for (line, error) in [
            (&["--frobnicate"][..], ArgumentError::Unknown(text("--frobnicate"))),
            (&["-bsx"], ArgumentError::Unknown(text("-x"))),
            (&["--trust-model=always", "--verify", "a", "b"], ArgumentError::Unknown(text("--trust-model"))),
            (&["-bsau"], ArgumentError::NoValue(text("-u"))),
            (&["--status-fd"], ArgumentError::NoValue(text("--status-fd"))),
            (&["--armor=yes", "-b"], ArgumentError::StrayValue(text("--armor"))),
            (&["--status-fd=0", "-b"], ArgumentError::BadFd(text("0"))),
            (&["--status-fd=x", "-b"], ArgumentError::BadFd(text("x"))),
            (&["--status-fd=99999", "-b"], ArgumentError::BadFd(text("99999"))),
            (&["-s", "--verify", "a", "b"], ArgumentError::Conflict("--verify", "--sign")),
            (&["-b", "--verify", "a", "b"], ArgumentError::Conflict("--verify", "--detach-sign")),
            (&["-a", "--verify", "a", "b"], ArgumentError::Conflict("--verify", "--armor")),
            (&["-sa"], ArgumentError::Attached),
            (&["--verify"], ArgumentError::NoData),
            (&["--verify", "sig"], ArgumentError::NoData),
            (&["--verify", "sig", "a", "b"], ArgumentError::Operand(text("b"))),
            (&["-b", "a", "b"], ArgumentError::Operand(text("b"))),
            (&["--verify", "-", "-"], ArgumentError::StdinTwice),
            (&["--status-fd=1"], ArgumentError::NoAction),
        ] {
            assert_eq!(parsed(line), Err(error), "{line:?}");
        }
    }

    #[test]
    fn an_option_first_means_git_and_a_word_means_a_person() {
        let style = |first: &str| is_gpg_style(&[OsString::from(first)]);
        assert!(style("--status-fd=2") && style("-bsau") && style("--version"));
        assert!(!style("verify") && !style("init") && !is_gpg_style(&[]));
    }
}
