//! Who waits for what: long polls of nodes and of buyers.
//!
//! A wake is a hint. Whoever waits subscribes first, looks second and sleeps last, so that none is lost.

use std::{
    collections::{HashMap, HashSet},
    sync::Mutex,
};
use tatau_engine::Effect;
use tatau_model::{AuditId, JobId};
use tokio::sync::{mpsc, watch};

/// Followed jobs that are remembered before those that nobody follows any more are swept.
const SWEEP_AT: usize = 1_024;

/// The bells.
pub(crate) struct Wakes {
    providers: watch::Sender<u64>,
    validators: watch::Sender<u64>,
    jobs: Mutex<HashMap<JobId, watch::Sender<u64>>>,
    judge: mpsc::UnboundedSender<AuditId>,
}

impl Wakes {
    /// The bells, and what the comparator listens to.
    pub(crate) fn new() -> (Self, mpsc::UnboundedReceiver<AuditId>) {
        let (judge, work) = mpsc::unbounded_channel();
        let wakes = Self {
            providers: watch::Sender::new(0),
            validators: watch::Sender::new(0),
            jobs: Mutex::default(),
            judge,
        };
        (wakes, work)
    }

    /// Rings for what follows from a committed batch.
    pub(crate) fn perform(&self, effects: &[Effect]) {
        let mut providers = false;
        let mut validators = false;
        let mut jobs = HashSet::new();
        for effect in effects {
            match effect {
                Effect::WakeValidators => validators = true,
                Effect::WakeJob(job) => drop(jobs.insert(*job)),
                // The node that holds a stopped attempt may be waiting: its poll looks again and names it.
                Effect::WakeProviders | Effect::StopAttempt(_) => providers = true,
                // Never full: every revealed audit is named once a commit, and the comparator drains it.
                Effect::Judge(audit) => drop(self.judge.send(*audit)),
            }
        }
        if providers {
            self.providers.send_modify(|n| *n += 1);
        }
        if validators {
            self.validators.send_modify(|n| *n += 1);
        }
        let followed = lock(&self.jobs);
        for job in jobs {
            if let Some(bell) = followed.get(&job) {
                bell.send_modify(|n| *n += 1);
            }
        }
    }

    /// Rings when there may be leases.
    pub(crate) fn providers(&self) -> watch::Receiver<u64> {
        self.providers.subscribe()
    }

    /// Rings when there may be audits.
    pub(crate) fn validators(&self) -> watch::Receiver<u64> {
        self.validators.subscribe()
    }

    /// Rings when something about the job changed.
    pub(crate) fn job(&self, job: JobId) -> watch::Receiver<u64> {
        let mut jobs = lock(&self.jobs);
        if jobs.len() >= SWEEP_AT {
            jobs.retain(|_, bell| bell.receiver_count() > 0);
        }
        jobs.entry(job).or_insert_with(|| watch::Sender::new(0)).subscribe()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}
