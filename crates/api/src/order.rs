//! Leases and audits as they are handed to nodes.

use serde::{Deserialize, Serialize};
use tatau_model::{Amount, AttemptId, AuditId, Millis, TaskId};

pub use tatau_model::order::{Order, OrderFile, SessionOrder};

/// A lease: the right to one attempt at a fixed price.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Lease {
    /// Its number.
    #[schema(value_type = u64)]
    pub attempt: AttemptId,
    /// The task.
    #[schema(value_type = u64)]
    pub task: TaskId,
    /// Card of the node.
    pub card: u16,
    /// Most that it pays, fee included.
    #[schema(value_type = i64)]
    pub price: Amount,
    /// Receipt due by.
    #[schema(value_type = i64)]
    pub due: Millis,
    /// The work.
    #[schema(value_type = Object)]
    pub order: Order,
}

/// An audit as its validator sees it: inputs only, never the claim.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct AuditOrder {
    /// Its number.
    #[schema(value_type = u64)]
    pub audit: AuditId,
    /// Commitment and reveal due by.
    #[schema(value_type = i64)]
    pub due: Millis,
    /// The work.
    #[schema(value_type = Object)]
    pub order: Order,
}
