//! `POST /v1/attempts/{id}/delivered`: the outputs are here and fit the receipt.

use crate::{app::App, archive, auth::Call, error::ApiError, files};
use axum::{
    Json,
    extract::{Path, State},
};
use serde_json::{Value, json};
use std::sync::Arc;
use tatau_api::Delivered;
use tatau_engine::Event;
use tatau_evidence::manifest_root;
use tatau_model::AttemptId;

pub(crate) async fn delivered(
    State(app): State<Arc<App>>,
    Path(attempt): Path<String>,
    call: Call,
) -> Result<Json<Value>, ApiError> {
    let node = call.node(&app).await?.id;
    let id: AttemptId = crate::routes::id(&attempt)?;
    let Delivered { files, log } = call.json()?;
    let known = app.writer.read(move |s| s.attempt(id).cloned()).await?;
    let known =
        known.ok_or_else(|| ApiError::conflict(format!("{id} is over; nothing more is needed of it")))?;
    if known.node != node {
        return Err(ApiError::forbidden(format!("{id} is not a lease of this node")));
    }
    let receipt = known.receipt.ok_or_else(|| {
        ApiError::conflict(format!("{id} has no receipt yet; send the signed receipt first"))
    })?;
    files::check_names(&files)?;
    if manifest_root(&files) != receipt.manifest_root {
        return Err(ApiError::invalid("these files are not the ones the receipt was signed for"));
    }
    files::check_present(&app.blobs, &files).await?;
    app.writer.event(Event::Deliver { node, attempt: id, files }).await?;
    if !log.is_empty() {
        archive::keep_log(&app.writer, id, super::trailing(&log).to_owned()).await?;
    }
    Ok(Json(json!({})))
}
