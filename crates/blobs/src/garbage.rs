//! What is stored, and what of it nobody needs any more.

use crate::error::BlobError;
use crate::store::BlobStore;
use std::collections::HashSet;
use std::fs;
use std::time::{Duration, SystemTime};
use tatau_model::{BlobId, Millis};

/// What a collection removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Collected {
    /// Blobs.
    pub blobs: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Unfinished uploads.
    pub uploads: u64,
}

/// One blob as it lies on the disk.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Stored {
    pub(crate) id: BlobId,
    pub(crate) bytes: u64,
    pub(crate) modified: SystemTime,
}

impl BlobStore {
    /// Every blob on the disk. Files with other names are left alone.
    pub(crate) fn stored(&self) -> Result<Vec<Stored>, BlobError> {
        let dir = &self.inner.dir;
        let mut all = Vec::new();
        for folder in fs::read_dir(dir).map_err(BlobError::io("read", dir))? {
            let folder = folder.map_err(BlobError::io("read", dir))?;
            let Some(prefix) = folder.file_name().to_str().filter(|name| name.len() == 2).map(str::to_owned)
            else {
                continue;
            };
            let folder = folder.path();
            for file in fs::read_dir(&folder).map_err(BlobError::io("read", &folder))? {
                let file = file.map_err(BlobError::io("read", &folder))?;
                let name = format!("{prefix}{}", file.file_name().to_string_lossy());
                let Ok(id) = name.parse::<BlobId>() else { continue };
                let metadata = file.metadata().map_err(BlobError::io("read", &folder))?;
                let modified = metadata.modified().map_err(BlobError::io("read", &folder))?;
                all.push(Stored { id, bytes: metadata.len(), modified });
            }
        }
        Ok(all)
    }

    /// Removes blobs that are not in `keep` and were neither stored nor touched for `min_age`, and uploads that stood
    /// still as long. `min_age` is what protects a blob that was uploaded for a job not yet submitted.
    pub fn collect_garbage(
        &self,
        keep: &HashSet<BlobId>,
        min_age: Duration,
        now: Millis,
    ) -> Result<Collected, BlobError> {
        let now = SystemTime::UNIX_EPOCH + Duration::from_millis(u64::try_from(now.0).unwrap_or(0));
        let old = |modified| now.duration_since(modified).is_ok_and(|age| age >= min_age);
        let mut collected =
            Collected { uploads: self.drop_stale_uploads(now, min_age)?, ..Collected::default() };
        for blob in self.stored()? {
            if keep.contains(&blob.id) || !old(blob.modified) {
                continue;
            }
            // Looked at again under the lock that a touch takes.
            let mut state = self.state();
            let Ok(metadata) = fs::symlink_metadata(self.path(&blob.id)) else { continue };
            let path = self.path(&blob.id);
            if old(metadata.modified().map_err(BlobError::io("read", &path))?)
                && self.remove_locked(&mut state, &blob.id)?
            {
                collected.blobs += 1;
                collected.bytes += blob.bytes;
            }
        }
        Ok(collected)
    }
}
