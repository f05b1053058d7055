//! Chunks of one upload that are sent without waiting for each other's answers: one that overtakes the chunk before it
//! waits a moment for it, and what has arrived is on its way to the disk while more arrives.

use crate::error::BlobError;
use crate::open_uploads::Standing;
use crate::store::BlobStore;
use crate::upload::key;
use bytes::Bytes;
use std::fs::File;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tatau_api::platform::UploadState;
use tatau_model::{Address, BlobId};
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout_at};

/// How long a chunk that came too early waits for those before it.
const PATIENCE: Duration = Duration::from_secs(3);
/// How far ahead of what is here a chunk may start and still wait, bytes.
const AHEAD: u64 = 32 << 20;
/// Chunks that wait at once, of all uploads: each is held in memory.
const EARLY: usize = 64;
/// Files that are written to the disk ahead of their end, at once.
const SETTLING: usize = 2;
/// They are after each so many bytes.
const SETTLE_EVERY: u64 = 32 << 20;

/// What pipelines share; the same for all clones of a store.
#[derive(Debug)]
pub(crate) struct Pipeline {
    early: Semaphore,
    settling: Semaphore,
}

impl Default for Pipeline {
    fn default() -> Self {
        Self { early: Semaphore::new(EARLY), settling: Semaphore::new(SETTLING) }
    }
}

impl BlobStore {
    /// As [`Self::put_chunk`], away from the async threads, for chunks that are sent several at once: one whose turn has not
    /// come waits up to three seconds for the bytes before it. The answer says where to go on where they did not come.
    pub async fn put_chunk_in_turn(
        &self,
        id: &BlobId,
        bytes: u64,
        by: &Address,
        standing: Standing,
        offset: u64,
        chunk: Bytes,
    ) -> Result<UploadState, BlobError> {
        let (id, by) = (*id, *by);
        let until = Instant::now() + PATIENCE;
        let mut waiting = None;
        loop {
            let place = self.state().uploads.place(&key(&id, bytes, &by));
            // Made before the try: what is added meanwhile is not missed.
            let grown = place.as_ref().map(|place| place.grown.notified());
            let data = chunk.clone();
            let state =
                self.run(move |store| store.put_chunk(&id, bytes, &by, standing, offset, &data)).await?;
            let end = offset.saturating_add(chunk.len() as u64);
            if !state.complete && state.have >= end {
                self.settle_ahead(&id, bytes, &by, offset, state.have);
            }
            if state.complete || state.have >= end || offset.saturating_sub(state.have) > AHEAD {
                return Ok(state);
            }
            // Its turn came between the try and the look at how much is here.
            if state.have >= offset && Instant::now() < until {
                continue;
            }
            if waiting.is_none() {
                waiting = self.inner.pipeline.early.try_acquire().ok();
            }
            let (Some(grown), true) = (grown, waiting.is_some()) else { return Ok(state) };
            if timeout_at(until, grown).await.is_err() {
                return Ok(state);
            }
        }
    }

    /// Writes an upload to the disk in the background where it has just grown past another mark, so that its end waits for
    /// little.
    fn settle_ahead(&self, id: &BlobId, bytes: u64, by: &Address, before: u64, now: u64) {
        if !self.limits().durable || before / SETTLE_EVERY == now / SETTLE_EVERY {
            return;
        }
        let (store, name) = (self.clone(), key(id, bytes, by));
        tokio::task::spawn_blocking(move || {
            let Ok(_permit) = store.inner.pipeline.settling.try_acquire() else { return };
            // Finished meanwhile, and durable then.
            let Ok(file) = File::open(store.partial(&name)) else { return };
            if file.sync_data().is_err()
                && let Some(place) = store.state().uploads.place(&name)
            {
                place.spoilt.store(true, Ordering::Release);
            }
        });
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::Limits;

    #[tokio::test]
    async fn what_the_disk_refused_begins_anew() {
        let dir = tempfile::tempdir().unwrap();
        let store = BlobStore::open(dir.path(), Limits::default()).unwrap();
        let (data, by) = (Bytes::from(vec![7; 1_000]), Address([1; 20]));
        let (id, bytes) = (BlobId(*blake3::hash(&data).as_bytes()), data.len() as u64);
        let put = async |from: usize, to: usize| {
            let chunk = data.slice(from..to);
            store.put_chunk_in_turn(&id, bytes, &by, Standing::Stranger, from as u64, chunk).await.unwrap()
        };
        assert_eq!(put(0, 500).await.have, 500);
        let place = store.state().uploads.place(&key(&id, bytes, &by)).unwrap();
        place.spoilt.store(true, Ordering::Release);
        assert_eq!(put(500, 1_000).await.have, 0, "it would have been whole");
        assert!(!store.contains(&id).unwrap() && store.used_bytes() == 0);
        put(0, 500).await;
        assert!(put(500, 1_000).await.complete);
    }
}
