//! `GET /v1/epochs?after=N`: closed epochs, oldest first, at most 1,000.

use crate::{app::App, error::ApiError};
use axum::{
    Json,
    extract::{Query, State},
};
use serde::Deserialize;
use std::sync::Arc;
use tatau_model::{Epoch, EpochId};

#[derive(Debug, Deserialize)]
pub(crate) struct Page {
    #[serde(default)]
    after: u64,
}

pub(crate) async fn list(
    State(app): State<Arc<App>>,
    Query(page): Query<Page>,
) -> Result<Json<Vec<Epoch>>, ApiError> {
    app.archive.epochs(EpochId(page.after), 1_000).await.map(Json)
}
