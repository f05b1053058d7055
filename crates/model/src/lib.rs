//! The nouns of the market and their legal transitions.
//!
//! Owns: identifiers, money amounts, time, and the records (account, node, job, task, attempt, audit, epoch)
//! that the engine decides about and the store keeps. Refuses: IO, async, randomness, floats for money.

pub mod account;
pub mod amount;
pub mod attempt;
pub mod audit;
pub mod card;
pub mod change;
pub mod device;
pub mod entry;
pub mod environment;
pub mod epoch;
pub mod grid;
pub mod ids;
pub mod job;
pub mod ledger_account;
pub mod node;
pub mod order;
pub mod task;
pub mod time;

pub use account::Account;
pub use amount::{Amount, AmountError};
pub use attempt::{Attempt, AttemptState, OutputFile, Receipt};
pub use audit::{Audit, AuditState, AuditWork, Measurement, Rect, Verdict};
pub use card::{Card, CardKind};
pub use change::Change;
pub use device::Device;
pub use entry::{Entry, EntryKind, Leg};
pub use epoch::Epoch;
pub use grid::Grid;
pub use ids::{Address, AttemptId, AuditId, BlobId, Digest, EpochId, IdError, JobId, TaskId};
pub use job::{
    BundleSpec, BundleStep, Job, JobKind, JobState, Layered, Machines, Preview, RenderSpec, Strategy, Who,
};
pub use ledger_account::{AccountKey, Purpose};
pub use node::{Node, NodeSettings, Offer};
pub use order::{Order, OrderFile, SessionOrder};
pub use task::{Failure, Task, TaskState, Work};
pub use time::{Clock, Millis, SystemClock};

/// A state machine was asked for a step that it does not have.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what} is {from}, so it cannot become {to}")]
pub struct IllegalTransition {
    /// Which record, as people name it.
    pub what: String,
    /// The state it is in.
    pub from: &'static str,
    /// The state that was asked for.
    pub to: &'static str,
}
