//! Who may see a scene: the market, those whom the buyer trusts, the buyer's own machines; and whose machines come first.

use crate::world::World;
use std::collections::BTreeSet;
use tatau_engine::{Event, NewJob, Reply};
use tatau_model::{AccountKey, Address, Amount, JobId, Machines, Preview, Who};

fn machines(who: Who) -> Machines {
    Machines { who, own_first_ms: 0 }
}

/// Works until the job is closed; owners of the machines that worked on it, and of those that checked it.
fn run(world: &mut World, id: JobId) -> (BTreeSet<Address>, BTreeSet<Address>) {
    let (mut worked, mut checked) = (BTreeSet::new(), BTreeSet::new());
    for _ in 0..2_000 {
        if world.state.job(id).is_none_or(|job| job.state.is_ended()) {
            return (worked, checked);
        }
        world.work_and_wait();
        for task in world.state.tasks_of(id) {
            let Some(attempt) = task.current.and_then(|id| world.state.attempt(id)) else { continue };
            worked.insert(attempt.provider);
            checked.extend(world.state.audits_of(attempt.id).filter_map(|audit| audit.validator));
        }
    }
    panic!("seed {}: {:?} still runs", world.seed, world.state.job(id));
}

#[test]
fn what_is_for_own_machines_alone_is_free_unchecked_and_nobodys_record() {
    let mut world = World::measured(31, 3);
    let own = world.providers()[0].1;
    let purse = |world: &World| world.state.books.balance(&AccountKey::available(own));
    let before = (purse(&world), world.state.account(&own).cloned());
    let order = world.order(4, Preview::None);
    let id = world
        .place(NewJob { owner: own, machines: machines(Who::Own), cap: Amount::ZERO, ..order })
        .expect("a job");
    let (worked, checked) = run(&mut world, id);
    assert_eq!((worked, checked), (BTreeSet::from([own]), BTreeSet::new()));
    assert_eq!(world.finished_jobs, 1);
    assert_eq!((purse(&world), world.state.account(&own).cloned()), before);
}

#[test]
fn what_is_for_the_trusted_goes_to_them_also_to_be_checked() {
    let mut world = World::measured(32, 3);
    let (buyer, friend) = (world.buyer(), world.providers()[1].1);
    let order = |world: &mut World| {
        let order = world.order(4, Preview::None);
        NewJob { machines: machines(Who::Trusted), ..order }
    };
    let first = order(&mut world);
    let alone = world.try_event(Event::SubmitJob(first)).unwrap_err();
    assert!(alone.sentence.contains("checks work"), "{alone}");
    let checkers = [world.validator_owner(0), world.validator_owner(1)];
    for account in checkers.into_iter().chain([friend]) {
        world.must(Event::Trust { owner: buyer, account, trusted: true });
    }
    let second = order(&mut world);
    let id = world.place(second).expect("a job");
    let (worked, checked) = run(&mut world, id);
    assert_eq!(worked, BTreeSet::from([friend]));
    assert_eq!(checked, BTreeSet::from(checkers), "a newcomer's work is checked by two");
    assert_eq!(world.finished_jobs, 1);

    world.must(Event::Trust { owner: buyer, account: friend, trusted: false });
    world.must(Event::Trust { owner: buyer, account: friend, trusted: false });
    let third = order(&mut world);
    let id = world.place(third).expect("checkers are there");
    for _ in 0..50 {
        world.work_and_wait();
    }
    assert!(world.state.tasks_of(id).all(|task| task.attempts == 0), "nobody may work on it");
}

#[test]
fn trust_is_for_other_accounts_that_exist() {
    let mut world = World::measured(33, 3);
    let owner = world.buyer();
    let trust = |account| Event::Trust { owner, account, trusted: true };
    assert_eq!(world.try_event(trust(owner)).unwrap_err().code, "invalid");
    assert_eq!(world.try_event(trust(Address([77; 20]))).unwrap_err().code, "not_found");
}

#[test]
fn the_market_waits_for_own_machines_as_long_as_their_owner_says() {
    let mut world = World::measured(34, 3);
    let ((own_node, own), (other_node, _)) = (world.providers()[0], world.providers()[1]);
    let order = world.order(4, Preview::None);
    let wait = Machines { who: Who::Any, own_first_ms: 60_000 };
    world.place(NewJob { owner: own, machines: wait, ..order }).expect("a job");
    let lease =
        |world: &mut World, node| match world.must(Event::Lease { node, cards: vec![0], warm: vec![] }) {
            Reply::Leases(leases) => leases,
            other => panic!("{other:?}"),
        };
    world.pass(30_000);
    assert_eq!(lease(&mut world, other_node), [], "not yet");
    let mine = lease(&mut world, own_node);
    let attempt = world.state.attempt(mine[0]).expect("a lease");
    assert_eq!((attempt.price, attempt.reserved), (Amount::ZERO, Amount::ZERO), "own work is free");
    world.must(Event::Seen { node: other_node });
    world.pass(15_000);
    world.must(Event::Seen { node: other_node });
    world.pass(15_000);
    let theirs = lease(&mut world, other_node);
    assert!(world.state.attempt(theirs[0]).expect("a lease").price.is_positive());
}
