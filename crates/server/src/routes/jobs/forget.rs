//! `POST /v1/jobs/{id}/forget`.

use crate::{app::App, auth::Call, background::retention, error::ApiError, view};
use axum::{
    Json,
    extract::{Path, State},
};
use std::sync::Arc;
use tatau_api::JobView;
use tatau_model::JobId;

pub(crate) async fn forget(
    State(app): State<Arc<App>>,
    Path(job): Path<String>,
    call: Call,
) -> Result<Json<JobView>, ApiError> {
    let by = call.account(&app).await?;
    let job: JobId = crate::routes::id(&job)?;
    retention::forget(&app, job, by).await?;
    view::job(&app, job, by, 0).await.map(Json)
}
