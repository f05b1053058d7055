//! An epoch: a stretch of the receipt log, closed by publishing its root and then the beacon.

use crate::{Digest, EpochId, Millis};
use serde::{Deserialize, Serialize};

/// One closed epoch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Epoch {
    /// Its number, from 1, without gaps.
    pub id: EpochId,
    /// Merkle root over the receipts' digests in log order.
    pub receipts_root: Digest,
    /// How many receipts.
    pub receipts: u64,
    /// The next value of the platform's pre-committed hash chain.
    pub beacon: Digest,
    /// Time of closing.
    pub closed: Millis,
}
