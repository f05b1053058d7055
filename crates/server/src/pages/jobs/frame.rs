//! `GET /jobs/{id}/frames/{frame}`: what happened to one frame: who tried, what audits said, what programs printed.

use super::{files, piece::story};
use crate::{
    app::App,
    error::ApiError,
    pages::{Member, PageError, capital, html},
    view,
};
use askama::Template;
use axum::{
    extract::{Path, State},
    response::Html,
};
use std::sync::Arc;
use tatau_model::{AttemptState, JobId, TaskId, Work};
use tatau_ui::words;

/// Longest log that is shown, bytes; the whole is at the API.
const SHOWN_LOG_BYTES: usize = 128 << 10;

#[derive(Template)]
#[template(path = "pages/jobs/frame.html")]
struct Told {
    id: JobId,
    frame: i32,
    tasks: Vec<One>,
}

struct One {
    task: TaskId,
    what: String,
    state: &'static str,
    story: Vec<String>,
    files: Vec<(String, String)>,
}

pub(crate) async fn frame(
    State(app): State<Arc<App>>,
    Path((id, frame)): Path<(String, String)>,
    member: Member,
) -> Result<Html<String>, PageError> {
    let id: JobId = crate::routes::id(&id)?;
    let absent = || ApiError::not_found(format!("{id} has no such frame"));
    let frame: i32 = frame.parse().map_err(|_| absent())?;
    let job = view::own_job(&app, id, member.owner).await?;
    let watched = app.boards.of(&app, job).await?;
    let wanted: Vec<TaskId> = {
        let board = watched.board.lock().await;
        let pair = board.frames.get(&frame).ok_or_else(absent)?;
        pair.tiles.values().copied().chain(pair.render).chain(pair.picture).collect()
    };
    let mut tasks = Vec::new();
    for history in app.archive.histories(wanted).await? {
        let accepted = history.attempts.iter().rev().find(|a| a.state == AttemptState::Accepted);
        let results =
            accepted.into_iter().flat_map(|a| &a.outputs).filter(|f| files::kind(&f.name).is_some());
        let files = results.map(|f| (f.name.clone(), words::bytes(f.bytes))).collect();
        let label = match history.task.work {
            Work::Render { tile: Some(tile), .. } => format!("tile {}", u32::from(tile) + 1),
            Work::Render { .. } => "the frame itself".to_owned(),
            Work::Stitch { .. } => "the frame, joined from its tiles".to_owned(),
            _ => "its picture".to_owned(),
        };
        tasks.push(One {
            task: history.task.id,
            what: capital(&label).trim_end_matches('.').to_owned(),
            state: history.task.state.name(),
            story: story(&history).iter().map(|line| capital(line)).collect(),
            files,
        });
    }
    html(&Told { id, frame, tasks })
}

#[derive(Template)]
#[template(
    source = r"<pre>{{ text }}</pre>{% if cut %}<p class='soft'>Only the end is shown.</p>{% endif %}",
    ext = "html"
)]
struct Log {
    text: String,
    cut: bool,
}

/// `GET /jobs/{id}/tasks/{task}/log`: what the program of the latest try printed, as text and nothing else.
pub(crate) async fn log(
    State(app): State<Arc<App>>,
    Path((id, task)): Path<(String, String)>,
    member: Member,
) -> Result<Html<String>, PageError> {
    let id: JobId = crate::routes::id(&id)?;
    let task: TaskId = crate::routes::id(&task)?;
    view::own_job(&app, id, member.owner).await?;
    let known = app.archive.histories(vec![task]).await?.pop().filter(|history| history.task.job == id);
    let known = known.ok_or_else(|| ApiError::not_found(format!("{id} has no {task}")))?;
    let mut found = None;
    for attempt in known.attempts.iter().rev() {
        found = app.archive.log(attempt.id).await?;
        if found.is_some() {
            break;
        }
    }
    let text = found.unwrap_or_else(|| "(nothing was printed yet)".into());
    let from = text.len().saturating_sub(SHOWN_LOG_BYTES);
    let from = (from..=text.len()).find(|at| text.is_char_boundary(*at)).unwrap_or(0);
    let shown = text[from..].chars().filter(|c| !c.is_control() || "\n\t".contains(*c)).collect();
    html(&Log { text: shown, cut: from > 0 })
}
