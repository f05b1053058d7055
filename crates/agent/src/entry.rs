//! What the journal keeps of a finished task.

use serde::{Deserialize, Serialize};
use tatau_model::{AttemptId, OutputFile, Receipt};

/// A finished task: its receipt was signed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Its lease.
    pub attempt: AttemptId,
    /// The signed claim.
    pub receipt: Receipt,
    /// The files that it promises.
    pub files: Vec<OutputFile>,
    /// Trailing log of the task.
    pub log: String,
    /// The platform has the receipt.
    pub committed: bool,
}
