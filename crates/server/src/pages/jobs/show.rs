//! `GET /jobs/{id}`: one job, live.

use super::{board::Board, parts};
use crate::{
    app::App,
    error::ApiError,
    pages::{Area, Member, PageError, frame, html},
    view, work,
};
use askama::Template;
use axum::{
    extract::{Path, Query, State},
    response::{Html, IntoResponse, Redirect, Response},
};
use serde::Deserialize;
use std::sync::Arc;
use tatau_model::{Job, JobId, JobKind};
use tatau_ui::Frame;

/// Frames of one page of the filmstrip.
const FILM_FRAMES: usize = 120;
/// A picture twice as wide as high may be one all around, where no report says what it is.
const AROUND: u32 = 2;

/// How a picture is seen all around.
enum Around {
    /// It is flat.
    No,
    /// The picture is the whole sphere.
    Whole,
    /// The left eye's sphere is the upper half, or the left half, of the picture.
    Upper,
    Left,
}

impl Around {
    /// As the page's script knows it.
    fn word(&self) -> Option<&'static str> {
        match self {
            Self::No => None,
            Self::Whole => Some("whole"),
            Self::Upper => Some("upper"),
            Self::Left => Some("left"),
        }
    }
}

/// What the scene's inspection says, else what the picture's shape says.
async fn around(app: &App, job: &Job) -> Result<Around, ApiError> {
    let JobKind::Render(spec) = &job.kind else { return Ok(Around::No) };
    let (width, height) = spec.picture();
    let by_shape = if width == AROUND * height { Around::Whole } else { Around::No };
    let Some(inputs) = job.inputs else { return Ok(by_shape) };
    let Some(inspection) = app.archive.inspection_of(job.owner, inputs).await? else { return Ok(by_shape) };
    // A report that is not kept any more is no reason to show no page.
    let Ok(Some(found)) = work::report(app, inspection).await else { return Ok(by_shape) };
    Ok(match found.report.panorama {
        Some(panorama) if panorama.full => match panorama.stereo.as_deref() {
            None => Around::Whole,
            Some("top_bottom") => Around::Upper,
            Some("side_by_side") => Around::Left,
            Some(_) => Around::No,
        },
        _ => Around::No,
    })
}

#[derive(Debug, Deserialize)]
pub(crate) struct Seen {
    /// First place of the filmstrip, from 0.
    #[serde(default)]
    from: usize,
    /// The inspection whose order found this job as already there, and the count that a further one needs.
    known: Option<String>,
    #[serde(default)]
    again: u32,
}

#[derive(Template)]
#[template(path = "pages/jobs/show.html")]
struct Show {
    frame: Frame,
    id: JobId,
    name: String,
    what: String,
    version: u64,
    status: String,
    who: String,
    news: String,
    results: String,
    energy: String,
    cells: String,
    /// There are frames to look at; a bundle's results only its own program knows.
    film: bool,
    width: u32,
    height: u32,
    around: Option<&'static str>,
    before: Option<usize>,
    after: Option<usize>,
    window: String,
    known: Option<String>,
    /// Not over: its terms can be changed.
    open: bool,
    cap: String,
    priority: i8,
}

pub(crate) async fn show(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    Query(seen): Query<Seen>,
    member: Member,
) -> Result<Response, PageError> {
    let id: JobId = crate::routes::id(&id)?;
    let job = view::own_job(&app, id, member.owner).await?;
    if !matches!(job.kind, JobKind::Render(_) | JobKind::Bundle(_)) {
        return Ok(Redirect::to(&format!("/orders/{id}")).into_response());
    }
    let frame = frame(&app, Some(&member.session), Area::Jobs).await?;
    let around = around(&app, &job).await?;
    let watched = app.boards.of(&app, job).await?;
    let board = watched.board.lock().await;
    let page: Html<String> = html(&page(&board, &seen, frame, &around)?)?;
    Ok(page.into_response())
}

fn page(board: &Board, seen: &Seen, frame: Frame, around: &Around) -> Result<Show, PageError> {
    let total = board.frames.len();
    let from = seen.from.min(total.saturating_sub(1)) / FILM_FRAMES * FILM_FRAMES;
    let mut cells = String::new();
    for number in board.frames.keys().skip(from).take(FILM_FRAMES) {
        cells.push_str(&parts::cell(board, *number)?);
    }
    let program = match &board.job.kind {
        JobKind::Bundle(spec) => {
            let tasks = tatau_ui::words::count(spec.tasks() as u64, "task");
            format!("{tasks} for {}", board.job.environment)
        }
        _ => String::new(),
    };
    let (width, height, what) = board.spec().map_or((16, 9, program), |spec| {
        let video = if spec.video { " and a video" } else { "" };
        let frames = tatau_ui::words::count(spec.frames.len() as u64, "frame");
        let what = format!("{frames}{video}, {} × {}, {} samples", spec.width, spec.height, spec.samples);
        let (width, height) = spec.picture();
        (width, height, what)
    });
    let known: Option<JobId> = seen.known.as_deref().and_then(|id| id.parse().ok());
    let until = (from + FILM_FRAMES).min(total);
    let job = &board.job;
    Ok(Show {
        frame,
        id: job.id,
        name: job.name.clone(),
        what,
        version: board.version(),
        status: board.shown(parts::STATUS).to_owned(),
        who: board.shown(parts::WHO).to_owned(),
        news: board.shown(parts::NEWS).to_owned(),
        results: board.shown(parts::RESULTS).to_owned(),
        energy: board.shown(parts::ENERGY).to_owned(),
        cells,
        film: total > 0,
        width,
        height,
        around: around.word(),
        before: (from > 0).then(|| from - FILM_FRAMES),
        after: (until < total).then_some(until),
        window: format!("{}–{until} of {total}", from + 1),
        known: known.map(|order| format!("/orders/{order}?again={}", seen.again)),
        open: !job.state.is_ended(),
        cap: job.cap.to_string(),
        priority: job.priority,
    })
}
