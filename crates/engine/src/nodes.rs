//! Nodes: registration, offers, benchmarks that place their cards.

use crate::{Draft, Effect, NodeChange, Proof, Refusal, Reply, accounts, jobs};
use rand::{Rng, RngExt};
use tatau_model::{
    Address, Amount, Card, CardKind, Change, Device, JobKind, Node, NodeSettings, Offer, environment,
};

/// Least and highest asking price of a reference hour.
const ASKS: std::ops::RangeInclusive<i64> = 1..=Amount::tatau(1_000_000).0;

const BAD_ASK: &str = "the asking price must lie between 0.000000001 and 1000000 TATAU an hour";
const MAX_CARDS: usize = 64;
const MAX_NAME: usize = 100;
/// Buyers that one offer blocks, and kinds of work that it refuses.
const MAX_BLOCKED: usize = 256;
const MAX_REFUSED: usize = 16;

pub(crate) fn register(
    draft: &mut Draft<'_>,
    mut node: Node,
    proof: Proof,
    rng: &mut impl Rng,
) -> Result<Reply, Refusal> {
    check(&node.name, &node.cards, &node.offer)?;
    let known = draft.node(node.id).ok();
    let removed = known.is_some_and(|known| known.settings.removed);
    let own = known.is_some_and(|known| known.owner == node.owner);
    if (removed && proof != Proof::Join) || (!own && proof == Proof::Known) {
        let sentence = if removed {
            "this node was taken out of the fleet; its owner's fleet page makes a line that brings it back"
        } else {
            "this node is not in the account's fleet; start it with a line of the fleet page, or with the owner's key"
        };
        return Err(Refusal::new("not_yours", sentence));
    }
    accounts::open(draft, node.owner)?;
    if let Ok(known) = draft.node(node.id) {
        if known.owner != node.owner {
            return Err(Refusal::new(
                "conflict",
                format!("node {} belongs to another account; make a new node key", node.id),
            ));
        }
        if known.settings.removed {
            room_for_one_more(draft, node.owner)?;
        }
        node.registered = known.registered;
        node.settings = known.settings.clone();
        node.heard = 0;
        keep_scores(&known.cards, &mut node.cards);
        if std::mem::take(&mut node.settings.removed) {
            node.settings.draining = false;
        }
    } else {
        room_for_one_more(draft, node.owner)?;
        (node.settings, node.heard) = (NodeSettings::default(), 0);
        node.cards.iter_mut().for_each(|c| c.score_milli = None);
        node.registered = draft.now;
    }
    hold_to_settings(&mut node);
    let id = node.id;
    draft.last(Change::Seen { node: id, at: draft.now });
    draft.put_node(node);
    benchmark_unscored(draft, id, rng)?;
    draft.effect(Effect::WakeProviders);
    Ok(Reply::Done)
}

fn room_for_one_more(draft: &Draft<'_>, owner: Address) -> Result<(), Refusal> {
    let most = draft.state.config.nodes_per_owner;
    let own = draft.state.nodes.values().filter(|n| n.owner == owner && !n.settings.removed).count();
    if own < most {
        return Ok(());
    }
    Err(Refusal::new(
        "too_many",
        format!("an account has at most {most} nodes; remove one on the fleet page"),
    ))
}

/// Whatever a node says of itself, its owner's word stands.
fn hold_to_settings(node: &mut Node) {
    let settings = &node.settings;
    node.draining = settings.draining || settings.removed;
    if let Some(floor) = settings.floor {
        node.offer.ask_per_reference_hour = node.offer.ask_per_reference_hour.max(floor);
    }
}

