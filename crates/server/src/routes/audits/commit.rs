//! `POST /v1/audits/{id}/commit`: a validator binds itself to what it got.

use crate::{app::App, auth::Call, error::ApiError};
use axum::{
    Json,
    extract::{Path, State},
};
use serde_json::{Value, json};
use std::sync::Arc;
use tatau_api::AuditCommit;
use tatau_engine::Event;
use tatau_evidence::typed::{AuditCommitment, Domain};
use tatau_model::AuditId;

pub(crate) async fn commit(
    State(app): State<Arc<App>>,
    Path(audit): Path<String>,
    call: Call,
) -> Result<Json<Value>, ApiError> {
    let node = call.node(&app).await?.id;
    let audit: AuditId = crate::routes::id(&audit)?;
    let body: AuditCommit = call.json()?;
    if body.audit != audit {
        return Err(ApiError::bad_request("the body names another audit than the address"));
    }
    let signature =
        body.signature.parse().map_err(|_| ApiError::invalid("the commitment's signature cannot be read"))?;
    AuditCommitment { audit, node, files_root: body.commitment }
        .check(&Domain::default(), &signature)
        .map_err(|e| ApiError::invalid(e.to_string()))?;
    app.writer.event(Event::CommitAudit { node, audit, commitment: body.commitment }).await?;
    Ok(Json(json!({})))
}
