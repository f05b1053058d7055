//! `GET /v1/jobs/{id}/tasks/{task}/log`: plain text of the latest attempt, never interpreted.

use crate::{app::App, auth::Call, error::ApiError, view};
use axum::{
    extract::{Path, State},
    http::header,
    response::IntoResponse,
};
use std::sync::Arc;
use tatau_model::{JobId, TaskId};

pub(crate) async fn log(
    State(app): State<Arc<App>>,
    Path((job, task)): Path<(String, String)>,
    call: Call,
) -> Result<impl IntoResponse, ApiError> {
    let owner = call.account(&app).await?;
    let job: JobId = crate::routes::id(&job)?;
    let task: TaskId = crate::routes::id(&task)?;
    view::own_job(&app, job, owner).await?;
    let attempts = app.archive.attempts_of_task(task).await?;
    if attempts.iter().any(|a| a.job != job) {
        return Err(ApiError::not_found(format!("{job} has no {task}")));
    }
    let mut text = None;
    for attempt in attempts.iter().rev() {
        text = app.archive.log(attempt.id).await?;
        if text.is_some() {
            break;
        }
    }
    let text = text.ok_or_else(|| ApiError::not_found(format!("{task} has no log yet")))?;
    let headers =
        [(header::CONTENT_TYPE, "text/plain; charset=utf-8"), (header::X_CONTENT_TYPE_OPTIONS, "nosniff")];
    Ok((headers, text))
}
