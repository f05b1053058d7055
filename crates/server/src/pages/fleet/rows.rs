//! Machines as their owner sees them.

use super::PageError;
use crate::{app::App, error::ApiError};
use std::collections::BTreeMap;
use tatau_engine::State;
use tatau_model::{Address, Amount, AmountError, CardKind, Clock, JobState, Millis, Node, SystemClock};
use tatau_store::CardEarned;
use tatau_ui::words;

/// A node and what it is doing at this moment.
#[derive(Debug, Clone)]
pub(super) struct Seen {
    pub node: Node,
    pub online: bool,
    pub heard_at: Option<Millis>,
    /// Cards with a lease, and what each does.
    pub busy: Vec<(u16, String)>,
    pub audits: usize,
}

/// Nodes of an owner that are in the fleet.
pub(super) async fn seen(app: &App, owner: Address) -> Result<Vec<Seen>, ApiError> {
    let now = SystemClock.now();
    let mut all = app
        .writer
        .read(move |state| {
            let own = state.nodes().filter(|n| n.owner == owner && !n.settings.removed);
            own.map(|node| look(state, node, now)).collect::<Vec<_>>()
        })
        .await?;
    all.sort_by(|a, b| {
        a.node.title().to_lowercase().cmp(&b.node.title().to_lowercase()).then(a.node.id.cmp(&b.node.id))
    });
    Ok(all)
}

fn look(state: &State, node: &Node, now: Millis) -> Seen {
    let busy = state.leases_of(&node.id).filter_map(|id| {
        let attempt = state.attempt(id)?;
        let task = state.task(attempt.task)?;
        // A task that waits behind another on its card is prefetched: the job's state does not matter here.
        let running = state.job(attempt.job).is_some_and(|j| j.state == JobState::Running);
        Some((
            attempt.card,
            if running { task.work.label() } else { format!("{} (last)", task.work.label()) },
        ))
    });
    Seen {
        online: state.is_online(&node.id, now),
        heard_at: state.last_heard(&node.id),
        busy: busy.collect(),
        audits: state.audits_at(&node.id),
        node: node.clone(),
    }
}

/// One word about a machine, how it is meant, and since when it is away.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Condition {
    pub word: &'static str,
    pub tag: &'static str,
    /// For `<time>`; empty where it is here.
    pub since: String,
}

impl Seen {
    /// What it is doing, in plain words.
    pub(super) fn condition(&self) -> Condition {
        let here = |word, tag| Condition { word, tag, since: String::new() };
        let node = &self.node;
        if !self.online {
            let since = self.heard_at.map(words::utc).unwrap_or_default();
            return Condition { word: "away", tag: "bad", since };
        }
        match (node.draining, self.busy.is_empty(), self.audits) {
            (true, false, _) | (true, true, 1..) => here("finishing", "warn"),
            (true, true, 0) => here("paused", "warn"),
            (false, false, _) => here("working", "busy"),
            (false, true, 1..) => here("checking others' work", "busy"),
            (false, true, 0) if node.offer.provides && node.cards.iter().any(|c| c.score_milli.is_none()) => {
                here("being measured", "plain")
            }
            _ => here("waiting for work", "good"),
        }
    }

    /// Its cards in a few words, such as `2 × RTX 3080, 1 CPU slot`.
    pub(super) fn cards(&self) -> String {
        let mut kinds: BTreeMap<(bool, &str), usize> = BTreeMap::new();
        for card in &self.node.cards {
            let cpu = card.kind == CardKind::Cpu;
            *kinds.entry((cpu, if cpu { "CPU slot" } else { &card.name })).or_default() += 1;
        }
        let told = kinds.into_iter().map(|((cpu, name), n)| match (cpu, n) {
            (true, n) => words::count(n as u64, name),
            (false, 1) => name.to_owned(),
            (false, n) => format!("{n} × {name}"),
        });
        let told: Vec<String> = told.collect();
        if told.is_empty() { "no cards".into() } else { told.join(", ") }
    }

    /// What it takes part in.
    pub(super) fn role(&self) -> &'static str {
        match (self.node.offer.provides, self.node.offer.validates) {
            (true, true) => "works and validates",
            (true, false) => "works",
            (false, true) => "validates",
            (false, false) => "takes nothing",
        }
    }
}

/// What a card, or cards together, earned.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Pay {
    pub today: Amount,
    pub month: Amount,
    pub all: Amount,
    pub pending: Amount,
    pub forfeited: Amount,
    pub slashed: Amount,
    pub accepted: u64,
    pub rejected: u64,
    pub lost: u64,
}

