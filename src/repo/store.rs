//! Where objects are read from: the repository's own directory, and those that git names in the environment while a
//! push is under way (git: "Quarantine Environment" in git-receive-pack(1)), of which gix does not know.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use gix::bstr::{BStr, ByteSlice};
use gix::objs::{Find, Kind};
use gix::odb::Header as _;
use gix::{ObjectId, oid};

use super::config::Environment;
use super::{RepoError, Repository};
use crate::format::git::MAX_OBJECT_LEN;

/// The object directory of a push, and those that it borrows from: git itself names two.
const MAX_DIRECTORIES: usize = 64;

/// The object databases, in the order in which they are asked: what a push brings comes first, the repository's own last.
#[derive(Clone)]
pub(super) struct Stores {
    in_turn: Vec<gix::odb::Handle>,
}

impl Stores {
    pub(super) fn new(inner: &gix::Repository, environment: Environment<'_>) -> Result<Self, RepoError> {
        let own = inner.common_dir().join("objects");
        let mut in_turn = Vec::new();
        for directory in directories(environment)? {
            if is_same(&directory, &own) {
                continue;
            }
            let store = gix::odb::at(&directory, inner.object_hash());
            let open = |cause: std::io::Error| RepoError::Open { path: directory.clone(), cause: cause.to_string() };
            in_turn.push(store.map_err(open)?);
        }
        in_turn.push((*inner.objects).clone());
        in_turn.iter_mut().for_each(|store| store.ignore_replacements = true);
        Ok(Stores { in_turn })
    }

    /// Whether there is another than the repository's own.
    pub(super) fn has_others(&self) -> bool {
        self.in_turn.len() > 1
    }
}

impl Repository {
    /// Read the object `id` into `buffer` and see that its bytes hash to that name.
    pub(super) fn read(&self, id: &oid, buffer: &mut Vec<u8>) -> Result<Kind, RepoError> {
        let name = || id.to_string();
        // The size first: a small pack may hold an object of terabytes.
        let size = self.size(id)?.ok_or_else(|| RepoError::Missing { id: name() })?;
        if size > MAX_OBJECT_LEN as u64 {
            let cause = format!("it is {size} bytes long, more than {MAX_OBJECT_LEN}");
            return Err(RepoError::Object { id: name(), cause });
        }
        let kind = self.find(id, buffer)?.ok_or_else(|| RepoError::Missing { id: name() })?;
        // gix computes SHA-1 with collision detection, as git does; a detected collision is an error here.
        let computed = gix::objs::compute_hash(id.kind(), kind, buffer)
            .map_err(|cause| RepoError::Misnamed { id: name(), cause: cause.to_string() })?;
        if *computed != *id {
            return Err(RepoError::Misnamed { id: name(), cause: format!("it hashes to {computed}") });
        }
        Ok(kind)
    }

    fn size(&self, id: &oid) -> Result<Option<u64>, RepoError> {
        for store in &self.stores.in_turn {
            let header = store.try_header(id).map_err(|cause| unreadable(id, &cause))?;
            if let Some(header) = header {
                return Ok(Some(header.size()));
            }
        }
        Ok(None)
    }

    fn find(&self, id: &oid, buffer: &mut Vec<u8>) -> Result<Option<Kind>, RepoError> {
        for store in &self.stores.in_turn {
            let found = store.try_find(id, buffer).map_err(|cause| unreadable(id, &cause))?;
            if let Some(found) = found {
                return Ok(Some(found.kind));
            }
        }
        Ok(None)
    }

    /// An object's name from its hexadecimal form, which must be as long as this repository's names are.
    pub(super) fn id(&self, hex: &str) -> Result<ObjectId, RepoError> {
        let unknown = |cause: String| RepoError::Revision { revision: hex.to_owned(), cause };
        let id = ObjectId::from_hex(hex.as_bytes()).map_err(|error| unknown(error.to_string()))?;
        if id.kind() != self.inner.object_hash() {
            return Err(unknown(format!("names here are {} digits long", self.inner.object_hash().len_in_hex())));
        }
        Ok(id)
    }
}

fn unreadable(id: &oid, cause: &dyn std::fmt::Display) -> RepoError {
    RepoError::Object { id: id.to_string(), cause: cause.to_string() }
}

fn is_same(one: &Path, other: &Path) -> bool {
    let real = |path: &Path| path.canonicalize().ok();
    real(one).is_some_and(|one| Some(one) == real(other))
}

/// `GIT_OBJECT_DIRECTORY`, and what `GIT_ALTERNATE_OBJECT_DIRECTORIES` lists (git(1)).
fn directories(environment: Environment<'_>) -> Result<Vec<PathBuf>, RepoError> {
    let own = environment("GIT_OBJECT_DIRECTORY").filter(|path| !path.is_empty());
    let borrowed = environment("GIT_ALTERNATE_OBJECT_DIRECTORIES").unwrap_or_default();
    let mut directories: Vec<PathBuf> = own.into_iter().map(PathBuf::from).collect();
    directories.extend(split(&borrowed));
    if directories.len() > MAX_DIRECTORIES {
        return Err(RepoError::TooMany { what: "object directories", limit: MAX_DIRECTORIES });
    }
    // git passes over those that are not there.
    directories.retain(|directory| directory.is_dir());
    Ok(directories)
}

/// Paths between colons; one that begins with a quotation mark is quoted as C quotes strings.
fn split(list: &OsStr) -> Vec<PathBuf> {
    let separator = if cfg!(windows) { b';' } else { b':' };
    let mut paths = Vec::new();
    let mut rest = list.as_encoded_bytes();
    while !rest.is_empty() {
        let quoted = if rest[0] == b'"' { gix::quote::ansi_c::undo(BStr::new(rest)).ok() } else { None };
        let (path, used) = match quoted {
            Some((path, used)) => (path.into_owned().into(), used),
            None => {
                let used = rest.find_byte(separator).unwrap_or(rest.len());
                (rest[..used].to_vec(), used)
            }
        };
        if let Some(path) = native(path).filter(|path| !path.as_os_str().is_empty()) {
            paths.push(path);
        }
        rest = rest[used..].strip_prefix(&[separator]).unwrap_or_default();
    }
    paths
}

#[cfg(unix)]
fn native(path: Vec<u8>) -> Option<PathBuf> {
    use std::os::unix::ffi::OsStringExt as _;
    Some(OsString::from_vec(path).into())
}

#[cfg(not(unix))]
fn native(path: Vec<u8>) -> Option<PathBuf> {
    String::from_utf8(path).ok().map(|path| OsString::from(path).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(unix)]
    #[test]
    fn lists_of_directories_are_gits() {
        let paths =
            |list: &str| split(OsStr::new(list)).into_iter().map(|p| p.display().to_string()).collect::<Vec<_>>();
        assert_eq!(paths("/a:/b c"), ["/a", "/b c"]);
        assert_eq!(paths(r#""/a:b\"":/c"#), ["/a:b\"", "/c"]);
        assert_eq!(paths(r#""/unfinished:/c"#), ["\"/unfinished", "/c"]);
        assert_eq!(paths("::/a:"), ["/a"]);
        assert!(paths("").is_empty());
    }
}
