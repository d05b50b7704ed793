//! git's program protocol: sign a payload, or judge a detached signature, in the manner of gpg.
//!
//! The payload is read to its end before anything else, and the status lines are written last and at once. stdout
//! carries a signature and nothing else: every byte on it lands in the commit.

use std::ffi::OsString;

use super::authority;
use super::commands;
use super::commands::version;
use super::error::CliError;
use super::exit::Exit;
use super::gpg_arguments::{self, Encoding, GpgRequest, Input, StatusFd};
use super::history;
use super::input::{self, MAX_PAYLOAD_LEN, MAX_SIGNATURE_LEN};
use super::judgement::Bench;
use super::lookup;
use super::output;
use super::report;
use super::settings::Expected;
use super::signing;
use super::status::{Signer, StatusLines};
use super::streams::Streams;
use super::world::World;
use crate::audit::Finding;
use crate::format::git::SIGNED_MESSAGE;
use crate::format::pem;

/// Do what the command line of a signature program asks for.
pub fn run(arguments: &[OsString]) -> Exit {
    let outcome = match gpg_arguments::parse(arguments) {
        Err(error) => Err(error.into()),
        Ok(GpgRequest::Help) => Ok(commands::help()),
        Ok(GpgRequest::Version) => output::line(&version::line()).map(|()| Exit::Good),
        Ok(GpgRequest::Sign { payload, encoding, status }) => return sign(&payload, encoding, status),
        Ok(GpgRequest::Verify { signature, payload, status }) => return verify(&signature, &payload, status),
    };
    outcome.unwrap_or_else(|error| error.report(&mut Streams::stderr()))
}

/// Sign a payload. Whatever fails, nothing has been written to stdout by then, and no SIG_CREATED follows.
fn sign(payload: &Input, encoding: Encoding, status: StatusFd) -> Exit {
    let mut streams = Streams::terminal();
    match make_signature(payload, encoding, status, &mut streams) {
        Ok(()) => Exit::Good,
        Err(error) => error.report(&mut streams),
    }
}

fn make_signature(
    payload: &Input,
    encoding: Encoding,
    status: StatusFd,
    streams: &mut Streams,
) -> Result<(), CliError> {
    let payload = input::read(payload, "the payload", MAX_PAYLOAD_LEN)?;
    let world = World::read(streams)?;
    let repository = world.repository.as_ref().map(|repository| repository.work_tree().unwrap_or(repository.git_dir()));
    let signed = signing::sign(&world.settings, &payload, repository, streams)?;
    match encoding {
        Encoding::Armor => output::bytes(signed.armour.as_bytes())?,
        Encoding::Binary => {
            let der = pem::decode_strict(SIGNED_MESSAGE, signed.armour.as_bytes());
            output::bytes(&der.expect("the armour that was just made"))?;
        }
    }
    let signer = Signer::of(&signed.certificate, &signed.identity.subject, Some(signed.signing_time));
    StatusLines::created(&signer).write(status).map_err(|error| CliError::io("write the status lines", error))?;
    let indices: Vec<String> = signed.log_indices.iter().map(u64::to_string).collect();
    streams.note(&format!("gitseal: signed as {}, log entry {}", signed.identity.subject, indices.join(" and ")));
    Ok(())
}

/// Judge a detached signature. git reads the status lines; people read stderr, where git shows it.
fn verify(signature: &Input, payload: &Input, status: StatusFd) -> Exit {
    let mut streams = Streams::stderr();
    let (lines, exit) = match judge(signature, payload, &mut streams) {
        Ok(finding) => {
            report::story(&finding, &mut streams);
            (report::status_lines(&finding), Exit::from(finding.verdict()))
        }
        Err(error) => (StatusLines::undecided(None), error.report(&mut streams)),
    };
    match lines.write(status) {
        Ok(()) => exit,
        // A verdict that did not arrive whole must not look like success.
        Err(error) => CliError::io("write the status lines", error).report(&mut streams),
    }
}

fn judge(signature: &Input, payload: &Input, streams: &mut Streams) -> Result<Finding, CliError> {
    let payload = input::read(payload, "the payload", MAX_PAYLOAD_LEN)?;
    let signature = input::read(signature, "the signature", MAX_SIGNATURE_LEN)?;
    let mut world = World::read(streams)?;
    let source = authority::source(&world.settings.policy, world.repository.as_ref())?;
    if source.is_some() {
        // Where there is a policy it alone says who may sign.
        world.settings.expected = Expected::default();
    }
    let bench = Bench::new(&world)?;
    let finding = lookup::detached(&bench, &world, &signature, &payload, streams);
    match source {
        Some(source) => history::decide_one(&world, &bench, &source, finding, &payload),
        None => Ok(finding),
    }
}
