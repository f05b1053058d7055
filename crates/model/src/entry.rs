//! Journal entries: a set of legs that sum to zero, with the reason.

use crate::{AccountKey, Address, Amount, AttemptId, AuditId, JobId, Millis};
use serde::{Deserialize, Serialize};

/// Why money moved.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "why")]
pub enum EntryKind {
    /// Starter credit of a local server.
    Credit {
        /// Who got it.
        owner: Address,
    },
    /// The operator's float for audits.
    Float,
    /// A job's cap moves to its escrow.
    Escrow {
        /// The job.
        job: JobId,
    },
    /// A lease holds its price and reserves stake.
    Hold {
        /// The attempt.
        attempt: AttemptId,
    },
    /// Accepted work is posted: pay to pending, fee to the platform, the rest back to escrow.
    Post {
        /// The attempt.
        attempt: AttemptId,
    },
    /// A lease ended without pay: price and stake go back.
    Release {
        /// The attempt.
        attempt: AttemptId,
    },
    /// A dispute window closed: pay and stake become free.
    Settle {
        /// The attempt.
        attempt: AttemptId,
    },
    /// Stake and unsettled pay are taken.
    Slash {
        /// The attempt judged wrong.
        attempt: AttemptId,
    },
    /// A validator is paid.
    AuditFee {
        /// The audit.
        audit: AuditId,
    },
    /// What a job did not use goes back to its buyer.
    Refund {
        /// The job.
        job: JobId,
    },
    /// An owner puts up stake.
    Stake {
        /// Who.
        owner: Address,
    },
    /// Stake starts its way out.
    Unbond {
        /// Who.
        owner: Address,
    },
    /// Unbonded stake is free.
    Unbonded {
        /// Who.
        owner: Address,
    },
}

/// One leg: what an account gains (positive) or gives (negative).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Leg {
    /// The account.
    pub account: AccountKey,
    /// Nano-TATAU; never zero.
    pub amount: Amount,
}

/// One balanced movement.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Number in the journal, from 1, without gaps.
    pub id: u64,
    /// When.
    pub at: Millis,
    /// Why.
    #[serde(flatten)]
    pub kind: EntryKind,
    /// At least two legs that sum to zero.
    pub legs: Vec<Leg>,
}
