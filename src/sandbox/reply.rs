//! What a service answers when it refuses: a status, and the JSON `{code, message}` that Fulcio and Rekor answer with;
//! and requests that are refused so when they are malformed.
//!
//! The generated Go clients of both cannot read an error that is not JSON, and report something else instead.

use std::sync::{Mutex, MutexGuard, PoisonError};

use axum::Json;
use axum::extract::rejection::{JsonRejection, QueryRejection};
use axum::extract::{FromRequest, FromRequestParts, Query, Request};
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};
use serde::de::DeserializeOwned;
use serde_json::json;

/// A refusal.
#[derive(Debug)]
pub(super) struct Refusal {
    status: StatusCode,
    message: String,
}

impl Refusal {
    /// 400.
    pub(super) fn bad_request(why: impl ToString) -> Self {
        Refusal { status: StatusCode::BAD_REQUEST, message: why.to_string() }
    }

    /// 401.
    pub(super) fn unauthorized(why: impl ToString) -> Self {
        Refusal { status: StatusCode::UNAUTHORIZED, message: why.to_string() }
    }

    /// 404.
    pub(super) fn not_found(what: impl ToString) -> Self {
        Refusal { status: StatusCode::NOT_FOUND, message: what.to_string() }
    }

    /// 500: the sandbox itself failed, its disk for instance.
    pub(super) fn internal(why: impl ToString) -> Self {
        Refusal { status: StatusCode::INTERNAL_SERVER_ERROR, message: why.to_string() }
    }
}

impl From<JsonRejection> for Refusal {
    fn from(rejection: JsonRejection) -> Self {
        Refusal { status: rejection.status(), message: rejection.body_text() }
    }
}

impl From<QueryRejection> for Refusal {
    fn from(rejection: QueryRejection) -> Self {
        Refusal { status: rejection.status(), message: rejection.body_text() }
    }
}

/// A request's JSON.
pub(super) struct Body<T>(pub(super) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Body<T> {
    type Rejection = Refusal;

    async fn from_request(request: Request, state: &S) -> Result<Self, Refusal> {
        let Json(value) = Json::from_request(request, state).await?;
        Ok(Body(value))
    }
}

/// A request's query.
pub(super) struct Parameters<T>(pub(super) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for Parameters<T> {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refusal> {
        let Query(value) = Query::from_request_parts(parts, state).await?;
        Ok(Parameters(value))
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let body = json!({ "code": self.status.as_u16(), "message": self.message });
        (self.status, Json(body)).into_response()
    }
}

/// Lock `mutex`. A handler that panicked has left nothing half-done: what must not tear is in the journal.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
