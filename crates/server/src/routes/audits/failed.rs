//! `POST /v1/audits/{id}/failed`: a validator gives an audit up.

use crate::{app::App, auth::Call, error::ApiError, routes::attempts::check_report};
use axum::{
    Json,
    extract::{Path, State},
};
use serde_json::{Value, json};
use std::sync::Arc;
use tatau_api::FailReport;
use tatau_engine::Event;
use tatau_model::AuditId;

pub(crate) async fn failed(
    State(app): State<Arc<App>>,
    Path(audit): Path<String>,
    call: Call,
) -> Result<Json<Value>, ApiError> {
    let node = call.node(&app).await?.id;
    let audit: AuditId = crate::routes::id(&audit)?;
    let FailReport { code, sentence, .. } = call.json()?;
    check_report(&code, &sentence)?;
    tracing::info!(%audit, %node, code, sentence, "an audit was given up");
    app.writer.event(Event::FailAudit { node, audit, code, sentence }).await?;
    Ok(Json(json!({})))
}
