//! Work on graphics cards: done and checked by the same kind alone, never paid on a contradiction, and nobody slashed for one.

use crate::world::{Character, World};
use tatau_engine::{Event, NewJob, Waiting};
use tatau_model::{
    AccountKey, Card, CardKind, Device, JobId, JobKind, JobState, Preview, Purpose, RenderSpec, Work,
};

fn card(kind: CardKind, name: &str, devices: &[Device]) -> Card {
    Card {
        kind,
        name: name.into(),
        memory_mib: 10_240,
        threads: 2,
        devices: devices.to_vec(),
        score_milli: None,
    }
}

fn rtx(devices: &[Device]) -> Card {
    card(CardKind::Gpu, "NVIDIA GeForce RTX 3080", devices)
}

fn slot() -> Card {
    card(CardKind::Cpu, "slot", &[])
}

/// A processor, two graphics cards (the second of the character given), and validators of which so many have a graphics card.
fn world(seed: u64, second: Character, with_cards: usize) -> World {
    let mut world = World::new(seed);
    world.populate(&[Character::Honest, Character::Honest, second], 6);
    for provider in 1..3 {
        world.set_cards(world.providers()[provider].0, vec![rtx(&[Device::Optix, Device::Cuda])]);
    }
    for validator in 0..with_cards {
        world.set_cards(world.validator(validator), vec![slot(), rtx(&[Device::Optix])]);
    }
    world
}

/// An order for a film on that device, without tiles.
fn on(world: &mut World, device: Device, frames: i32) -> NewJob {
    let order = world.order(frames, Preview::None);
    let JobKind::Render(spec) = order.kind else { panic!("a render job") };
    let spec = RenderSpec { device, tiles: None, ..spec };
    NewJob { kind: JobKind::Render(spec), ..order }
}

fn film(world: &mut World, device: Device, frames: i32) -> JobId {
    let order = on(world, device, frames);
    world.place(order).expect("a job")
}

fn until_over(world: &mut World, id: JobId) {
    for _ in 0..3_000 {
        world.work_and_wait();
        if world.state.job(id).is_none_or(|job| job.state != JobState::Running) {
            return;
        }
    }
    panic!("seed {}: {id} does not end", world.seed);
}

#[test]
fn frames_of_graphics_cards_are_made_and_checked_by_such_cards_and_their_pictures_by_processors() {
    let mut world = world(61, Character::Honest, 3);
    let id = film(&mut world, Device::Optix, 6);
    // Who does what is checked by the world with every lease and every audit.
    until_over(&mut world, id);
    assert_eq!(world.finished_jobs, 1);
    let accepted: Vec<u64> = world
        .providers()
        .iter()
        .map(|(_, owner)| world.state.account(owner).expect("an account").accepted)
        .collect();
    assert_eq!(accepted[1] + accepted[2], 6, "the frames");
    assert_eq!(accepted[0], 7, "pictures and the video");
    assert!(!world.state.books.balance(&AccountKey::Burned).is_positive());
}

#[test]
fn a_cheat_on_a_graphics_card_is_not_paid_and_loses_no_stake_until_honest_distances_are_measured() {
    let mut world = world(62, Character::Cheat, 4);
    let cheat = world.owner_of(Character::Cheat);
    world.stake(cheat, 5);
    let id = film(&mut world, Device::Optix, 6);
    let mut unlike = 0;
    for _ in 0..3_000 {
        world.work_and_wait();
        unlike =
            unlike.max(world.failures(id).filter(|(who, code)| *who == cheat && *code == "unlike").count());
        if world.state.job(id).is_none_or(|job| job.state != JobState::Running) {
            break;
        }
    }
    assert!(unlike > 0, "it was never caught");
    let account = world.state.account(&cheat).expect("the cheat's account");
    assert_eq!((account.accepted, account.stake_faults), (0, 0));
    assert!(!world.state.books.balance(&AccountKey::Burned).is_positive());
    assert_eq!(
        world.state.books.balance(&AccountKey::Owner(cheat, Purpose::StakeFree)),
        tatau_model::Amount::tatau(5)
    );
    assert_eq!(world.finished_jobs, 1, "the honest card did all of it");
}

