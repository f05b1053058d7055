//! The parts of a job's page that change while it is open. Each is an element with a name of its own; the same text is in the page
//! at first and in the stream later. Nothing in them is of one session: all who look share them.

use super::{
    board::{Board, Pair},
    energy::{self, Energy},
    files::{self, Kind, kind},
    piece::Piece,
};
use crate::{
    error::ApiError,
    pages::{capital, orders::rounded},
    view,
};
use askama::Template;
use tatau_model::{Clock, JobId, JobKind, JobState, SystemClock, TaskState};
use tatau_ui::words;

/// How many there are, and the place of each.
pub(super) const PARTS: usize = 5;
pub(super) const STATUS: usize = 0;
pub(super) const WHO: usize = 1;
pub(super) const NEWS: usize = 2;
pub(super) const RESULTS: usize = 3;
pub(super) const ENERGY: usize = 4;
/// Machines at work that are listed; of more the number is told.
const SHOWN_WORKERS: usize = 40;
/// Things that happened that are listed, the latest.
const SHOWN_NEWS: usize = 40;

#[derive(Template)]
#[template(path = "pages/jobs/status.html")]
struct Status {
    id: JobId,
    tag: &'static str,
    state: &'static str,
    reason: Option<String>,
    approve: bool,
    done: usize,
    total: usize,
    frames_word: &'static str,
    eta: Option<String>,
    /// When it is wanted, and whether it will be late.
    deadline: Option<(String, bool)>,
    spent: String,
    cap: String,
    paused: bool,
    running: bool,
}

#[derive(Template)]
#[template(path = "pages/jobs/who.html")]
struct Who {
    running: bool,
    workers: Vec<AtWork>,
    more: usize,
}

struct AtWork {
    what: String,
    name: String,
    class: String,
    doing: &'static str,
    since: String,
}

#[derive(Template)]
#[template(path = "pages/jobs/news.html")]
struct News {
    agreed: usize,
    contradicted: usize,
    lines: Vec<String>,
    more: usize,
}

#[derive(Template)]
#[template(path = "pages/jobs/results.html")]
struct Results {
    id: JobId,
    pictures: usize,
    pictures_bytes: String,
    raw: usize,
    raw_bytes: String,
    /// Files of a bundle's tasks, of whatever kind; 0 for a film.
    files: usize,
    files_bytes: String,
    video: Option<String>,
    ended: bool,
    /// Until when the files stay.
    kept: Option<String>,
    /// That is over.
    gone: bool,
}

#[derive(Template)]
#[template(path = "pages/jobs/energy.html")]
struct EnergyPart {
    energy: Option<Energy>,
}

/// A frame in the filmstrip.
#[derive(Template)]
#[template(path = "pages/jobs/cell.html")]
struct Cell {
    id: JobId,
    frame: i32,
    /// Name and address of the picture, with what makes the address change with it.
    picture: Option<(String, String)>,
    says: String,
    again: usize,
}

/// All parts, in the order of the page.
pub(super) fn render(board: &Board) -> Result<[String; PARTS], ApiError> {
    let text = |part: Result<String, askama::Error>| part.map_err(|e| ApiError::internal(&e));
    Ok([
        text(status(board).render())?,
        text(who(board).render())?,
        text(news(board).render())?,
        text(results(board).render())?,
        text(EnergyPart { energy: energy::of(board) }.render())?,
    ])
}

fn status(board: &Board) -> Status {
    let job = &board.job;
    let (done, total) = board.progress();
    let approve = board.awaits_approval();
    let (tag, state) = match &job.state {
        JobState::Running if board.waiting.is_some() => ("warn", "waiting for a machine"),
        JobState::Running if done == total => ("busy", "making the video"),
        JobState::Running => ("busy", "rendering"),
        JobState::Paused { .. } if approve => ("warn", "waits for you"),
        JobState::Paused { .. } => ("warn", "paused"),
        JobState::Finished => ("good", "finished"),
        JobState::Cancelled => ("", "cancelled"),
        JobState::Failed { .. } => ("bad", "failed"),
    };
    let reason = match &job.state {
        JobState::Paused { reason } | JobState::Failed { reason } if !approve => Some(capital(reason)),
        JobState::Running => board.waiting.as_deref().map(capital),
        _ => None,
    };
    let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
    let now = SystemClock.now();
    let eta = view::eta(job, count(done), count(total), now);
    let deadline =
        job.deadline.filter(|_| !job.state.is_ended()).map(|by| (words::utc(by), eta.unwrap_or(now) > by));
    Status {
        id: job.id,
        tag,
        state,
        reason,
        approve,
        done,
        total,
        frames_word: match (matches!(job.kind, JobKind::Bundle(_)), total) {
            (true, 1) => "task",
            (true, _) => "tasks",
            (false, 1) => "frame",
            (false, _) => "frames",
        },
        eta: eta.map(words::utc),
        deadline,
        spent: rounded(job.spent),
        cap: rounded(job.cap),
        paused: matches!(job.state, JobState::Paused { .. }),
        running: job.state == JobState::Running,
    }
}

