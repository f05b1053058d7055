//! `GET /v1/uploads/{blob}?bytes=N`: how much of an upload is here. Asking takes no place.

use crate::{app::App, auth::Call, error::ApiError};
use axum::{
    Json,
    extract::{Path, Query, State},
};
use serde::Deserialize;
use std::sync::Arc;
use tatau_api::UploadState;
use tatau_model::BlobId;

#[derive(Debug, Deserialize)]
pub(crate) struct Size {
    bytes: u64,
}

pub(crate) async fn show(
    State(app): State<Arc<App>>,
    Path(blob): Path<String>,
    Query(Size { bytes }): Query<Size>,
    call: Call,
) -> Result<Json<UploadState>, ApiError> {
    let by = call.member(&app).await?;
    let blob: BlobId = crate::routes::id(&blob)?;
    let state = app.blobs.run(move |store| store.upload_state(&blob, bytes, &by)).await;
    state.map(Json).map_err(|e| super::refused(&e))
}
