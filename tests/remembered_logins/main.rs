//! Remembered logins against the keyring of this session, for scripts/interop/cells/keyring.sh:
//!
//! ```text
//! remembered-logins LOCKS ISSUER IDENTITY remember        the refresh token on stdin
//! remembered-logins LOCKS ISSUER IDENTITY knows | forget
//! remembered-logins LOCKS ISSUER IDENTITY renew COMMAND   COMMAND gets the refresh token on stdin and prints what the
//!                                                         issuer's token endpoint says; the ID token goes to stdout
//! ```
//!
//! An error is two lines on stderr, the state's name before them, and exit code 1.

#![allow(clippy::unwrap_used)]

use std::io::{Read as _, Write as _};
use std::path::PathBuf;
use std::process::{Command, ExitCode, Stdio};

use gitseal::credential::remembered::{Login, Redemption, RememberError, RememberedLogins, RenewError, Taken};
use gitseal::service::wait;
use serde_json::Value;
use zeroize::Zeroizing;

fn main() -> ExitCode {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
    let (&[locks, issuer, identity], asked) = arguments.split_first_chunk().expect("LOCKS ISSUER IDENTITY");
    let identity = Some(identity).filter(|identity| !identity.is_empty());
    let login = Login::new(issuer, "sigstore", identity).unwrap();
    match wait(run(&RememberedLogins::new(PathBuf::from(locks)), &login, asked)).unwrap() {
        Ok(said) => {
            let written = writeln!(std::io::stdout(), "{said}");
            if written.is_ok() { ExitCode::SUCCESS } else { ExitCode::from(2) }
        }
        Err(error) => {
            let state = format!("{error:?}");
            let state = state.split(|c: char| !c.is_alphanumeric()).next().unwrap();
            eprintln!("{state}\nerror: {error}\nhint: {}", error.hint());
            ExitCode::FAILURE
        }
    }
}

async fn run(logins: &RememberedLogins, login: &Login, asked: &[&str]) -> Result<String, RememberError> {
    match asked {
        ["remember"] => {
            let mut token = Zeroizing::new(String::new());
            std::io::stdin().read_to_string(&mut token).unwrap();
            logins.remember(login, &token).await?;
            Ok("remembered".to_owned())
        }
        ["knows"] => Ok(if logins.knows(login).await? { "yes" } else { "no" }.to_owned()),
        ["forget"] => Ok(match logins.take(login).await? {
            Taken::Nothing => "nothing",
            Taken::Token(_) | Taken::Useless => "forgotten",
        }
        .to_owned()),
        ["renew", command] => {
            let renewed = logins.renew(login, |token| async move { redeem(command, &token) }).await;
            match renewed {
                Ok(None) => Ok("nothing".to_owned()),
                Ok(Some(renewed)) => {
                    if let Err(error) = renewed.kept {
                        eprintln!("{error:?}\nwarning: {error}");
                    }
                    Ok(renewed.tokens)
                }
                Err(RenewError::Remember(error)) => Err(error),
                Err(RenewError::Issuer(problem)) => Ok(format!("no answer: {problem}")),
            }
        }
        _ => panic!("remember, knows, forget or renew COMMAND"),
    }
}

fn redeem(command: &str, token: &str) -> Result<Redemption<String>, &'static str> {
    let mut child =
        Command::new("sh").args(["-c", command]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    // A command that needs no token may have gone already.
    let _ = child.stdin.take().unwrap().write_all(token.as_bytes());
    let answer = child.wait_with_output().unwrap();
    if !answer.status.success() {
        return Err("the command failed");
    }
    let answer: Value = serde_json::from_slice(&answer.stdout).map_err(|_| "not JSON")?;
    if answer["error"] == "invalid_grant" {
        return Ok(Redemption::Refused);
    }
    let tokens = answer["id_token"].as_str().ok_or("no ID token")?.to_owned();
    let replacement = answer["refresh_token"].as_str().map(|token| Zeroizing::new(token.to_owned()));
    Ok(Redemption::Redeemed { tokens, replacement })
}
