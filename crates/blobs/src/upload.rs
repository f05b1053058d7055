//! Uploads that go on where they broke off: `partial/<blob>.<bytes>.<uploader>` grows from its start, is hashed
//! when it is whole, and only then gets its name. Each uploader has a file of its own, so that nobody's garbage
//! spoils another's upload of the same blob.

use crate::error::BlobError;
use crate::files::hash_reader;
use crate::open_uploads::Standing;
use crate::store::BlobStore;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::PoisonError;
use std::sync::atomic::Ordering;
use std::time::{Duration, SystemTime};
use tatau_api::platform::UploadState;
use tatau_model::{Address, BlobId};

pub(crate) fn key(id: &BlobId, bytes: u64, by: &Address) -> String {
    format!("{id}.{bytes}.{}", hex::encode(by.0))
}

/// Announced size and uploader of the upload whose file has this name.
fn parse_key(name: &str) -> Option<(u64, Address)> {
    let parts: Vec<&str> = name.split('.').collect();
    let [id, bytes, by] = parts[..] else { return None };
    id.parse::<BlobId>().ok()?;
    Some((bytes.parse().ok()?, by.parse().ok()?))
}

impl BlobStore {
    /// How much of the upload of blob `id`, of `bytes` bytes, by `by` is here. Looking opens nothing.
    ///
    /// A blob that is here already is complete at once, whoever brought it. What could not be taken is refused now, before
    /// any byte of it is sent.
    pub fn upload_state(&self, id: &BlobId, bytes: u64, by: &Address) -> Result<UploadState, BlobError> {
        if let Some(complete) = self.complete(id, bytes, by)? {
            return Ok(complete);
        }
        let have = self.unfinished_bytes(id, bytes, by)?;
        if have >= bytes {
            // Empty, or broken off between its last byte and its check: nothing is left to send.
            return self.begin_upload(id, bytes, by);
        }
        self.refuse_beyond_quota(self.state().used, bytes - have)?;
        Ok(UploadState { have, complete: false })
    }

    /// Adds `chunk` at `offset`, and begins the upload where it is the first: how much is here then, which is where the next
    /// chunk starts, also where this one was in the wrong place.
    ///
    /// # Errors
    /// As [`Self::begin_upload_as`] and [`Self::append`], without their `Gap` and `NoUpload`.
    pub fn put_chunk(
        &self,
        id: &BlobId,
        bytes: u64,
        by: &Address,
        standing: Standing,
        offset: u64,
        chunk: &[u8],
    ) -> Result<UploadState, BlobError> {
        match self.append(id, bytes, by, offset, chunk) {
            Err(BlobError::Gap { .. }) => return self.upload_state(id, bytes, by),
            Err(BlobError::NoUpload(_)) => {}
            other => return other,
        }
        // A place is taken by bytes that fit, not by a word.
        if offset > 0 || (chunk.is_empty() && bytes > 0) {
            return self.upload_state(id, bytes, by);
        }
        if chunk.len() as u64 > bytes {
            return Err(BlobError::TooLong { blob: *id, bytes });
        }
        let begun = self.begin_upload_as(id, bytes, by, standing)?;
        if begun.complete {
            return Ok(begun);
        }
        self.append(id, bytes, by, offset, chunk)
    }

    /// [`Self::begin_upload_as`] a stranger.
    pub fn begin_upload(&self, id: &BlobId, bytes: u64, by: &Address) -> Result<UploadState, BlobError> {
        self.begin_upload_as(id, bytes, by, Standing::Stranger)
    }

    /// Begins or continues the upload of blob `id`, of `bytes` bytes, by `by`: how much of it is here.
    ///
    /// A blob that is here already is complete at once, whoever brought it.
    ///
    /// # Errors
    /// `TooLarge` and `Quota` where it does not fit; `ShareUsed` where the uploader, `TooManyUploads` where everybody
    /// together has as many open as there may be.
    pub fn begin_upload_as(
        &self,
        id: &BlobId,
        bytes: u64,
        by: &Address,
        standing: Standing,
    ) -> Result<UploadState, BlobError> {
        if let Some(complete) = self.complete(id, bytes, by)? {
            return Ok(complete);
        }
        let name = key(id, bytes, by);
        let Some(have) = self.open_upload(&name, id, bytes, by, standing)? else {
            // Another call finished it in this moment.
            return Ok(UploadState { have: bytes, complete: true });
        };
        if have >= bytes {
            // Empty, or broken off between its last byte and its check.
            return self.append(id, bytes, by, have, &[]);
        }
        Ok(UploadState { have, complete: false })
    }

