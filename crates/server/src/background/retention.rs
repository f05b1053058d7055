//! Retention: blobs that no open job and no recent one needs are removed.
//!
//! Records and money stay for ever; bytes stay as long as the operator says. A blob that was stored or asked for within a day stays in
//! any case: it may belong to a job that is just being ordered. The same pass counts what each account holds.

use crate::{app::App, archive, error::ApiError, view};
use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
    time::Duration,
};
use tatau_blobs::{Collected, Manifest, manifest};
use tatau_model::{Address, BlobId, Clock, Job, JobId, Millis, SystemClock};

const EVERY: Duration = Duration::from_hours(1);
/// Between two passes, however often owners give files up.
const AT_LEAST: Duration = Duration::from_secs(5);
/// Bytes that nobody asked for during this time, and that no job needs, go.
const UNUSED: Duration = Duration::from_hours(24);

/// Until the server stops. Where everything is kept, it only counts what accounts hold.
pub(crate) async fn run(app: Arc<App>) {
    let mut stopping = app.stopping.clone();
    loop {
        match collect(&app, app.keep).await {
            Ok(Collected { blobs: 0, .. }) => {}
            Ok(Collected { blobs, bytes, .. }) => {
                tracing::info!(blobs, bytes, "files of jobs that ended long ago were removed");
            }
            Err(error) => {
                tracing::warn!(error = error.sentence, "nothing was removed; it is tried again in an hour");
            }
        }
        let asked = tokio::select! {
            () = tokio::time::sleep(EVERY) => false,
            () = app.holdings.again.notified() => true,
            _ = stopping.wait_for(|stop| *stop) => return,
        };
        if asked {
            tokio::time::sleep(AT_LEAST).await;
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
    if app.archive.is_forgotten(id).await? {
        return Ok(());
    }
    app.writer.keep(move |store| store.forget_files(id)).await?.map_err(|e| archive::refused(&e))?;
    app.holdings.again.notify_one();
    Ok(())
}

async fn collect(app: &App, keep: Option<Duration>) -> Result<Collected, ApiError> {
    // A clock that jumped may say of everything that it is old.
    if app.watch.jump().is_some() {
        return Err(ApiError::unavailable(
            "the system's clock jumped, so nobody knows what is old; mend the clock and restart the server",
        ));
    }
    let now = SystemClock.now();
    let since = keep.map(|keep| now.0.saturating_sub(i64::try_from(keep.as_millis()).unwrap_or(i64::MAX)));
    let used = app.archive.blobs_in_use(Millis(since.unwrap_or(i64::MIN))).await?;
    let collected = app.blobs.run(move |store| {
        let mut kept: HashSet<BlobId> = used.blobs;
        let mut held: HashMap<Address, HashMap<BlobId, u64>> = HashMap::new();
        let mut owners: HashMap<BlobId, Vec<Address>> = HashMap::new();
        for (owner, own) in used.held {
            own.manifests.iter().for_each(|id| owners.entry(*id).or_default().push(owner));
            held.insert(owner, own.outputs);
        }
        for id in used.manifests {
            kept.insert(id);
            // Whoever needs a manifest that is lost is told so elsewhere; it protects nothing.
            let Some(json) = store.read(&id, manifest::MAX_BYTES)? else { continue };
            if let Ok(manifest) = Manifest::parse(&json) {
                kept.extend(manifest.blobs());
                for owner in owners.remove(&id).unwrap_or_default() {
                    let files = manifest.files().iter().map(|file| (file.blob, file.bytes));
                    held.entry(owner).or_default().extend(files);
                }
            }
        }
        let held = held.into_iter().map(|(owner, files)| (owner, files.values().sum())).collect();
        let collected =
            if keep.is_some() { store.collect_garbage(&kept, UNUSED, now)? } else { Collected::default() };
        Ok((collected, held))
    });
    let (collected, held) = collected.await.map_err(|e| ApiError::internal(&e))?;
    app.holdings.counted(held);
    Ok(collected)
}
