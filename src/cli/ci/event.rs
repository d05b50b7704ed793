//! The event file of GitHub Actions, which Gitea and Forgejo write too: what happened, and so which commits are new.

use serde::Deserialize;

use super::occasion::{Base, Occasion, OccasionError, is_zero, object_id};

/// No event file is longer, in bytes: GitHub does not deliver more than 25 MB.
pub const EVENT_LEN_MAX: u64 = 32 << 20;

#[derive(Deserialize)]
struct Event {
    #[serde(rename = "ref")]
    reference: Option<String>,
    before: Option<String>,
    after: Option<String>,
    repository: Option<Repository>,
    pull_request: Option<PullRequest>,
    merge_group: Option<MergeGroup>,
}

#[derive(Deserialize)]
struct Repository {
    default_branch: Option<String>,
}

#[derive(Deserialize)]
struct PullRequest {
    base: Side,
    head: Side,
}

#[derive(Deserialize)]
struct Side {
    #[serde(rename = "ref")]
    branch: String,
    sha: String,
}

#[derive(Deserialize)]
struct MergeGroup {
    base_sha: String,
    base_ref: String,
    head_sha: String,
}

/// What the event called `name` is about.
///
/// # Errors
/// It is not such a file, or an event that brings no commits.
pub fn occasion(name: &str, content: &[u8]) -> Result<Occasion, OccasionError> {
    let event: Event = serde_json::from_slice(content).map_err(|error| OccasionError::Event(error.to_string()))?;
    if let Some(PullRequest { base, head }) = event.pull_request {
        // The head that somebody made, and not the merge that the forge shows: that one nobody has signed.
        return Ok(Occasion {
            head: object_id("pull_request.head.sha", &head.sha)?,
            base: Base::Commit(object_id("pull_request.base.sha", &base.sha)?),
            reference: Some(format!("refs/heads/{}", base.branch)),
        });
    }
    if let Some(group) = event.merge_group {
        return Ok(Occasion {
            head: object_id("merge_group.head_sha", &group.head_sha)?,
            base: Base::Commit(object_id("merge_group.base_sha", &group.base_sha)?),
            reference: Some(group.base_ref),
        });
    }
    let (Some(reference), Some(before), Some(after)) = (event.reference, event.before, event.after) else {
        return Err(OccasionError::NoRange { what: format!("the event {name}") });
    };
    if is_zero(&after) {
        return Err(OccasionError::Deleted { reference });
    }
    let default_branch = event.repository.and_then(|repository| repository.default_branch);
    Ok(Occasion {
        head: object_id("after", &after)?,
        base: if is_zero(&before) {
            Base::of_new(&reference, default_branch)
        } else {
            Base::Commit(object_id("before", &before)?)
        },
        reference: Some(reference),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: &str = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
    const B: &str = "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb";
    const ZERO: &str = "0000000000000000000000000000000000000000";

    fn push(before: &str, after: &str, reference: &str) -> Result<Occasion, OccasionError> {
        let json = serde_json::json!({
            "before": before, "after": after, "ref": reference, "repository": {"default_branch": "main"},
            "commits": [{"message": "::error::x"}], "created": before == ZERO,
        });
        occasion("push", json.to_string().as_bytes())
    }

    #[test]
    fn a_push_goes_from_before_to_after() {
        let found = push(A, B, "refs/heads/main").unwrap();
        assert_eq!((found.head.as_str(), found.base), (B, Base::Commit(A.into())));
        assert_eq!(found.reference.as_deref(), Some("refs/heads/main"));
        assert_eq!(push(ZERO, B, "refs/heads/topic").unwrap().base, Base::Branch("main".into()));
        assert_eq!(push(ZERO, B, "refs/tags/v1").unwrap().base, Base::Branch("main".into()));
        assert_eq!(push(ZERO, B, "refs/heads/main").unwrap().base, Base::Unknown);
        assert!(matches!(push(A, ZERO, "refs/heads/topic"), Err(OccasionError::Deleted { .. })));
    }

    #[test]
    fn a_pull_request_is_about_its_own_head() {
        let json = serde_json::json!({
            "action": "synchronize", "number": 7, "after": "cccc", "before": "dddd",
            "pull_request": {"base": {"ref": "main", "sha": A}, "head": {"ref": "main", "sha": B}, "merge_commit_sha": ZERO},
        });
        let found = occasion("pull_request", json.to_string().as_bytes()).unwrap();
        assert_eq!((found.head.as_str(), found.base), (B, Base::Commit(A.into())));
        assert_eq!(found.reference.as_deref(), Some("refs/heads/main"));
    }

    #[test]
    fn a_merge_group_is_what_will_be_the_branch() {
        let json = serde_json::json!({
            "merge_group": {"base_ref": "refs/heads/main", "base_sha": A, "head_ref": "refs/heads/queue", "head_sha": B},
        });
        let found = occasion("merge_group", json.to_string().as_bytes()).unwrap();
        assert_eq!((found.head.as_str(), found.base), (B, Base::Commit(A.into())));
        assert_eq!(found.reference.as_deref(), Some("refs/heads/main"));
    }

    #[test]
    fn an_event_without_commits_is_none() {
        assert!(matches!(occasion("schedule", b"{\"schedule\": \"0 0 * * *\"}"), Err(OccasionError::NoRange { .. })));
        assert!(matches!(occasion("push", b"not json"), Err(OccasionError::Event(_))));
        for bad in ["HEAD", "--help", &A[1..], "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"] {
            assert!(matches!(push(bad, B, "refs/heads/main"), Err(OccasionError::Id { .. })), "{bad}");
            assert!(matches!(push(A, bad, "refs/heads/main"), Err(OccasionError::Id { .. })), "{bad}");
        }
    }
}
