//! Raw objects: the bytes that git hashes, under a name computed again from those bytes.

use gix::bstr::BStr;

use super::{RepoError, Repository, fallback};
use crate::format::git::{MAX_OBJECT_LEN, ObjectFormat, ObjectKind};

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
        let id = self.resolve(revision)?;
        let header =
            self.inner.find_header(id).map_err(|e| RepoError::Object { id: id.to_string(), cause: e.to_string() })?;
        if header.size() > MAX_OBJECT_LEN as u64 {
            let cause = format!("it is {} bytes long, more than {MAX_OBJECT_LEN}", header.size());
            return Err(RepoError::Object { id: id.to_string(), cause });
        }
        let object =
            self.inner.find_object(id).map_err(|e| RepoError::Object { id: id.to_string(), cause: e.to_string() })?;
        // gix computes SHA-1 with collision detection, as git does; a detected collision is an error here.
        let computed = gix::objs::compute_hash(id.kind(), object.kind, &object.data)
            .map_err(|e| RepoError::Misnamed { id: id.to_string(), cause: e.to_string() })?;
        if computed != id {
            return Err(RepoError::Misnamed { id: id.to_string(), cause: format!("it hashes to {computed}") });
        }
        let kind = match object.kind {
            gix::objs::Kind::Commit => ObjectKind::Commit,
            gix::objs::Kind::Tag => ObjectKind::Tag,
            other => return Err(RepoError::Kind { id: id.to_string(), kind: other.to_string() }),
        };
        let tag_name = if kind == ObjectKind::Tag { self.tag_name(revision)? } else { None };
        Ok(RawObject {
            id: computed.to_string(),
            format: object_format(id.kind()),
            kind,
            bytes: object.detach().data,
            tag_name,
        })
    }

    fn resolve(&self, revision: &str) -> Result<gix::ObjectId, RepoError> {
        let unknown = |cause: String| RepoError::Revision { revision: revision.to_owned(), cause };
        if self.uses_reftable() {
            let hex = fallback::rev_parse(self.git_dir(), revision)?;
            return gix::ObjectId::from_hex(hex.as_bytes()).map_err(|e| unknown(e.to_string()));
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
        let full = if self.uses_reftable() {
            fallback::full_ref_name(self.git_dir(), revision)?
        } else {
            let reference = self.inner.try_find_reference(revision).ok().flatten();
            reference.map(|reference| reference.name().as_bstr().to_string())
        };
        Ok(full.and_then(|name| name.strip_prefix("refs/tags/").map(str::to_owned)))
    }
}

fn object_format(kind: gix::hash::Kind) -> ObjectFormat {
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
