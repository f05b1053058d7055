//! What a buyer has already is not done, checked and paid twice.

use crate::world::{Character, World};
use std::collections::BTreeMap;
use tatau_engine::{Known, NewJob};
use tatau_model::{
    AccountKey, Amount, AttemptState, Grid, JobId, JobKind, JobState, Preview, TaskState, Work,
};

/// Works until the job is over; its accepted results.
fn run(world: &mut World, id: JobId) -> Vec<Known> {
    let mut found = BTreeMap::new();
    for _ in 0..2_000 {
        for task in world.state.tasks_of(id) {
            let attempt = task.current.and_then(|id| world.state.attempt(id));
            if let Some(attempt) = attempt.filter(|a| a.state == AttemptState::Accepted) {
                found.insert(task.id, Known { work: task.work.clone(), attempt: attempt.clone() });
            }
        }
        if world.state.job(id).is_none_or(|job| job.state != JobState::Running) {
            return found.into_values().collect();
        }
        world.work_and_wait();
    }
    panic!("seed {}: {id} still runs", world.seed);
}

fn a_world(seed: u64) -> World {
    let mut world = World::new(seed);
    world.populate(&[Character::Honest, Character::Honest], 2);
    world
}

/// An order whose frames are cut so, without a video where none is wanted.
fn order(world: &mut World, frames: i32, tiles: Option<Grid>, video: bool) -> NewJob {
    let mut order = world.order(frames, Preview::None);
    if let JobKind::Render(spec) = &mut order.kind {
        (spec.tiles, spec.video) = (tiles, video);
    }
    order
}

#[test]
fn known_results_are_taken_over_for_nothing_and_the_rest_is_made() {
    known_results(None);
}

#[test]
fn tiles_and_joined_frames_are_taken_over_too() {
    known_results(Some(Grid { columns: 2, rows: 1 }));
}

fn known_results(tiles: Option<Grid>) {
    let each = tiles.map_or(1, |grid| usize::from(grid.count()));
    let mut world = a_world(51);
    let first = order(&mut world, 3, tiles, true);
    let first = world.place(first).expect("a job");
    let known = run(&mut world, first);
    let of = |known: &[Known], video| known.iter().filter(|k| (k.work == Work::Video) == video).count();
    assert!(of(&known, false) >= 5, "{}", known.len());
    let usable: Vec<Known> = known.into_iter().filter(|k| k.work != Work::Video).collect();
    let renders = usable.iter().filter(|k| matches!(k.work, Work::Render { .. })).count();

    // Five frames: three are there. A result of a frame that is not asked for is passed over.
    let mut more = usable.clone();
    let mut foreign = usable[0].clone();
    foreign.work = Work::Render { frame: 99, tile: None };
    more.push(foreign);
    let second = order(&mut world, 5, tiles, true);
    let second = world.place(NewJob { known: more, ..second }).expect("a job");
    let states = |world: &World, id| {
        let mut ready = Vec::new();
        for task in world.state.tasks_of(id) {
            if let (TaskState::Ready, Work::Render { frame, .. }) = (task.state, &task.work) {
                ready.push(*frame);
            }
        }
        ready
    };
    assert_eq!(renders, 3 * each);
    assert_eq!(states(&world, second), [vec![4; each], vec![5; each]].concat());
    let again = run(&mut world, second);
    let copies = again.iter().filter(|k| k.attempt.copy_of.is_some()).count();
    assert_eq!(copies, usable.len());
    assert_eq!(world.finished_jobs, 2);

    // Copies of copies name the original, and a job of known results alone is over at once.
    let purse = AccountKey::available(world.buyer());
    let before = world.state.books.balance(&purse);
    let copied: Vec<Known> = again.into_iter().filter(|k| k.work != Work::Video).collect();
    let originals: Vec<_> = usable.iter().map(|k| k.attempt.id).collect();
    assert!(copied.iter().filter_map(|k| k.attempt.copy_of).all(|id| originals.contains(&id)));
    let third = order(&mut world, 3, tiles, false);
    let third = world.place(NewJob { known: copied, cap: Amount(1_000), ..third }).expect("a job");
    assert!(world.state.job(third).is_none_or(|job| job.state == JobState::Finished));
    assert_eq!(world.finished_jobs, 3);
    assert_eq!(world.state.books.balance(&purse), before, "nothing was paid");
    world.pass(300_000);
}
