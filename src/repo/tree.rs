//! What lies in a tree, and what differs between two.

use std::collections::BTreeMap;

use gix::ObjectId;
use gix::objs::Kind;

use super::object::object_format;
use super::{RepoError, Repository};
use crate::format::git::{EntryKind, tree_entries};

/// No path is deeper, in folders: most systems end at 4096 bytes a path.
const MAX_DEPTH: usize = 2048;
/// No comparison of two trees reads more of them: a tree may hold the same one a thousand times, and so on down.
const MAX_TREES: usize = 200_000;

/// A line of a tree, owned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Line {
    kind: EntryKind,
    id: ObjectId,
}

impl Repository {
    /// The file at `path` below the tree `tree`: its name and its bytes. `None` when there is nothing at that path.
    ///
    /// # Errors
    /// Something on the way is missing or malformed, or what stands there is no file.
    pub fn blob_at(&self, tree: &str, path: &str) -> Result<Option<(String, Vec<u8>)>, RepoError> {
        let Some(line) = self.line_at(tree, path)? else { return Ok(None) };
        let mut bytes = Vec::new();
        match (line.kind, self.read(&line.id, &mut bytes)?) {
            (EntryKind::File | EntryKind::Executable, Kind::Blob) => Ok(Some((line.id.to_string(), bytes))),
            // A link could lead anywhere, out of the repository, too.
            _ => Err(RepoError::Malformed { id: tree.to_owned(), cause: format!("{path:?} in it is no file") }),
        }
    }

    /// The bytes of the blob with this full name.
    ///
    /// # Errors
    /// It is missing, or no blob.
    pub fn blob(&self, id: &str) -> Result<Vec<u8>, RepoError> {
        let mut bytes = Vec::new();
        match self.read(&self.id(id)?, &mut bytes)? {
            Kind::Blob => Ok(bytes),
            other => Err(RepoError::Malformed {
                id: id.to_owned(),
                cause: format!("it is a {other}, where a blob should be"),
            }),
        }
    }

    /// The name of whatever stands at `path` below the tree `tree`.
    ///
    /// # Errors
    /// A tree on the way is missing or malformed.
    pub fn entry_at(&self, tree: &str, path: &str) -> Result<Option<String>, RepoError> {
        Ok(self.line_at(tree, path)?.map(|line| line.id.to_string()))
    }

    /// The paths at which two trees differ, in order; `None` is a tree with nothing in it. A file that was renamed stands
    /// under both its names, and one that became a folder together with what is in the folder. Submodules and links are
    /// files here, and what a folder holds is never left out because the folder's own name is all there is to say.
    ///
    /// Bytes that are no UTF-8 become U+FFFD.
    ///
    /// # Errors
    /// There are more than `limit`, or a tree is missing or malformed.
    pub fn changed_paths(&self, old: Option<&str>, new: &str, limit: usize) -> Result<Vec<String>, RepoError> {
        let old = old.map(|old| self.id(old)).transpose()?;
        let new = self.id(new)?;
        let mut changes = Changes { repository: self, limit, trees: 0, paths: Vec::new() };
        if old != Some(new) {
            changes.between(old, Some(new), &mut Vec::new())?;
        }
        let paths = changes.paths.iter().map(|path| String::from_utf8_lossy(path).into_owned());
        Ok(paths.collect())
    }

    fn line_at(&self, tree: &str, path: &str) -> Result<Option<Line>, RepoError> {
        let mut here = Line { kind: EntryKind::Tree, id: self.id(tree)? };
        for segment in path.split('/') {
            if here.kind != EntryKind::Tree {
                return Ok(None);
            }
            match self.lines(here.id)?.get(segment.as_bytes()) {
                Some(line) => here = *line,
                None => return Ok(None),
            }
        }
        Ok(Some(here))
    }

