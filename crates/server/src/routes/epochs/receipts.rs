//! `GET /v1/epochs/{n}/receipts`: digests in log order; their root is in the epoch.

use crate::{app::App, error::ApiError};
use axum::{
    Json,
    extract::{Path, State},
};
use std::sync::Arc;
use tatau_model::{Digest, EpochId};

pub(crate) async fn receipts(
    State(app): State<Arc<App>>,
    Path(epoch): Path<String>,
) -> Result<Json<Vec<Digest>>, ApiError> {
    let epoch: EpochId = crate::routes::id(&epoch)?;
    app.archive.receipts_of_epoch(epoch).await.map(Json)
}
