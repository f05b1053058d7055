//! What the journal keeps of a finished audit.

use serde::{Deserialize, Serialize};
use tatau_api::{AuditCommit, AuditReveal};

/// A finished audit: its commitment was signed. Kept, because running it again would measure other times, and so commit to
/// other files.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// The signed commitment.
    pub commit: AuditCommit,
    /// What it commits to.
    pub reveal: AuditReveal,
    /// The platform has the commitment.
    pub committed: bool,
}