    fn lines(&self, id: ObjectId) -> Result<BTreeMap<Vec<u8>, Line>, RepoError> {
        // git knows it without having it.
        if id == ObjectId::empty_tree(id.kind()) {
            return Ok(BTreeMap::new());
        }
        let mut raw = Vec::new();
        let malformed = |cause: String| RepoError::Malformed { id: id.to_string(), cause };
        match self.read(&id, &mut raw)? {
            Kind::Tree => {}
            other => return Err(malformed(format!("it is a {other}, where a tree should be"))),
        }
        let entries = tree_entries(object_format(id.kind()), &raw).map_err(|error| malformed(error.to_string()))?;
        let line = |id: &[u8], kind| ObjectId::try_from(id).ok().map(|id| Line { kind, id });
        let lines = entries.iter().map(|entry| Some((entry.name.to_vec(), line(entry.id, entry.kind)?)));
        lines.collect::<Option<_>>().ok_or_else(|| malformed("a name in it is too short".to_owned()))
    }
}

/// A comparison under way.
struct Changes<'r> {
    repository: &'r Repository,
    limit: usize,
    trees: usize,
    paths: Vec<Vec<u8>>,
}

impl Changes<'_> {
    /// Compare two trees whose ids differ; `None` is no tree. `folders` are those that they are in.
    fn between(
        &mut self,
        old: Option<ObjectId>,
        new: Option<ObjectId>,
        folders: &mut Vec<Vec<u8>>,
    ) -> Result<(), RepoError> {
        if folders.len() == MAX_DEPTH {
            return Err(RepoError::TooMany { what: "folders in each other", limit: MAX_DEPTH });
        }
        let mut pairs: BTreeMap<Vec<u8>, (Option<Line>, Option<Line>)> = BTreeMap::new();
        for (name, line) in self.lines(old)? {
            pairs.insert(name, (Some(line), None));
        }
        for (name, line) in self.lines(new)? {
            pairs.entry(name).or_insert((None, None)).1 = Some(line);
        }
        for (name, (before, after)) in pairs {
            if before == after {
                continue;
            }
            let is_tree = |line: &Line| line.kind == EntryKind::Tree;
            let is_file = |line: Option<Line>| line.is_some_and(|line| !is_tree(&line));
            let tree = |line: Option<Line>| line.filter(is_tree).map(|line| line.id);
            folders.push(name);
            if is_file(before) || is_file(after) {
                self.add(folders.join(&b'/'))?;
            }
            if tree(before).is_some() || tree(after).is_some() {
                self.between(tree(before), tree(after), folders)?;
            }
            folders.pop();
        }
        Ok(())
    }

    fn lines(&mut self, tree: Option<ObjectId>) -> Result<BTreeMap<Vec<u8>, Line>, RepoError> {
        let Some(tree) = tree else { return Ok(BTreeMap::new()) };
        self.trees += 1;
        if self.trees > MAX_TREES {
            return Err(RepoError::TooMany { what: "trees to compare", limit: MAX_TREES });
        }
        self.repository.lines(tree)
    }

    fn add(&mut self, path: Vec<u8>) -> Result<(), RepoError> {
        if self.paths.len() == self.limit {
            return Err(RepoError::TooMany { what: "changed paths", limit: self.limit });
        }
        self.paths.push(path);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;
    use std::path::Path;
    use std::process::{Command, Stdio};

    use super::*;

    fn git(at: &Path, arguments: &[&str], input: &str) -> String {
        let mut child = Command::new("git")
            .arg("-C")
            .arg(at)
            .args(arguments)
            .envs([("GIT_CONFIG_NOSYSTEM", "1"), ("GIT_CONFIG_GLOBAL", "/dev/null")])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "git {arguments:?}");
        String::from_utf8(output.stdout).unwrap().trim_end().to_owned()
    }

    /// The tree of these files; a target that begins with `link:`, `sub:` or `run:` is no plain file.
    fn tree(at: &Path, files: &[(&str, &str)]) -> String {
        git(at, &["read-tree", "--empty"], "");
        let mut index = String::new();
        for (path, content) in files {
            let mode = match content.split_once(':') {
                Some(("link", _)) => "120000",
                Some(("sub", _)) => "160000",
                Some(("run", _)) => "100755",
                _ => "100644",
            };
            let id = match mode {
                "160000" => content[4..].repeat(40),
                _ => git(at, &["hash-object", "-w", "--stdin"], content),
            };
            index.push_str(&format!("{mode} {id}\t{path}\n"));
        }
        git(at, &["update-index", "--index-info"], &index);
        git(at, &["write-tree"], "")
    }

    fn repository() -> (tempfile::TempDir, Repository) {
        let directory = tempfile::tempdir().unwrap();
        git(directory.path(), &["init", "--quiet"], "");
        let repository = Repository::open_isolated_test_only(directory.path());
        (directory, repository)
    }

    #[test]
    fn a_file_is_found_by_its_path() {
        let (at, repository) = repository();
        let tree = tree(at.path(), &[(".gitseal/policy.toml", "schema = 1\n"), ("a", "a"), ("l", "link:a")]);
        let (id, bytes) = repository.blob_at(&tree, ".gitseal/policy.toml").unwrap().unwrap();
        assert_eq!(bytes, b"schema = 1\n");
        assert_eq!(repository.entry_at(&tree, ".gitseal/policy.toml").unwrap(), Some(id));
        assert!(repository.entry_at(&tree, ".gitseal").unwrap().is_some());
        for absent in [".gitseal/policy", ".gitseal/policy.toml/x", ".GITSEAL/policy.toml", "a/", "/a", "", "./a"] {
            assert_eq!(repository.blob_at(&tree, absent).unwrap(), None, "{absent}");
        }
        for no_file in [".gitseal", "l"] {
            assert!(repository.blob_at(&tree, no_file).is_err(), "{no_file}");
        }
    }

    #[test]
    fn every_path_that_differs_is_named() {
        let (at, repository) = repository();
        let at = at.path();
        let old = tree(
            at,
            &[("a", "1"), ("b/c", "2"), ("b/d", "3"), ("e", "4"), ("f", "5"), ("m", "link:a"), ("s", "sub:1")],
        );
        let new = tree(
            at,
            &[("a", "1"), ("b/c", "9"), ("e/x/y", "4"), ("e/z", "4"), ("f", "run:5"), ("m", "link:b"), ("s", "sub:2")],
        );
        let changed = repository.changed_paths(Some(&old), &new, 100).unwrap();
        assert_eq!(changed, ["b/c", "b/d", "e", "e/x/y", "e/z", "f", "m", "s"]);
        let back = repository.changed_paths(Some(&new), &old, 100).unwrap();
        assert_eq!(back, changed);
        let gits = git(at, &["diff-tree", "-r", "--no-renames", "--name-only", &old, &new], "");
        assert_eq!(gits.lines().collect::<Vec<_>>(), ["b/c", "b/d", "e", "e/x/y", "e/z", "f", "m", "s"]);
        let all = repository.changed_paths(None, &old, 100).unwrap();
        assert_eq!(all, ["a", "b/c", "b/d", "e", "f", "m", "s"]);
        assert!(repository.changed_paths(Some(&old), &old, 0).unwrap().is_empty());
    }

    #[test]
    fn a_comparison_ends_at_its_limit() {
        let (at, repository) = repository();
        let tree = tree(at.path(), &[("a", "1"), ("b", "2"), ("c", "3")]);
        assert!(repository.changed_paths(None, &tree, 3).is_ok());
        assert!(matches!(repository.changed_paths(None, &tree, 2), Err(RepoError::TooMany { limit: 2, .. })));
    }

    #[test]
    fn a_tree_that_holds_itself_a_million_times_over_ends_fail() {
        let (at, repository) = repository();
        let at = at.path();
        // Nothing but folders: no path is ever counted.
        let mut tree = git(at, &["hash-object", "-w", "-t", "tree", "--stdin"], "");
        for _ in 0..8 {
            let lines: String = (0..10).map(|n| format!("040000 tree {tree}\t{n}\n")).collect();
            tree = git(at, &["mktree"], &lines);
        }
        assert!(matches!(repository.changed_paths(None, &tree, 10), Err(RepoError::TooMany { .. })));
    }

    #[test]
    fn what_is_not_there_is_missing_and_nothing_else() {
        let (at, repository) = repository();
        let tree = git(at.path(), &["mktree", "--missing"], &format!("040000 tree {}\tx\n", "7".repeat(40)));
        assert!(matches!(repository.blob_at(&tree, "x/y"), Err(RepoError::Missing { .. })));
        assert!(matches!(repository.changed_paths(None, &tree, 9), Err(RepoError::Missing { .. })));
        assert_eq!(
            repository.changed_paths(None, "4b825dc642cb6eb9a060e54bf8d69288fbee4904", 9).unwrap(),
            Vec::<String>::new()
        );
    }
}
