//! A batch of changes, condensed: each record once (the last one wins), journal entries in order.

use crate::StoreError;
use std::collections::{BTreeMap, BTreeSet};
use tatau_model::{
    Account, Address, Amount, Attempt, AttemptId, Audit, AuditId, Change, Entry, Epoch, Job, JobId, Millis,
    Node, Task, TaskId,
};

/// Changes one batch may have.
const MAX_CHANGES: usize = 5_000_000;

/// What happens to a row that can be closed.
#[derive(Debug, Default)]
pub(crate) struct Row<'a, T> {
    /// The new body, if it changed.
    pub record: Option<&'a T>,
    /// Closed for good.
    pub closed: bool,
}

/// Stake on its way out, in order.
#[derive(Debug, Clone, Copy)]
pub(crate) enum UnbondingStep {
    Begun { owner: Address, amount: Amount, at: Millis },
    Done { owner: Address, at: Millis },
}

#[derive(Debug, Default)]
pub(crate) struct Batch<'a> {
    pub accounts: BTreeMap<Address, &'a Account>,
    pub nodes: BTreeMap<Address, &'a Node>,
    pub jobs: BTreeMap<JobId, Row<'a, Job>>,
    pub meters: BTreeMap<JobId, (Amount, u64)>,
    pub tasks: BTreeMap<TaskId, &'a Task>,
    pub epochs: Vec<&'a Epoch>,
    pub attempts: BTreeMap<AttemptId, Row<'a, Attempt>>,
    pub audits: BTreeMap<AuditId, &'a Audit>,
    pub entries: Vec<&'a Entry>,
    pub unbonding: Vec<UnbondingStep>,
    /// Their attempts close with them.
    pub closed_jobs: BTreeSet<JobId>,
}

impl<'a> Batch<'a> {
    /// Condenses; `None` where nothing is to be written.
    pub(crate) fn collect(changes: &'a [Change]) -> Result<Option<Self>, StoreError> {
        if changes.len() > MAX_CHANGES {
            let sentence = format!("{} changes in one batch, {MAX_CHANGES} are the most", changes.len());
            return Err(StoreError::Refused(sentence));
        }
        let mut batch = Self::default();
        let mut empty = true;
        for change in changes {
            empty &= matches!(change, Change::Seen { .. });
            batch.add(change);
        }
        Ok((!empty).then_some(batch))
    }

    fn add(&mut self, change: &'a Change) {
        match change {
            Change::Account(account) => {
                self.accounts.insert(account.owner, account);
            }
            Change::Node(node) => {
                self.nodes.insert(node.id, node);
            }
            Change::Job(job) => {
                // A whole record carries its own meter, and reopens what was closed before it.
                self.meters.remove(&job.id);
                self.closed_jobs.remove(&job.id);
                self.jobs.insert(job.id, Row { record: Some(job), closed: false });
            }
            Change::JobMeter { job, spent, reference_ms } => {
                self.meters.insert(*job, (*spent, *reference_ms));
            }
            Change::Task(task) => {
                self.tasks.insert(task.id, task);
            }
            Change::Attempt(attempt) => {
                self.attempts.insert(attempt.id, Row { record: Some(attempt), closed: false });
            }
            Change::Audit(audit) => {
                self.audits.insert(audit.id, audit);
            }
            Change::Epoch(epoch) => self.epochs.push(epoch),
            Change::Entry(entry) => self.entries.push(entry),
            Change::Unbonding { owner, amount, at } => {
                self.unbonding.push(UnbondingStep::Begun { owner: *owner, amount: *amount, at: *at });
            }
            Change::Unbonded { owner, at } => {
                self.unbonding.push(UnbondingStep::Done { owner: *owner, at: *at });
            }
            Change::CloseAttempt(id) => self.attempts.entry(*id).or_insert_with(empty_row).closed = true,
            Change::CloseJob(id) => {
                self.jobs.entry(*id).or_insert_with(empty_row).closed = true;
                self.closed_jobs.insert(*id);
            }
            Change::Seen { .. } => {}
        }
    }
}

fn empty_row<'a, T>() -> Row<'a, T> {
    Row { record: None, closed: false }
}
