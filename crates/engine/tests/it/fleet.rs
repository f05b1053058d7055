//! An owner's word about machines, the operator's about accounts, and the market in numbers.

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use tatau_engine::{Config, Event, NodeChange, Proof, Refusal, Reply, State, sanity_check, step};
use tatau_model::{Address, Amount, Card, CardKind, Millis, Node, NodeSettings, Offer};

const OWNER: Address = Address([2; 20]);
const STRANGER: Address = Address([9; 20]);
const RIG: Address = Address([1; 20]);
const ONE: Amount = Amount::tatau(1);

struct House {
    state: State,
    now: Millis,
    rng: ChaCha8Rng,
}

impl House {
    fn new() -> Self {
        let mut house = Self {
            state: State::new(Config::local()),
            now: Millis(1_000),
            rng: ChaCha8Rng::seed_from_u64(1),
        };
        house.must(Event::RegisterNode { node: rig(RIG), proof: Proof::Delegation });
        house
    }

    fn event(&mut self, event: Event) -> Result<Reply, Refusal> {
        let outcome = step(&self.state, event, self.now, &mut self.rng)?;
        for change in &outcome.changes {
            self.state.apply(change).expect("applies");
        }
        assert_eq!(sanity_check(&self.state), Vec::<String>::new());
        Ok(outcome.reply)
    }

    fn must(&mut self, event: Event) -> Reply {
        self.event(event).expect("is taken")
    }

    fn set(&mut self, change: NodeChange) {
        self.must(Event::SetNode { node: RIG, by: OWNER, change });
    }

    fn node(&self) -> Node {
        self.state.node(&RIG).expect("the rig").clone()
    }
}

fn rig(id: Address) -> Node {
    Node {
        id,
        owner: OWNER,
        name: "host".into(),
        cards: vec![Card {
            kind: CardKind::Cpu,
            name: "slot".into(),
            memory_mib: 4_096,
            threads: 2,
            devices: vec![],
            score_milli: None,
        }],
        offer: offer(ONE),
        block: "10.0.0.0/24".into(),
        version: "1".into(),
        registered: Millis(0),
        draining: false,
        settings: NodeSettings::default(),
        heard: 7,
    }
}

fn offer(ask: Amount) -> Offer {
    Offer {
        ask_per_reference_hour: ask,
        environments: vec!["blender-5.0".into()],
        provides: true,
        validates: false,
        ..Offer::default()
    }
}

fn change() -> NodeChange {
    NodeChange::default()
}

#[test]
fn the_owners_floor_and_drain_stand_whatever_the_node_says() {
    let mut house = House::new();
    let three = Amount::tatau(3);
    house.set(NodeChange {
        floor: Some(three),
        draining: Some(true),
        label: Some("attic".into()),
        ..change()
    });
    let node = house.node();
    assert_eq!((node.offer.ask_per_reference_hour, node.draining, node.title()), (three, true, "attic"));
    assert_eq!((node.settings.revision, node.heard), (1, 0));
    // A new offer, a polite word, a restart: nothing changes the owner's mind.
    house.must(Event::SetOffer { node: RIG, offer: offer(ONE), cards: None });
    house.must(Event::Drain { node: RIG, draining: false });
    house.must(Event::RegisterNode { node: rig(RIG), proof: Proof::Delegation });
    let node = house.node();
    assert_eq!((node.offer.ask_per_reference_hour, node.draining, node.title()), (three, true, "attic"));
    assert_eq!(house.must(Event::Lease { node: RIG, cards: vec![0], warm: vec![] }), Reply::Leases(vec![]));
    house.must(Event::Heard { node: RIG, revision: 99 });
    assert_eq!(house.node().heard, 1, "nobody hears what was not said");

    // A node may ask more, and stops by itself.
    house.set(NodeChange { floor: Some(Amount::ZERO), draining: Some(false), ..change() });
    house.must(Event::SetOffer { node: RIG, offer: offer(Amount::tatau(5)), cards: None });
    assert_eq!(house.node().offer.ask_per_reference_hour, Amount::tatau(5));
    house.must(Event::Drain { node: RIG, draining: true });
    house.set(NodeChange { label: Some(String::new()), ..change() });
    assert!(house.node().draining, "a name is no order to work");
    assert_eq!(house.node().title(), "host");
}

