//! `GET /v1/jobs?limit=N`: the caller's jobs, newest first.

use crate::{app::App, auth::Call, error::ApiError};
use axum::{
    Json,
    extract::{Query, State},
};
use serde::Deserialize;
use std::sync::Arc;
use tatau_model::Job;

const MOST_JOBS: usize = 1_000;

#[derive(Debug, Deserialize)]
pub(crate) struct Page {
    limit: Option<usize>,
}

pub(crate) async fn list(
    State(app): State<Arc<App>>,
    Query(page): Query<Page>,
    call: Call,
) -> Result<Json<Vec<Job>>, ApiError> {
    let owner = call.account(&app).await?;
    let limit = page.limit.unwrap_or(50).min(MOST_JOBS);
    app.archive.jobs_of(owner, limit).await.map(Json)
}