    /// The answer where the blob is here already: what the uploader sent of it is not needed any more.
    fn complete(&self, id: &BlobId, bytes: u64, by: &Address) -> Result<Option<UploadState>, BlobError> {
        let limit = self.limits().max_blob_bytes;
        if bytes > limit {
            return Err(BlobError::TooLarge { bytes, limit });
        }
        if !self.touch(id)? {
            return Ok(None);
        }
        self.drop_upload(&key(id, bytes, by))?;
        let have = self.size(id)?.ok_or(BlobError::Missing(*id))?;
        Ok(Some(UploadState { have, complete: true }))
    }

    fn refuse_beyond_quota(&self, used: u64, needed: u64) -> Result<(), BlobError> {
        let quota = self.limits().quota_bytes;
        if used.saturating_add(needed) > quota {
            return Err(BlobError::Quota { used, quota, needed });
        }
        Ok(())
    }

    /// Finds or makes the file of an upload: bytes held, or `None` where the blob has just been completed.
    fn open_upload(
        &self,
        name: &str,
        id: &BlobId,
        bytes: u64,
        by: &Address,
        standing: Standing,
    ) -> Result<Option<u64>, BlobError> {
        let path = self.partial(name);
        let mut state = self.state();
        let have = match fs::symlink_metadata(&path) {
            Ok(metadata) => metadata.len(),
            Err(e) if e.kind() == io::ErrorKind::NotFound && self.contains(id)? => return Ok(None),
            Err(e) if e.kind() == io::ErrorKind::NotFound => {
                state.uploads.admit(by, bytes, standing, &self.inner.limits)?;
                0
            }
            Err(e) => return Err(BlobError::io("read", &path)(e)),
        };
        self.refuse_beyond_quota(state.used, bytes.saturating_sub(have))?;
        // Never truncates: somebody may be writing.
        let opened = OpenOptions::new().append(true).create(true).open(&path);
        opened.map_err(BlobError::io("written", &path))?;
        state.uploads.insert(name.to_owned(), *by, bytes, standing);
        Ok(Some(have))
    }

    /// Bytes held of an upload that is not finished; 0 where there is none.
    pub(crate) fn unfinished_bytes(&self, id: &BlobId, bytes: u64, by: &Address) -> Result<u64, BlobError> {
        let path = self.partial(&key(id, bytes, by));
        match fs::symlink_metadata(&path) {
            Ok(metadata) => Ok(metadata.len()),
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(0),
            Err(e) => Err(BlobError::io("read", &path)(e)),
        }
    }

    /// Adds `chunk` at `offset` to an upload that was begun with the same `bytes`; the last byte finishes it.
    ///
    /// What of the chunk is here already is skipped, so a repeated call does no harm.
    ///
    /// # Errors
    /// `Gap` tells where to go on; after `WrongHash` the upload begins anew; `Quota` leaves it as it was.
    pub fn append(
        &self,
        id: &BlobId,
        bytes: u64,
        by: &Address,
        offset: u64,
        chunk: &[u8],
    ) -> Result<UploadState, BlobError> {
        let name = key(id, bytes, by);
        let place = self.state().uploads.place(&name);
        let Some(place) = place else {
            // Finished by an earlier call, or never begun.
            return match self.size(id)? {
                Some(have) => Ok(UploadState { have, complete: true }),
                None => Err(BlobError::NoUpload(*id)),
            };
        };
        let mut hasher = place.hasher.lock().unwrap_or_else(PoisonError::into_inner);
        if place.spoilt.load(Ordering::Acquire) {
            self.drop_locked(&name)?;
            return Err(BlobError::NoUpload(*id));
        }
        let path = self.partial(&name);
        let failed = || BlobError::io("written", &path);
        let mut file = match OpenOptions::new().read(true).append(true).open(&path) {
            Ok(file) => file,
            // Another call finished it while this one waited.
            Err(e) if e.kind() == io::ErrorKind::NotFound => {
                return match self.size(id)? {
                    Some(have) => Ok(UploadState { have, complete: true }),
                    None => Err(BlobError::NoUpload(*id)),
                };
            }
            Err(e) => return Err(failed()(e)),
        };
        let have = file.metadata().map_err(failed())?.len();
        if offset > have {
            return Err(BlobError::Gap { blob: *id, have, offset });
        }
        if offset.saturating_add(chunk.len() as u64) > bytes || have > bytes {
            return Err(BlobError::TooLong { blob: *id, bytes });
        }
        let new = chunk.get((have - offset) as usize..).unwrap_or_default();
        self.reserve(new.len() as u64)?;
        let written = file.write_all(new);
        let now = file.metadata().map_err(failed())?.len();
        self.release((have + new.len() as u64).saturating_sub(now));
        written.map_err(failed())?;
        if have == 0 {
            hasher.reset();
        }
        if hasher.count() == have {
            hasher.update(new);
        }
        place.grown.notify_waiters();
        if now < bytes {
            return Ok(UploadState { have: now, complete: false });
        }
        let known = (hasher.count() == now).then(|| BlobId(*hasher.finalize().as_bytes()));
        let finished = self.check_whole(id, bytes, &name, &file, known);
        if place.spoilt.load(Ordering::Acquire) {
            self.drop_locked(&name)?;
            return Err(BlobError::NoUpload(*id));
        }
        finished?;
        let installed = self.install(&path, id, bytes);
        self.state().uploads.remove(&name);
        installed?;
        Ok(UploadState { have: bytes, complete: true })
    }

