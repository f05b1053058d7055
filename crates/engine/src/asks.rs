//! What the offers on the market ask. Every lease wants to know it, and every node has a say in it: so it is looked up once
//! and remembered for a moment.
//!
//! What is remembered decides nothing that a fresh look would not have decided within the last second, and is forgotten as
//! soon as any node changes. It is no part of the records: who forgets it looks again.

use crate::{State, leases::fits_any};
use std::collections::HashMap;
use std::sync::Arc;
use tatau_model::{Address, Amount, Device, Job, Millis, Node, Who, Work};

/// Nodes fall silent without a word: what is older than this is looked up again, ms.
const FRESH_MS: u64 = 1_000;
/// Kinds of work that are remembered; buyers whom somebody blocks have kinds of their own.
const REMEMBERED: usize = 1_000;

/// What offers are asked for: environment, class, device, memory, kind of work, who may see the scene; and the buyer, for the few whom somebody
/// blocks and those who do not let everybody see it.
type Wanted = (String, Option<String>, Device, u64, &'static str, Who, Option<Address>);

/// Asks of the offers that would take some kind of work, lowest first, one for each owner.
#[derive(Debug, Clone)]
pub struct Asks {
    wanted: Wanted,
    at: Millis,
    lowest_first: Arc<[Amount]>,
}

impl Asks {
    /// The asks, lowest first.
    pub(crate) fn lowest_first(&self) -> &[Amount] {
        &self.lowest_first
    }
}

/// Asks that were looked up lately.
#[derive(Debug, Clone, Default)]
pub(crate) struct Remembered {
    known: HashMap<Wanted, Asks>,
}

impl Remembered {
    pub(crate) fn keep(&mut self, asks: Asks) {
        if self.known.len() >= REMEMBERED {
            self.known.clear();
        }
        self.known.insert(asks.wanted.clone(), asks);
    }

    /// A node changed.
    pub(crate) fn forget(&mut self) {
        self.known.clear();
    }
}

impl State {
    /// Keeps what an event looked up in the whole market, so that the next ones need not.
    pub fn remember(&mut self, asks: Vec<Asks>) {
        for found in asks {
            self.asks.keep(found);
        }
    }

    pub(crate) fn put_node(&mut self, node: &Node) {
        self.asks.forget();
        for buyer in &node.offer.blocked {
            *self.blocked.entry(*buyer).or_default() += 1;
        }
        let Some(before) = self.nodes.insert(node.id, node.clone()) else { return };
        for buyer in &before.offer.blocked {
            if let Some(count) = self.blocked.get_mut(buyer) {
                *count -= 1;
                if *count == 0 {
                    self.blocked.remove(buyer);
                }
            }
        }
    }
}

/// The asks for this work now; true where they were not remembered.
pub(crate) fn asks_for(state: &State, job: &Job, work: &Work, now: Millis) -> (Asks, bool) {
    let who = job.machines.who;
    let buyer = (who != Who::Any || state.blocked.contains_key(&job.owner)).then_some(job.owner);
    let (environment, class, device) = (job.environment.clone(), job.class.clone(), job.device());
    let wanted = (environment, class, device, job.memory_mib, work.kind(), who, buyer);
    match state.asks.known.get(&wanted) {
        Some(known) if now.since(known.at) < FRESH_MS => (known.clone(), false),
        _ => (Asks { wanted, at: now, lowest_first: look(state, job, work, now).into() }, true),
    }
}

/// Asks of all online offers that could do this job's work.
fn look(state: &State, job: &Job, work: &Work, now: Millis) -> Vec<Amount> {
    let mut lowest = HashMap::<Address, Amount>::new();
    let open = state.nodes.values().filter(|n| {
        state.is_open_for_work(n, now)
            && n.offer.takes(&job.owner, work)
            && state.may_see(job, &n.owner)
            && fits_any(job, n, work.is_on_device())
    });
    for node in open {
        // One ask an owner: many nodes must not move the market's middle.
        let ask = node.offer.ask_per_reference_hour;
        lowest.entry(node.owner).and_modify(|a| *a = ask.min(*a)).or_insert(ask);
    }
    let mut asks: Vec<Amount> = lowest.into_values().collect();
    asks.sort_unstable();
    asks
}
