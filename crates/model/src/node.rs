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
    /// Is there an environment that serves who wants this one?
    pub fn has(&self, environment: &str) -> bool {
        self.environments.iter().any(|offered| crate::environment::serves(offered, environment))
    }

    /// Would it take this work of this buyer?
    pub fn takes(&self, buyer: &Address, work: &Work) -> bool {
        matches!(work, Work::Benchmark)
            || (!self.blocked.contains(buyer) && !self.refused.iter().any(|kind| kind == work.kind()))
    }
}

/// What the owner said about a node on the fleet page. The platform holds to it at once; the node is told.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct NodeSettings {
    /// Grows with every word of the owner.
    pub revision: u64,
    /// The node's name among its owner's machines; empty: the name that it gave itself.
    #[serde(default)]
    pub label: String,
    /// Least asking price, whatever the node asks itself, nano-TATAU.
    #[serde(default)]
    pub floor: Option<Amount>,
    /// Takes no new work until the owner says otherwise, also after a restart.
    #[serde(default)]
    pub draining: bool,
    /// Taken out of the fleet: takes no work, and joins again only with a fresh proof.
    #[serde(default)]
    pub removed: bool,
}

impl NodeSettings {
    /// What they say, for the person beside the machine.
    pub fn sentence(&self) -> String {
        let mut parts = vec![match (self.removed, self.draining) {
            (true, _) => "this machine was taken out of the fleet and gets no more work".to_owned(),
            (false, true) => "no new work for now".into(),
            (false, false) => "take work".into(),
        }];
        if let Some(floor) = self.floor {
            parts.push(format!("not below {floor} TATAU an hour"));
        }
        if !self.label.is_empty() {
            parts.push(format!("it is called {}", self.label));
        }
        parts.join("; ")
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
    /// Takes no new leases: by its own word, or its owner's.
    pub draining: bool,
    /// What its owner said on the fleet page.
    #[serde(default)]
    pub settings: NodeSettings,
    /// The revision of these that the node has heard of.
    #[serde(default)]
    pub heard: u64,
}

impl Node {
    /// How its owner calls it.
    pub fn title(&self) -> &str {
        if self.settings.label.is_empty() { &self.name } else { &self.settings.label }
    }
}
