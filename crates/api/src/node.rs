//! What nodes say and hear: registration, polling, receipts, audits.

use crate::{AuditOrder, Lease};
use serde::{Deserialize, Serialize};
use tatau_model::{
    Address, AttemptId, AuditId, Card, Digest, JobId, Millis, NodeSettings, Offer, OutputFile, Receipt,
};

/// `POST /v1/nodes`, signed by the node's key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct RegisterNode {
    /// The account it works for; with a join code whoever made the code, whatever is said here.
    #[schema(value_type = String)]
    pub owner: Address,
    /// A join code of the fleet page, in place of a delegation.
    #[serde(default)]
    pub join: Option<String>,
    /// The owner's signature over the delegation (owner, node, expires). Empty with a join code, and where the node is
    /// registered for this owner already.
    pub delegation: String,
    /// End of the delegation.
    #[schema(value_type = i64)]
    pub delegation_expires: Millis,
    /// A name for people.
    pub name: String,
    /// Its cards; scores are ignored.
    #[schema(value_type = Vec<Object>)]
    pub cards: Vec<Card>,
    /// What it asks and offers.
    #[schema(value_type = Object)]
    pub offer: Offer,
    /// Software version.
    pub version: String,
}

/// `POST /v1/nodes/me/poll`: heartbeat and request for work in one. Held open until there is something, or `wait_ms`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Poll {
    /// Cards that can take another lease now (a card may appear twice).
    pub cards: Vec<u16>,
    /// How many audits it can take now.
    pub audits: u16,
    /// Jobs whose session is loaded.
    #[schema(value_type = Vec<u64>)]
    pub warm: Vec<JobId>,
    /// Every lease it holds whose receipt has not been acknowledged. The answer names those to stop, and hands out
    /// again a lease of this node that is not named (its first answer was lost).
    #[schema(value_type = Vec<u64>)]
    pub running: Vec<AttemptId>,
    /// Every audit it holds that is not yet revealed; one that is not named is handed out again.
    #[serde(default)]
    #[schema(value_type = Vec<u64>)]
    pub auditing: Vec<AuditId>,
    /// Revision of the owner's settings that the node has heard of; later ones come with the answer.
    #[serde(default)]
    pub heard: u64,
    /// Longest wait, ms; at most 25,000.
    pub wait_ms: u64,
}

/// Answer to a poll.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct PollAnswer {
    /// New leases.
    pub leases: Vec<Lease>,
    /// New audits.
    pub audits: Vec<AuditOrder>,
    /// Of `running`: no longer its leases.
    #[schema(value_type = Vec<u64>)]
    pub stop: Vec<AttemptId>,
    /// Of `auditing`: no longer its audits.
    #[serde(default)]
    #[schema(value_type = Vec<u64>)]
    pub stop_audits: Vec<AuditId>,
    /// What the owner set on the fleet page, where it is later than `heard`. The platform holds to it already.
    #[serde(default)]
    #[schema(value_type = Option<Object>)]
    pub settings: Option<NodeSettings>,
}

/// `POST /v1/receipts`: one or many signed receipts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct ReceiptCommit {
    /// The attempt.
    #[schema(value_type = u64)]
    pub attempt: AttemptId,
    /// The signed claim.
    #[schema(value_type = Object)]
    pub receipt: Receipt,
}

/// `POST /v1/attempts/{id}/delivered`: outputs were uploaded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Delivered {
    /// All files, fitting the receipt's manifest root.
    #[schema(value_type = Vec<Object>)]
    pub files: Vec<OutputFile>,
    /// Trailing log of the task, at most 64 KiB.
    pub log: String,
}

/// `POST /v1/attempts/{id}/failed` and `/v1/audits/{id}/failed`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct FailReport {
    /// `returned`, or what went wrong, `[a-z_]{1,40}`.
    pub code: String,
    /// One sentence.
    pub sentence: String,
    /// Trailing log of the task, at most 64 KiB.
    pub log: String,
}

/// `POST /v1/audits/{id}/commit`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct AuditCommit {
    /// The audit.
    #[schema(value_type = u64)]
    pub audit: AuditId,
    /// Manifest root of the files it got.
    #[schema(value_type = String)]
    pub commitment: Digest,
    /// The node's signature over (audit, node, commitment).
    pub signature: String,
}

/// `POST /v1/audits/{id}/reveal`: the files were uploaded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct AuditReveal {
    /// All files, fitting the commitment.
    #[schema(value_type = Vec<Object>)]
    pub files: Vec<OutputFile>,
    /// Time of the work without loading, ms.
    pub work_ms: u64,
}

/// `PUT /v1/nodes/me/offer`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct SetOffer {
    /// What it asks and offers.
    #[schema(value_type = Object)]
    pub offer: Offer,
    /// Its cards, where they changed; scores are ignored.
    #[serde(default)]
    #[schema(value_type = Option<Vec<Object>>)]
    pub cards: Option<Vec<Card>>,
}

/// `POST /v1/nodes/me/drain`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Drain {
    /// True stops new leases, false starts them again.
    pub draining: bool,
}
