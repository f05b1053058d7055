//! A small market that moves by dice: what the engine would emit, and the open state that must follow from it.

// Each test uses a part; a panic here is a failed test.
#![allow(dead_code, clippy::unwrap_used)]

mod events;
mod pay;

use rand::{Rng, RngExt};
use std::collections::BTreeMap;
use tatau_ledger::{Books, Overlay};
use tatau_model::{
    Account, AccountKey, Address, Amount, Attempt, AttemptId, Audit, AuditId, Change, EntryKind, Epoch, Job,
    JobId, Millis, Node, Task, TaskId,
};
use tatau_store::{Loaded, Unbonding};

/// The open state, moved by changes only.
#[derive(Debug, Default)]
pub struct Market {
    pub accounts: BTreeMap<Address, Account>,
    pub nodes: BTreeMap<Address, Node>,
    pub jobs: BTreeMap<JobId, Job>,
    pub tasks: BTreeMap<TaskId, Task>,
    pub attempts: BTreeMap<AttemptId, Attempt>,
    pub audits: BTreeMap<AuditId, Audit>,
    pub unbonding: Vec<Unbonding>,
    pub books: Books,
    pub last_epoch: Option<Epoch>,
    last: (u64, u64, u64, u64),
    now: i64,
}

/// One event's changes.
struct Event<'a> {
    at: Millis,
    money: Overlay<'a>,
    changes: Vec<Change>,
}

impl Event<'_> {
    fn pay(&mut self, kind: EntryKind, moves: &[(AccountKey, AccountKey, Amount)]) {
        let entry = self.money.draft(self.at, kind, moves).unwrap();
        self.changes.extend(entry.map(Change::Entry));
    }
}

impl Market {
    /// Goes on from what was recovered.
    pub fn resume(loaded: Loaded) -> Self {
        let mut market = Self {
            books: loaded.books().unwrap(),
            last_epoch: loaded.last_epoch.clone(),
            now: 1_000_000 + loaded.last_entry as i64 * 10,
            ..Self::default()
        };
        let last = (loaded.last_job, loaded.last_task, loaded.last_attempt, loaded.last_audit);
        for change in loaded.into_records() {
            market.apply(&change);
        }
        market.last = last;
        market
    }

    /// What recovery must find.
    pub fn expected(&self) -> Loaded {
        let mut balances: Vec<_> = self.books.iter().map(|(k, a)| (*k, *a)).collect();
        balances.sort_by_key(|(k, _)| k.to_string());
        let mut unbonding = self.unbonding.clone();
        unbonding.sort_by_key(|u| (u.owner, u.at));
        Loaded {
            accounts: self.accounts.values().cloned().collect(),
            nodes: self.nodes.values().cloned().collect(),
            jobs: self.jobs.values().cloned().collect(),
            tasks: self.tasks.values().cloned().collect(),
            attempts: self.attempts.values().cloned().collect(),
            audits: self.audits.values().cloned().collect(),
            unbonding,
            balances,
            last_entry: self.books.last(),
            last_job: self.last.0,
            last_task: self.last.1,
            last_attempt: self.last.2,
            last_audit: self.last.3,
            last_epoch: self.last_epoch.clone(),
        }
    }

    pub fn apply(&mut self, change: &Change) {
        match change {
            Change::Account(a) => drop(self.accounts.insert(a.owner, a.clone())),
            Change::Node(n) => drop(self.nodes.insert(n.id, (**n).clone())),
            Change::Job(j) => {
                self.last.0 = self.last.0.max(j.id.0);
                self.jobs.insert(j.id, (**j).clone());
            }
            Change::JobMeter { job, spent, reference_ms } => {
                let job = self.jobs.get_mut(job).unwrap();
                (job.spent, job.reference_ms) = (*spent, *reference_ms);
            }
            Change::Task(t) => {
                self.last.1 = self.last.1.max(t.id.0);
                self.tasks.insert(t.id, (**t).clone());
            }
            Change::Attempt(a) => {
                self.last.2 = self.last.2.max(a.id.0);
                self.attempts.insert(a.id, (**a).clone());
            }
            Change::Audit(a) => {
                self.last.3 = self.last.3.max(a.id.0);
                self.audits.insert(a.id, (**a).clone());
            }
            Change::Epoch(e) => self.last_epoch = Some(e.clone()),
            Change::Entry(e) => self.books.apply(e).unwrap(),
            Change::Unbonding { owner, amount, at } => {
                self.unbonding.push(Unbonding { owner: *owner, amount: *amount, at: *at });
            }
            Change::Unbonded { owner, at } => self.unbonding.retain(|u| u.owner != *owner || u.at != *at),
            Change::CloseAttempt(id) => {
                self.attempts.remove(id);
                self.audits.retain(|_, a| a.attempt != *id);
            }
            Change::CloseJob(id) => {
                self.jobs.remove(id);
                self.tasks.retain(|_, t| t.job != *id);
                self.attempts.retain(|_, a| a.job != *id);
                self.audits.retain(|_, a| a.job != *id);
            }
            Change::Seen { .. } => {}
        }
    }

    /// Decides and applies one event by dice.
    pub fn step(&mut self, rng: &mut impl Rng) -> Vec<Change> {
        self.now += if rng.random_ratio(1, 40) { 10 * 60_000 } else { 7 };
        let mut event = Event { at: Millis(self.now), money: Overlay::new(&self.books), changes: Vec::new() };
        if self.accounts.len() < 6 {
            Self::open_account(&mut event, self.accounts.len());
        } else {
            match rng.random_range(0..20) {
                0 => self.submit(&mut event, rng),
                1 => self.unbond(&mut event, rng),
                2 => self.close_job(&mut event, rng),
                3..=8 => self.lease(&mut event, rng),
                9..=12 => self.receipt(&mut event, rng),
                13..=17 => self.verdict(&mut event, rng),
                _ => self.settle(&mut event, rng),
            }
        }
        let changes = event.changes;
        for change in &changes {
            self.apply(change);
        }
        changes
    }
}
