//! `POST /jobs/{id}/pause`, `/resume`, `/cancel`, `/edit`, `/forget`: the buttons of a job's page.

use crate::{
    app::App,
    background::retention,
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
use tatau_engine::{Event, Terms};
use tatau_model::{Address, Amount, Clock, JobId, Millis, SystemClock};

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

/// Its files go before their time.
pub(crate) async fn forget(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    posted: Posted,
) -> Result<Response, PageError> {
    let owner = posted.owner()?;
    let id: JobId = crate::routes::id(&id)?;
    match retention::forget(&app, id, owner).await {
        Ok(()) => Ok(go(&posted.headers, &format!("/jobs/{id}"))),
        Err(error) => refused(error, &posted.headers),
    }
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

#[derive(Debug, Deserialize)]
struct Change {
    /// Decimal TATAU; empty: as it is.
    #[serde(default)]
    cap: String,
    /// Empty: as it is.
    #[serde(default)]
    priority: String,
    /// Hours from now in which it is wanted; empty: as it is; 0: no matter when.
    #[serde(default)]
    hours: String,
}

pub(crate) async fn edit(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    posted: Posted,
) -> Result<Response, PageError> {
    let Change { cap, priority, hours } = posted.form()?;
    let given = |text: &str| (!text.trim().is_empty()).then(|| text.trim().replace(',', "."));
    let cap = given(&cap).map(|text| text.parse::<Amount>()).transpose();
    let priority = given(&priority).map(|text| text.parse::<i8>()).transpose();
    let hours = given(&hours).map(|text| text.parse::<u32>()).transpose();
    let problem = match (cap, priority, hours) {
        (Ok(cap), Ok(priority), Ok(hours)) => {
            let by_then = |hours: u32| SystemClock.now().plus(u64::from(hours) * 3_600_000);
            let deadline = hours.map(|hours| if hours == 0 { Millis(0) } else { by_then(hours) });
            let terms = Terms { cap, priority, deadline };
            return act(&app, &id, &posted, |job, by| Event::EditJob { job, by, terms }).await;
        }
        (Err(error), ..) => error.to_string(),
        (_, Err(_), _) => "a priority is a whole number from -128 to 127".into(),
        (.., Err(_)) => "say in how many whole hours you want it, such as 6".into(),
    };
    refused(ApiError::invalid(problem), &posted.headers)
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