#[test]
fn only_the_owner_sets_a_machine_and_only_what_makes_sense() {
    let mut house = House::new();
    let by_stranger = Event::SetNode { node: RIG, by: STRANGER, change: change() };
    assert_eq!(house.event(by_stranger).unwrap_err().code, "not_found");
    for wrong in [
        NodeChange { label: Some("x".repeat(101)), ..change() },
        NodeChange { label: Some("a\nb".into()), ..change() },
        NodeChange { floor: Some(Amount(-1)), ..change() },
        NodeChange { floor: Some(Amount::tatau(1_000_001)), ..change() },
    ] {
        let event = Event::SetNode { node: RIG, by: OWNER, change: wrong };
        assert_eq!(house.event(event).unwrap_err().code, "invalid");
    }
    assert_eq!(house.node().settings, NodeSettings::default());
}

#[test]
fn a_machine_joins_by_proof_comes_back_without_and_not_after_it_was_removed() {
    let mut house = House::new();
    let stranger = Event::RegisterNode { node: rig(Address([5; 20])), proof: Proof::Known };
    assert_eq!(house.event(stranger).unwrap_err().code, "not_yours");
    house.must(Event::RegisterNode { node: rig(RIG), proof: Proof::Known });
    let others = Event::RegisterNode { node: Node { owner: STRANGER, ..rig(RIG) }, proof: Proof::Known };
    assert_eq!(house.event(others).unwrap_err().code, "not_yours");

    house.set(NodeChange { remove: true, ..change() });
    assert!(house.node().draining);
    let again = house.event(Event::RegisterNode { node: rig(RIG), proof: Proof::Known });
    assert_eq!(again.unwrap_err().code, "not_yours");
    let gone =
        Event::SetNode { node: RIG, by: OWNER, change: NodeChange { draining: Some(false), ..change() } };
    assert_eq!(house.event(gone).unwrap_err().code, "not_found");
    let delegated = house.event(Event::RegisterNode { node: rig(RIG), proof: Proof::Delegation });
    assert_eq!(
        delegated.unwrap_err().code,
        "not_yours",
        "a delegation lasts; it must not bring back a stolen rig"
    );
    house.must(Event::RegisterNode { node: rig(RIG), proof: Proof::Join });
    assert!(!house.node().draining && !house.node().settings.removed);
}

#[test]
fn removed_machines_make_room_for_others() {
    let mut house = House::new();
    house.state.config.nodes_per_owner = 1;
    let second = || Event::RegisterNode { node: rig(Address([5; 20])), proof: Proof::Delegation };
    assert_eq!(house.event(second()).unwrap_err().code, "too_many");
    house.set(NodeChange { remove: true, ..change() });
    house.must(second());
    let back = house.event(Event::RegisterNode { node: rig(RIG), proof: Proof::Join });
    assert_eq!(back.unwrap_err().code, "too_many");
}

#[test]
fn the_operator_bars_and_lets_in_again() {
    let mut house = House::new();
    house.must(Event::Bar { owner: OWNER, barred: true });
    let lease = || Event::Lease { node: RIG, cards: vec![0], warm: vec![] };
    assert_eq!(house.event(lease()).unwrap_err().code, "barred");
    house.must(Event::Bar { owner: OWNER, barred: false });
    assert!(matches!(house.must(lease()), Reply::Leases(_)));
    assert_eq!(house.event(Event::Bar { owner: STRANGER, barred: true }).unwrap_err().code, "not_found");
}

#[test]
fn the_census_counts_who_is_here() {
    let mut house = House::new();
    let census = house.state.census(house.now);
    assert_eq!((census.nodes, census.nodes_online, census.accounts), (1, 1, 1));
    assert!(census.classes.is_empty(), "a card without a score is not on the market");
    assert_eq!(census.tasks_ready, 1, "its benchmark waits");
    let away = house.now.plus(house.state.config.node_silence_ms + 1);
    assert_eq!(house.state.census(away).nodes_online, 0);
    house.must(Event::Lease { node: RIG, cards: vec![0], warm: vec![] });
    let census = house.state.census(house.now);
    assert_eq!((census.tasks_ready, census.leased, census.tasks_under_way), (0, 1, 1));
    house.set(NodeChange { remove: true, ..change() });
    assert_eq!(house.state.census(house.now).nodes, 0);
}
