//! `PUT /v1/uploads/{blob}?bytes=N&offset=O`: one chunk. The answer's `have` says where the next one starts.

use crate::{app::App, auth::Call, error::ApiError};
use axum::{
    Json,
    extract::{Path, Query, State},
};
use serde::Deserialize;
use std::sync::Arc;
use tatau_api::UploadState;
use tatau_blobs::BlobError;
use tatau_model::BlobId;

#[derive(Debug, Deserialize)]
pub(crate) struct Place {
    bytes: u64,
    offset: u64,
}

pub(crate) async fn put(
    State(app): State<Arc<App>>,
    Path(blob): Path<String>,
    Query(Place { bytes, offset }): Query<Place>,
    call: Call,
) -> Result<Json<UploadState>, ApiError> {
    let by = call.member(&app).await?;
    let blob: BlobId = crate::routes::id(&blob)?;
    let chunk = call.body;
    let appended = app.blobs.run(move |store| match store.append(&blob, bytes, &by, offset, &chunk) {
        // Where it stands is the answer: the sender goes on from there.
        Err(BlobError::Gap { .. } | BlobError::NoUpload(_)) => store.begin_upload(&blob, bytes, &by),
        other => other,
    });
    appended.await.map(Json).map_err(|e| super::refused(&e))
}
