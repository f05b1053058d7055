//! Who has how many uploads open: a share for each uploader, and places that are kept for those who owe a delivery.

use crate::error::BlobError;
use crate::store::Limits;
use std::collections::HashMap;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex};
use tatau_model::Address;
use tokio::sync::Notify;

/// Whether the market waits for an uploader's bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// Anybody with an account.
    Stranger,
    /// A node that holds a lease, a signed receipt or an audit: [`Limits::kept_uploads`] places are its kind's alone.
    Owing,
}

/// What one uploader has open.
#[derive(Debug, Clone, Copy, Default)]
struct Share {
    uploads: usize,
    /// As announced.
    bytes: u64,
}

/// Where an upload's writers meet.
#[derive(Debug, Default)]
pub(crate) struct Place {
    /// Held by whoever writes to it: the hash of what this process wrote, from the first byte on. It covers the file where its
    /// count is the file's length.
    pub(crate) hasher: Mutex<blake3::Hasher>,
    /// Told when the upload has grown or has ended.
    pub(crate) grown: Notify,
    /// The disk did not take bytes of it, and says so once only: it begins anew.
    pub(crate) spoilt: AtomicBool,
}

struct Upload {
    by: Address,
    bytes: u64,
    standing: Standing,
    place: Arc<Place>,
}

/// Unfinished uploads by the name of their file.
#[derive(Default)]
pub(crate) struct OpenUploads {
    open: HashMap<String, Upload>,
    shares: HashMap<Address, Share>,
    strangers: usize,
}

impl OpenUploads {
    /// Where the writers of an open upload meet.
    pub(crate) fn place(&self, name: &str) -> Option<Arc<Place>> {
        self.open.get(name).map(|upload| Arc::clone(&upload.place))
    }

    pub(crate) fn names(&self) -> Vec<String> {
        self.open.keys().cloned().collect()
    }

    /// May this uploader open another one, of `bytes` bytes?
    pub(crate) fn admit(
        &self,
        by: &Address,
        bytes: u64,
        standing: Standing,
        limits: &Limits,
    ) -> Result<(), BlobError> {
        let share = self.shares.get(by).copied().unwrap_or_default();
        let open = share.bytes.saturating_add(bytes);
        if share.uploads >= limits.max_uploads_each || open > limits.max_upload_bytes_each {
            return Err(BlobError::ShareUsed { uploads: share.uploads, bytes: share.bytes });
        }
        let for_strangers = limits.max_uploads.saturating_sub(limits.kept_uploads);
        let full = match standing {
            Standing::Stranger => self.strangers >= for_strangers,
            Standing::Owing => false,
        };
        if full || self.open.len() >= limits.max_uploads {
            return Err(BlobError::TooManyUploads(self.open.len()));
        }
        Ok(())
    }

    /// Notes an upload; once is enough.
    pub(crate) fn insert(&mut self, name: String, by: Address, bytes: u64, standing: Standing) {
        if self.open.contains_key(&name) {
            return;
        }
        let share = self.shares.entry(by).or_default();
        share.uploads += 1;
        share.bytes = share.bytes.saturating_add(bytes);
        self.strangers += usize::from(standing == Standing::Stranger);
        self.open.insert(name, Upload { by, bytes, standing, place: Arc::default() });
    }

    /// Forgets an upload that is finished or gone.
    pub(crate) fn remove(&mut self, name: &str) {
        let Some(gone) = self.open.remove(name) else { return };
        gone.place.grown.notify_waiters();
        self.strangers -= usize::from(gone.standing == Standing::Stranger);
        let Some(share) = self.shares.get_mut(&gone.by) else { return };
        share.uploads -= 1;
        share.bytes = share.bytes.saturating_sub(gone.bytes);
        if share.uploads == 0 {
            self.shares.remove(&gone.by);
        }
    }
}
