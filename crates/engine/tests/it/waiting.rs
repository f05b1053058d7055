//! A job that nobody works on says why.

use crate::world::World;
use tatau_engine::{NewJob, Waiting};
use tatau_model::{JobId, Preview};

/// What is said of the job in the next two minutes, each word once, as long as nobody works on it.
fn said(world: &mut World, id: JobId) -> Vec<Option<Waiting>> {
    let mut said = vec![world.state.why_waiting(id, world.now)];
    let until = world.now.plus(120_000);
    while world.now < until {
        world.work_and_wait();
        let why = world.state.why_waiting(id, world.now);
        if said.last() != Some(&why) {
            said.push(why);
        }
    }
    said
}

#[test]
fn who_waits_for_a_program_that_nobody_has_is_told_so() {
    let mut world = World::measured(51, 3);
    let order = world.order(2, Preview::None);
    let id = world.place(NewJob { environment: "host:cinema4d@2025".into(), ..order }).expect("a job");
    assert_eq!(said(&mut world, id), [None, Some(Waiting::NoMachine)]);
}

#[test]
fn who_is_blocked_by_everybody_is_told_so_and_not_once_they_work() {
    let mut world = World::measured(52, 3);
    for provider in 0..2 {
        world.change_offer(provider, true, &[]);
    }
    let id = world.submit_render(3).expect("a job");
    assert_eq!(said(&mut world, id), [None, Some(Waiting::NoneWilling)]);
    for provider in 0..2 {
        world.change_offer(provider, false, &[]);
    }
    let later = said(&mut world, id);
    assert_eq!(later, [Some(Waiting::NotTaken), None]);
}
