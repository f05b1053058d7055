//! `GET /orders/{id}/live`: tells the page when the inspection gets further.

use super::state::{Stage, look};
use crate::{app::App, error::ApiError, pages::Member};
use axum::{
    extract::{Path, Query, State},
    response::{
        IntoResponse, Response,
        sse::{Event, KeepAlive, Sse},
    },
};
use futures_util::stream;
use serde::Deserialize;
use std::{convert::Infallible, sync::Arc, time::Duration};
use tatau_model::{Address, JobId};
use tokio::sync::watch;

/// Between two looks at one inspection.
const EVERY: Duration = Duration::from_millis(500);
/// Providers come and go without a bell.
const LOOK: Duration = Duration::from_secs(10);

#[derive(Debug, Deserialize)]
pub(crate) struct Seen {
    /// What the page shows.
    #[serde(default)]
    stage: String,
    #[serde(default)]
    online: usize,
}

struct Follower {
    app: Arc<App>,
    id: JobId,
    owner: Address,
    bell: watch::Receiver<u64>,
    stopping: watch::Receiver<bool>,
    seen: Seen,
}

pub(crate) async fn live(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    Query(seen): Query<Seen>,
    member: Member,
) -> Result<Response, ApiError> {
    let id: JobId = crate::routes::id(&id)?;
    look(&app, id, member.owner).await?;
    let (bell, stopping) = (app.wakes.job(id), app.stopping.clone());
    let follower = Follower { app, id, owner: member.owner, bell, stopping, seen };
    let events = stream::unfold(follower, |mut follower| async move {
        follower.turned().await.map(|word| (Ok::<_, Infallible>(word), follower))
    });
    Ok(Sse::new(events).keep_alive(KeepAlive::default()).into_response())
}

impl Follower {
    /// Waits until the page should look different. `None` ends the stream; the browser comes again.
    async fn turned(&mut self) -> Option<Event> {
        loop {
            self.bell.mark_unchanged();
            let (job, stage) = look(&self.app, self.id, self.owner).await.ok()?;
            let word = stage.word(&job);
            let now = if let Stage::Waiting { online } = stage { online } else { self.seen.online };
            if word != self.seen.stage || (now == 0) != (self.seen.online == 0) {
                let form = word == "checked" && self.seen.stage == "found";
                self.seen = Seen { stage: word.to_owned(), online: now };
                // What was typed into the form stays: only the word about the check is replaced.
                return Some(if form {
                    Event::default().event("changes").data(super::show::CHECKED)
                } else {
                    Event::default().event("reload").data(word)
                });
            }
            tokio::select! {
                _ = self.stopping.wait_for(|stop| *stop) => return None,
                rung = self.bell.changed() => rung.ok()?,
                () = tokio::time::sleep(LOOK) => {}
            }
            tokio::time::sleep(EVERY).await;
        }
    }
}
