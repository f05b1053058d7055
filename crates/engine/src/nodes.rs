//! Nodes: registration, offers, benchmarks that place their cards.

use crate::{Draft, Effect, Refusal, Reply, accounts, jobs};
use rand::{Rng, RngExt};
use tatau_model::{Address, Amount, Card, Change, JobKind, Node, Offer};

const MAX_CARDS: usize = 64;
const MAX_NAME: usize = 100;
/// Buyers that one offer blocks, and kinds of work that it refuses.
const MAX_BLOCKED: usize = 256;
const MAX_REFUSED: usize = 16;

pub(crate) fn register(draft: &mut Draft<'_>, mut node: Node, rng: &mut impl Rng) -> Result<Reply, Refusal> {
    check(&node.name, &node.cards, &node.offer)?;
    accounts::open(draft, node.owner)?;
    if let Ok(known) = draft.node(node.id) {
        if known.owner != node.owner {
            return Err(Refusal::new(
                "conflict",
                format!("node {} belongs to another account; make a new node key", node.id),
            ));
        }
        node.registered = known.registered;
        keep_scores(&known.cards, &mut node.cards);
    } else {
        let most = draft.state.config.nodes_per_owner;
        if draft.state.nodes.values().filter(|n| n.owner == node.owner).count() >= most {
            return Err(Refusal::new("too_many", format!("an account has at most {most} nodes")));
        }
        node.cards.iter_mut().for_each(|c| c.score_milli = None);
        node.registered = draft.now;
    }
    node.draining = false;
    let id = node.id;
    draft.last(Change::Seen { node: id, at: draft.now });
    draft.put_node(node);
    benchmark_unscored(draft, id, rng)?;
    draft.effect(Effect::WakeProviders);
    Ok(Reply::Done)
}

pub(crate) fn set_offer(
    draft: &mut Draft<'_>,
    id: Address,
    offer: Offer,
    cards: Option<Vec<Card>>,
    rng: &mut impl Rng,
) -> Result<Reply, Refusal> {
    let node = draft.node(id)?;
    let mut new_cards = cards.unwrap_or_else(|| node.cards.clone());
    check(&node.name, &new_cards, &offer)?;
    keep_scores(&node.cards.clone(), &mut new_cards);
    let node = draft.node_mut(id)?;
    node.offer = offer;
    node.cards = new_cards;
    benchmark_unscored(draft, id, rng)?;
    draft.effect(Effect::WakeProviders);
    Ok(Reply::Done)
}

pub(crate) fn drain(draft: &mut Draft<'_>, id: Address, draining: bool) -> Result<Reply, Refusal> {
    draft.node_mut(id)?.draining = draining;
    Ok(Reply::Done)
}

pub(crate) fn seen(draft: &mut Draft<'_>, id: Address, rng: &mut impl Rng) -> Result<Reply, Refusal> {
    draft.node(id)?;
    // Its benchmarks were ended when it fell silent.
    if !draft.state.is_online(&id, draft.now) {
        benchmark_unscored(draft, id, rng)?;
    }
    draft.last(Change::Seen { node: id, at: draft.now });
    Ok(Reply::Done)
}

/// A card keeps its score while position, kind, name and threads stay the same; a node's word is never a score.
fn keep_scores(known: &[Card], cards: &mut [Card]) {
    for (index, card) in cards.iter_mut().enumerate() {
        card.score_milli = known
            .get(index)
            .filter(|k| k.kind == card.kind && k.name == card.name && k.threads == card.threads)
            .and_then(|k| k.score_milli);
    }
}

/// Every card without a score gets one benchmark, unless one is open already.
fn benchmark_unscored(draft: &mut Draft<'_>, id: Address, rng: &mut impl Rng) -> Result<(), Refusal> {
    let node = draft.node(id)?;
    if !node.offer.provides {
        return Ok(());
    }
    let (owner, unscored): (Address, Vec<u16>) = (
        node.owner,
        node.cards
            .iter()
            .enumerate()
            .filter(|(_, c)| c.score_milli.is_none())
            .map(|(i, _)| i as u16)
            .collect(),
    );
    for card in unscored {
        let open = draft.state.benchmarks.get(&id).into_iter().flatten().any(|job| {
            let kind = draft.state.jobs.get(job).map(|j| &j.kind);
            matches!(kind, Some(JobKind::Benchmark { card: c, .. }) if *c == card)
        });
        if !open {
            jobs::start_benchmark(draft, owner, id, card, rng.random());
        }
    }
    Ok(())
}

fn check(name: &str, cards: &[Card], offer: &Offer) -> Result<(), Refusal> {
    let bad = |sentence: String| Err(Refusal::new("invalid", sentence));
    if name.is_empty() || name.len() > MAX_NAME {
        return bad(format!("a node's name has 1 to {MAX_NAME} bytes"));
    }
    if cards.len() > MAX_CARDS {
        return bad(format!("a node has at most {MAX_CARDS} cards; register the others as another node"));
    }
    if let Some(card) = cards.iter().find(|c| c.class().is_none()) {
        return bad(format!(
            "the card '{}' is not in the class table yet; leave it out",
            card.name.escape_debug()
        ));
    }
    if cards
        .iter()
        .any(|c| c.name.len() > MAX_NAME || c.threads == 0 || c.threads > 4_096 || c.memory_mib > 1 << 24)
    {
        return bad("a card's name, threads or memory are out of range".into());
    }
    if offer.environments.len() > 32 || offer.environments.iter().any(|e| e.len() > 64) {
        return bad("an offer names at most 32 environments".into());
    }
    if offer.blocked.len() > MAX_BLOCKED {
        return bad(format!("an offer blocks at most {MAX_BLOCKED} buyers"));
    }
    if offer.refused.len() > MAX_REFUSED || offer.refused.iter().any(|kind| kind.len() > MAX_NAME) {
        return bad(format!("an offer refuses at most {MAX_REFUSED} kinds of work"));
    }
    if (offer.provides || offer.validates)
        && !(1..=Amount::tatau(1_000_000).0).contains(&offer.ask_per_reference_hour.0)
    {
        return bad("the asking price must lie between 0.000000001 and 1000000 TATAU an hour".into());
    }
    Ok(())
}
