//! How the writer is doing: counts for the operator's page and for the metrics. Nothing is decided by them.

use std::{
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    time::Duration,
};

/// Counts since the start.
#[derive(Debug, Default)]
pub(crate) struct Pulse {
    events: AtomicU64,
    refused: AtomicU64,
    batches: AtomicU64,
    changes: AtomicU64,
    largest: AtomicU64,
    last: AtomicU64,
    commit_us: AtomicU64,
}

/// The counts at one moment.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Beat {
    /// Events decided.
    pub events: u64,
    /// Of them refused.
    pub refused: u64,
    /// Batches made durable.
    pub batches: u64,
    /// Changes in them.
    pub changes: u64,
    /// Changes of the largest batch.
    pub largest: u64,
    /// Changes of the last one.
    pub last: u64,
    /// Time that commits took, microseconds.
    pub commit_us: u64,
}

impl Pulse {
    pub(crate) fn decided(&self, taken: bool) {
        self.events.fetch_add(1, Relaxed);
        self.refused.fetch_add(u64::from(!taken), Relaxed);
    }

    pub(crate) fn committed(&self, changes: usize, took: Duration) {
        let changes = changes as u64;
        self.batches.fetch_add(1, Relaxed);
        self.changes.fetch_add(changes, Relaxed);
        self.largest.fetch_max(changes, Relaxed);
        self.last.store(changes, Relaxed);
        self.commit_us.fetch_add(u64::try_from(took.as_micros()).unwrap_or(u64::MAX), Relaxed);
    }

    pub(crate) fn read(&self) -> Beat {
        Beat {
            events: self.events.load(Relaxed),
            refused: self.refused.load(Relaxed),
            batches: self.batches.load(Relaxed),
            changes: self.changes.load(Relaxed),
            largest: self.largest.load(Relaxed),
            last: self.last.load(Relaxed),
            commit_us: self.commit_us.load(Relaxed),
        }
    }
}
