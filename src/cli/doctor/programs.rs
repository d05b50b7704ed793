//! Programs: git, as it describes itself, and the program that git would run for a signature, found as git finds it.

use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::cli::commands::version;

/// The first git that knows `gpg.x509.program`.
pub(super) const FIRST_WITH_X509: (u32, u32) = (2, 19);
/// The first git known to take `~/` in it for the home directory; older ones look for a folder of that name.
pub(super) const FIRST_WITH_TILDE: (u32, u32) = (2, 47);

/// How long another gitseal may take to say its version.
const VERSION_TIME: Duration = Duration::from_secs(2);
/// How often it is looked whether it has.
const VERSION_POLL: Duration = Duration::from_millis(5);
/// Nobody says more about their version, in bytes.
const MAX_VERSION_LEN: u64 = 1024;

/// The git in `PATH`.
#[derive(Debug, Clone)]
pub struct Git {
    /// What `git --version` says, without the first words.
    pub version: String,
}

impl Git {
    /// The git in `PATH`, if there is one.
    #[must_use]
    pub fn find() -> Option<Self> {
        let mut command = Command::new("git");
        let output = command.arg("--version").stdin(Stdio::null()).output().ok()?;
        // With a broken configuration it does not even say its version.
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        let version = said.trim().strip_prefix("git version ").unwrap_or("of unknown version");
        Some(Git { version: version.to_owned() })
    }

    /// Whether it is that version or a later one; what cannot be read is taken for new.
    #[must_use]
    pub fn is_at_least(&self, (major, minor): (u32, u32)) -> bool {
        let mut numbers = self.version.split('.').map(|part| part.parse().ok());
        match (numbers.next().flatten(), numbers.next().flatten()) {
            (Some(have_major), Some(have_minor)) => (have_major, have_minor) >= (major, minor),
            _ => true,
        }
    }

    /// What it prints; else what it complains about. Nothing that it is asked here opens a connection.
    ///
    /// # Errors
    /// The line of its complaint that says what is wrong.
    pub fn run(&self, arguments: &[&str]) -> Result<String, String> {
        let mut command = Command::new("git");
        command.args(arguments).stdin(Stdio::null()).env("LC_ALL", "C").env("LANGUAGE", "C");
        let output = command.output().map_err(|error| error.to_string())?;
        if output.status.success() {
            return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
        }
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        let fatal = said.lines().find(|line| line.starts_with("fatal: ")).or_else(|| said.lines().next());
        Err(fatal.unwrap_or_default().trim_start_matches("fatal: ").to_owned())
    }
}

/// What a name in the configuration leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Program {
    /// This very program.
    This(PathBuf),
    /// A gitseal that is another file; what it says of itself.
    Gitseal(PathBuf, String),
    /// Some other program.
    Other(PathBuf),
    /// Nothing that can be run, and why.
    Missing(String),
}

/// How git looks for programs here.
#[derive(Debug)]
pub struct Finder {
    /// `PATH`.
    pub path: Option<std::ffi::OsString>,
    /// What `~/` stands for, where git knows it.
    pub home: Option<PathBuf>,
    /// The top of the work tree: git runs programs there, and nothing that lies in it is run here.
    pub work_tree: Option<PathBuf>,
    /// The current directory, which is where git runs them otherwise.
    pub directory: PathBuf,
    /// This program.
    pub this: PathBuf,
}

impl Finder {
    /// Find `name` as git would: in `PATH` if it has no slash, else as a path. It is run, to say its version, only if
    /// `may_run`.
    #[must_use]
    pub fn find(&self, name: &str, may_run: bool) -> Program {
        let found = match name {
            "" => return Program::Missing("it is empty".into()),
            name if name.contains('/') => self.top().join(self.without_tilde(name)),
            name => match self.in_path(name) {
                Some(found) => found,
                None => return Program::Missing("no folder of PATH has it".into()),
            },
        };
        match std::fs::metadata(&found) {
            Err(error) => return Program::Missing(error.to_string()),
            Ok(meta) if !meta.is_file() => return Program::Missing("it is not a file".into()),
            Ok(meta) if !is_executable(&meta) => return Program::Missing("it is not executable".into()),
            Ok(_) => {}
        }
        if is_same_file(&found, &self.this) {
            return Program::This(found);
        }
        let is_called_gitseal = found.file_stem().is_some_and(|stem| stem == env!("CARGO_PKG_NAME"));
        let is_the_repositorys = self.work_tree.as_ref().is_some_and(|top| found.starts_with(top));
        match (is_called_gitseal && may_run && !is_the_repositorys).then(|| version_of(&found)).flatten() {
            Some(version) => Program::Gitseal(found, version),
            None => Program::Other(found),
        }
    }

