//! `POST /v1/jobs/{id}/resume`.

use crate::{app::App, auth::Call, error::ApiError, view};
use axum::{
    Json,
    extract::{Path, State},
};
use std::sync::Arc;
use tatau_api::{JobView, ResumeJob};
use tatau_engine::Event;
use tatau_model::JobId;

pub(crate) async fn resume(
    State(app): State<Arc<App>>,
    Path(job): Path<String>,
    call: Call,
) -> Result<Json<JobView>, ApiError> {
    let by = call.account(&app).await?;
    let job: JobId = crate::routes::id(&job)?;
    let ResumeJob { more } = call.json()?;
    view::own_job(&app, job, by).await?;
    app.writer.event(Event::ResumeJob { job, by, more }).await?;
    view::job(&app, job, by, 0).await.map(Json)
}
