//! Merges made again by git itself (git-merge-tree(1)), in a repository of their own that only sees the objects of another.
//!
//! git and not gix: in a test of 1,500 random merges gix-merge 0.23 gave another answer than git 2.39 in 87, and what a
//! forge has made is git's. The repository of our own is empty but for its configuration, so nothing of the machine, the
//! user, the repository or the tree has a say: no attributes, hence no drivers and filters that would run programs; no
//! replace refs, grafts or shallow file; no commit graph, which may lie about parents; no lazy fetch. What the merge
//! writes goes there, and goes away with it: the disk of the repository may be read-only.

use std::ffi::OsString;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use gix::bstr::BString;
use gix::objs::Write as _;
use tempfile::TempDir;
use thiserror::Error;

use super::Repository;
use super::config::Environment;

/// How long one merge may take: with a hundred thousand files it takes a second. The rest of a push waits for it.
const TIME_LIMIT: Duration = Duration::from_secs(10);
/// How much of git's output is read, in bytes: the paths of a hundred thousand files.
const MAX_OUTPUT_LEN: u64 = 8 << 20;
/// Every value that decides about a merge has git's default. Objects that are thrown away need not reach the disk.
const CONFIG: &str = "[core]\n\tbare = true\n\tcommitGraph = false\n\tfsync = none\n\tattributesFile = /dev/null\n";
/// What of the environment git needs: where it is, and on Windows where the system is.
const KEPT: &[&str] = &["PATH", "SystemRoot", "TMPDIR", "TEMP", "TMP"];

/// Why there is no answer.
#[derive(Debug, Error)]
pub enum MergeError {
    /// Not the full name of an object.
    #[error("{0:?} is no object id")]
    Id(String),
    /// No place to merge in.
    #[error("no place to make a merge in: {0}")]
    Place(#[source] io::Error),
    /// git could not be run.
    #[error("cannot run git to make a merge: {0}")]
    Git(#[source] io::Error),
    /// This git cannot merge without a work tree.
    #[error("this git has no 'merge-tree --write-tree'; it came with git 2.38")]
    TooOld,
    /// git gave up, as it does when an object is missing.
    #[error("git cannot make the merge: {0}")]
    Failed(String),
    /// More paths than anybody would look at.
    #[error("the merge touches too many paths to tell them all")]
    TooMany,
    /// It took longer than it may.
    #[error("the merge took longer than {} seconds", TIME_LIMIT.as_secs())]
    TimedOut,
}

/// What merging gives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Merged {
    /// A tree, by its name.
    Tree(String),
    /// Somebody must decide.
    Conflict,
}

/// A place to make merges in.
#[derive(Debug)]
pub struct Merger {
    place: TempDir,
    format: gix::hash::Kind,
    /// In the form of `GIT_ALTERNATE_OBJECT_DIRECTORIES`.
    objects: OsString,
    kept: Vec<(&'static str, OsString)>,
}

impl Merger {
    /// A place beside `repository`. `environment` is asked for where programs are, and where git has put the objects of
    /// a push that is not accepted yet.
    ///
    /// # Errors
    /// There is no place for temporary files.
    pub fn new(repository: &Repository, environment: Environment<'_>) -> Result<Self, MergeError> {
        let format = repository.inner.object_hash();
        let place = empty_repository(format).map_err(MergeError::Place)?;
        let kept = KEPT.iter().filter_map(|name| Some((*name, environment(name)?))).collect();
        let objects = object_directories(repository, environment).map_err(MergeError::Place)?;
        Ok(Merger { place, format, objects, kept })
    }

    /// Merge the commit `theirs` into the commit `ours`. Their merge bases are found here, and are merged themselves
    /// where there are several.
    ///
    /// # Errors
    /// [`MergeError`]: then it is not known what merging gives.
    pub fn merge(&self, ours: &str, theirs: &str) -> Result<Merged, MergeError> {
        let Automatic { tree, conflicts } = self.automatic(ours, theirs)?;
        Ok(if conflicts.is_some() { Merged::Conflict } else { Merged::Tree(tree) })
    }

