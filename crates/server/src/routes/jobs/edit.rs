//! `POST /v1/jobs/{id}/edit`.

use crate::{app::App, auth::Call, error::ApiError, view};
use axum::{
    Json,
    extract::{Path, State},
};
use std::sync::Arc;
use tatau_api::{EditJob, JobView};
use tatau_engine::{Event, Terms};
use tatau_model::JobId;

pub(crate) async fn edit(
    State(app): State<Arc<App>>,
    Path(job): Path<String>,
    call: Call,
) -> Result<Json<JobView>, ApiError> {
    let by = call.account(&app).await?;
    let job: JobId = crate::routes::id(&job)?;
    let EditJob { cap, priority, deadline } = call.json()?;
    let terms = Terms { cap, priority, deadline };
    view::own_job(&app, job, by).await?;
    app.writer.event(Event::EditJob { job, by, terms }).await?;
    view::job(&app, job, by, 0).await.map(Json)
}