#[test]
fn what_nobody_can_check_is_not_begun_and_its_buyer_is_told() {
    let mut world = world(63, Character::Honest, 2);
    let order = on(&mut world, Device::Optix, 2);
    // One validator could check a benchmark, and no frame; none, nothing.
    let (node, lone) = (world.validator(0), world.validator(1));
    world.set_cards(lone, vec![slot()]);
    let refused = world.try_event(Event::SubmitJob(order.clone())).unwrap_err();
    assert!(refused.to_string().contains("nobody checks work on graphics cards by OptiX"), "{refused}");
    world.set_cards(lone, vec![slot(), rtx(&[Device::Optix])]);
    for _ in 0..60 {
        world.work_and_wait();
    }
    let id = world.place(order).expect("a job");
    world.set_cards(node, vec![slot()]);
    for _ in 0..200 {
        world.work_and_wait();
    }
    assert!(world.state.tasks_of(id).all(|task| task.attempts == 0), "nothing is begun that is not paid");
    assert_eq!(world.state.why_waiting(id, world.now), Some(Waiting::NobodyChecks));
    // Another way to render is another device.
    let processors = film(&mut world, Device::Cpu, 2);
    until_over(&mut world, processors);
    let hip = on(&mut world, Device::Hip, 1);
    assert!(world.try_event(Event::SubmitJob(hip)).is_err());
}

#[test]
fn a_card_that_names_what_its_class_cannot_is_refused() {
    let mut world = world(64, Character::Honest, 0);
    let node = world.providers()[1].0;
    let offer = world.state.node(&node).expect("a node").offer.clone();
    for (card, good) in [
        (rtx(&[]), true),
        (rtx(&[Device::Cuda]), true),
        (rtx(&[Device::Hip]), false),
        (rtx(&[Device::Cpu]), false),
        (rtx(&[Device::Cuda, Device::Cuda]), false),
        (card(CardKind::Gpu, "AMD RDNA 2 (gfx1030)", &[Device::Hip]), true),
        (card(CardKind::Cpu, "slot", &[Device::Cuda]), false),
        (card(CardKind::Gpu, "cpu", &[Device::Cpu]), false),
    ] {
        let event = Event::SetOffer { node, offer: offer.clone(), cards: Some(vec![card.clone()]) };
        assert_eq!(world.try_event(event).is_ok(), good, "{card:?}");
    }
}

#[test]
fn a_card_without_devices_is_listed_and_never_measured() {
    let mut world = World::measured(65, 3);
    let node = world.providers()[0].0;
    world.set_cards(node, vec![rtx(&[])]);
    for _ in 0..50 {
        world.work_and_wait();
    }
    assert_eq!(world.state.node(&node).expect("a node").cards[0].score_milli, None);
    let benchmarks =
        world.state.jobs().filter(|job| matches!(job.kind, JobKind::Benchmark { node: n, .. } if n == node));
    assert_eq!(benchmarks.filter(|job| !job.state.is_ended()).count(), 0);
    assert!(!Work::Finish { frame: 1 }.is_on_device());
}

#[test]
fn where_validators_do_not_agree_the_buyer_pays_nobody_and_is_not_blamed() {
    let mut world = world(66, Character::Honest, 6);
    while world.state.nodes().filter(|n| n.offer.provides).any(|n| n.cards[0].score_milli.is_none()) {
        world.work_and_wait();
    }
    let id = film(&mut world, Device::Optix, 2);
    // Of every audit somebody says something else.
    (0..6).for_each(|validator| world.make_liar(validator));
    let mut unlike = 0;
    for _ in 0..600 {
        world.work_and_wait();
        unlike = unlike.max(world.failures(id).filter(|(_, code)| *code == "unlike").count());
        let known = world.failures(id).all(|(_, code)| code == "unlike");
        assert!(known, "{:?}", world.failures(id).collect::<Vec<_>>());
    }
    assert!(unlike > 1, "two of them were what makes it the buyer's fault elsewhere");
    let job = world.state.job(id).expect("it waits for its buyer");
    assert_eq!(job.spent, tatau_model::Amount::ZERO);
    assert!(!world.state.books.balance(&AccountKey::Burned).is_positive());
}

#[test]
fn ones_own_card_works_for_oneself_without_anybodys_check() {
    let mut world = world(67, Character::Honest, 0);
    let (node, owner) = world.providers()[1];
    let order = on(&mut world, Device::Cuda, 2);
    let machines = tatau_model::Machines { who: tatau_model::Who::Own, own_first_ms: 0 };
    // Pictures are made by its processor.
    world.set_cards(node, vec![rtx(&[Device::Optix, Device::Cuda])]);
    let cap = tatau_model::Amount::ZERO;
    let id = world.place(NewJob { owner, machines, cap, ..order }).expect("a job");
    for _ in 0..100 {
        world.work_and_wait();
    }
    let done = |t: &&tatau_model::Task| {
        matches!(t.work, Work::Render { .. }) && t.state == tatau_model::TaskState::Accepted
    };
    assert_eq!(world.state.tasks_of(id).filter(done).count(), 2);
}
