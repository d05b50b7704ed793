//! `gitseal verify`: judge commits and annotated tags.

use std::path::PathBuf;

use clap::Args;

use super::judging::Judging;
use crate::audit::Finding;
use crate::cli::error::CliError;
use crate::cli::exit::Exit;
use crate::cli::input::{self, MAX_PAYLOAD_LEN};
use crate::cli::judgement::Bench;
use crate::cli::lookup;
use crate::cli::output;
use crate::cli::report::{self, Report};
use crate::cli::streams::Streams;
use crate::cli::world::World;
use crate::repo::RawObject;

/// Judge the signatures of commits and annotated tags.
///
/// Needs no network. See gitseal-verify(1) for what is checked and for the reasons that can be given.
#[derive(Debug, Args)]
pub struct Verify {
    /// What to judge: commits, or annotated tags by their names.
    #[arg(default_value = "HEAD", conflicts_with = "object")]
    revision: Vec<String>,
    #[command(flatten)]
    judging: Judging,
    /// Judge the raw commit or tag in this file, as 'git cat-file' prints it.
    #[arg(long, value_name = "FILE")]
    object: Option<PathBuf>,
    /// Print one JSON object for each revision.
    #[arg(long)]
    json: bool,
}

impl Verify {
    pub(super) fn run(&self, streams: &mut Streams) -> Result<Exit, CliError> {
        let mut world = World::read(streams)?;
        self.judging.override_settings(&mut world.settings);
        let bench = Bench::new(&world)?;
        if let Some(path) = &self.object {
            let object = raw_object(input::file(path, "the object", MAX_PAYLOAD_LEN)?)?;
            let finding = lookup::object(&bench, &world, &object, streams);
            return self.say(&finding, &path.to_string_lossy(), streams);
        }
        let mut exit = Exit::Good;
        for revision in &self.revision {
            let judged = world.repository()?.raw_object(revision).map_err(CliError::from).and_then(|object| {
                let finding = lookup::object(&bench, &world, &object, streams);
                self.say(&finding, revision, streams)
            });
            exit = exit.worse(judged.unwrap_or_else(|error| error.report(streams)));
        }
        Ok(exit)
    }

    fn say(&self, finding: &Finding, revision: &str, streams: &mut Streams) -> Result<Exit, CliError> {
        if self.json {
            output::json_line(&Report::new(finding, Some(revision)))?;
        } else {
            output::line(&report::summary(finding, revision))?;
            report::hints(finding, streams);
        }
        Ok(Exit::from(finding.verdict()))
    }
}

/// A raw object that came as a file, named by its own bytes.
fn raw_object(bytes: Vec<u8>) -> Result<RawObject, CliError> {
    let Some((kind, format)) = crate::format::git::recognise(&bytes) else {
        return Err(CliError::Usage {
            problem: "the file holds neither a commit nor a tag".into(),
            hint: "write one with 'git cat-file commit REVISION' or 'git cat-file tag NAME'".into(),
        });
    };
    Ok(RawObject { id: format.object_id(kind, &bytes), format, kind, bytes, tag_name: None })
}
