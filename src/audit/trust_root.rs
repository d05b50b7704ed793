//! Where authority over a history begins: a commit that the verifier names, or one policy for everything.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use super::authority::AuthorityError;
use crate::crypto::digest::{hex, unhex};
use crate::format::git::{CommitHeader, commit_header};
use crate::policy::Policy;
use crate::repo::{RepoError, Repository};

/// Where authority begins: a commit, whose ancestors are not claimed, and perhaps the digest of the policy in its tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrustRoot {
    /// The full id.
    pub commit: String,
    /// SHA-256 of the policy file.
    pub policy: Option<[u8; 32]>,
}

/// A text that is no trust root.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no trust root: it takes a full commit id, or COMMIT:sha256:DIGEST")]
pub struct TrustRootError(String);

impl FromStr for TrustRoot {
    type Err = TrustRootError;

    fn from_str(text: &str) -> Result<Self, TrustRootError> {
        let error = || TrustRootError(text.to_owned());
        let (commit, policy) = match text.split_once(":sha256:") {
            Some((commit, digest)) => {
                (commit, Some(unhex(digest).and_then(|bytes| bytes.try_into().ok()).ok_or_else(error)?))
            }
            None => (text, None),
        };
        if !is_full_id(commit) {
            return Err(error());
        }
        Ok(TrustRoot { commit: commit.to_owned(), policy })
    }
}

impl fmt::Display for TrustRoot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.policy {
            Some(digest) => write!(f, "{}:sha256:{}", self.commit, hex(digest)),
            None => f.write_str(&self.commit),
        }
    }
}

fn is_full_id(text: &str) -> bool {
    matches!(text.len(), 40 | 64) && text.bytes().all(|c| matches!(c, b'0'..=b'9' | b'a'..=b'f'))
}

/// Where the policy for a commit comes from.
#[derive(Debug, Clone)]
pub enum Source {
    /// One policy for every commit.
    Fixed(Arc<Policy>),
    /// The policies in the trees, from a trust root onwards.
    Tree {
        /// Where authority begins.
        root: TrustRoot,
        /// The path of the policy file.
        path: String,
    },
}

/// The policies whose keys may count for a history that ends in `tips`: where authority begins, and at each tip, if it
/// parses there. A key that is in none of them, and was in one between, is nobody's: list it with its owner's retirement
/// instead of taking it out.
///
/// # Errors
/// There is no authority to begin with.
pub fn policies<'t>(
    repository: &Repository,
    source: &Source,
    tips: impl IntoIterator<Item = &'t String>,
) -> Result<Vec<Arc<Policy>>, AuthorityError> {
    let (root, path) = match source {
        Source::Fixed(policy) => return Ok(vec![policy.clone()]),
        Source::Tree { root, path } => (root, path),
    };
    let mut policies = vec![Arc::new(root_policy(repository, root, path)?)];
    for tip in tips {
        let own = repository.blob_at(&header_of(repository, tip)?.tree, path)?;
        if let Some(Ok(policy)) = own.map(|(_, bytes)| Policy::parse(&bytes)) {
            policies.push(Arc::new(policy));
        }
    }
    Ok(policies)
}

/// The head of a commit.
pub(super) fn header_of(repository: &Repository, id: &str) -> Result<CommitHeader, RepoError> {
    let object = repository.raw_object_by_id(id)?;
    commit_header(&object.bytes).map_err(|error| RepoError::Malformed { id: id.to_owned(), cause: error.to_string() })
}

/// The policy of the trust root, checked against its digest.
///
/// # Errors
/// It is not there, is another one, or does not parse.
pub fn root_policy(repository: &Repository, root: &TrustRoot, path: &str) -> Result<Policy, AuthorityError> {
    let tree = header_of(repository, &root.commit)?.tree;
    let missing = || AuthorityError::RootWithoutPolicy { commit: root.commit.clone(), path: path.to_owned() };
    let (_, bytes) = repository.blob_at(&tree, path)?.ok_or_else(missing)?;
    let found = crate::crypto::sha256(&bytes);
    if let Some(wanted) = root.policy.filter(|wanted| *wanted != found) {
        let (found, wanted) = (hex(&found), hex(&wanted));
        return Err(AuthorityError::RootMismatch { commit: root.commit.clone(), found, wanted });
    }
    let malformed = |cause| AuthorityError::Policy { commit: root.commit.clone(), path: path.to_owned(), cause };
    Policy::parse(&bytes).map_err(malformed)
}