impl Pay {
    pub(super) fn of(card: &CardEarned) -> Self {
        Self {
            today: card.earned.today,
            month: card.earned.month,
            all: card.earned.all,
            pending: card.pending,
            forfeited: card.forfeited,
            slashed: card.slashed,
            accepted: card.accepted,
            rejected: card.rejected,
            lost: card.lost,
        }
    }

    pub(super) fn add(&mut self, other: &Self) -> Result<(), AmountError> {
        self.today = self.today.add(other.today)?;
        self.month = self.month.add(other.month)?;
        self.all = self.all.add(other.all)?;
        self.pending = self.pending.add(other.pending)?;
        self.forfeited = self.forfeited.add(other.forfeited)?;
        self.slashed = self.slashed.add(other.slashed)?;
        self.accepted += other.accepted;
        self.rejected += other.rejected;
        self.lost += other.lost;
        Ok(())
    }

    /// What went wrong, in a few words; empty where nothing did.
    pub(super) fn faults(&self) -> String {
        let mut parts = Vec::new();
        if self.rejected > 0 {
            parts.push(format!("{} wrong", self.rejected));
        }
        if self.lost > 0 {
            parts.push(format!("{} not finished", self.lost));
        }
        if self.slashed.is_positive() {
            parts.push(format!("{} taken", words::money(self.slashed)));
        }
        parts.join(", ")
    }
}

/// Earnings by node and card, those of removed machines included.
pub(super) type Pays = BTreeMap<Address, BTreeMap<u16, Pay>>;

/// The ledger's own numbers for an owner's machines, or for one of them.
pub(super) async fn pays(
    app: &App,
    owner: Address,
    node: Option<Address>,
    begins: (Millis, Millis),
) -> Result<Pays, PageError> {
    let earned = app.archive.earned(owner, node, begins.0, begins.1).await?;
    let mut pays = Pays::new();
    for card in earned.iter().flat_map(|e| &e.cards) {
        pays.entry(card.node).or_default().insert(card.card, Pay::of(card));
    }
    Ok(pays)
}

/// All of them together.
pub(super) fn sum<'a>(pays: impl IntoIterator<Item = &'a Pay>) -> Result<Pay, ApiError> {
    let mut total = Pay::default();
    for pay in pays {
        total.add(pay).map_err(|e| ApiError::internal(&e))?;
    }
    Ok(total)
}

#[cfg(test)]
mod tests {
    use super::*;
    use tatau_model::{Card, NodeSettings, Offer};

    fn rig(cards: Vec<Card>) -> Seen {
        let node = Node {
            id: Address([1; 20]),
            owner: Address([2; 20]),
            name: "host".into(),
            cards,
            offer: Offer {
                ask_per_reference_hour: Amount(1),
                environments: vec![],
                provides: true,
                validates: false,
                ..Offer::default()
            },
            block: String::new(),
            version: String::new(),
            registered: Millis(0),
            draining: false,
            settings: NodeSettings::default(),
            heard: 0,
        };
        Seen { node, online: true, heard_at: Some(Millis(0)), busy: vec![], audits: 0 }
    }

    fn card(kind: CardKind, name: &str, score: Option<u64>) -> Card {
        Card { kind, name: name.into(), memory_mib: 1, threads: 1, devices: vec![], score_milli: score }
    }

    #[test]
    fn a_machine_is_told_in_plain_words() {
        let mut rig = rig(vec![
            card(CardKind::Gpu, "RTX 3080", Some(1)),
            card(CardKind::Gpu, "RTX 3080", Some(1)),
            card(CardKind::Cpu, "EPYC", Some(1)),
        ]);
        assert_eq!(rig.cards(), "2 × RTX 3080, 1 CPU slot");
        let word = |rig: &Seen| rig.condition().word;
        assert_eq!(word(&rig), "waiting for work");
        rig.audits = 1;
        assert_eq!(word(&rig), "checking others' work");
        rig.busy = vec![(0, "frame 1".into())];
        assert_eq!(word(&rig), "working");
        rig.node.draining = true;
        assert_eq!(word(&rig), "finishing");
        (rig.busy, rig.audits) = (vec![], 0);
        assert_eq!(word(&rig), "paused");
        rig.node.draining = false;
        rig.node.cards[0].score_milli = None;
        assert_eq!(word(&rig), "being measured");
        rig.online = false;
        assert_eq!(
            rig.condition(),
            Condition { word: "away", tag: "bad", since: "1970-01-01T00:00:00Z".into() }
        );
    }

    #[test]
    fn faults_are_told_only_where_there_are_some() {
        let pay = Pay { rejected: 1, slashed: Amount::tatau(2), ..Pay::default() };
        assert_eq!(pay.faults(), "1 wrong, 2.00 TATAU taken");
        assert_eq!(Pay::default().faults(), "");
        assert_eq!(sum([&pay, &pay]).unwrap().slashed, Amount::tatau(4));
    }
}
