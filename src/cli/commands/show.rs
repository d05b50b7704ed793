//! `gitseal show`: the story of one signature, or the signature as a Sigstore bundle.

use std::fs;
use std::path::PathBuf;

use clap::Args;

use crate::audit::object::entity_of;
use crate::cli::error::CliError;
use crate::cli::exit::Exit;
use crate::cli::judgement::Bench;
use crate::cli::lookup;
use crate::cli::output;
use crate::cli::report::{self, Report};
use crate::cli::streams::Streams;
use crate::cli::world::World;
use crate::entity::{Artifact, bundle};
use crate::repo::RawObject;

/// Tell who signed a commit or tag, when, by which clock, and where that is logged.
#[derive(Debug, Args)]
pub struct Show {
    /// A commit, or an annotated tag by its name.
    #[arg(default_value = "HEAD")]
    revision: String,
    /// Print a JSON object.
    #[arg(long, conflicts_with = "bundle")]
    json: bool,
    /// Print the signature as a Sigstore bundle, for other tools.
    #[arg(long)]
    bundle: bool,
    /// Write what the bundle's signature is about to this file.
    #[arg(long, value_name = "FILE", requires = "bundle")]
    artifact: Option<PathBuf>,
}

impl Show {
    pub(super) fn run(&self, streams: &mut Streams) -> Result<Exit, CliError> {
        let world = World::read(streams)?;
        let object = world.repository()?.raw_object(&self.revision)?;
        if self.bundle {
            return self.export(&object);
        }
        let finding = lookup::object(&Bench::new(&world)?, &world, &object, streams);
        if self.json {
            output::json(&Report::new(&finding, Some(&self.revision)))?;
        } else {
            for line in report::details(&finding, &self.revision) {
                output::line(&line)?;
            }
            report::hints(&finding, streams);
        }
        Ok(Exit::from(finding.verdict()))
    }

    /// Export, without judging: whoever reads the bundle does that.
    fn export(&self, object: &RawObject) -> Result<Exit, CliError> {
        let entity = entity_of(object.kind, &object.bytes)
            .map_err(|refusal| CliError::NoEntity { object: object.id.clone(), refusal })?;
        if let (Some(path), Artifact::Bytes(bytes)) = (&self.artifact, &entity.artifact) {
            fs::write(path, bytes).map_err(|error| CliError::io(format!("write {}", path.display()), error))?;
        }
        let json = bundle::to_bundle(&entity).to_json();
        output::bytes(format!("{json}\n").as_bytes())?;
        Ok(Exit::Good)
    }
}
