//! What nodes say and hear: registration, polling, receipts, audits.

use crate::{AuditOrder, Lease};
use serde::{Deserialize, Serialize};
use tatau_model::{Address, AttemptId, AuditId, Card, Digest, JobId, Millis, Offer, OutputFile, Receipt};

/// `POST /v1/nodes`, signed by the node's key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RegisterNode {
    /// The account it works for.
    pub owner: Address,
    /// The owner's signature over the delegation (owner, node, expires).
    pub delegation: String,
    /// End of the delegation.
    pub delegation_expires: Millis,
    /// A name for people.
    pub name: String,
    /// Its cards; scores are ignored.
    pub cards: Vec<Card>,
    /// What it asks and offers.
    pub offer: Offer,
    /// Software version.
    pub version: String,
}

/// `POST /v1/nodes/me/poll`: heartbeat and request for work in one. Held open until there is something, or `wait_ms`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Poll {
    /// Cards that can take another lease now (a card may appear twice).
    pub cards: Vec<u16>,
    /// How many audits it can take now.
    pub audits: u16,
    /// Jobs whose session is loaded.
    pub warm: Vec<JobId>,
    /// Attempts it still works on; the answer names those to stop.
    pub running: Vec<AttemptId>,
    /// Longest wait, ms; at most 25,000.
    pub wait_ms: u64,
}

/// Answer to a poll.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PollAnswer {
    /// New leases.
    pub leases: Vec<Lease>,
    /// New audits.
    pub audits: Vec<AuditOrder>,
    /// Of `running`: no longer its leases.
    pub stop: Vec<AttemptId>,
}

/// `POST /v1/receipts`: one or many signed receipts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReceiptCommit {
    /// The attempt.
    pub attempt: AttemptId,
    /// The signed claim.
    pub receipt: Receipt,
}

/// `POST /v1/attempts/{id}/delivered`: outputs were uploaded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delivered {
    /// All files, fitting the receipt's manifest root.
    pub files: Vec<OutputFile>,
    /// Tile hashes of the trace, hex of 32 bytes each, row-major; empty where the work has no trace. Trailing log of the task.
    pub log: String,
}

/// `POST /v1/attempts/{id}/failed` and `/v1/audits/{id}/failed`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FailReport {
    /// `returned`, or what went wrong, `[a-z_]{1,40}`.
    pub code: String,
    /// One sentence.
    pub sentence: String,
    /// Trailing log of the task, at most 64 KiB.
    pub log: String,
}

/// `POST /v1/audits/{id}/commit`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditCommit {
    /// The audit.
    pub audit: AuditId,
    /// Manifest root of the files it got.
    pub commitment: Digest,
    /// The node's signature over (audit, node, commitment).
    pub signature: String,
}

/// `POST /v1/audits/{id}/reveal`: the files were uploaded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditReveal {
    /// All files, fitting the commitment.
    pub files: Vec<OutputFile>,
    /// Time of the work without loading, ms.
    pub work_ms: u64,
}
