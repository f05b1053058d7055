//! Leases and audits as they are handed to nodes.

use serde::{Deserialize, Serialize};
use tatau_model::{Amount, AttemptId, AuditId, Millis, TaskId};

pub use tatau_model::order::{Order, OrderFile, SessionOrder};

/// A lease: the right to one attempt at a fixed price.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lease {
    /// Its number.
    pub attempt: AttemptId,
    /// The task.
    pub task: TaskId,
    /// Card of the node.
    pub card: u16,
    /// Most that it pays, fee included.
    pub price: Amount,
    /// Receipt due by.
    pub due: Millis,
    /// The work.
    pub order: Order,
}

/// An audit as its validator sees it: inputs only, never the claim.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditOrder {
    /// Its number.
    pub audit: AuditId,
    /// Commitment and reveal due by.
    pub due: Millis,
    /// The work.
    pub order: Order,
}
