//! `POST /v1/audits/{id}/reveal`: what the validator got is here and fits its commitment.

use crate::{app::App, auth::Call, error::ApiError, files};
use axum::{
    Json,
    extract::{Path, State},
};
use serde_json::{Value, json};
use std::sync::Arc;
use tatau_api::AuditReveal;
use tatau_engine::Event;
use tatau_evidence::manifest_root;
use tatau_model::{AuditId, AuditState};

pub(crate) async fn reveal(
    State(app): State<Arc<App>>,
    Path(audit): Path<String>,
    call: Call,
) -> Result<Json<Value>, ApiError> {
    let node = call.node(&app).await?.id;
    let id: AuditId = crate::routes::id(&audit)?;
    let AuditReveal { files, work_ms } = call.json()?;
    let known = app.writer.read(move |s| s.audit(id).cloned()).await?;
    // Settled without it: the validator is done.
    let Some(known) = known.filter(|a| a.state != AuditState::Void) else { return Ok(Json(json!({}))) };
    if known.node != Some(node) {
        return Err(ApiError::forbidden(format!("{id} is not assigned to this node (any more)")));
    }
    files::check_names(&files)?;
    if known.commitment != Some(manifest_root(&files)) {
        return Err(ApiError::invalid("these files are not the ones that were committed to"));
    }
    files::check_present(&app.blobs, &files).await?;
    app.writer.event(Event::RevealAudit { node, audit: id, files, work_ms }).await?;
    Ok(Json(json!({})))
}
