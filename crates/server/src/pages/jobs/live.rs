//! `GET /jobs/{id}/live?after=VERSION`: the parts of a job's page that changed, as they change.

use super::{board::Round, hub::Watched};
use crate::{
    app::App,
    error::ApiError,
    pages::{Member, PageError},
    view,
};
use axum::{
    extract::{Path, Query, State},
    http::HeaderMap,
    response::{
        IntoResponse, Response,
        sse::{Event, KeepAlive, Sse},
    },
};
use futures_util::stream;
use serde::Deserialize;
use std::{convert::Infallible, sync::Arc};
use tatau_model::JobId;
use tokio::sync::{OwnedSemaphorePermit, watch};

#[derive(Debug, Deserialize)]
pub(crate) struct After {
    #[serde(default)]
    after: u64,
}

/// One open page.
struct Page {
    watched: Arc<Watched>,
    rounds: watch::Receiver<Arc<Round>>,
    stopping: watch::Receiver<bool>,
    /// The version that it shows.
    seen: u64,
    first: bool,
    _room: OwnedSemaphorePermit,
}

pub(crate) async fn live(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    Query(After { after }): Query<After>,
    headers: HeaderMap,
    member: Member,
) -> Result<Response, PageError> {
    let id: JobId = crate::routes::id(&id)?;
    let job = view::own_job(&app, id, member.owner).await?;
    let room = Arc::clone(&app.boards.pages).try_acquire_owned().map_err(|_| {
        ApiError::unavailable("very many pages are open; this one goes on by itself in a moment")
    })?;
    // A browser that lost the stream says where it was.
    let last = headers.get("last-event-id").and_then(|id| id.to_str().ok()?.parse().ok());
    let watched = app.boards.of(&app, job).await?;
    let (rounds, stopping) = (watched.watch(), app.stopping.clone());
    let page = Page { watched, rounds, stopping, seen: last.unwrap_or(after), first: true, _room: room };
    let events = stream::unfold(page, |mut page| async move {
        page.next().await.map(|event| (Ok::<_, Infallible>(event), page))
    });
    Ok(Sse::new(events).keep_alive(KeepAlive::default()).into_response())
}

impl Page {
    /// The next change. `None` ends the stream; the browser comes again.
    async fn next(&mut self) -> Option<Event> {
        loop {
            if std::mem::take(&mut self.first) {
                self.rounds.mark_unchanged();
            } else {
                tokio::select! {
                    _ = self.stopping.wait_for(|stop| *stop) => return None,
                    changed = self.rounds.changed() => changed.ok()?,
                }
                let round = Arc::clone(&self.rounds.borrow_and_update());
                if round.to <= self.seen {
                    continue;
                }
                if round.from == self.seen {
                    self.seen = round.to;
                    return Some(event(&round.html, round.to));
                }
            }
            let missed = self.watched.board.lock().await.since(self.seen).ok()?;
            self.seen = missed.to;
            if !missed.html.is_empty() {
                return Some(event(&missed.html, missed.to));
            }
        }
    }
}

fn event(html: &str, version: u64) -> Event {
    // A stranger's carriage return would end a line of the stream.
    Event::default().event("changes").id(version.to_string()).data(html.replace('\r', " "))
}
