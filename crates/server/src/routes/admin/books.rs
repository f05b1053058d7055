//! `GET /v1/admin/books`: every balance recomputed from the journal.

use crate::{app::App, auth::Call, error::ApiError};
use axum::{Json, extract::State};
use std::sync::Arc;
use tatau_api::Books;

pub(crate) async fn books(State(app): State<Arc<App>>, call: Call) -> Result<Json<Books>, ApiError> {
    call.operator()?;
    app.archive.books().await.map(Json)
}
