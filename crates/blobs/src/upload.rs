//! Uploads that go on where they broke off: `partial/<blob>.<bytes>.<uploader>` grows from its start, is hashed
//! when it is whole, and only then gets its name. Each uploader has a file of its own, so that nobody's garbage
//! spoils another's upload of the same blob.

use crate::error::BlobError;
use crate::files::hash_reader;
use crate::store::BlobStore;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};
use tatau_api::platform::UploadState;
use tatau_model::{Address, BlobId};

fn key(id: &BlobId, bytes: u64, by: &Address) -> String {
    format!("{id}.{bytes}.{}", hex::encode(by.0))
}

fn is_key(name: &str) -> bool {
    let parts: Vec<&str> = name.split('.').collect();
    let [id, bytes, by] = parts[..] else { return false };
    id.parse::<BlobId>().is_ok() && bytes.parse::<u64>().is_ok() && by.parse::<Address>().is_ok()
}

impl BlobStore {
    /// Begins or continues the upload of blob `id`, of `bytes` bytes, by `by`: how much of it is here.
    ///
    /// A blob that is here already is complete at once, whoever brought it.
    pub fn begin_upload(&self, id: &BlobId, bytes: u64, by: &Address) -> Result<UploadState, BlobError> {
        let limits = self.limits();
        if bytes > limits.max_blob_bytes {
            return Err(BlobError::TooLarge { bytes, limit: limits.max_blob_bytes });
        }
        let name = key(id, bytes, by);
        if self.touch(id)? {
            self.drop_upload(&name)?;
            let have = self.size(id)?.ok_or(BlobError::Missing(*id))?;
            return Ok(UploadState { have, complete: true });
        }
        let Some(have) = self.open_upload(&name, id, bytes)? else {
            // Another call finished it in this moment.
            return Ok(UploadState { have: bytes, complete: true });
        };
        if have >= bytes {
            // Empty, or broken off between its last byte and its check.
            return self.append(id, bytes, by, have, &[]);
        }
        Ok(UploadState { have, complete: false })
    }

    /// Finds or makes the file of an upload: bytes held, or `None` where the blob has just been completed.
    fn open_upload(&self, name: &str, id: &BlobId, bytes: u64) -> Result<Option<u64>, BlobError> {
        let limits = self.limits();
        let path = self.partial(name);
        let mut state = self.state();
        let have = match fs::symlink_metadata(&path) {
            Ok(metadata) => metadata.len(),
            Err(e) if e.kind() == io::ErrorKind::NotFound && self.contains(id)? => return Ok(None),
            Err(e) if e.kind() == io::ErrorKind::NotFound => {
                if state.uploads.len() >= limits.max_uploads {
                    return Err(BlobError::TooManyUploads(state.uploads.len()));
                }
                0
            }
            Err(e) => return Err(BlobError::io("read", &path)(e)),
        };
        let needed = bytes.saturating_sub(have);
        if state.used.saturating_add(needed) > limits.quota_bytes {
            return Err(BlobError::Quota { used: state.used, quota: limits.quota_bytes, needed });
        }
        // Never truncates: somebody may be writing.
        let opened = OpenOptions::new().append(true).create(true).open(&path);
        opened.map_err(BlobError::io("written", &path))?;
        state.uploads.entry(name.to_owned()).or_default();
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
        let busy = self.state().uploads.get(&name).cloned();
        let Some(busy) = busy else {
            // Finished by an earlier call, or never begun.
            return match self.size(id)? {
                Some(have) => Ok(UploadState { have, complete: true }),
                None => Err(BlobError::NoUpload(*id)),
            };
        };
        let _writing = busy.lock().unwrap_or_else(PoisonError::into_inner);
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
        if now < bytes {
            return Ok(UploadState { have: now, complete: false });
        }
        self.finish(id, bytes, &name, &file)
    }

    /// The upload is whole: check it, make it durable, name it.
    fn finish(&self, id: &BlobId, bytes: u64, name: &str, file: &File) -> Result<UploadState, BlobError> {
        let path = self.partial(name);
        let failed = || BlobError::io("read", &path);
        io::Seek::rewind(&mut &*file).map_err(failed())?;
        let (found, _) = hash_reader(file).map_err(failed())?;
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
        let installed = self.install(&path, id, bytes);
        self.state().uploads.remove(name);
        installed?;
        Ok(UploadState { have: bytes, complete: true })
    }

    fn partial(&self, name: &str) -> PathBuf {
        self.inner.dir.join("partial").join(name)
    }

    /// Removes an unfinished upload unless somebody writes to it; true where it was there.
    fn drop_upload(&self, name: &str) -> Result<bool, BlobError> {
        let Some(busy) = self.state().uploads.get(name).cloned() else { return Ok(false) };
        let Ok(_writing) = busy.try_lock() else { return Ok(false) };
        let path = self.partial(name);
        let mut state = self.state();
        let bytes = match fs::symlink_metadata(&path) {
            Ok(metadata) => metadata.len(),
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(false),
            Err(e) => return Err(BlobError::io("read", &path)(e)),
        };
        fs::remove_file(&path).map_err(BlobError::io("removed", &path))?;
        state.used = state.used.saturating_sub(bytes);
        state.uploads.remove(name);
        Ok(true)
    }

    /// Removes uploads that nobody added to for `min_age`; how many.
    pub(crate) fn drop_stale_uploads(&self, now: SystemTime, min_age: Duration) -> Result<u64, BlobError> {
        let names: Vec<String> = self.state().uploads.keys().cloned().collect();
        let mut dropped = 0;
        for name in names {
            let Ok(metadata) = fs::symlink_metadata(self.partial(&name)) else { continue };
            let modified = metadata.modified().map_err(BlobError::io("read", &self.partial(&name)))?;
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
            if is_key(&name) {
                bytes = bytes.saturating_add(entry.metadata().map_err(failed())?.len());
                self.state().uploads.insert(name, Arc::<Mutex<()>>::default());
            } else if name.starts_with("draft-") {
                fs::remove_file(entry.path()).map_err(BlobError::io("removed", &entry.path()))?;
            }
        }
        Ok(bytes)
    }
}
