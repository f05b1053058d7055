//! A node's cache: a store of bounded size that forgets what was not used for longest, but nothing pinned.

use crate::error::BlobError;
use crate::manifest::Manifest;
use crate::materialize::{Placing, materialize};
use crate::store::{BlobStore, LOCAL, Limits};
use std::collections::HashMap;
use std::fs::File;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};
use tatau_api::platform::UploadState;
use tatau_model::BlobId;

/// A download that stood still this long is given up when the cache is opened.
const STALE: Duration = Duration::from_hours(7 * 24);

/// Where nothing else can be evicted, a download that stood still this long goes.
const IDLE: Duration = Duration::from_hours(1);

/// Blobs of a node, at most `cap` bytes. Cloning is cheap. The order of use survives a restart.
#[derive(Debug, Clone)]
pub struct Cache {
    store: BlobStore,
    index: Arc<Mutex<Index>>,
}

#[derive(Debug, Default)]
struct Index {
    /// When each blob was used last, as a count of uses.
    used: HashMap<BlobId, u64>,
    pins: HashMap<BlobId, usize>,
    uses: u64,
}

impl Index {
    fn note(&mut self, id: BlobId) {
        self.uses += 1;
        self.used.insert(id, self.uses);
    }
    fn oldest_unpinned(&self) -> Option<BlobId> {
        let free = self.used.iter().filter(|(id, _)| !self.pins.contains_key(id));
        free.min_by_key(|(_, use_)| **use_).map(|(id, _)| *id)
    }
}

/// Keeps blobs in the cache until it is dropped.
#[derive(Debug)]
#[must_use = "the blobs are kept only as long as this lives"]
pub struct Pins {
    index: Arc<Mutex<Index>>,
    ids: Vec<BlobId>,
}

impl Drop for Pins {
    fn drop(&mut self) {
        let mut index = lock(&self.index);
        for id in &self.ids {
            if let Some(count) = index.pins.get_mut(id) {
                *count -= 1;
                if *count == 0 {
                    index.pins.remove(id);
                }
            }
        }
    }
}

fn lock(index: &Mutex<Index>) -> MutexGuard<'_, Index> {
    index.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Cache {
    /// Opens or makes the cache in `dir`, of at most `cap_bytes`; what is over that is evicted at once.
    pub fn open(dir: &Path, cap_bytes: u64) -> Result<Self, BlobError> {
        let all = Limits::default();
        // Its one uploader is the node itself: nobody to share with.
        let limits = Limits {
            max_blob_bytes: cap_bytes,
            quota_bytes: cap_bytes,
            kept_uploads: 0,
            max_uploads_each: all.max_uploads,
            max_upload_bytes_each: u64::MAX,
            durable: false,
            ..all
        };
        let store = BlobStore::open(dir, limits)?;
        store.drop_stale_uploads(SystemTime::now(), STALE)?;
        let mut blobs = store.stored()?;
        blobs.sort_by_key(|blob| blob.modified);
        let mut index = Index::default();
        for blob in blobs {
            index.note(blob.id);
        }
        let cache = Self { store, index: Arc::new(Mutex::new(index)) };
        cache.make_room(0)?;
        Ok(cache)
    }

    /// The store beneath, for reading.
    pub fn store(&self) -> &BlobStore {
        &self.store
    }

    /// Runs blocking work on the cache away from the async threads.
    pub async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Self) -> Result<T, BlobError> + Send + 'static,
    ) -> Result<T, BlobError> {
        let cache = self.clone();
        tokio::task::spawn_blocking(move || work(&cache)).await.map_err(|_| BlobError::BrokenOff)?
    }

    /// Keeps these blobs, here already or not, until the answer is dropped.
    pub fn pin(&self, ids: impl IntoIterator<Item = BlobId>) -> Pins {
        let ids: Vec<BlobId> = ids.into_iter().collect();
        let mut index = lock(&self.index);
        for id in &ids {
            *index.pins.entry(*id).or_default() += 1;
        }
        drop(index);
        Pins { index: self.index.clone(), ids }
    }

    /// Notes a use; false where the blob is not here.
    pub fn touch(&self, id: &BlobId) -> Result<bool, BlobError> {
        let here = self.store.touch(id)?;
        let mut index = lock(&self.index);
        if here {
            index.note(*id);
        } else {
            index.used.remove(id);
        }
        Ok(here)
    }

    /// The blob for reading, checked, or `None`; counts as a use.
    pub fn open_blob(&self, id: &BlobId) -> Result<Option<File>, BlobError> {
        self.touch(id)?;
        self.store.open_blob(id)
    }

    /// Stores `contents`.
    pub fn put_bytes(&self, contents: &[u8]) -> Result<BlobId, BlobError> {
        self.make_room(contents.len() as u64)?;
        let id = self.store.put_bytes(contents)?;
        lock(&self.index).note(id);
        Ok(id)
    }

    /// Stores a copy of a plain file; its name and size.
    pub fn put_file(&self, path: &Path) -> Result<(BlobId, u64), BlobError> {
        let bytes = std::fs::symlink_metadata(path).map_err(BlobError::io("read", path))?.len();
        self.make_room(bytes)?;
        let (id, bytes) = self.store.put_file(path)?;
        lock(&self.index).note(id);
        Ok((id, bytes))
    }

    /// Begins or continues a download: what is here of it. Room is made by eviction.
    pub fn begin_download(&self, id: &BlobId, bytes: u64) -> Result<UploadState, BlobError> {
        if !self.touch(id)? {
            let have = self.store.unfinished_bytes(id, bytes, &LOCAL)?;
            self.make_room(bytes.saturating_sub(have))?;
        }
        let state = self.store.begin_upload(id, bytes, &LOCAL)?;
        if state.complete {
            lock(&self.index).note(*id);
        }
        Ok(state)
    }

    /// Adds a piece of a download; the last one finishes and checks it. See [`BlobStore::append`].
    pub fn append(
        &self,
        id: &BlobId,
        bytes: u64,
        offset: u64,
        chunk: &[u8],
    ) -> Result<UploadState, BlobError> {
        self.make_room(chunk.len() as u64)?;
        let state = self.store.append(id, bytes, &LOCAL, offset, chunk)?;
        if state.complete {
            lock(&self.index).note(*id);
        }
        Ok(state)
    }

    /// Lays the files of a manifest out in the new folder `target`. The blobs count as used; they are pinned only
    /// meanwhile (linked files stay valid after an eviction).
    pub fn materialize(&self, manifest: &Manifest, target: &Path, placing: Placing) -> Result<(), BlobError> {
        let _pins = self.pin(manifest.blobs());
        for id in manifest.blobs() {
            self.touch(&id)?;
        }
        materialize(&self.store, manifest, target, placing)
    }

    /// Evicts until `needed` more bytes fit.
    fn make_room(&self, needed: u64) -> Result<(), BlobError> {
        let cap = self.store.limits().quota_bytes;
        let mut index = lock(&self.index);
        while self.store.used_bytes().saturating_add(needed) > cap {
            if let Some(id) = index.oldest_unpinned() {
                self.store.remove(&id)?;
                index.used.remove(&id);
            } else if self.store.drop_stale_uploads(SystemTime::now(), IDLE)? == 0 {
                return Err(BlobError::CacheFull { cap, needed });
            }
        }
        Ok(())
    }
}
