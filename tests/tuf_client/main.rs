//! Our TUF client on the command line of the public tuf-conformance suite (theupdateframework/tuf-conformance,
//! CLIENT-CLI.md), so that the suite can judge it. `tests/tuf-client` builds and runs it.
//!
//! Cache and workflow are those that `gitseal trust update` uses. What is special here: the first root lies beside the
//! cache, and there are targets of any name.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use gitseal::cli::trust_cache::TrustCache;
use gitseal::crypto::digest::hex;
use gitseal::crypto::sha256;
use gitseal::net::{Client, Limits, Roots};
use gitseal::service::tuf::UPDATE_TIME;
use gitseal::service::{Session, TufRepository, wait};
use gitseal::trust::TrustedSet;
use jiff::Timestamp;

/// No target of the suite is longer, in bytes.
const MAX_TARGET_LEN: usize = 64 << 20;
/// The name of the first root in the folder of metadata: not one that the suite takes for metadata.
const FIRST_ROOT: &str = "first_root";

#[derive(Parser)]
struct Arguments {
    #[arg(long)]
    metadata_dir: PathBuf,
    #[arg(long, default_value = "")]
    metadata_url: String,
    /// Looked up one after the other in one session.
    #[arg(long)]
    target_name: Vec<String>,
    #[arg(long, default_value = "http://127.0.0.1:1")]
    target_base_url: String,
    #[arg(long)]
    target_dir: Option<PathBuf>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Keep the first root.
    Init { root: PathBuf },
    /// Bring the metadata up to date.
    Refresh,
    /// Get a target.
    Download,
}

fn main() -> ExitCode {
    let done = match Arguments::try_parse() {
        Ok(arguments) => run(&arguments),
        Err(error) => Err(error.into()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("tuf-client: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> Result<(), Box<dyn Error>> {
    let folder = &arguments.metadata_dir;
    if let Command::Init { root } = &arguments.command {
        std::fs::create_dir_all(folder)?;
        let root = std::fs::read(root)?;
        std::fs::write(folder.join(FIRST_ROOT), &root)?;
        std::fs::write(folder.join("root.json"), root)?;
        return Ok(());
    }
    let root = std::fs::read(folder.join(FIRST_ROOT))?;
    let cache = TrustCache::at(folder);
    let mut files = cache.read()?;
    let repository = TufRepository::at(&arguments.metadata_url, &arguments.target_base_url)?;
    let client = Client::new(Roots::default(), Limits::default());
    let mut set = TrustedSet::new(&root, Timestamp::now())?;
    let done = wait(async {
        let session = Session::new(&client, UPDATE_TIME);
        repository.refresh(session, &mut set, &mut files).await?;
        if let (Command::Download, Some(folder)) = (&arguments.command, &arguments.target_dir) {
            for path in &arguments.target_name {
                let target = repository.find(session, &mut set, &mut files, path).await?;
                let local = local_path(folder, path);
                if !std::fs::read(&local).is_ok_and(|content| target.describes(&content)) {
                    let content = repository.download(session, &set, path, &target, MAX_TARGET_LEN).await?;
                    std::fs::write(local, content)?;
                }
            }
        }
        Ok::<(), Box<dyn Error>>(())
    });
    cache.write(&files)?;
    if files.roots.is_empty() {
        std::fs::write(folder.join("root.json"), root)?;
    }
    done?
}

/// A name that no path of a target can leave the folder by.
fn local_path(folder: &Path, path: &str) -> PathBuf {
    folder.join(hex(&sha256(path.as_bytes())))
}