    /// The paths in which `tree`, of a commit with these `parents`, holds somebody's decision: where it is not what
    /// merging two parents gives, and where they conflict. With fewer or more parents, where it is not like the first.
    ///
    /// # Errors
    /// [`MergeError`]: then the paths are not known.
    pub fn decided_by_hand(&self, parents: &[String], tree: &str) -> Result<Vec<String>, MergeError> {
        let (before, mut paths) = match parents {
            [] => (gix::ObjectId::empty_tree(self.format).to_string(), Vec::new()),
            [ours, theirs] => {
                let Automatic { tree, conflicts } = self.automatic(ours, theirs)?;
                (tree, conflicts.unwrap_or_default())
            }
            [first, ..] => (self.id(first)?.to_string(), Vec::new()),
        };
        if before != tree {
            paths.extend(self.different(&before, tree)?);
        }
        paths.sort();
        paths.dedup();
        Ok(paths)
    }

    fn automatic(&self, ours: &str, theirs: &str) -> Result<Automatic, MergeError> {
        let (ours, theirs) = (self.id(ours)?.to_string(), self.id(theirs)?.to_string());
        let arguments = ["merge-tree", "--write-tree", "-z", "--name-only", "--no-messages", &ours, &theirs];
        let (status, mut said, complaint) = self.git(&arguments)?;
        let tree = said.first().and_then(|name| self.id(name).ok());
        match (status.code(), tree) {
            (Some(0), Some(tree)) => Ok(Automatic { tree: tree.to_string(), conflicts: None }),
            // Where it cannot read a commit git ends with 1 too, but then it names no tree.
            (Some(1), Some(tree)) => Ok(Automatic { tree: tree.to_string(), conflicts: Some(said.split_off(1)) }),
            (Some(129), _) => Err(MergeError::TooOld),
            _ => Err(MergeError::Failed(complaint)),
        }
    }

    /// The paths that are not the same in two trees; a renamed file is in both of its places.
    fn different(&self, before: &str, after: &str) -> Result<Vec<String>, MergeError> {
        let after = self.id(after)?.to_string();
        let (status, paths, complaint) =
            self.git(&["diff-tree", "-r", "-z", "--no-renames", "--name-only", before, &after])?;
        if status.success() { Ok(paths) } else { Err(MergeError::Failed(complaint)) }
    }

    /// What leads from the tree `base` to the tree `picked`, done to the tree `onto`: a cherry-pick.
    ///
    /// # Errors
    /// [`MergeError`]: then it is not known what that gives.
    pub fn pick(&self, base: &str, onto: &str, picked: &str) -> Result<Merged, MergeError> {
        // `merge-tree --merge-base` came with git 2.40; commits of our own with that one merge base do the same.
        let base = self.write_commit(base, None)?;
        let onto = self.write_commit(onto, Some(&base))?;
        let picked = self.write_commit(picked, Some(&base))?;
        self.merge(&onto, &picked)
    }

    fn write_commit(&self, tree: &str, parent: Option<&str>) -> Result<String, MergeError> {
        let tree = self.id(tree)?;
        let parent = parent.map(|parent| format!("parent {parent}\n")).unwrap_or_default();
        let who = "gitseal <> 0 +0000";
        let commit = format!("tree {tree}\n{parent}author {who}\ncommitter {who}\n\n");
        let store = gix::odb::loose::Store::at(self.place.path().join("objects"), self.format);
        let written = store.write_buf(gix::objs::Kind::Commit, commit.as_bytes());
        Ok(written.map_err(|error| MergeError::Place(io::Error::other(error.to_string())))?.to_string())
    }

    fn id(&self, hex: &str) -> Result<gix::ObjectId, MergeError> {
        let id = gix::ObjectId::from_hex(hex.as_bytes()).ok().filter(|id| id.kind() == self.format);
        id.ok_or_else(|| MergeError::Id(hex.to_owned()))
    }

