//! Terms of a job that runs: how much it may cost, how much it matters, when it is wanted.

use crate::world::World;
use tatau_engine::{Event, NewJob, Reply, Terms};
use tatau_model::{AccountKey, Address, Amount, JobId, Millis, Preview, Purpose, Strategy};

fn edit(job: JobId, by: Address, terms: Terms) -> Event {
    Event::EditJob { job, by, terms }
}

fn lease(world: &mut World, node: Address, warm: &[JobId]) -> Vec<JobId> {
    match world.must(Event::Lease { node, cards: vec![0], warm: warm.to_vec() }) {
        Reply::Leases(leases) => {
            leases.iter().map(|id| world.state.attempt(*id).expect("a lease just given").job).collect()
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_cap_follows_the_buyer_as_far_as_the_money_is_free() {
    let mut world = World::measured(41, 2);
    let (buyer, other) = (world.buyer(), world.providers()[0].1);
    let id = world.submit_render(4).expect("a job");
    let purse = |world: &World| world.state.books.balance(&AccountKey::available(buyer));
    let terms = |cap| Terms { cap: Some(cap), ..Terms::default() };
    let start = purse(&world);
    world.must(edit(id, buyer, terms(Amount::tatau(7))));
    assert_eq!(purse(&world), start.sub(Amount::tatau(2)).unwrap());
    world.must(edit(id, buyer, terms(Amount::tatau(5))));
    assert_eq!(purse(&world), start);
    assert_eq!(world.try_event(edit(id, other, terms(Amount::tatau(7)))).unwrap_err().code, "not_yours");
    let rich = world.try_event(edit(id, buyer, terms(Amount::tatau(1_000_000_000)))).unwrap_err();
    assert_eq!(rich.code, "too_little", "{rich}");

    // What a lease holds stays: not a unit less.
    let node = world.providers()[0].0;
    assert_eq!(lease(&mut world, node, &[]), [id]);
    let escrow = world.state.books.balance(&AccountKey::Owner(buyer, Purpose::Escrow(id)));
    let held = Amount::tatau(5).sub(escrow).unwrap();
    assert!(held.is_positive());
    let less = world.try_event(edit(id, buyer, terms(held.sub(Amount(1)).unwrap()))).unwrap_err();
    assert_eq!(less.code, "invalid");
    assert!(less.sentence.starts_with(&held.to_string()), "{less}");
    world.must(edit(id, buyer, terms(held)));
    assert_eq!(world.state.job(id).unwrap().cap, held);
    world.cancel(id);
    let late = world.try_event(edit(id, buyer, terms(Amount::tatau(5)))).unwrap_err();
    assert!(["conflict", "not_found"].contains(&late.code), "{late}");
}

#[test]
fn what_matters_more_to_its_owner_comes_first_and_before_nobody_else() {
    let mut world = World::measured(42, 2);
    let (buyer, other) = (world.buyer(), world.validator_owner(0));
    let first = world.submit_render(4).expect("a job");
    let order = world.order(4, Preview::None);
    let others = world.place(NewJob { owner: other, ..order }).expect("a job");
    let second = world.submit_render(4).expect("a job");
    let urgent = |n| Terms { priority: Some(n), ..Terms::default() };
    world.must(edit(others, other, urgent(100)));
    let [(one, _), (two, _)] = world.providers()[..] else { panic!("two providers") };
    assert_eq!(lease(&mut world, one, &[]), [first], "another's number changes nothing");
    world.must(edit(second, buyer, urgent(1)));
    // Not even what is loaded goes before it.
    assert_eq!(lease(&mut world, two, &[first]), [second]);
}

#[test]
fn a_scene_goes_only_to_cards_that_can_hold_it() {
    let mut world = World::measured(44, 2);
    let [(one, _), ..] = world.providers()[..] else { panic!("two providers") };
    let has = world.state.node(&one).unwrap().cards[0].memory_mib;
    let order = world.order(2, Preview::None);
    world.place(NewJob { memory_mib: has + 1, ..order }).expect("a job");
    assert_eq!(lease(&mut world, one, &[]), []);
    let order = world.order(2, Preview::None);
    let fitting = world.place(NewJob { memory_mib: has, ..order }).expect("a job");
    assert_eq!(lease(&mut world, one, &[]), [fitting]);
}

#[test]
fn a_job_that_would_be_late_takes_what_its_money_pays() {
    let mut world = World::measured(43, 2);
    let buyer = world.buyer();
    let dear = world.providers()[1].0;
    let mut offer = world.state.node(&dear).unwrap().offer.clone();
    offer.ask_per_reference_hour = Amount(3_000_000_000);
    world.must(Event::SetOffer { node: dear, offer, cards: None });
    let order = world.order(4, Preview::None);
    let id = world.place(NewJob { strategy: Strategy::Cheapest, ..order }).expect("a job");
    assert_eq!(lease(&mut world, dear, &[]), [], "there is a cheaper one");
    let at = |deadline| Terms { deadline: Some(deadline), ..Terms::default() };
    world.must(edit(id, buyer, at(world.now.plus(3_600_000))));
    assert_eq!(lease(&mut world, dear, &[]), [], "there is time");
    world.must(edit(id, buyer, at(Millis(1))));
    assert_eq!(lease(&mut world, dear, &[]), [id]);
    world.must(edit(id, buyer, at(Millis(0))));
    assert_eq!(world.state.job(id).unwrap().deadline, None);
}