    fn top(&self) -> &Path {
        self.work_tree.as_ref().unwrap_or(&self.directory)
    }

    fn without_tilde(&self, name: &str) -> PathBuf {
        match (name.strip_prefix("~/"), &self.home) {
            (Some(below), Some(home)) => home.join(below),
            _ => PathBuf::from(name),
        }
    }

    fn in_path(&self, name: &str) -> Option<PathBuf> {
        let folders = std::env::split_paths(self.path.as_deref()?);
        folders
            .map(|folder| self.top().join(folder).join(name))
            .find(|file| std::fs::metadata(file).is_ok_and(|meta| meta.is_file() && is_executable(&meta)))
    }
}

#[cfg(unix)]
fn is_executable(meta: &std::fs::Metadata) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    meta.permissions().mode() & 0o111 != 0
}

#[cfg(not(unix))]
fn is_executable(_: &std::fs::Metadata) -> bool {
    true
}

#[cfg(unix)]
fn is_same_file(one: &Path, other: &Path) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    let number = |path: &Path| std::fs::metadata(path).ok().map(|meta| (meta.dev(), meta.ino()));
    number(one).is_some_and(|one| number(other) == Some(one))
}

#[cfg(not(unix))]
fn is_same_file(one: &Path, other: &Path) -> bool {
    one.canonicalize().is_ok_and(|one| other.canonicalize().is_ok_and(|other| one == other))
}

/// What a program called gitseal says to `--version`, if that is what a gitseal says.
fn version_of(program: &Path) -> Option<String> {
    let mut command = Command::new(program);
    command.arg("--version").stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = command.spawn().ok()?;
    let started = Instant::now();
    let ended = loop {
        match child.try_wait() {
            Ok(Some(status)) => break status.success(),
            Ok(None) if started.elapsed() < VERSION_TIME => std::thread::sleep(VERSION_POLL),
            _ => break false,
        }
    };
    if !ended {
        // It hangs, or has failed: either way there is no version to read.
        let _ = child.kill();
        let _ = child.wait();
        return None;
    }
    let mut said = String::new();
    child.stdout.take()?.take(MAX_VERSION_LEN).read_to_string(&mut said).ok()?;
    let line = said.lines().next()?;
    line.starts_with(concat!(env!("CARGO_PKG_NAME"), " ")).then(|| line.to_owned())
}

/// Whether `said` is what this program says of itself.
#[must_use]
pub(super) fn is_this_version(said: &str) -> bool {
    said == version::line()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_compared_by_number() {
        let git = |version: &str| Git { version: version.into() };
        for (version, at_least_2_19) in
            [("2.9.5", false), ("2.18.0.rc1", false), ("2.19.0", true), ("2.39.5 (Apple Git-154)", true), ("3.0", true)]
        {
            assert_eq!(git(version).is_at_least(FIRST_WITH_X509), at_least_2_19, "{version}");
        }
        assert!(git("unknown").is_at_least(FIRST_WITH_X509));
    }

    #[cfg(unix)]
    #[test]
    fn programs_are_found_as_git_finds_them() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str, text: &str, mode: u32| {
            let path = folder.path().join(name);
            std::fs::write(&path, text).unwrap();
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
            path
        };
        let this = file("this", "", 0o755);
        let plain = file("plain", "", 0o644);
        let other = file("other", "#!/bin/sh\n", 0o755);
        let gitseal = file("gitseal", "#!/bin/sh\necho gitseal 0.0.1\n", 0o755);
        let finder = Finder {
            path: Some(folder.path().into()),
            home: Some(folder.path().into()),
            work_tree: None,
            directory: "/".into(),
            this: this.clone(),
        };
        let link = folder.path().join("link");
        std::os::unix::fs::symlink(&this, &link).unwrap();
        assert_eq!(finder.find("link", true), Program::This(link));
        assert_eq!(finder.find("~/this", true), Program::This(this));
        assert_eq!(finder.find("other", true), Program::Other(other));
        assert_eq!(finder.find("gitseal", true), Program::Gitseal(gitseal.clone(), "gitseal 0.0.1".into()));
        // What a repository names is never run to see what it is.
        assert_eq!(finder.find("gitseal", false), Program::Other(gitseal));
        for missing in ["plain", plain.to_str().unwrap(), "nothing", "/nothing/at/all", "", "./other"] {
            assert!(matches!(finder.find(missing, true), Program::Missing(_)), "{missing}");
        }
        let inside = Finder { work_tree: Some(folder.path().into()), ..finder };
        assert!(matches!(inside.find("gitseal", true), Program::Other(_)));
        let blind = Finder { home: None, ..inside };
        assert!(matches!(blind.find("~/this", true), Program::Missing(_)));
    }
}
