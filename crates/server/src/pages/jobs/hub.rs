//! Which jobs are being looked at: one board each, read and rendered once a change for everybody who looks.

use super::board::{Board, Round};
use crate::{app::App, error::ApiError};
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tatau_model::{Job, JobId};
use tokio::{
    sync::{Semaphore, watch},
    time::Instant,
};

/// Jobs that are kept at once; the pages of more are made for one look and do not stay live.
const MOST_BOARDS: usize = 4_096;
/// Open live pages at once.
const MOST_PAGES: usize = 10_000;
/// Changes of one job are shown at most this often.
const EVERY: Duration = Duration::from_millis(500);
/// A bell may be lost: a board looks at least this often while somebody watches.
const LOOK: Duration = Duration::from_secs(20);
/// A board that nobody watches is kept so long: the next page comes at once.
const KEEP: Duration = Duration::from_secs(15);

/// All boards.
pub(crate) struct Boards {
    open: Mutex<HashMap<JobId, Arc<Watched>>>,
    /// Room for live pages.
    pub(super) pages: Arc<Semaphore>,
}

impl Default for Boards {
    fn default() -> Self {
        Self { open: Mutex::default(), pages: Arc::new(Semaphore::new(MOST_PAGES)) }
    }
}

/// One board, and whoever waits for its changes.
pub(crate) struct Watched {
    pub(super) board: tokio::sync::Mutex<Board>,
    /// The latest change.
    rounds: watch::Sender<Arc<Round>>,
}

impl Boards {
    fn lock(&self) -> MutexGuard<'_, HashMap<JobId, Arc<Watched>>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The job's board, as it stands now.
    pub(crate) async fn of(&self, app: &Arc<App>, job: Job) -> Result<Arc<Watched>, ApiError> {
        let id = job.id;
        let known = self.lock().get(&id).cloned();
        if let Some(known) = known {
            known.look(app).await?;
            return Ok(known);
        }
        let board = Board::open(app, job).await?;
        let version = board.version();
        let first = Arc::new(Round { from: version, to: version, html: String::new() });
        let made =
            Arc::new(Watched { board: tokio::sync::Mutex::new(board), rounds: watch::Sender::new(first) });
        {
            let mut open = self.lock();
            if let Some(other) = open.get(&id) {
                return Ok(Arc::clone(other));
            }
            if open.len() >= MOST_BOARDS {
                return Ok(made);
            }
            open.insert(id, Arc::clone(&made));
        }
        tokio::spawn(follow(Arc::clone(app), id, Arc::clone(&made)));
        Ok(made)
    }
}

impl Watched {
    /// Shows everybody what changed.
    async fn look(&self, app: &App) -> Result<(), ApiError> {
        let mut board = self.board.lock().await;
        if let Some(round) = board.look(app).await? {
            // Under the board's lock: rounds come in their order.
            self.rounds.send_replace(Arc::new(round));
        }
        Ok(())
    }

    /// Told of every change from now on.
    pub(super) fn watch(&self) -> watch::Receiver<Arc<Round>> {
        self.rounds.subscribe()
    }
}

/// Keeps a board fresh while somebody watches it.
async fn follow(app: Arc<App>, id: JobId, watched: Arc<Watched>) {
    let mut bell = app.wakes.job(id);
    let mut stopping = app.stopping.clone();
    let mut lonely = Instant::now();
    loop {
        bell.mark_unchanged();
        if let Err(error) = watched.look(&app).await {
            tracing::warn!(%id, sentence = error.sentence, "a job's page could not be brought up to date");
        }
        let patience = if watched.rounds.receiver_count() > 0 { LOOK } else { KEEP };
        tokio::select! {
            rung = bell.changed() => if rung.is_err() { break },
            () = tokio::time::sleep(patience) => {}
            _ = stopping.wait_for(|stop| *stop) => break,
        }
        if watched.rounds.receiver_count() > 0 {
            lonely = Instant::now();
        } else if lonely.elapsed() >= KEEP {
            break;
        }
        tokio::time::sleep(EVERY).await;
    }
    app.boards.lock().remove(&id);
}
