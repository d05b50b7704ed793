//! The ID token (OpenID Connect Core 1.0 section 2) that a certificate authority exchanges for a certificate.
//!
//! Its claims are read to fail early and in clear words: expired, for somebody else, without an identity. Its signature
//! is not checked here; the certificate authority knows the issuer's keys and does that.

use std::fmt;
use std::str::FromStr as _;
use std::time::UNIX_EPOCH;

use jiff::Timestamp;
use openidconnect::core::{
    CoreGenderClaim, CoreIdTokenVerifier, CoreJweContentEncryptionAlgorithm, CoreJwsSigningAlgorithm,
};
use openidconnect::{AdditionalClaims, Nonce};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

/// Longest token: GitHub's have 1.5 KB, those with many group claims a few more.
pub const MAX_TOKEN_LEN: usize = 32 * 1024;

/// Why a token is of no use.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// Not a signed JWT, or not with the claims of an ID token.
    #[error("the ID token is malformed: {0}")]
    Malformed(String),
    /// Its time is over.
    #[error("the ID token expired at {expired}")]
    Expired {
        /// When.
        expired: Timestamp,
    },
    /// It is meant for somebody else.
    #[error("the ID token is for {found:?}, not for {wanted:?}")]
    Audience {
        /// The audiences it names.
        found: Vec<String>,
        /// Our client id.
        wanted: String,
    },
    /// It names an e-mail address that the issuer has not verified.
    #[error("the ID token's issuer has not verified the address {0:?}")]
    EmailNotVerified(String),
}

impl TokenError {
    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> &'static str {
        match self {
            TokenError::Malformed(_) => "give the token itself: three base64url parts with dots between them",
            TokenError::Expired { .. } => "fetch a new token; they live for a few minutes",
            TokenError::Audience { .. } => "ask the issuer for a token with that audience, or set gitseal.clientId",
            TokenError::EmailNotVerified(_) => "verify the address with the issuer, then fetch a new token",
        }
    }
}

/// Whom a token is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TokenSubject {
    /// A verified e-mail address: it becomes the certificate's name as it is.
    Email(String),
    /// The `sub` claim of a workload. Which name the certificate gets is the authority's rule for that issuer.
    Subject(String),
}

impl TokenSubject {
    /// The text of which possession is proved by signing it with the new key.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            TokenSubject::Email(text) | TokenSubject::Subject(text) => text,
        }
    }
}

/// An ID token whose claims could be read. Who holds it can sign as its subject while it lives, so it has no `Display`,
/// shows nothing in `Debug`, and is wiped when dropped.
pub struct IdToken {
    raw: Zeroizing<String>,
    issuer: String,
    connector: Option<String>,
    subject: TokenSubject,
    audiences: Vec<String>,
    expires: Timestamp,
}

type Jwt =
    openidconnect::IdToken<Federated, CoreGenderClaim, CoreJweContentEncryptionAlgorithm, CoreJwsSigningAlgorithm>;

/// Where a federating issuer (Dex) has the identity from.
#[derive(Debug, Clone, Deserialize, Serialize)]
struct Federated {
    #[serde(default)]
    federated_claims: Option<Connector>,
}

#[derive(Debug, Clone, Deserialize, Serialize)]
struct Connector {
    #[serde(default)]
    connector_id: Option<String>,
}

impl AdditionalClaims for Federated {}

impl IdToken {
    /// Read the claims of a token in compact form; white space around it is dropped, as files end in a newline.
    ///
    /// # Errors
    /// [`TokenError::Malformed`] when it is not an ID token, [`TokenError::EmailNotVerified`] when nobody vouches for
    /// the identity that it names.
    pub fn parse(text: &str) -> Result<Self, TokenError> {
        let text = text.trim();
        if text.len() > MAX_TOKEN_LEN {
            return Err(TokenError::Malformed(format!("more than {MAX_TOKEN_LEN} bytes")));
        }
        let (signed, signature) = text.rsplit_once('.').unwrap_or_default();
        if signed.matches('.').count() != 1 || signature.is_empty() {
            return Err(TokenError::Malformed("not three parts with dots between them".to_owned()));
        }
        // The library keeps what it parses and does not wipe it. Without its signature a token is worth nothing.
        let unsigned = format!("{signed}.");
        let malformed = |error: &dyn fmt::Display| TokenError::Malformed(error.to_string());
        let jwt = Jwt::from_str(&unsigned).map_err(|error| malformed(&error))?;
        // Only the form is asked for here; whether the token is good now and for us is asked by `check`.
        let form = CoreIdTokenVerifier::new_insecure_without_verification().set_time_fn(|| UNIX_EPOCH.into());
        let claims = jwt.claims(&form, |_: Option<&Nonce>| Ok(())).map_err(|error| malformed(&error))?;

        let subject = match claims.email().map(|email| email.as_str()) {
            Some(email) if claims.email_verified() == Some(true) => TokenSubject::Email(email.to_owned()),
            Some(email) => return Err(TokenError::EmailNotVerified(email.to_owned())),
            None => TokenSubject::Subject(claims.subject().to_string()),
        };
        let expires = Timestamp::from_second(claims.expiration().timestamp()).map_err(|error| malformed(&error))?;
        let connector = claims.additional_claims().federated_claims.clone().and_then(|claims| claims.connector_id);
        Ok(IdToken {
            raw: Zeroizing::new(text.to_owned()),
            issuer: claims.issuer().to_string(),
            connector,
            subject,
            audiences: claims.audiences().iter().map(|audience| audience.to_string()).collect(),
            expires,
        })
    }

