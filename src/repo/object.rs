//! Raw objects: the bytes that git hashes, under a name computed again from those bytes.

use gix::bstr::BStr;
use gix::{ObjectId, oid};

use super::{RepoError, Repository, fallback};
use crate::format::git::{self, ObjectError, ObjectFormat, ObjectKind};

/// Tags that tag tags: git itself follows any number, and nobody makes two.
const MAX_NESTED_TAGS: usize = 16;

/// An object as git stores it.
#[derive(Debug, Clone)]
pub struct RawObject {
    /// The name, computed from `bytes`, in hexadecimal.
    pub id: String,
    /// How objects are named in this repository.
    pub format: ObjectFormat,
    /// What it is.
    pub kind: ObjectKind,
    /// The content, without the header that git hashes before it.
    pub bytes: Vec<u8>,
    /// The tag's own name when the revision named a reference under `refs/tags/`; its `tag` header must agree.
    pub tag_name: Option<String>,
}

impl Repository {
    /// The object that `revision` names (gitrevisions(7)), not peeled: a tag stays a tag.
    ///
    /// # Errors
    /// It names none, or its bytes are not what the name stands for.
    pub fn raw_object(&self, revision: &str) -> Result<RawObject, RepoError> {
        let object = self.object(&self.resolve(revision)?)?;
        let tag_name = if object.kind == ObjectKind::Tag { self.tag_name(revision)? } else { None };
        Ok(RawObject { tag_name, ..object })
    }

    /// The commit or tag with this full name.
    ///
    /// # Errors
    /// It is missing, or its bytes are not what the name stands for.
    pub fn raw_object_by_id(&self, id: &str) -> Result<RawObject, RepoError> {
        self.object(&self.id(id)?)
    }

    fn object(&self, id: &oid) -> Result<RawObject, RepoError> {
        let mut bytes = Vec::new();
        let kind = match self.read(id, &mut bytes)? {
            gix::objs::Kind::Commit => ObjectKind::Commit,
            gix::objs::Kind::Tag => ObjectKind::Tag,
            other => return Err(RepoError::Kind { id: id.to_string(), kind: other.to_string() }),
        };
        Ok(RawObject { id: id.to_string(), format: object_format(id.kind()), kind, bytes, tag_name: None })
    }

    /// The commit that an object is, or that a tag leads to.
    pub(super) fn peel(&self, id: ObjectId) -> Result<ObjectId, RepoError> {
        let mut id = id;
        let mut buffer = Vec::new();
        for _ in 0..MAX_NESTED_TAGS {
            id = match self.read(&id, &mut buffer)? {
                gix::objs::Kind::Commit => return Ok(id),
                gix::objs::Kind::Tag => {
                    let malformed =
                        |cause: ObjectError| RepoError::Malformed { id: id.to_string(), cause: cause.to_string() };
                    self.id(&git::tag_header(&buffer).map_err(malformed)?.target)?
                }
                other => return Err(RepoError::Kind { id: id.to_string(), kind: other.to_string() }),
            };
        }
        Err(RepoError::TooMany { what: "tags on each other", limit: MAX_NESTED_TAGS })
    }

    pub(super) fn resolve(&self, revision: &str) -> Result<ObjectId, RepoError> {
        let unknown = |cause: String| RepoError::Revision { revision: revision.to_owned(), cause };
        // A full name is itself, whatever ref has it for a name, and git may have no ref for it yet.
        if let Ok(id) = self.id(revision) {
            return Ok(id);
        }
        if self.asks_git() {
            let hex = fallback::rev_parse(self.git_dir(), revision)?;
            return self.id(&hex);
        }
        // gix calls this a malformed specification.
        if revision == "HEAD" && self.inner.head().is_ok_and(|head| head.is_unborn()) {
            return Err(unknown("there is no commit yet".to_owned()));
        }
        let id = self.inner.rev_parse_single(BStr::new(revision)).map_err(|e| unknown(e.to_string()))?;
        Ok(id.detach())
    }

    /// `v1.0` for `v1.0`, `tags/v1.0` and `refs/tags/v1.0`, if that is what `revision` names.
    fn tag_name(&self, revision: &str) -> Result<Option<String>, RepoError> {
        let full = if self.asks_git() {
            fallback::full_ref_name(self.git_dir(), revision)?
        } else {
            let reference = self.inner.try_find_reference(revision).ok().flatten();
            reference.map(|reference| reference.name().as_bstr().to_string())
        };
        Ok(full.and_then(|name| name.strip_prefix("refs/tags/").map(str::to_owned)))
    }
}