/// The owner's word about a node: it counts at once, and the node hears of it at its next poll.
pub(crate) fn set(
    draft: &mut Draft<'_>,
    id: Address,
    by: Address,
    change: NodeChange,
) -> Result<Reply, Refusal> {
    let known = draft.node(id).ok().filter(|n| n.owner == by && !n.settings.removed);
    if known.is_none() {
        return Err(Refusal::new(
            "not_found",
            format!("you have no machine {id}; the fleet page lists yours"),
        ));
    }
    let NodeChange { label, floor, draining, remove } = change;
    if label.as_ref().is_some_and(|l| l.len() > MAX_NAME || l.chars().any(char::is_control)) {
        let sentence = format!("a machine's name has at most {MAX_NAME} bytes and no control characters");
        return Err(Refusal::new("invalid", sentence));
    }
    if floor.is_some_and(|f| f != Amount::ZERO && !ASKS.contains(&f.0)) {
        return Err(Refusal::new("invalid", BAD_ASK));
    }
    let node = draft.node_mut(id)?;
    let own_word = node.draining && !node.settings.draining;
    let settings = &mut node.settings;
    settings.revision += 1;
    settings.label = label.unwrap_or_else(|| std::mem::take(&mut settings.label));
    settings.floor = floor.map_or(settings.floor, |f| (f != Amount::ZERO).then_some(f));
    settings.draining = draining.unwrap_or(settings.draining);
    settings.removed = remove;
    hold_to_settings(node);
    node.draining |= own_word;
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
    let own_word = node.draining;
    node.offer = offer;
    node.cards = new_cards;
    hold_to_settings(node);
    node.draining |= own_word;
    benchmark_unscored(draft, id, rng)?;
    draft.effect(Effect::WakeProviders);
    Ok(Reply::Done)
}

pub(crate) fn drain(draft: &mut Draft<'_>, id: Address, draining: bool) -> Result<Reply, Refusal> {
    let node = draft.node_mut(id)?;
    hold_to_settings(node);
    node.draining |= draining;
    Ok(Reply::Done)
}

pub(crate) fn heard(draft: &mut Draft<'_>, id: Address, revision: u64) -> Result<Reply, Refusal> {
    let node = draft.node_mut(id)?;
    node.heard = revision.min(node.settings.revision);
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
            .filter(|k| k.devices.first() == card.devices.first())
            .and_then(|k| k.score_milli);
    }
}

/// A processor names no devices, a graphics card some of its class.
fn renders_as_its_class(card: &Card) -> bool {
    let known = card.class().map_or(&[][..], |class| class.devices);
    let twice = |i: usize| card.devices[..i].contains(&card.devices[i]);
    match card.kind {
        CardKind::Cpu => card.devices.is_empty(),
        CardKind::Gpu => {
            card.devices.iter().all(|device| known.contains(device) && !device.is_cpu())
                && !(0..card.devices.len()).any(twice)
        }
    }
}

/// The device that places the card.
pub(crate) fn measured_on(card: &Card) -> Option<Device> {
    match card.kind {
        CardKind::Cpu => Some(Device::Cpu),
        CardKind::Gpu => card.devices.first().copied(),
    }
}

/// Every card without a score gets one benchmark, unless one is open already.
fn benchmark_unscored(draft: &mut Draft<'_>, id: Address, rng: &mut impl Rng) -> Result<(), Refusal> {
    let node = draft.node(id)?;
    if !node.offer.provides {
        return Ok(());
    }
    let owner = node.owner;
    let cards = node.cards.iter().enumerate().filter(|(_, card)| card.score_milli.is_none());
    // A graphics card on which nothing can be rendered is listed, and that is all.
    let unscored: Vec<(u16, Device)> =
        cards.filter_map(|(i, card)| Some((i as u16, measured_on(card)?))).collect();
    for (card, device) in unscored {
        let open = draft.state.benchmarks.get(&id).into_iter().flatten().any(|job| {
            let kind = draft.state.jobs.get(job).map(|j| &j.kind);
            matches!(kind, Some(JobKind::Benchmark { card: c, .. }) if *c == card)
        });
        if !open {
            jobs::start_benchmark(draft, owner, (id, card, device), rng.random());
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
    if let Some(card) = cards.iter().find(|c| !renders_as_its_class(c)) {
        return bad(format!(
            "the card '{}' cannot render on what it names; name devices of its class, each once",
            card.name.escape_debug()
        ));
    }
    if offer.environments.len() > 32 || offer.environments.iter().any(|e| e.len() > environment::MAX_BYTES) {
        return bad("an offer names at most 32 environments".into());
    }
    if offer.blocked.len() > MAX_BLOCKED {
        return bad(format!("an offer blocks at most {MAX_BLOCKED} buyers"));
    }
    if offer.refused.len() > MAX_REFUSED || offer.refused.iter().any(|kind| kind.len() > MAX_NAME) {
        return bad(format!("an offer refuses at most {MAX_REFUSED} kinds of work"));
    }
    if (offer.provides || offer.validates) && !ASKS.contains(&offer.ask_per_reference_hour.0) {
        return bad(BAD_ASK.into());
    }
    Ok(())
}
