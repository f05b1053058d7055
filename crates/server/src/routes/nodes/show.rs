//! `GET /v1/nodes/me`.

use crate::{app::App, auth::Call, error::ApiError};
use axum::{Json, extract::State};
use std::sync::Arc;
use tatau_model::Node;

pub(crate) async fn show(State(app): State<Arc<App>>, call: Call) -> Result<Json<Node>, ApiError> {
    call.node(&app).await.map(Json)
}
