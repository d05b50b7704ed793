//! GitLab CI: the job says in its `id_tokens` which variable gets a token for which audience (GitLab's "OpenID Connect
//! Authentication Using ID Tokens"). Sigstore's programs have agreed on `SIGSTORE_ID_TOKEN`.

use zeroize::Zeroizing;

use super::{AmbientError, ID_TOKEN, Platform, Surroundings};

pub(super) fn is_here(around: Surroundings<'_>) -> bool {
    around.is_true("GITLAB_CI")
}

pub(super) fn token(around: Surroundings<'_>, audience: &str) -> Result<Zeroizing<String>, AmbientError> {
    around.secret(ID_TOKEN).ok_or_else(|| AmbientError::missing(Platform::Gitlab, ID_TOKEN, lines(audience)))
}

pub(super) fn lines(audience: &str) -> String {
    format!("add these lines to the job in .gitlab-ci.yml:\nid_tokens:\n  {ID_TOKEN}:\n    aud: {audience}")
}
