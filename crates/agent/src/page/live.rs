//! `GET /live`: parts of the page as they change, by server-sent events.

use super::{
    Shared, guard,
    parts::{self, Part},
};
use crate::Watching;
use axum::{
    extract::State,
    http::StatusCode,
    response::{
        IntoResponse, Response,
        sse::{Event, KeepAlive, Sse},
    },
};
use futures_util::stream;
use std::{collections::HashMap, convert::Infallible, sync::Arc, time::Duration};
use tokio::sync::{OwnedSemaphorePermit, watch};

/// Between two sendings at least: meters move all the time.
const CALM: Duration = Duration::from_millis(700);
/// A connection without news is kept open by a comment.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// One open page.
struct Follower {
    shared: Arc<Shared>,
    changes: watch::Receiver<u64>,
    settings: watch::Receiver<crate::settings::Settings>,
    /// Digests of what each part said last.
    said: HashMap<String, blake3::Hash>,
    /// Parts that are to be sent.
    waiting: Vec<(String, String)>,
    _watching: Watching,
    _place: OwnedSemaphorePermit,
}

pub(super) async fn live(State(shared): State<Arc<Shared>>) -> Response {
    let Ok(place) = Arc::clone(&shared.live).try_acquire_owned() else {
        return guard::refused(
            StatusCode::SERVICE_UNAVAILABLE,
            "Too many of these pages are open; close some.",
        );
    };
    let follower = Follower {
        changes: shared.cockpit.board.watch(),
        settings: shared.cockpit.settings.watch(),
        said: HashMap::new(),
        waiting: Vec::new(),
        _watching: shared.cockpit.watching(),
        _place: place,
        shared,
    };
    let events = stream::unfold(follower, |mut follower| async move {
        let (name, text) = follower.next().await?;
        Some((Ok::<_, Infallible>(Event::default().event(name).data(text)), follower))
    });
    Sse::new(events).keep_alive(KeepAlive::new().interval(KEEP_ALIVE)).into_response()
}

impl Follower {
    /// The next part that is different; the first time, all of them.
    async fn next(&mut self) -> Option<(String, String)> {
        loop {
            if let Some(part) = self.waiting.pop() {
                return Some(part);
            }
            if !self.said.is_empty() {
                tokio::select! {
                    changed = self.changes.changed() => changed.ok()?,
                    changed = self.settings.changed() => changed.ok()?,
                }
                tokio::time::sleep(CALM).await;
            }
            self.changes.mark_unchanged();
            self.settings.mark_unchanged();
            for Part { name, text, key } in parts::all(&self.shared).into_iter().rev() {
                let hash = blake3::hash(key.as_ref().unwrap_or(&text).as_bytes());
                if self.said.insert(name.clone(), hash) != Some(hash) {
                    // An event's data knows no carriage returns.
                    self.waiting.push((name, text.replace('\r', " ")));
                }
            }
        }
    }
}
