//! The platforms that run jobs, how each is recognised, and the line that makes each fetch what judging needs.

/// Who runs the job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Platform {
    /// GitHub Actions.
    GitHub,
    /// Gitea Actions: GitHub's variables and event file.
    Gitea,
    /// Forgejo Actions: likewise.
    Forgejo,
    /// GitLab CI/CD.
    GitLab,
    /// Jenkins with its git plugin.
    Jenkins,
    /// Buildkite.
    Buildkite,
    /// CircleCI.
    CircleCi,
    /// pre-commit (the framework) before a push.
    PreCommit,
}

impl Platform {
    /// The platform whose variables are set. What runs inside another one comes first: Forgejo and Gitea set GitHub's
    /// variables too, and pre-commit may run anywhere.
    #[must_use]
    pub fn detect(variable: &dyn Fn(&str) -> Option<String>) -> Option<Self> {
        let is_true = |name: &str| variable(name).as_deref() == Some("true");
        let is_set = |name: &str| variable(name).is_some_and(|value| !value.is_empty());
        let found = [
            (Platform::PreCommit, is_set("PRE_COMMIT_REMOTE_BRANCH")),
            (Platform::Forgejo, is_true("FORGEJO_ACTIONS")),
            (Platform::Gitea, is_true("GITEA_ACTIONS")),
            (Platform::GitHub, is_true("GITHUB_ACTIONS")),
            (Platform::GitLab, is_true("GITLAB_CI")),
            (Platform::Buildkite, is_true("BUILDKITE")),
            (Platform::CircleCi, is_true("CIRCLECI")),
            (Platform::Jenkins, is_set("JENKINS_URL")),
        ];
        found.into_iter().find(|(_, is_it)| *is_it).map(|(platform, _)| platform)
    }

    /// For people.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Platform::GitHub => "GitHub Actions",
            Platform::Gitea => "Gitea Actions",
            Platform::Forgejo => "Forgejo Actions",
            Platform::GitLab => "GitLab CI/CD",
            Platform::Jenkins => "Jenkins",
            Platform::Buildkite => "Buildkite",
            Platform::CircleCi => "CircleCI",
            Platform::PreCommit => "pre-commit",
        }
    }

    /// Whether it tells of the job in GitHub's event file, and reads GitHub's workflow commands.
    #[must_use]
    pub fn speaks_github(self) -> bool {
        matches!(self, Platform::GitHub | Platform::Gitea | Platform::Forgejo)
    }

    /// What makes it fetch the whole history.
    #[must_use]
    pub fn whole_history(self) -> &'static str {
        match self {
            Platform::GitHub | Platform::Gitea | Platform::Forgejo => {
                "give the step that uses actions/checkout: 'with: {fetch-depth: 0}'"
            }
            Platform::GitLab => "give the job: 'variables: {GIT_DEPTH: 0}'",
            Platform::Jenkins => "in the git plugin's clone options: '[$class: \"CloneOption\", shallow: false]'",
            Platform::Buildkite => "take --depth out of BUILDKITE_GIT_CLONE_FLAGS and BUILDKITE_GIT_FETCH_FLAGS",
            Platform::CircleCi => "write the step as 'checkout: {method: full}'",
            Platform::PreCommit => FETCH_ALL,
        }
    }
}

/// What fetches the whole history where no platform is known.
pub const FETCH_ALL: &str = "git fetch --unshallow";

#[cfg(test)]
mod tests {
    use super::*;

    fn detect(set: &[(&str, &str)]) -> Option<Platform> {
        Platform::detect(&|name| set.iter().find(|(own, _)| *own == name).map(|(_, value)| (*value).to_owned()))
    }

    #[test]
    fn each_is_known_by_its_own_variable() {
        for (set, platform) in [
            (&[("GITHUB_ACTIONS", "true")][..], Platform::GitHub),
            (&[("GITHUB_ACTIONS", "true"), ("GITEA_ACTIONS", "true")], Platform::Gitea),
            (&[("GITHUB_ACTIONS", "true"), ("GITEA_ACTIONS", "true"), ("FORGEJO_ACTIONS", "true")], Platform::Forgejo),
            (&[("GITLAB_CI", "true")], Platform::GitLab),
            (&[("JENKINS_URL", "https://ci.example/")], Platform::Jenkins),
            (&[("BUILDKITE", "true")], Platform::Buildkite),
            (&[("CIRCLECI", "true")], Platform::CircleCi),
            (&[("GITHUB_ACTIONS", "true"), ("PRE_COMMIT_REMOTE_BRANCH", "refs/heads/main")], Platform::PreCommit),
        ] {
            assert_eq!(detect(set), Some(platform));
        }
        assert_eq!(detect(&[("CI", "true"), ("GITHUB_ACTIONS", "false"), ("JENKINS_URL", "")]), None);
    }
}
