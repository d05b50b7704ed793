//! `gitseal trust export`: the documents in force as one file.

use std::path::PathBuf;

use clap::Args;

use crate::cli::error::CliError;
use crate::cli::exit::Exit;
use crate::cli::instance;
use crate::cli::output;
use crate::cli::streams::Streams;
use crate::cli::whole_file;
use crate::cli::world::World;
use crate::crypto::digest::hex;
use crate::crypto::sha256;
use crate::trust;

/// Write the documents in force to one file, for machines without a connection.
#[derive(Debug, Args)]
pub(super) struct Export {
    /// The file; what was in it is replaced.
    file: PathBuf,
}

impl Export {
    pub(super) fn run(&self, streams: &mut Streams) -> Result<Exit, CliError> {
        let world = World::read(streams)?;
        let (export, exported) = instance::to_export(&world.settings, world.now)?;
        // What a reader would refuse is not written.
        let json = export.to_json(&exported).map_err(|error| CliError::io("write JSON", error.into()))?;
        trust::Export::from_json(&json).map_err(|error| CliError::instance(export.instance.as_ref(), error))?;
        whole_file::publish(&self.file, &json)
            .map_err(|error| CliError::io(format!("write {}", self.file.display()), error))?;

        let which =
            export.instance.map_or("an instance without a name".to_owned(), |name| format!("the instance {name}"));
        let age = exported.as_of.map_or("of unknown age".to_owned(), |time| format!("as of {time}"));
        let file = self.file.file_name().unwrap_or_default().display();
        output::line(&format!("exported {which}, {age}"))?;
        output::line(&format!("elsewhere: gitseal trust import {file} --checksum {}", hex(&sha256(&json))))?;
        Ok(Exit::Good)
    }
}
