//! `POST /v1/attempts/{id}/failed`: a node gives a lease up.

use crate::{app::App, archive, auth::Call, error::ApiError};
use axum::{
    Json,
    extract::{Path, State},
};
use serde_json::{Value, json};
use std::sync::Arc;
use tatau_api::FailReport;
use tatau_engine::Event;
use tatau_model::AttemptId;

pub(crate) async fn failed(
    State(app): State<Arc<App>>,
    Path(attempt): Path<String>,
    call: Call,
) -> Result<Json<Value>, ApiError> {
    let node = call.node(&app).await?.id;
    let attempt: AttemptId = crate::routes::id(&attempt)?;
    let report: FailReport = call.json()?;
    super::check_report(&report.code, &report.sentence)?;
    let mine = app.writer.read(move |s| s.attempt(attempt).is_some_and(|a| a.node == node)).await?;
    let FailReport { code, sentence, log } = report;
    app.writer.event(Event::FailAttempt { node, attempt, code, sentence }).await?;
    if mine && !log.is_empty() {
        archive::keep_log(&app.writer, attempt, super::trailing(&log).to_owned()).await?;
    }
    Ok(Json(json!({})))
}
