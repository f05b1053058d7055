//! What a store would hold, and recovery from it.

use super::World;
use std::collections::{BTreeMap, HashMap};
use tatau_engine::{Counters, State, sanity_check};
use tatau_ledger::Books;
use tatau_model::{AccountKey, Amount, Attempt, Audit, Change, Millis, TaskState};

/// What a store would hold: the open records, by number.
#[derive(Default)]
pub struct Stored {
    records: BTreeMap<String, Change>,
    balances: HashMap<AccountKey, Amount>,
    last_entry: u64,
    epoch: Option<tatau_model::Epoch>,
}

impl World {
    /// A recovery from what a store would hold gives the same open records, balances and queues.
    pub fn check_recovery(&mut self) {
        let stored = &self.stored;
        let books = Books::load(stored.balances.clone(), stored.last_entry).expect("conserved");
        let config = self.state.config.clone();
        let recovered = State::recover(
            config,
            books,
            stored.epoch.clone(),
            stored.records.values().cloned(),
            Counters::default(),
            self.now,
        )
        .expect("recovers");
        assert_eq!(recovered.books, self.state.books, "seed {}", self.seed);
        assert!(sanity_check(&recovered).is_empty());
        let view = |s: &State| {
            let mut jobs: Vec<_> = s.jobs().cloned().collect();
            jobs.sort_by_key(|j| j.id);
            let tasks: Vec<_> =
                jobs.iter().flat_map(|j| s.tasks_of(j.id).cloned().collect::<Vec<_>>()).collect();
            let attempts: Vec<_> =
                tasks.iter().filter_map(|t| t.current.and_then(|a| s.attempt(a)).cloned()).collect();
            let audits: Vec<_> =
                attempts.iter().flat_map(|a| s.audits_of(a.id).cloned().collect::<Vec<_>>()).collect();
            // Deadlines move with the time that a server was away.
            let attempts: Vec<_> = attempts.into_iter().map(|a| Attempt { due: Millis(0), ..a }).collect();
            let audits: Vec<_> = audits.into_iter().map(|a| Audit { due: Millis(0), ..a }).collect();
            let ready: Vec<_> = tasks.iter().filter(|t| t.state == TaskState::Ready).map(|t| t.id).collect();
            (jobs, tasks, attempts, audits, ready)
        };
        assert_eq!(view(&recovered), view(&self.state), "seed {}", self.seed);
    }
}

impl Stored {
    pub fn keep(&mut self, change: &Change) {
        let key = match change {
            Change::Account(a) => format!("account {}", a.owner),
            Change::Node(n) => format!("node {}", n.id),
            Change::Job(j) => format!("job {}", j.id.0),
            Change::Task(t) => format!("task {}", t.id.0),
            Change::Attempt(a) => format!("attempt {}", a.id.0),
            Change::Audit(a) => format!("audit {}", a.id.0),
            Change::Unbonding { owner, at, .. } => format!("unbonding {owner} {}", at.0),
            Change::Unbonded { owner, at } => {
                self.records.remove(&format!("unbonding {owner} {}", at.0));
                return;
            }
            Change::JobMeter { job, spent, reference_ms } => {
                if let Some(Change::Job(kept)) = self.records.get_mut(&format!("job {}", job.0)) {
                    kept.spent = *spent;
                    kept.reference_ms = *reference_ms;
                }
                return;
            }
            Change::Epoch(epoch) => {
                self.epoch = Some(epoch.clone());
                return;
            }
            Change::Entry(entry) => {
                self.last_entry = entry.id;
                for leg in &entry.legs {
                    let balance = self.balances.entry(leg.account).or_default();
                    *balance = balance.add(leg.amount).expect("fits");
                }
                return;
            }
            Change::CloseAttempt(id) => {
                self.records.remove(&format!("attempt {}", id.0));
                self.records.retain(|_, r| !matches!(r, Change::Audit(a) if a.attempt == *id));
                return;
            }
            Change::CloseJob(id) => {
                self.records.remove(&format!("job {}", id.0));
                self.records.retain(|_, r| !matches!(r, Change::Task(t) if t.job == *id));
                return;
            }
            Change::Seen { .. } => return,
        };
        self.records.insert(key, change.clone());
    }
}
