//! `GET /jobs`: the account's jobs, newest first.

use crate::{
    app::App,
    error::ApiError,
    pages::{
        Area, Member, PageError, frame, html,
        orders::{name_of, rounded},
    },
};
use askama::Template;
use axum::{
    extract::{Query, State},
    response::Html,
};
use serde::Deserialize;
use std::{collections::HashMap, sync::Arc};
use tatau_engine::State as Market;
use tatau_model::{Job, JobId, JobKind, JobState};
use tatau_ui::{Frame, words};

/// Jobs of one page.
const JOBS: usize = 50;

#[derive(Debug, Deserialize)]
pub(crate) struct Page {
    /// Older than this one.
    before: Option<JobId>,
}

#[derive(Template)]
#[template(path = "pages/jobs/list.html")]
struct List {
    frame: Frame,
    jobs: Vec<Line>,
    older: Option<JobId>,
    first: bool,
}

struct Line {
    id: JobId,
    name: String,
    what: String,
    tag: &'static str,
    state: &'static str,
    spent: String,
    created: String,
    /// Share of the frames that are there, of 100; of a job that is under way.
    percent: Option<usize>,
}

pub(crate) async fn list(
    State(app): State<Arc<App>>,
    Query(page): Query<Page>,
    member: Member,
) -> Result<Html<String>, PageError> {
    let frame = frame(&app, Some(&member.session), Area::Jobs).await?;
    let jobs = app.archive.buyers_jobs(member.owner, page.before, JOBS + 1).await?;
    let older = jobs.get(JOBS).and_then(|_| jobs.get(JOBS - 1)).map(|job| job.id);
    let done = finished_frames(&app, &jobs).await?;
    let jobs = jobs.iter().take(JOBS).map(|job| line(job, done.get(&job.id).copied())).collect();
    html(&List { frame, jobs, older, first: page.before.is_none() })
}

/// Pictures that are there, of the jobs that are open.
async fn finished_frames(app: &App, jobs: &[Job]) -> Result<HashMap<JobId, usize>, ApiError> {
    let of = |s: &Market, id: JobId| match s.job(id).map(|job| &job.kind) {
        Some(JobKind::Bundle(_)) => s.counts(id).accepted,
        _ => s.counts(id).finishes,
    };
    let open: Vec<JobId> = jobs.iter().filter(|job| !job.state.is_ended()).map(|job| job.id).collect();
    app.writer.read(move |s| open.into_iter().map(|id| (id, of(s, id))).collect()).await
}

fn line(job: &Job, done: Option<usize>) -> Line {
    let (name, what, frames) = match &job.kind {
        JobKind::Render(spec) => {
            let frames = spec.frames.len();
            let video = if spec.video { " and a video" } else { "" };
            (job.name.clone(), format!("{}{video}", words::count(frames as u64, "frame")), frames)
        }
        JobKind::Bundle(spec) => {
            let tasks = spec.tasks();
            (job.name.clone(), format!("{} of a bundle", words::count(tasks as u64, "task")), tasks)
        }
        JobKind::Inspect | JobKind::Benchmark { .. } => {
            (name_of(&job.name).to_owned(), "a look at the scene, with its prices".into(), 0)
        }
    };
    let inspection = frames == 0;
    let (tag, state) = match &job.state {
        JobState::Running if inspection => ("busy", "being looked at"),
        JobState::Running => ("busy", "rendering"),
        JobState::Paused { .. } => ("warn", "paused"),
        JobState::Finished if inspection => ("", "ready to order"),
        JobState::Finished => ("good", "finished"),
        JobState::Cancelled => ("", "cancelled"),
        JobState::Failed { .. } => ("bad", "failed"),
    };
    Line {
        id: job.id,
        name,
        what,
        tag,
        state,
        spent: rounded(job.spent),
        created: words::utc(job.created),
        percent: done.filter(|_| frames > 0).map(|done| 100 * done.min(frames) / frames.max(1)),
    }
}
