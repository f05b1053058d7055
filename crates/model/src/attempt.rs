//! An attempt: one try at a task by one card, under a lease at a fixed price.

use crate::{Address, Amount, AttemptId, BlobId, Digest, EpochId, IllegalTransition, JobId, Millis, TaskId};
use serde::{Deserialize, Serialize};

/// One delivered file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OutputFile {
    /// Plain name, `[A-Za-z0-9._-]{1,128}`.
    pub name: String,
    /// Its contents.
    pub blob: BlobId,
    /// Its size.
    pub bytes: u64,
}

/// The signed claim of a provider: what it delivers, and the commitment that audits are drawn against.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Receipt {
    /// Merkle root over the delivered files (name, size, BLAKE3).
    pub manifest_root: Digest,
    /// Merkle root over the trace (render: a hash a 64 px tile).
    pub trace_root: Digest,
    /// Work units claimed: pixel-samples of a frame, 1 for other tasks.
    pub units: u64,
    /// The provider's own clock, milliseconds; only ever a ceiling on pay.
    pub claimed_ms: u64,
    /// Energy if it was measured, joules.
    pub energy_j: u64,
    /// 65-byte secp256k1 signature of the EIP-712 digest by the node's key, hex.
    pub signature: String,
}

/// Where an attempt stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", tag = "state")]
pub enum AttemptState {
    /// The lease runs.
    Leased,
    /// A receipt was signed; its outputs are on their way.
    Committed,
    /// Outputs arrived and fit the receipt; audits decide.
    Delivered,
    /// Verified and paid (pending until the dispute window closes).
    Accepted,
    /// Judged wrong, or silent after the receipt.
    Rejected {
        /// What a program matches on.
        code: String,
        /// One sentence.
        sentence: String,
        /// Nano-TATAU of stake and unsettled pay taken.
        slashed: Amount,
    },
    /// Lost before a receipt: expired, returned, failed, or the job ended.
    Void {
        /// What a program matches on.
        code: String,
        /// One sentence.
        sentence: String,
    },
}

impl AttemptState {
    /// The state's name.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Leased => "leased",
            Self::Committed => "committed",
            Self::Delivered => "delivered",
            Self::Accepted => "accepted",
            Self::Rejected { .. } => "rejected",
            Self::Void { .. } => "void",
        }
    }
    /// No verdict is awaited any more.
    pub fn is_ended(&self) -> bool {
        matches!(self, Self::Accepted | Self::Rejected { .. } | Self::Void { .. })
    }
    /// May `next` follow?
    pub fn allows(&self, next: &Self) -> bool {
        matches!(
            (self.name(), next.name()),
            ("leased", "committed" | "void")
                | ("committed", "delivered" | "rejected" | "void")
                | ("delivered", "accepted" | "rejected" | "void")
        )
    }
}

/// One attempt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attempt {
    /// Its number (and its lease's).
    pub id: AttemptId,
    /// The task tried.
    pub task: TaskId,
    /// Its job.
    pub job: JobId,
    /// The node that holds the lease.
    pub node: Address,
    /// The node's owner, who is paid.
    pub provider: Address,
    /// Which card of the node.
    pub card: u16,
    /// Where it stands.
    #[serde(flatten)]
    pub state: AttemptState,
    /// Held from the buyer's escrow; the most it can cost, fee included.
    pub price: Amount,
    /// Stake set aside until the dispute window closes.
    pub reserved: Amount,
    /// Of the price, what the provider gets on acceptance (set then); pending until `dispute_until`.
    pub pay: Amount,
    /// Start of the lease.
    pub leased: Millis,
    /// A lease without receipt ends here; after the receipt: outputs are due by then.
    pub due: Millis,
    /// Time of the receipt.
    pub committed: Option<Millis>,
    /// The signed claim.
    pub receipt: Option<Receipt>,
    /// What was delivered.
    pub outputs: Vec<OutputFile>,
    /// Epoch of the receipt log whose beacon draws the challenge.
    pub epoch: Option<EpochId>,
    /// The challenge, once drawn.
    pub challenge: Option<Digest>,
    /// The owner was a newcomer at lease time: two audits, pay kept as stake.
    pub newcomer: bool,
    /// End of the dispute window of an accepted attempt; `None` before and after.
    pub dispute_until: Option<Millis>,
    /// An accepted attempt of an earlier job of the same buyer, whose result this one takes over: nothing was done, nothing is paid.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub copy_of: Option<AttemptId>,
}

impl Attempt {
    /// Moves to `next`, or says why not.
    pub fn become_state(&mut self, next: AttemptState) -> Result<(), IllegalTransition> {
        if !self.state.allows(&next) {
            return Err(IllegalTransition {
                what: self.id.to_string(),
                from: self.state.name(),
                to: next.name(),
            });
        }
        self.state = next;
        Ok(())
    }
    /// Still holds money, stake or a task.
    pub fn is_open(&self) -> bool {
        !self.state.is_ended() || self.dispute_until.is_some()
    }
}
