//! Where an inspection stands: for the page, for its script, and live.

use super::words;
use crate::{
    app::App,
    auth::Call,
    error::ApiError,
    limits::WAIT_MS,
    view,
    work::{self, Inspected},
};
use axum::{
    Json,
    extract::{Path, State},
};
use serde::Serialize;
use std::{sync::Arc, time::Duration};
use tatau_model::{Clock, Job, JobId, JobKind, JobState, SystemClock};
use tokio::time::{Instant, timeout_at};

/// Where it stands.
pub(super) enum Stage {
    /// Nobody has delivered a report yet; so many providers are online that could.
    Waiting { online: usize },
    /// It ended without a report.
    Over(String),
    /// A report is here.
    Found(Box<Inspected>),
}

impl Stage {
    /// A word that changes whenever the page looks different.
    pub(super) fn word(&self, job: &Job) -> &'static str {
        match self {
            Self::Waiting { .. } => "waiting",
            Self::Over(_) => "over",
            Self::Found(_) if job.state == JobState::Finished => "checked",
            Self::Found(_) => "found",
        }
    }
}

/// The inspection, if it is one and this owner's.
pub(super) async fn look(
    app: &App,
    id: JobId,
    owner: tatau_model::Address,
) -> Result<(Job, Stage), ApiError> {
    let job = view::own_job(app, id, owner).await?;
    if job.kind != JobKind::Inspect {
        return Err(ApiError::not_found(format!("{id} is no inspection; it is among your jobs")));
    }
    let stage = match &job.state {
        JobState::Failed { reason } | JobState::Paused { reason } => Stage::Over(reason.clone()),
        JobState::Cancelled => Stage::Over("it was cancelled before it had a report".into()),
        JobState::Running | JobState::Finished => match work::report(app, job.clone()).await? {
            Some(found) => Stage::Found(Box::new(found)),
            None => Stage::Waiting { online: online(app, job.environment.clone()).await? },
        },
    };
    Ok((job, stage))
}

/// Nodes that could open a scene now.
async fn online(app: &App, environment: String) -> Result<usize, ApiError> {
    let now = SystemClock.now();
    app.writer
        .read(move |s| {
            s.nodes()
                .filter(|n| n.offer.provides && !n.draining && s.is_online(&n.id, now))
                .filter(|n| n.offer.has(&environment))
                .filter(|n| n.cards.iter().any(|card| card.score_milli.is_some()))
                .count()
        })
        .await
}

/// A file that the page may have among what was dropped.
#[derive(Debug, Serialize)]
pub(crate) struct Missing {
    kind: &'static str,
    /// As the scene names it.
    path: String,
    /// Relative to the scene's folder.
    resolved: String,
}

/// For the script that closes the set of files.
#[derive(Debug, Serialize)]
pub(crate) struct Told {
    stage: &'static str,
    /// The scene's path in what was dropped.
    scene: String,
    missing: Vec<Missing>,
    refused: bool,
}

/// Waits a while for the report.
pub(crate) async fn state(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    call: Call,
) -> Result<Json<Told>, ApiError> {
    let owner = call.account(&app).await?;
    let id: JobId = crate::routes::id(&id)?;
    view::own_job(&app, id, owner).await?;
    let until = Instant::now() + Duration::from_millis(WAIT_MS);
    let mut bell = app.wakes.job(id);
    let mut stopping = app.stopping.clone();
    loop {
        bell.mark_unchanged();
        let (job, stage) = look(&app, id, owner).await?;
        if !matches!(stage, Stage::Waiting { .. }) {
            return Ok(Json(told(&job, &stage)));
        }
        let rung = timeout_at(until, async {
            tokio::select! {
                rung = bell.changed() => rung.is_ok(),
                _ = stopping.wait_for(|stop| *stop) => false,
            }
        });
        if !matches!(rung.await, Ok(true)) {
            return Ok(Json(told(&job, &stage)));
        }
    }
}

fn told(job: &Job, stage: &Stage) -> Told {
    let (missing, refused) = match stage {
        Stage::Found(found) => (missing(found), found.report.refusal().is_some()),
        _ => (Vec::new(), false),
    };
    Told { stage: stage.word(job), scene: super::place::shown(&job.scene).to_owned(), missing, refused }
}

/// What the inspection misses, each file once.
pub(super) fn missing(found: &Inspected) -> Vec<Missing> {
    let mut seen = std::collections::HashSet::new();
    let once = found.report.missing().filter(|file| seen.insert(&file.resolved));
    once.map(|file| Missing {
        kind: words::kind(&file.kind),
        path: file.path.clone(),
        resolved: file.resolved.clone(),
    })
    .collect()
}

impl Missing {
    pub(super) fn kind(&self) -> &'static str {
        self.kind
    }
    pub(super) fn path(&self) -> &str {
        &self.path
    }
    pub(super) fn resolved(&self) -> &str {
        &self.resolved
    }
}
