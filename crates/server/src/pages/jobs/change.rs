//! `POST /jobs/{id}/pause`, `/resume`, `/cancel`: the buttons of a job's page.

use crate::{
    app::App,
    error::ApiError,
    pages::{PageError, Posted, go, refused},
    view,
};
use axum::{
    extract::{Path, State},
    response::Response,
};
use serde::Deserialize;
use std::sync::Arc;
use tatau_engine::Event;
use tatau_model::{Address, Amount, JobId};

#[derive(Debug, Deserialize)]
struct More {
    /// Decimal TATAU, added to the cap.
    #[serde(default)]
    more: String,
}

pub(crate) async fn pause(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    posted: Posted,
) -> Result<Response, PageError> {
    act(&app, &id, &posted, |job, by| Event::PauseJob { job, by }).await
}

pub(crate) async fn cancel(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    posted: Posted,
) -> Result<Response, PageError> {
    act(&app, &id, &posted, |job, by| Event::CancelJob { job, by }).await
}

pub(crate) async fn resume(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    posted: Posted,
) -> Result<Response, PageError> {
    let More { more } = posted.form()?;
    let more = match more.trim() {
        "" => Amount::ZERO,
        text => match text.parse::<Amount>() {
            Ok(more) => more,
            Err(error) => return refused(ApiError::invalid(error.to_string()), &posted.headers),
        },
    };
    act(&app, &id, &posted, |job, by| Event::ResumeJob { job, by, more }).await
}

/// What the button asks for; the page then shows the job as it stands. What is over already is no mistake.
async fn act(
    app: &App,
    id: &str,
    posted: &Posted,
    event: impl FnOnce(JobId, Address) -> Event,
) -> Result<Response, PageError> {
    let by = posted.owner()?;
    let id: JobId = crate::routes::id(id)?;
    let job = view::own_job(app, id, by).await?;
    if !job.state.is_ended()
        && let Err(error) = app.writer.event(event(id, by)).await
    {
        return refused(error, &posted.headers);
    }
    Ok(go(&posted.headers, &format!("/jobs/{id}")))
}
