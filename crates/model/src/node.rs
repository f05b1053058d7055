//! A node: one machine of a provider or validator, with its own hot key.

use crate::{Address, Amount, Card, Millis, Work};
use serde::{Deserialize, Serialize};

/// What a node asks and can do.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Offer {
    /// Price of one hour of a GTX 1080 Ti's worth of work, nano-TATAU; the price of a card-hour is this × score.
    pub ask_per_reference_hour: Amount,
    /// Environments provisioned and ready.
    pub environments: Vec<String>,
    /// Takes render, inspection and finishing tasks.
    pub provides: bool,
    /// Takes audits.
    pub validates: bool,
    /// Buyers whose work it does not take.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub blocked: Vec<Address>,
    /// Kinds of work ([`Work::kind`]) that it does not take. A benchmark is always taken: it places the card.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub refused: Vec<String>,
}

impl Offer {
    /// Would it take this work of this buyer?
    pub fn takes(&self, buyer: &Address, work: &Work) -> bool {
        matches!(work, Work::Benchmark)
            || (!self.blocked.contains(buyer) && !self.refused.iter().any(|kind| kind == work.kind()))
    }
}

/// One registered machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Node {
    /// Address of the node's key, delegated by the owner.
    pub id: Address,
    /// The account it works for.
    pub owner: Address,
    /// A name for people.
    pub name: String,
    /// Its cards, in the order in which leases number them.
    pub cards: Vec<Card>,
    /// What it asks and offers.
    pub offer: Offer,
    /// Network block (IPv4 /24 or IPv6 /48) it was last seen from.
    pub block: String,
    /// Software version it runs.
    pub version: String,
    /// When it registered.
    pub registered: Millis,
    /// Takes no new leases.
    pub draining: bool,
}
