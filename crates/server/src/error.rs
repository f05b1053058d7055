//! Every refusal as one JSON shape with a fitting status.

use axum::{
    Json,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use tatau_api::ErrorBody;
use tatau_engine::Refusal;

/// An answer that is not 2xx.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiError {
    /// HTTP status.
    pub status: StatusCode,
    /// For programs.
    pub code: &'static str,
    /// For people: one sentence, what to do.
    pub sentence: String,
}

impl ApiError {
    fn new(status: StatusCode, code: &'static str, sentence: impl Into<String>) -> Self {
        Self { status, code, sentence: sentence.into() }
    }
    pub(crate) fn bad_request(sentence: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "bad_request", sentence)
    }
    pub(crate) fn unauthorized(sentence: impl Into<String>) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "unauthorized", sentence)
    }
    /// Signed by a clock that is not the server's: the `Date` of the answer says what it is here.
    pub(crate) fn other_clock(sentence: impl Into<String>) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "clock", sentence)
    }
    pub(crate) fn forbidden(sentence: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, "forbidden", sentence)
    }
    /// Spoken to in a version that is not understood any more.
    pub(crate) fn too_old(sentence: impl Into<String>) -> Self {
        Self::new(StatusCode::UPGRADE_REQUIRED, "too_old", sentence)
    }
    /// No room.
    pub(crate) fn full(sentence: impl Into<String>) -> Self {
        Self::new(StatusCode::INSUFFICIENT_STORAGE, "full", sentence)
    }
    pub(crate) fn not_found(sentence: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not_found", sentence)
    }
    pub(crate) fn conflict(sentence: impl Into<String>) -> Self {
        Self::new(StatusCode::CONFLICT, "conflict", sentence)
    }
    pub(crate) fn too_large(sentence: impl Into<String>) -> Self {
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, "too_large", sentence)
    }
    pub(crate) fn too_many(sentence: impl Into<String>) -> Self {
        Self::new(StatusCode::TOO_MANY_REQUESTS, "too_many", sentence)
    }
    pub(crate) fn invalid(sentence: impl Into<String>) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid", sentence)
    }
    pub(crate) fn unavailable(sentence: impl Into<String>) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", sentence)
    }
    /// The cause goes to the log, not to the caller.
    pub(crate) fn internal(cause: &(dyn std::fmt::Display + '_)) -> Self {
        tracing::error!(%cause, "a request failed inside the server");
        Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "internal",
            "the server could not do this; nothing changed, try again, and tell the operator if it stays so",
        )
    }
    /// The one JSON shape.
    pub(crate) fn body(&self) -> ErrorBody {
        ErrorBody { code: self.code.into(), sentence: self.sentence.clone() }
    }
}

impl From<Refusal> for ApiError {
    fn from(refusal: Refusal) -> Self {
        let Refusal { code, sentence } = refusal;
        match code {
            "not_found" => Self::not_found(sentence),
            "not_yours" | "barred" => Self::new(StatusCode::FORBIDDEN, code, sentence),
            "too_little" => Self::new(StatusCode::PAYMENT_REQUIRED, code, sentence),
            "conflict" => Self::conflict(sentence),
            "invalid" => Self::invalid(sentence),
            "unavailable" => Self::unavailable(sentence),
            _ => Self::internal(&sentence),
        }
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        (self.status, Json(self.body())).into_response()
    }
}