pub(super) fn object_format(kind: gix::hash::Kind) -> ObjectFormat {
    match kind {
        gix::hash::Kind::Sha1 => ObjectFormat::Sha1,
        _ => ObjectFormat::Sha256,
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::process::Command;

    use super::*;

    fn git(directory: &Path, arguments: &[&str]) -> String {
        let output = Command::new("git")
            .arg("-C")
            .arg(directory)
            .args(["-c", "user.name=Ann", "-c", "user.email=ann@example.com", "-c", "commit.gpgSign=false"])
            .args(arguments)
            .envs([("GIT_CONFIG_NOSYSTEM", "1"), ("GIT_CONFIG_GLOBAL", "/dev/null")])
            .output()
            .unwrap();
        assert!(output.status.success(), "git {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim_end().to_owned()
    }

    /// A repository with one commit, an annotated and a lightweight tag.
    fn repository(format: &str) -> tempfile::TempDir {
        let directory = tempfile::tempdir().unwrap();
        let at = directory.path();
        git(at, &["init", "--quiet", "--object-format", format]);
        git(at, &["commit", "--quiet", "--allow-empty", "-m", "one"]);
        git(at, &["tag", "-a", "-m", "tag", "v1"]);
        git(at, &["tag", "light"]);
        directory
    }

    #[test]
    fn the_bytes_are_gits_in_both_hash_functions() {
        for (name, format) in [("sha1", ObjectFormat::Sha1), ("sha256", ObjectFormat::Sha256)] {
            let directory = repository(name);
            let repository = Repository::open_isolated_test_only(directory.path());
            let commit = repository.raw_object("HEAD").unwrap();
            assert_eq!((commit.kind, commit.format), (ObjectKind::Commit, format));
            assert_eq!(commit.id, git(directory.path(), &["rev-parse", "HEAD"]));
            assert_eq!(
                String::from_utf8_lossy(&commit.bytes).trim_end(),
                git(directory.path(), &["cat-file", "commit", "HEAD"])
            );
            git(directory.path(), &["gc", "--quiet"]);
            let packed = Repository::open_isolated_test_only(directory.path()).raw_object("HEAD").unwrap();
            assert_eq!(packed.bytes, commit.bytes);
        }
    }

    #[test]
    fn a_tag_keeps_the_name_it_was_asked_by() {
        let directory = repository("sha1");
        let repository = Repository::open_isolated_test_only(directory.path());
        for revision in ["v1", "tags/v1", "refs/tags/v1"] {
            let tag = repository.raw_object(revision).unwrap();
            assert_eq!((tag.kind, tag.tag_name.as_deref()), (ObjectKind::Tag, Some("v1")), "{revision}");
        }
        let by_id = repository.raw_object(&git(directory.path(), &["rev-parse", "v1"])).unwrap();
        assert_eq!((by_id.kind, by_id.tag_name), (ObjectKind::Tag, None));
        let light = repository.raw_object("light").unwrap();
        assert_eq!((light.kind, light.tag_name), (ObjectKind::Commit, None));
    }

    #[test]
    fn replace_refs_are_not_followed() {
        let directory = repository("sha1");
        let at = directory.path();
        let first = git(at, &["rev-parse", "HEAD"]);
        git(at, &["commit", "--quiet", "--allow-empty", "-m", "two"]);
        git(at, &["replace", &first, "HEAD"]);
        assert_eq!(Repository::open_isolated_test_only(at).raw_object(&first).unwrap().id, first);
    }

    #[test]
    fn bytes_under_a_false_name_are_refused() {
        let directory = repository("sha1");
        let at = directory.path();
        let (first, second) = (git(at, &["rev-parse", "HEAD"]), git(at, &["rev-parse", "v1"]));
        let file = |id: &str| at.join(".git/objects").join(&id[..2]).join(&id[2..]);
        std::fs::remove_file(file(&first)).unwrap();
        std::fs::copy(file(&second), file(&first)).unwrap();
        let error = Repository::open_isolated_test_only(at).raw_object(&first).unwrap_err();
        assert!(matches!(error, RepoError::Misnamed { .. } | RepoError::Object { .. }), "{error}");
    }

    #[test]
    fn only_what_can_be_signed_is_an_object_here() {
        let directory = repository("sha1");
        let repository = Repository::open_isolated_test_only(directory.path());
        assert!(matches!(repository.raw_object("HEAD^{tree}"), Err(RepoError::Kind { .. })));
        assert!(matches!(repository.raw_object("nothing"), Err(RepoError::Revision { .. })));
        assert!(matches!(repository.raw_object("--help"), Err(RepoError::Revision { .. })));
    }
}
