//! `POST /v1/jobs/{id}/pause`.

use crate::{app::App, auth::Call, error::ApiError, view};
use axum::{
    Json,
    extract::{Path, State},
};
use std::sync::Arc;
use tatau_api::JobView;
use tatau_engine::Event;
use tatau_model::JobId;

pub(crate) async fn pause(
    State(app): State<Arc<App>>,
    Path(job): Path<String>,
    call: Call,
) -> Result<Json<JobView>, ApiError> {
    let by = call.account(&app).await?;
    let job: JobId = crate::routes::id(&job)?;
    let known = view::own_job(&app, job, by).await?;
    if known.state.is_ended() {
        return Err(ApiError::conflict(format!(
            "{job} is {}; there is nothing to pause",
            known.state.name()
        )));
    }
    app.writer.event(Event::PauseJob { job, by }).await?;
    view::job(&app, job, by, 0).await.map(Json)
}
