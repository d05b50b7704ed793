//! CircleCI: every job has a token in `CIRCLE_OIDC_TOKEN_V2`, whose audience is the organization's id (CircleCI's "OpenID
//! Connect tokens in jobs"). That serves an instance whose client id is just that.
//!
//! A token for another audience comes from `circleci run oidc get` alone; there is no documented address to ask. The job
//! runs that itself and puts the token where it belongs: to run a program that happens to be called `circleci`, found
//! through a `PATH` that the job's checkout may have changed, is nothing a signing program should do unasked.

use zeroize::Zeroizing;

use super::{AmbientError, ID_TOKEN, Platform, Surroundings};

/// Where the token is.
const TOKEN: &str = "CIRCLE_OIDC_TOKEN_V2";

pub(super) fn is_here(around: Surroundings<'_>) -> bool {
    around.is_true("CIRCLECI")
}

pub(super) fn token(around: Surroundings<'_>, audience: &str) -> Result<Zeroizing<String>, AmbientError> {
    let token = around.secret(ID_TOKEN).or_else(|| around.secret(TOKEN));
    token.ok_or_else(|| AmbientError::missing(Platform::CircleCi, TOKEN, lines(audience)))
}

pub(super) fn lines(audience: &str) -> String {
    format!(
        "add this line to the job's step, before what signs:\n\
         export {ID_TOKEN}=\"$(circleci run oidc get --claims '{{\"aud\":\"{audience}\"}}')\""
    )
}
