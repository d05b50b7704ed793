//! What a job is about: the new tip, what was there before, and the ref that it is meant for.
//!
//! Each platform says it in variables of its own. A base is never guessed where the guess could leave commits out: a
//! missing one is an error that names the option.

use thiserror::Error;

use super::event;
use super::platform::{FETCH_ALL, Platform};

/// What a job is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Occasion {
    /// The new tip: a full id, or a revision.
    pub head: String,
    /// Where the new commits begin.
    pub base: Base,
    /// The full name of the ref that the tip is meant for.
    pub reference: Option<String>,
}

/// Where the new commits begin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Base {
    /// This commit, and what came before it, is not new: a full id, or a revision.
    Commit(String),
    /// What this branch of the remote has is not new.
    Branch(String),
    /// Nothing was there before: all is new.
    Nothing,
    /// The platform does not say.
    Unknown,
}

/// Why nothing can be judged.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum OccasionError {
    /// No platform, or one that does not say where the new commits begin.
    #[error("{what} does not say which commits are new")]
    NoRange {
        /// Who does not.
        what: String,
    },
    /// The environment lacks what the platform always sets.
    #[error("{platform} has not set {variable}", platform = .platform.name())]
    Variable {
        /// Who should have.
        platform: Platform,
        /// What.
        variable: &'static str,
    },
    /// The event file is not one.
    #[error("the event file is not what it should be: {0}")]
    Event(String),
    /// What should be an object's id is none.
    #[error("{what} is no object id: '{value}'")]
    Id {
        /// Where it was read.
        what: &'static str,
        /// What was there.
        value: String,
    },
    /// The ref is gone.
    #[error("{reference} was deleted: there is nothing to judge")]
    Deleted {
        /// Which.
        reference: String,
    },
    /// Part of the history was not fetched.
    #[error("this clone is shallow: commits that must be judged are not in it")]
    Shallow {
        /// Who made it.
        platform: Option<Platform>,
    },
    /// The base is not there.
    #[error("the base {base} is not in this repository")]
    BaseMissing {
        /// As it was told.
        base: String,
        /// What fetches it.
        fetch: String,
        /// Who made the clone.
        platform: Option<Platform>,
    },
    /// The tip is not there.
    #[error("{head} is not in this repository")]
    HeadMissing {
        /// As it was told.
        head: String,
        /// What fetches it.
        fetch: String,
    },
    /// There is nothing between base and tip.
    #[error("there is nothing to judge in {range}")]
    Empty {
        /// The range.
        range: String,
    },
}

impl OccasionError {
    /// What a person should do.
    #[must_use]
    pub fn hint(&self) -> String {
        match self {
            OccasionError::NoRange { .. } => {
                "say it: 'gitseal ci --base REVISION', where REVISION is the last commit that is not new".into()
            }
            OccasionError::Variable { .. } => {
                "run it as a step of the job, or give --base and --head and --ref; gitseal-ci(1) has examples".into()
            }
            OccasionError::Event(_) | OccasionError::Id { .. } => {
                "give --base and --head, and tell which platform wrote that".into()
            }
            OccasionError::Deleted { .. } => "do not run the job for deleted refs".into(),
            OccasionError::Shallow { platform } => platform.map_or(FETCH_ALL, Platform::whole_history).to_owned(),
            OccasionError::BaseMissing { fetch, platform: Some(platform), .. } => {
                format!("run '{fetch}' first, or {}", platform.whole_history())
            }
            OccasionError::BaseMissing { fetch, .. } | OccasionError::HeadMissing { fetch, .. } => {
                format!("run '{fetch}' first")
            }
            OccasionError::Empty { .. } => {
                "--allow-empty lets that pass; if there should be something, look at --base and --head".into()
            }
        }
    }

    /// Whether something is missing that could be fetched: then nobody can decide, and nothing was asked wrongly.
    #[must_use]
    pub fn is_undecided(&self) -> bool {
        matches!(
            self,
            OccasionError::Shallow { .. } | OccasionError::BaseMissing { .. } | OccasionError::HeadMissing { .. }
        )
    }
}

impl Base {
    /// The base of a ref that was not there before: what the default branch has is not new. Of the default branch
    /// itself nobody can say.
    #[must_use]
    pub fn of_new(reference: &str, default_branch: Option<String>) -> Self {
        match default_branch.filter(|branch| !branch.is_empty()) {
            Some(branch) if reference.strip_prefix("refs/heads/") != Some(&branch) => Base::Branch(branch),
            _ => Base::Unknown,
        }
    }
}