    /// Run git, and return what it said between zero bytes, and what it complained of.
    fn git(&self, arguments: &[&str]) -> Result<(ExitStatus, Vec<String>, String), MergeError> {
        let place = self.place.path();
        let child = Command::new("git")
            .args(arguments)
            .env_clear()
            .envs(self.kept.iter().map(|(name, value)| (name, value)))
            .env("HOME", place)
            .env("GIT_DIR", place)
            .env("GIT_OBJECT_DIRECTORY", place.join("objects"))
            .env("GIT_ALTERNATE_OBJECT_DIRECTORIES", &self.objects)
            .envs([("GIT_CONFIG_NOSYSTEM", "1"), ("GIT_ATTR_NOSYSTEM", "1"), ("GIT_NO_REPLACE_OBJECTS", "1")])
            .envs([("GIT_NO_LAZY_FETCH", "1"), ("GIT_TERMINAL_PROMPT", "0"), ("LC_ALL", "C")])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(MergeError::Git)?;
        let (status, output, errors) = finish(child)?;
        if output.len() as u64 == MAX_OUTPUT_LEN {
            return Err(MergeError::TooMany);
        }
        let parts = output.split('\0').filter(|part| !part.is_empty()).map(str::to_owned).collect();
        Ok((status, parts, complaint(&errors)))
    }
}

/// What git makes of two commits, with markers where they conflict.
struct Automatic {
    tree: String,
    /// The paths in which they do; `None` when they do not.
    conflicts: Option<Vec<String>>,
}

/// A bare repository without anything in it; nobody else may look into it.
fn empty_repository(format: gix::hash::Kind) -> io::Result<TempDir> {
    let place = place()?;
    let root = place.path();
    let (version, extension) = match format {
        gix::hash::Kind::Sha1 => (0, ""),
        _ => (1, "[extensions]\n\tobjectFormat = sha256\n"),
    };
    for folder in ["objects", "refs"] {
        std::fs::create_dir(root.join(folder))?;
    }
    std::fs::write(root.join("HEAD"), "ref: refs/heads/none\n")?;
    std::fs::write(root.join("config"), format!("{CONFIG}\trepositoryFormatVersion = {version}\n{extension}"))?;
    Ok(place)
}

fn place() -> io::Result<TempDir> {
    let mut builder = tempfile::Builder::new();
    builder.prefix("gitseal-merge");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        builder.permissions(std::fs::Permissions::from_mode(0o700));
    }
    builder.tempdir()
}

/// Where the objects are: those of a push on trial first, as git says in the environment of a hook.
fn object_directories(repository: &Repository, environment: Environment<'_>) -> io::Result<OsString> {
    let on_trial = environment("GIT_OBJECT_DIRECTORY").map(PathBuf::from);
    let mut list = OsString::new();
    for directory in on_trial.into_iter().chain([repository.common_dir().join("objects")]) {
        list.push(quoted(&std::path::absolute(directory)?)?);
        list.push(if cfg!(windows) { ";" } else { ":" });
    }
    // Quoted by git where it must be.
    list.push(environment("GIT_ALTERNATE_OBJECT_DIRECTORIES").unwrap_or_default());
    Ok(list)
}

/// A path as git reads it in a list, whatever is in it.
fn quoted(path: &Path) -> io::Result<OsString> {
    let path = gix::path::into_bstr(path).map_err(|error| io::Error::other(error.to_string()))?;
    let mut text = BString::from("\"");
    for byte in path.iter().copied() {
        match byte {
            b'\n' => text.extend_from_slice(b"\\n"),
            b'"' | b'\\' => text.extend_from_slice(&[b'\\', byte]),
            _ => text.push(byte),
        }
    }
    text.push(b'"');
    let text = gix::path::from_bstring(text).map_err(|error| io::Error::other(error.to_string()))?;
    Ok(text.into_os_string())
}

/// Wait for git to end, or end it: how it ended, and the beginning of its output and of its complaints.
fn finish(mut child: Child) -> Result<(ExitStatus, String, String), MergeError> {
    let (output, errors) = (beginning_of(child.stdout.take()), beginning_of(child.stderr.take()));
    let output = output.recv_timeout(TIME_LIMIT);
    if output.is_err() {
        child.kill().ok();
    }
    let status = child.wait().map_err(MergeError::Git)?;
    let output = output.map_err(|_| MergeError::TimedOut)?;
    Ok((status, output, errors.recv_timeout(TIME_LIMIT).unwrap_or_default()))
}

/// The first of what a pipe brings, once all of it has come; the rest is forgotten.
fn beginning_of(pipe: Option<impl Read + Send + 'static>) -> mpsc::Receiver<String> {
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        if let Some(mut pipe) = pipe
            && pipe.by_ref().take(MAX_OUTPUT_LEN).read_to_end(&mut bytes).is_ok()
        {
            io::copy(&mut pipe, &mut io::sink()).ok();
        }
        sender.send(String::from_utf8_lossy(&bytes).into_owned()).ok();
    });
    receiver
}

/// The line that says why git gave up, without what a terminal would obey.
fn complaint(errors: &str) -> String {
    let line = errors.lines().find_map(|line| line.strip_prefix("fatal: ")).or(errors.lines().next());
    line.unwrap_or("it does not say why").chars().map(|c| if c.is_control() { '?' } else { c }).collect()
}
