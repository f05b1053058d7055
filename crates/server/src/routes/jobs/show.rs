//! `GET /v1/jobs/{id}?after=CHANGE&wait_ms=N`: the job and its changed tasks, waited for.

use crate::{app::App, auth::Call, error::ApiError, limits::WAIT_MS, view};
use axum::{
    Json,
    extract::{Path, Query, State},
};
use serde::Deserialize;
use std::{sync::Arc, time::Duration};
use tatau_api::JobView;
use tatau_model::{JobId, JobState};
use tokio::time::{Instant, timeout_at};

#[derive(Debug, Deserialize)]
pub(crate) struct Wait {
    #[serde(default)]
    after: u64,
    #[serde(default)]
    wait_ms: u64,
}

pub(crate) async fn show(
    State(app): State<Arc<App>>,
    Path(job): Path<String>,
    Query(wait): Query<Wait>,
    call: Call,
) -> Result<Json<JobView>, ApiError> {
    let owner = call.account(&app).await?;
    let job: JobId = crate::routes::id(&job)?;
    view::own_job(&app, job, owner).await?;
    let until = Instant::now() + Duration::from_millis(wait.wait_ms.min(WAIT_MS));
    let mut bell = app.wakes.job(job);
    let mut stopping = app.stopping.clone();
    let mut before: Option<JobState> = None;
    loop {
        bell.mark_unchanged();
        let seen = view::job(&app, job, owner, wait.after).await?;
        // A pause or its end changes no task.
        let turned = before.replace(seen.job.state.clone()).is_some_and(|state| state != seen.job.state);
        if !seen.tasks.is_empty() || turned || seen.job.state.is_ended() {
            return Ok(Json(seen));
        }
        let rung = timeout_at(until, async {
            tokio::select! {
                rung = bell.changed() => rung.is_ok(),
                _ = stopping.wait_for(|stop| *stop) => false,
            }
        });
        if !matches!(rung.await, Ok(true)) {
            return Ok(Json(seen));
        }
    }
}