/// What `platform` says of the job. `event` is the event file of those that have one.
///
/// # Errors
/// It does not say enough.
pub fn of(
    platform: Platform,
    variable: &dyn Fn(&str) -> Option<String>,
    event: Option<&[u8]>,
) -> Result<Occasion, OccasionError> {
    let set = |name: &str| variable(name).filter(|value| !value.is_empty());
    let needed = |name: &'static str| set(name).ok_or(OccasionError::Variable { platform, variable: name });
    match platform {
        Platform::GitHub | Platform::Gitea | Platform::Forgejo => {
            let content = event.ok_or(OccasionError::Variable { platform, variable: "GITHUB_EVENT_PATH" })?;
            event::occasion(&set("GITHUB_EVENT_NAME").unwrap_or_default(), content)
        }
        Platform::GitLab => gitlab(&set, needed("CI_COMMIT_SHA")?),
        Platform::Jenkins => Ok(jenkins(&set)),
        Platform::Buildkite => Ok(buildkite(&set, needed("BUILDKITE_COMMIT")?)),
        Platform::CircleCi => Ok(Occasion {
            head: needed("CIRCLE_SHA1")?,
            // The revision before is a parameter of the pipeline and no variable; gitseal-ci(1) shows how to hand it in.
            base: Base::Unknown,
            reference: branch_or_tag(set("CIRCLE_BRANCH"), set("CIRCLE_TAG")),
        }),
        Platform::PreCommit => Ok(Occasion {
            head: set("PRE_COMMIT_TO_REF").map_or_else(|| needed("PRE_COMMIT_LOCAL_BRANCH"), Ok)?,
            // It names none when the whole history is pushed.
            base: set("PRE_COMMIT_FROM_REF").map_or(Base::Nothing, Base::Commit),
            reference: set("PRE_COMMIT_REMOTE_BRANCH"),
        }),
    }
}

fn gitlab(set: &dyn Fn(&str) -> Option<String>, commit: String) -> Result<Occasion, OccasionError> {
    if let Some(base) = set("CI_MERGE_REQUEST_DIFF_BASE_SHA") {
        // In a pipeline for merged results the commit is GitLab's own merge, and this is the head of the branch.
        let head = set("CI_MERGE_REQUEST_SOURCE_BRANCH_SHA").unwrap_or(commit);
        return Ok(Occasion {
            head: object_id("CI_MERGE_REQUEST_SOURCE_BRANCH_SHA", &head)?,
            base: Base::Commit(object_id("CI_MERGE_REQUEST_DIFF_BASE_SHA", &base)?),
            reference: set("CI_MERGE_REQUEST_TARGET_BRANCH_NAME").map(|branch| format!("refs/heads/{branch}")),
        });
    }
    let tag = set("CI_COMMIT_TAG").map(|tag| format!("refs/tags/{tag}"));
    let reference = tag.clone().or_else(|| set("CI_COMMIT_BRANCH").map(|branch| format!("refs/heads/{branch}")));
    let before = set("CI_COMMIT_BEFORE_SHA").filter(|before| !is_zero(before));
    Ok(Occasion {
        // The commit's id would miss the tag's own signature.
        head: tag.map_or_else(|| object_id("CI_COMMIT_SHA", &commit), Ok)?,
        base: match before {
            Some(before) => Base::Commit(object_id("CI_COMMIT_BEFORE_SHA", &before)?),
            None => Base::of_new(reference.as_deref().unwrap_or_default(), set("CI_DEFAULT_BRANCH")),
        },
        reference,
    })
}

fn jenkins(set: &dyn Fn(&str) -> Option<String>) -> Occasion {
    let head = set("GIT_COMMIT").unwrap_or_else(|| "HEAD".to_owned());
    if let Some(target) = set("CHANGE_TARGET") {
        let reference = Some(format!("refs/heads/{target}"));
        return Occasion { head, base: Base::Branch(target), reference };
    }
    let tag = set("TAG_NAME").map(|tag| format!("refs/tags/{tag}"));
    let branch = set("BRANCH_NAME").or_else(|| {
        let branch = set("GIT_BRANCH")?;
        Some(branch.strip_prefix("origin/").map_or(branch.clone(), str::to_owned))
    });
    Occasion {
        // Not GIT_PREVIOUS_COMMIT: what a failed build has refused would pass in the next one.
        base: set("GIT_PREVIOUS_SUCCESSFUL_COMMIT").map_or(Base::Unknown, Base::Commit),
        head: tag.clone().unwrap_or(head),
        reference: tag.or_else(|| branch.map(|branch| format!("refs/heads/{branch}"))),
    }
}