fn who(board: &Board) -> Who {
    let mut at_work: Vec<(&Piece, _)> =
        board.pieces.values().filter_map(|piece| Some((piece, piece.worker?))).collect();
    at_work.sort_by_key(|(_, worker)| worker.since);
    let more = at_work.len().saturating_sub(SHOWN_WORKERS);
    let line = |(piece, worker): &(&Piece, super::piece::Worker)| {
        let (name, class) = board.face(worker);
        AtWork {
            what: capital(&piece.work.label()),
            name,
            class,
            doing: worker.doing,
            since: words::utc(worker.since),
        }
    };
    let mut workers: Vec<AtWork> = at_work.iter().take(SHOWN_WORKERS).map(line).collect();
    for worker in &mut workers {
        worker.what.truncate(worker.what.trim_end_matches('.').len());
    }
    Who { running: board.job.state == JobState::Running, workers, more }
}

fn news(board: &Board) -> News {
    let mut all: Vec<_> = board.pieces.values().flat_map(|piece| &piece.news).collect();
    all.sort_by_key(|(attempt, _)| std::cmp::Reverse(*attempt));
    News {
        agreed: board.pieces.values().map(|p| p.agreed).sum(),
        contradicted: board.pieces.values().map(|p| p.contradicted).sum(),
        more: all.len().saturating_sub(SHOWN_NEWS),
        lines: all.into_iter().take(SHOWN_NEWS).map(|(_, text)| text.clone()).collect(),
    }
}

fn results(board: &Board) -> Results {
    let all = || board.pieces.values().flat_map(|piece| &piece.files);
    let bundle = matches!(board.job.kind, JobKind::Bundle(_));
    let of = |wanted: Kind| {
        let fitting = || all().filter(|file| !bundle && kind(&file.name) == Some(wanted));
        (fitting().count(), words::bytes(fitting().map(|file| file.bytes).sum()))
    };
    let (files, files_bytes) = if bundle {
        (all().count(), words::bytes(all().map(|file| file.bytes).sum()))
    } else {
        (0, String::new())
    };
    let (pictures, pictures_bytes) = of(Kind::Picture);
    let (raw, raw_bytes) = of(Kind::Raw);
    let video = board.accepted(board.video).and_then(|piece| piece.files.first());
    Results {
        id: board.job.id,
        pictures,
        pictures_bytes,
        raw,
        raw_bytes,
        files,
        files_bytes,
        video: video.map(|file| words::bytes(file.bytes)),
        ended: board.job.state.is_ended(),
        kept: board.kept_until.map(words::utc),
        gone: board.kept_until.is_some_and(|until| SystemClock.now() > until),
    }
}

/// The cell of one frame.
pub(super) fn cell(board: &Board, frame: i32) -> Result<String, ApiError> {
    let pair = board.frames.get(&frame);
    let render = pair.and_then(|pair| board.piece(pair.render));
    let finish = pair.and_then(|pair| board.piece(pair.picture));
    let picture = finish.filter(|piece| piece.state == TaskState::Accepted).and_then(|piece| {
        let file = piece.files.iter().find(|file| kind(&file.name) == Some(Kind::Picture))?;
        Some((file.name.clone(), files::mark(&file.blob)))
    });
    let cell = Cell {
        id: board.job.id,
        frame,
        picture,
        says: pair
            .filter(|_| render.is_none())
            .and_then(|pair| tiles(board, pair))
            .unwrap_or_else(|| says(render, finish, board.job.state.is_ended()).to_owned()),
        again: render.map_or(0, |piece| piece.lost) + finish.map_or(0, |piece| piece.lost),
    };
    cell.render().map_err(|e| ApiError::internal(&e))
}

/// Of a frame in tiles, how many are there.
fn tiles(board: &Board, pair: &Pair) -> Option<String> {
    let done = pair.tiles.values().filter(|id| board.accepted(Some(**id)).is_some()).count();
    let begun =
        pair.tiles.values().any(|id| board.piece(Some(*id)).is_some_and(|p| p.state != TaskState::Ready));
    (begun && !board.job.state.is_ended()).then(|| format!("{done} of {} tiles", pair.tiles.len()))
}

fn says(render: Option<&Piece>, finish: Option<&Piece>, ended: bool) -> &'static str {
    match (render.map(|p| p.state), finish.map(|p| p.state)) {
        (_, Some(TaskState::Leased | TaskState::Auditing | TaskState::Ready)) if !ended => {
            "making the picture"
        }
        (Some(TaskState::Leased), _) => "rendering",
        (Some(TaskState::Auditing), _) => "being checked",
        (Some(TaskState::Failed), _) | (_, Some(TaskState::Failed)) => "failed",
        _ if ended => "not rendered",
        _ => "waiting",
    }
}
