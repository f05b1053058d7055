//! What every handler can reach.

use crate::{archive::Archive, nonces::Nonces, wakes::Wakes, writer::Writer};
use std::{
    collections::{BTreeSet, HashMap},
    sync::{Arc, Mutex},
};
use tatau_blobs::{BlobStore, GrantKey};
use tatau_engine::Config;
use tatau_model::{Address, AuditId, Digest};
use tokio::sync::watch;

/// One running server.
pub(crate) struct App {
    pub writer: Writer,
    pub wakes: Arc<Wakes>,
    pub archive: Archive,
    pub blobs: BlobStore,
    pub nonces: Nonces,
    /// BLAKE3 of the operator's token.
    pub operator: blake3::Hash,
    pub grants: GrantKey,
    pub local: bool,
    pub config: Config,
    /// First value of the hash chain in use.
    pub anchor: Digest,
    /// True once the server stops: whoever waits answers now.
    pub stopping: watch::Receiver<bool>,
    /// Audits handed to each node: a hint for handing them out again when an answer was lost. The state decides.
    pub handed: Mutex<HashMap<Address, BTreeSet<AuditId>>>,
}

impl App {
    /// Notes that the node was handed these audits.
    pub(crate) fn note_handed(&self, node: Address, audits: &[AuditId]) {
        self.handed_map().entry(node).or_default().extend(audits);
    }

    /// Audits the node was handed, less those of which `gone` says so.
    pub(crate) fn handed_to(&self, node: Address) -> BTreeSet<AuditId> {
        self.handed_map().get(&node).cloned().unwrap_or_default()
    }

    /// Forgets what the node does not hold any more.
    pub(crate) fn keep_handed(&self, node: Address, held: &BTreeSet<AuditId>) {
        let mut map = self.handed_map();
        if let Some(audits) = map.get_mut(&node) {
            audits.retain(|a| held.contains(a));
            if audits.is_empty() {
                map.remove(&node);
            }
        }
    }

    fn handed_map(&self) -> std::sync::MutexGuard<'_, HashMap<Address, BTreeSet<AuditId>>> {
        self.handed.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}