fn buildkite(set: &dyn Fn(&str) -> Option<String>, commit: String) -> Occasion {
    if let Some(target) = set("BUILDKITE_PULL_REQUEST_BASE_BRANCH") {
        let reference = Some(format!("refs/heads/{target}"));
        return Occasion { head: commit, base: Base::Branch(target), reference };
    }
    let reference = branch_or_tag(set("BUILDKITE_BRANCH"), set("BUILDKITE_TAG"));
    Occasion {
        head: set("BUILDKITE_TAG").map_or(commit, |tag| format!("refs/tags/{tag}")),
        base: Base::of_new(reference.as_deref().unwrap_or_default(), set("BUILDKITE_PIPELINE_DEFAULT_BRANCH")),
        reference,
    }
}

fn branch_or_tag(branch: Option<String>, tag: Option<String>) -> Option<String> {
    tag.map(|tag| format!("refs/tags/{tag}")).or_else(|| branch.map(|branch| format!("refs/heads/{branch}")))
}

/// The id that stands for no object, in either length.
#[must_use]
pub fn is_zero(id: &str) -> bool {
    matches!(id.len(), 40 | 64) && id.bytes().all(|c| c == b'0')
}

/// `value`, which must be a full id.
pub(super) fn object_id(what: &'static str, value: &str) -> Result<String, OccasionError> {
    let is_id = matches!(value.len(), 40 | 64) && value.bytes().all(|c| matches!(c, b'0'..=b'9' | b'a'..=b'f'));
    if is_id { Ok(value.to_owned()) } else { Err(OccasionError::Id { what, value: value.to_owned() }) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: &str = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
    const B: &str = "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb";
    const ZERO: &str = "0000000000000000000000000000000000000000";

    fn asked(platform: Platform, set: &[(&str, &str)]) -> Result<(String, Base, String), OccasionError> {
        let variable = |name: &str| set.iter().find(|(own, _)| *own == name).map(|(_, value)| (*value).to_owned());
        let Occasion { head, base, reference } = of(platform, &variable, None)?;
        Ok((head, base, reference.unwrap_or_default()))
    }

    fn found(head: &str, base: Base, reference: &str) -> Result<(String, Base, String), OccasionError> {
        Ok((head.into(), base, reference.into()))
    }

    #[test]
    fn gitlab_tells_in_its_variables() {
        let merge_request = [
            ("CI_COMMIT_SHA", B),
            ("CI_COMMIT_BEFORE_SHA", ZERO),
            ("CI_MERGE_REQUEST_DIFF_BASE_SHA", A),
            ("CI_MERGE_REQUEST_TARGET_BRANCH_NAME", "main"),
        ];
        let base = Base::Commit(A.into());
        assert_eq!(asked(Platform::GitLab, &merge_request), found(B, base.clone(), "refs/heads/main"));
        let mut merged = merge_request.to_vec();
        let head = "cccccccccccccccccccccccccccccccccccccccc";
        merged.push(("CI_MERGE_REQUEST_SOURCE_BRANCH_SHA", head));
        assert_eq!(asked(Platform::GitLab, &merged), found(head, base.clone(), "refs/heads/main"));

        let push = [("CI_COMMIT_SHA", B), ("CI_COMMIT_BEFORE_SHA", A), ("CI_COMMIT_BRANCH", "main")];
        assert_eq!(asked(Platform::GitLab, &push), found(B, base, "refs/heads/main"));
        let with = |branch, before| {
            let set = [
                ("CI_COMMIT_SHA", B),
                ("CI_COMMIT_BEFORE_SHA", before),
                ("CI_COMMIT_BRANCH", branch),
                ("CI_DEFAULT_BRANCH", "main"),
            ];
            asked(Platform::GitLab, &set)
        };
        assert_eq!(with("topic", ZERO), found(B, Base::Branch("main".into()), "refs/heads/topic"));
        assert_eq!(with("main", ZERO), found(B, Base::Unknown, "refs/heads/main"));
        assert!(matches!(with("main", "HEAD~1"), Err(OccasionError::Id { .. })));
        let tag = [("CI_COMMIT_SHA", B), ("CI_COMMIT_TAG", "v1"), ("CI_DEFAULT_BRANCH", "main")];
        assert_eq!(asked(Platform::GitLab, &tag), found("refs/tags/v1", Base::Branch("main".into()), "refs/tags/v1"));
        let nothing = OccasionError::Variable { platform: Platform::GitLab, variable: "CI_COMMIT_SHA" };
        assert_eq!(asked(Platform::GitLab, &[]), Err(nothing));
    }

    #[test]
    fn jenkins_starts_where_all_was_well() {
        let change = [("GIT_COMMIT", B), ("CHANGE_TARGET", "main"), ("BRANCH_NAME", "PR-7")];
        assert_eq!(asked(Platform::Jenkins, &change), found(B, Base::Branch("main".into()), "refs/heads/main"));
        let branch = [("GIT_COMMIT", B), ("GIT_BRANCH", "origin/main"), ("GIT_PREVIOUS_SUCCESSFUL_COMMIT", A)];
        assert_eq!(asked(Platform::Jenkins, &branch), found(B, Base::Commit(A.into()), "refs/heads/main"));
        let failed = [("GIT_COMMIT", B), ("BRANCH_NAME", "main"), ("GIT_PREVIOUS_COMMIT", A)];
        assert_eq!(asked(Platform::Jenkins, &failed), found(B, Base::Unknown, "refs/heads/main"));
        let tag = [("GIT_COMMIT", B), ("BRANCH_NAME", "v1"), ("TAG_NAME", "v1")];
        assert_eq!(asked(Platform::Jenkins, &tag), found("refs/tags/v1", Base::Unknown, "refs/tags/v1"));
    }

    #[test]
    fn buildkite_and_circleci_know_less() {
        let pull = [("BUILDKITE_COMMIT", B), ("BUILDKITE_PULL_REQUEST_BASE_BRANCH", "main"), ("BUILDKITE_BRANCH", "x")];
        assert_eq!(asked(Platform::Buildkite, &pull), found(B, Base::Branch("main".into()), "refs/heads/main"));
        let branch = |branch| {
            asked(
                Platform::Buildkite,
                &[
                    ("BUILDKITE_COMMIT", B),
                    ("BUILDKITE_PULL_REQUEST_BASE_BRANCH", ""),
                    ("BUILDKITE_BRANCH", branch),
                    ("BUILDKITE_PIPELINE_DEFAULT_BRANCH", "main"),
                ],
            )
        };
        assert_eq!(branch("topic"), found(B, Base::Branch("main".into()), "refs/heads/topic"));
        assert_eq!(branch("main"), found(B, Base::Unknown, "refs/heads/main"));
        let circle = [("CIRCLE_SHA1", B), ("CIRCLE_BRANCH", "main")];
        assert_eq!(asked(Platform::CircleCi, &circle), found(B, Base::Unknown, "refs/heads/main"));
    }

    #[test]
    fn pre_commit_tells_what_is_pushed() {
        let push =
            [("PRE_COMMIT_FROM_REF", A), ("PRE_COMMIT_TO_REF", B), ("PRE_COMMIT_REMOTE_BRANCH", "refs/heads/main")];
        assert_eq!(asked(Platform::PreCommit, &push), found(B, Base::Commit(A.into()), "refs/heads/main"));
        let all = [("PRE_COMMIT_LOCAL_BRANCH", "refs/heads/x"), ("PRE_COMMIT_REMOTE_BRANCH", "refs/heads/main")];
        assert_eq!(asked(Platform::PreCommit, &all), found("refs/heads/x", Base::Nothing, "refs/heads/main"));
    }

    #[test]
    fn github_needs_its_event_file() {
        let nothing = OccasionError::Variable { platform: Platform::GitHub, variable: "GITHUB_EVENT_PATH" };
        assert_eq!(asked(Platform::GitHub, &[]), Err(nothing));
    }

    #[test]
    fn zero_has_two_lengths() {
        assert!(is_zero(ZERO) && is_zero(&"0".repeat(64)) && !is_zero("0") && !is_zero(A));
    }
}