    /// Whether the token can be used now by `client_id`.
    ///
    /// # Errors
    /// [`TokenError`] names the first thing that is wrong.
    pub fn check(&self, client_id: &str, now: Timestamp) -> Result<(), TokenError> {
        if !self.audiences.iter().any(|audience| audience == client_id) {
            return Err(TokenError::Audience { found: self.audiences.clone(), wanted: client_id.to_owned() });
        }
        if now >= self.expires {
            return Err(TokenError::Expired { expired: self.expires });
        }
        Ok(())
    }

    /// Whom it is about.
    #[must_use]
    pub fn subject(&self) -> &TokenSubject {
        &self.subject
    }

    /// The issuers that a certificate for this token may name: the token's own, and the one that a federating issuer
    /// has the identity from, which is what a public certificate authority writes.
    pub fn issuers(&self) -> impl Iterator<Item = &str> {
        std::iter::once(self.issuer.as_str()).chain(self.connector.as_deref())
    }

    /// When its time is over.
    #[must_use]
    pub fn expires(&self) -> Timestamp {
        self.expires
    }

    /// The token itself, for the one request that exchanges it, or for the agent that makes that request.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.raw
    }
}

impl fmt::Debug for IdToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("IdToken(redacted)")
    }
}

#[cfg(test)]
mod tests {
    use base64ct::{Base64UrlUnpadded, Encoding as _};

    use super::*;

    const NOW: i64 = 1_700_000_000;

    fn token(claims: &str) -> String {
        let part = |text: &str| Base64UrlUnpadded::encode_string(text.as_bytes());
        format!("{}.{}.c2ln", part(r#"{"alg":"ES256","typ":"JWT"}"#), part(claims))
    }

    fn with(claims: &str) -> Result<IdToken, TokenError> {
        IdToken::parse(&token(&format!(
            r#"{{"iss":"https://issuer","sub":"who","aud":"sigstore","iat":{NOW},"exp":{},{claims}}}"#,
            NOW + 60
        )))
    }

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(seconds).unwrap()
    }

    #[test]
    fn a_token_is_good_for_its_audience_until_it_expires() {
        let token = with(r#""email":"a@example.com","email_verified":true"#).unwrap();
        assert_eq!(token.subject(), &TokenSubject::Email("a@example.com".into()));
        assert_eq!(token.check("sigstore", at(NOW + 59)), Ok(()));
        assert_eq!(token.check("sigstore", at(NOW + 60)), Err(TokenError::Expired { expired: at(NOW + 60) }));
        assert!(matches!(token.check("other", at(NOW)), Err(TokenError::Audience { .. })));
    }

    #[test]
    fn an_unverified_address_is_nobody() {
        for claims in [r#""email":"a@example.com","email_verified":false"#, r#""email":"a@example.com""#] {
            assert!(matches!(with(claims), Err(TokenError::EmailNotVerified(_))), "{claims}");
        }
        assert_eq!(with(r#""x":1"#).unwrap().subject(), &TokenSubject::Subject("who".into()));
    }

    #[test]
    fn a_federated_token_may_give_either_issuer() {
        let token = with(r#""federated_claims":{"connector_id":"https://github.com/login/oauth"}"#).unwrap();
        assert_eq!(token.issuers().collect::<Vec<_>>(), ["https://issuer", "https://github.com/login/oauth"]);
    }

    #[test]
    fn what_is_no_token_is_malformed() {
        let good = token(r#"{"iss":"https://i","sub":"s","aud":["sigstore"],"iat":1,"exp":2}"#);
        assert!(IdToken::parse(&format!(" {good}\n")).is_ok());
        let (unsigned, _) = good.rsplit_once('.').unwrap();
        let bad = [
            String::new(),
            "a.b".into(),
            "a.b.c".into(),
            format!("{good}.x"),
            format!("{unsigned}."),
            unsigned.into(),
            token(r#"{"iss":"https://i","sub":"s","aud":"sigstore","iat":1}"#),
            "x".repeat(MAX_TOKEN_LEN + 1),
        ];
        for text in bad {
            assert!(matches!(IdToken::parse(&text), Err(TokenError::Malformed(_))), "{text:.40}");
        }
    }

    #[test]
    fn its_debug_form_tells_nothing() {
        assert_eq!(format!("{:?}", with(r#""x":1"#).unwrap()), "IdToken(redacted)");
    }
}
