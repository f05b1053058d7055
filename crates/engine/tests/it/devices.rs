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
    world.populate(&[Character::Honest, Character::Honest, second], 4);
    for provider in 1..3 {
        world.set_cards(world.providers()[provider].0, vec![rtx(&[Device::Optix, Device::Cuda])]);
    }
    for validator in 0..with_cards {
        world.set_cards(world.validator(validator), vec![slot(), rtx(&[Device::Optix])]);
    }
    world
}

/// A film on that device, without tiles.
fn film(world: &mut World, device: Device, frames: i32) -> JobId {
    let order = world.order(frames, Preview::None);
    let JobKind::Render(spec) = order.kind else { panic!("a render job") };
    let spec = RenderSpec { device, tiles: None, ..spec };
    world.place(NewJob { kind: JobKind::Render(spec), ..order }).expect("a job")
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
    let mut world = world(63, Character::Honest, 0);
    let id = film(&mut world, Device::Optix, 2);
    for _ in 0..200 {
        world.work_and_wait();
    }
    assert!(world.state.tasks_of(id).all(|task| task.attempts == 0), "no card was placed, so none may work");
    assert_eq!(world.state.why_waiting(id, world.now), Some(Waiting::NoMachine));
    // Another way to render is another device.
    let processors = film(&mut world, Device::Cpu, 2);
    until_over(&mut world, processors);
    let hip = film(&mut world, Device::Hip, 1);
    for _ in 0..200 {
        world.work_and_wait();
    }
    assert_eq!(world.state.why_waiting(hip, world.now), Some(Waiting::NoMachine));
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
