//! An account: one owner key that buys, provides and validates. Balances live in the ledger, not here.

use crate::{Address, Millis};
use serde::{Deserialize, Serialize};

/// What the platform remembers about one owner.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    /// The owner key's address; money is paid out to it.
    pub owner: Address,
    /// First signed request.
    pub opened: Millis,
    /// Attempts of this owner's nodes that were accepted.
    pub accepted: u64,
    /// Attempts rejected after audit, or silent after a receipt.
    pub stake_faults: u64,
    /// Leases lost before a receipt (expired, failed, vanished).
    pub lost_leases: u64,
    /// Audits answered in time, and those lost.
    pub audits_done: u64,
    /// Audits taken and not answered, or contradicted by the committee.
    pub audit_faults: u64,
    /// When the last audit that it took went unanswered.
    #[serde(default)]
    pub last_audit_fault: Option<Millis>,
    /// Past earn-in: stake and record suffice for light audits.
    pub established: bool,
    /// Accounts whose machines may see scenes of this owner's that are for trusted machines, sorted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub trusts: Vec<Address>,
    /// Slashed for a stake fault at least once; takes no further leases until an operator lifts it.
    pub barred: bool,
}

impl Account {
    /// Most accounts that one owner marks as trusted.
    pub const MOST_TRUSTED: usize = 1_000;

    /// A newcomer.
    pub fn new(owner: Address, opened: Millis) -> Self {
        Self {
            owner,
            opened,
            accepted: 0,
            stake_faults: 0,
            lost_leases: 0,
            audits_done: 0,
            audit_faults: 0,
            last_audit_fault: None,
            established: false,
            trusts: Vec::new(),
            barred: false,
        }
    }
}
