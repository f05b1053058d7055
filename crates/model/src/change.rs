//! Changes of state: applied in memory by `State::apply`, made durable by the store.

use crate::{
    Account, Address, Amount, Attempt, AttemptId, Audit, Entry, Epoch, Job, JobId, Millis, Node, Task,
};
use serde::{Deserialize, Serialize};

/// One change. Whole records replace the record of the same number.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Change {
    /// Insert or replace.
    Account(Account),
    /// Insert or replace.
    Node(Box<Node>),
    /// Insert or replace.
    Job(Box<Job>),
    /// Only the job's spent amount and reference time (hot, so not the whole record).
    JobMeter {
        /// The job.
        job: JobId,
        /// New total.
        spent: Amount,
        /// New reference milliseconds a unit.
        reference_ms: u64,
    },
    /// Insert or replace.
    Task(Box<Task>),
    /// Insert or replace.
    Attempt(Box<Attempt>),
    /// Insert or replace.
    Audit(Box<Audit>),
    /// A closed epoch.
    Epoch(Epoch),
    /// A journal entry; balances follow from it.
    Entry(Entry),
    /// Stake on its way out: `amount` becomes free at `at`. Replaces nothing; paid out entries are removed by `Unbonded`.
    Unbonding {
        /// Whose.
        owner: Address,
        /// How much.
        amount: Amount,
        /// When it becomes free.
        at: Millis,
    },
    /// The oldest unbonding entry of that owner with that time is done.
    Unbonded {
        /// Whose.
        owner: Address,
        /// Its time.
        at: Millis,
    },
    /// An attempt is closed for good: memory forgets it and its audits, the store marks their rows archived.
    CloseAttempt(AttemptId),
    /// A job is closed for good: memory forgets it and its tasks, the store marks their rows archived.
    CloseJob(JobId),
    /// A node was heard from. Memory only, never stored.
    Seen {
        /// The node.
        node: Address,
        /// When.
        at: Millis,
    },
}
