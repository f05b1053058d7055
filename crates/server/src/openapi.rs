//! `GET /openapi.json`: every call, for programs that generate clients.

use axum::{Json, response::IntoResponse};

/// The document.
pub(crate) async fn serve() -> impl IntoResponse {
    Json(tatau_api::document(env!("CARGO_PKG_VERSION")))
}
