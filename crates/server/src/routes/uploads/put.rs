//! `PUT /v1/uploads/{blob}?bytes=N&offset=O`: one chunk. The answer's `have` says where the next one starts. Several
//! may be on their way at once.

use crate::{app::App, auth::Call, background::uploads, error::ApiError, limits, packing::unpacked};
use axum::{
    Json,
    extract::{Path, Query, State},
    http::HeaderMap,
};
use serde::Deserialize;
use std::sync::Arc;
use tatau_api::{PACKED, PACKED_HEADER, UploadState};
use tatau_blobs::Standing;
use tatau_model::{BlobId, Clock, SystemClock};

#[derive(Debug, Deserialize)]
pub(crate) struct Place {
    bytes: u64,
    offset: u64,
}

pub(crate) async fn put(
    State(app): State<Arc<App>>,
    Path(blob): Path<String>,
    Query(Place { bytes, offset }): Query<Place>,
    headers: HeaderMap,
    call: Call,
) -> Result<Json<UploadState>, ApiError> {
    let by = call.member(&app).await?;
    let blob: BlobId = crate::routes::id(&blob)?;
    let standing = uploads::standing(&app, by).await?;
    let chunk = match headers.get(PACKED_HEADER) {
        None => call.body,
        Some(how) if how == PACKED => unpacked(call.body, limits::CHUNK).await.ok_or_else(|| {
            ApiError::invalid("the chunk is no zlib stream of at most 8 MiB; send it again, or as it is")
        })?,
        Some(_) => return Err(ApiError::invalid("chunks are packed by `deflate`, or not at all")),
    };
    if standing == Standing::Stranger {
        app.holdings.check(&by)?;
        app.allowance.take(by, chunk.len() as u64, SystemClock.now())?;
    }
    let put = app.blobs.put_chunk_in_turn(&blob, bytes, &by, standing, offset, chunk).await;
    put.map(Json).map_err(|e| super::refused(&e))
}