    /// The upload is whole: check it, make it durable. `known` is the hash of what was written, where this process
    /// wrote all of it.
    fn check_whole(
        &self,
        id: &BlobId,
        bytes: u64,
        name: &str,
        file: &File,
        known: Option<BlobId>,
    ) -> Result<(), BlobError> {
        let path = self.partial(name);
        let failed = || BlobError::io("read", &path);
        let found = if let Some(found) = known {
            found
        } else {
            io::Seek::rewind(&mut &*file).map_err(failed())?;
            hash_reader(file).map_err(failed())?.0
        };
        if found != *id {
            let mut state = self.state();
            fs::remove_file(&path).map_err(BlobError::io("removed", &path))?;
            state.used = state.used.saturating_sub(bytes);
            state.uploads.remove(name);
            return Err(BlobError::WrongHash { expected: *id, found });
        }
        if self.limits().durable {
            file.sync_all().map_err(failed())?;
        }
        Ok(())
    }

    pub(crate) fn partial(&self, name: &str) -> PathBuf {
        self.inner.dir.join("partial").join(name)
    }

    /// Removes an unfinished upload unless somebody writes to it; true where it was there.
    fn drop_upload(&self, name: &str) -> Result<bool, BlobError> {
        let Some(place) = self.state().uploads.place(name) else { return Ok(false) };
        let Ok(_writing) = place.hasher.try_lock() else { return Ok(false) };
        self.drop_locked(name)
    }

    fn drop_locked(&self, name: &str) -> Result<bool, BlobError> {
        let path = self.partial(name);
        let mut state = self.state();
        let bytes = match fs::symlink_metadata(&path) {
            Ok(metadata) => metadata.len(),
            Err(e) if e.kind() == io::ErrorKind::NotFound => {
                // Taken away by somebody else: its place is free.
                state.uploads.remove(name);
                return Ok(false);
            }
            Err(e) => return Err(BlobError::io("read", &path)(e)),
        };
        fs::remove_file(&path).map_err(BlobError::io("removed", &path))?;
        state.used = state.used.saturating_sub(bytes);
        state.uploads.remove(name);
        Ok(true)
    }

    /// Removes uploads that nobody added to for `min_age`; how many. One that is written to right now stays.
    pub fn drop_stale_uploads(&self, now: SystemTime, min_age: Duration) -> Result<u64, BlobError> {
        let names = self.state().uploads.names();
        let mut dropped = 0;
        for name in names {
            let path = self.partial(&name);
            let modified = match fs::symlink_metadata(&path) {
                Ok(metadata) => metadata.modified().map_err(BlobError::io("read", &path))?,
                // Finished meanwhile, or taken away: then only its place is left to free.
                Err(e) if e.kind() == io::ErrorKind::NotFound => SystemTime::UNIX_EPOCH,
                Err(e) => return Err(BlobError::io("read", &path)(e)),
            };
            let stale = now.duration_since(modified).is_ok_and(|age| age >= min_age);
            dropped += u64::from(stale && self.drop_upload(&name)?);
        }
        Ok(dropped)
    }

    /// Finds the uploads that an earlier process left, and removes its drafts; bytes of the uploads.
    pub(crate) fn load_uploads(&self) -> Result<u64, BlobError> {
        let folder = self.inner.dir.join("partial");
        let failed = || BlobError::io("read", &folder);
        let mut bytes = 0u64;
        for entry in fs::read_dir(&folder).map_err(failed())? {
            let entry = entry.map_err(failed())?;
            let name = entry.file_name().to_string_lossy().into_owned();
            if let Some((announced, by)) = parse_key(&name) {
                bytes = bytes.saturating_add(entry.metadata().map_err(failed())?.len());
                self.state().uploads.insert(name, by, announced, Standing::Stranger);
            } else if name.starts_with("draft-") {
                fs::remove_file(entry.path()).map_err(BlobError::io("removed", &entry.path()))?;
            }
        }
        Ok(bytes)
    }
}
