//! Retention: blobs that no open job and no recent one needs are removed.
//!
//! Records and money stay for ever; bytes stay as long as the operator says. A blob that was stored or asked for within a day stays in
//! any case: it may belong to a job that is just being ordered.

use crate::{app::App, archive, error::ApiError, view};
use std::{collections::HashSet, sync::Arc, time::Duration};
use tatau_blobs::{Collected, Manifest, manifest};
use tatau_model::{Address, BlobId, Clock, Job, JobId, Millis, SystemClock};

const EVERY: Duration = Duration::from_hours(1);
/// Bytes that nobody asked for during this time, and that no job needs, go.
const UNUSED: Duration = Duration::from_hours(24);

/// Until the server stops; not at all where everything is kept.
pub(crate) async fn run(app: Arc<App>) {
    let mut stopping = app.stopping.clone();
    let Some(keep) = app.keep else { return };
    loop {
        match collect(&app, keep).await {
            Ok(Collected { blobs: 0, .. }) => {}
            Ok(Collected { blobs, bytes, .. }) => {
                tracing::info!(blobs, bytes, "files of jobs that ended long ago were removed");
            }
            Err(error) => {
                tracing::warn!(error = error.sentence, "nothing was removed; it is tried again in an hour");
            }
        }
        tokio::select! {
            () = tokio::time::sleep(EVERY) => {}
            _ = stopping.wait_for(|stop| *stop) => return,
        }
    }
}

/// Until when a job's files are kept, if they are not kept for ever.
pub(crate) async fn kept_until(app: &App, job: &Job) -> Result<Option<Millis>, ApiError> {
    let (Some(keep), Some(ended)) = (app.keep, job.ended) else { return Ok(None) };
    if app.archive.is_forgotten(job.id).await? {
        return Ok(Some(ended));
    }
    Ok(u64::try_from(keep.as_millis()).ok().map(|keep| ended.plus(keep)))
}

/// The owner of a job that is over wants its files gone before their time.
pub(crate) async fn forget(app: &App, id: JobId, owner: Address) -> Result<(), ApiError> {
    let job = view::own_job(app, id, owner).await?;
    if !job.state.is_ended() {
        let sentence = format!("{id} is {}; cancel it first, or let it finish", job.state.name());
        return Err(ApiError::conflict(sentence));
    }
    if app.keep.is_none() {
        return Err(ApiError::conflict("this server keeps every file for ever; ask its operator"));
    }
    app.writer.keep(move |store| store.forget_files(id)).await?.map_err(|e| archive::refused(&e))
}

async fn collect(app: &App, keep: Duration) -> Result<Collected, ApiError> {
    // A clock that jumped may say of everything that it is old.
    if app.watch.jump().is_some() {
        return Err(ApiError::unavailable(
            "the system's clock jumped, so nobody knows what is old; mend the clock and restart the server",
        ));
    }
    let now = SystemClock.now();
    let keep = i64::try_from(keep.as_millis()).unwrap_or(i64::MAX);
    let used = app.archive.blobs_in_use(Millis(now.0.saturating_sub(keep))).await?;
    let collected = app.blobs.run(move |store| {
        let mut kept: HashSet<BlobId> = used.blobs;
        for id in used.manifests {
            kept.insert(id);
            // Whoever needs a manifest that is lost is told so elsewhere; it protects nothing.
            let Some(json) = store.read(&id, manifest::MAX_BYTES)? else { continue };
            if let Ok(manifest) = Manifest::parse(&json) {
                kept.extend(manifest.blobs());
            }
        }
        store.collect_garbage(&kept, UNUSED, now)
    });
    collected.await.map_err(|e| ApiError::internal(&e))
}
