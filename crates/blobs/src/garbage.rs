//! What nobody needs any more.

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

impl BlobStore {
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
