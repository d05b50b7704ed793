//! What a service answers when it refuses: a status, and the JSON `{code, message}` that Fulcio and Rekor answer with.

use std::sync::{Mutex, MutexGuard, PoisonError};

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
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
