//! Jobs that stand still because their buyer wants it: paused by hand, or until a preview is approved.

use crate::world::{Character, World};
use tatau_engine::{Event, NewJob};
use tatau_model::{
    AccountKey, Address, Amount, Job, JobId, JobKind, JobState, Preview, Purpose, TaskState, Work,
};

fn a_world(seed: u64) -> World {
    let mut world = World::new(seed);
    world.populate(&[Character::Honest, Character::Honest], 3);
    world
}

fn job(world: &World, id: JobId) -> Job {
    world.state.job(id).expect("an open job").clone()
}

fn leased(world: &World, id: JobId) -> usize {
    world.state.tasks_of(id).filter(|t| t.state == TaskState::Leased).count()
}

/// Works until the job does not run any more.
fn run_out(world: &mut World, id: JobId) {
    for _ in 0..3_000 {
        if world.state.job(id).is_none_or(|j| j.state != JobState::Running) {
            return;
        }
        world.work_and_wait();
    }
    panic!("seed {}: {:?} still runs", world.seed, job(world, id));
}

fn reason(world: &World, id: JobId) -> String {
    match job(world, id).state {
        JobState::Paused { reason } => reason,
        other => panic!("seed {}: {other:?}", world.seed),
    }
}

#[test]
fn a_paused_job_finishes_what_runs_takes_nothing_new_and_goes_on_when_resumed() {
    let mut world = a_world(21);
    let id = world.submit_render(12).expect("a job");
    for _ in 0..200 {
        if leased(&world, id) > 0 {
            break;
        }
        world.work_and_wait();
    }
    assert!(leased(&world, id) > 0, "something runs");
    let by = job(&world, id).owner;
    let stranger = Address([9; 20]);
    assert_eq!(world.try_event(Event::PauseJob { job: id, by: stranger }).unwrap_err().code, "not_yours");
    world.must(Event::PauseJob { job: id, by });
    world.must(Event::PauseJob { job: id, by });
    assert!(reason(&world, id).contains("you paused it"));
    let attempts: u32 = world.state.tasks_of(id).map(|t| t.attempts).sum();
    for _ in 0..300 {
        world.work_and_wait();
    }
    assert_eq!(leased(&world, id), 0, "what ran is finished");
    assert_eq!(world.state.tasks_of(id).map(|t| t.attempts).sum::<u32>(), attempts, "nothing new was leased");
    assert!(
        world.state.tasks_of(id).any(|t| t.state == TaskState::Accepted),
        "and what was finished is kept"
    );
    world.must(Event::ResumeJob { job: id, by, more: Amount::ZERO });
    run_out(&mut world, id);
    assert_eq!(world.finished_jobs, 1);
    if world.state.job(id).is_some() {
        assert_eq!(world.try_event(Event::PauseJob { job: id, by }).unwrap_err().code, "conflict");
    }
}

fn renders(world: &World, id: JobId) -> Vec<i32> {
    let frame = |work: &Work| match work {
        Work::Render { frame, .. } => Some(*frame),
        _ => None,
    };
    world.state.tasks_of(id).filter_map(|t| frame(&t.work)).collect()
}

#[test]
fn a_preview_makes_three_frames_waits_for_approval_and_then_makes_the_rest() {
    let mut world = a_world(22);
    let id = world.submit(9, Preview::Waiting).expect("a job");
    assert_eq!(renders(&world, id), [1, 5, 9]);
    let by = job(&world, id).owner;
    // A pause and its end before the preview is there approve nothing.
    world.must(Event::PauseJob { job: id, by });
    world.must(Event::ResumeJob { job: id, by, more: Amount::ZERO });
    assert_eq!(renders(&world, id), [1, 5, 9]);
    run_out(&mut world, id);
    assert!(reason(&world, id).starts_with("preview"));
    assert_eq!(
        world.state.tasks_of(id).filter(|t| t.state == TaskState::Accepted).count(),
        6,
        "with their pictures"
    );
    for _ in 0..50 {
        world.work_and_wait();
    }
    assert_eq!(renders(&world, id), [1, 5, 9], "nothing starts before the approval");
    world.check_recovery();

    world.must(Event::ResumeJob { job: id, by, more: Amount::ZERO });
    let JobKind::Render(spec) = job(&world, id).kind else { panic!("no render job") };
    assert_eq!(spec.preview, Preview::Approved);
    let mut all = renders(&world, id);
    all.sort_unstable();
    assert_eq!(all, (1..=9).collect::<Vec<i32>>(), "each frame once");
    run_out(&mut world, id);
    assert_eq!(world.finished_jobs, 1);
}

#[test]
fn a_preview_that_does_not_please_costs_its_frames_and_nothing_else() {
    let mut world = a_world(23);
    let id = world.submit(9, Preview::Waiting).expect("a job");
    run_out(&mut world, id);
    let paused = job(&world, id);
    world.cancel(id);
    for _ in 0..400 {
        world.work_and_wait();
    }
    assert!(world.state.job(id).is_none(), "closed");
    assert!(paused.spent.is_positive() && paused.spent.0 < paused.cap.0 / 2, "{paused:?}");
    let left = |k: &AccountKey| matches!(k, AccountKey::Owner(_, Purpose::Escrow(_) | Purpose::Held(_)));
    assert_eq!(world.state.books.iter().filter(|(k, _)| left(k)).count(), 0);
}

#[test]
fn a_job_of_three_frames_is_its_own_preview() {
    let mut world = a_world(24);
    let id = world.submit(3, Preview::Waiting).expect("a job");
    run_out(&mut world, id);
    assert_eq!(world.finished_jobs, 1);
}

/// A frame of a millisecond costs the least price of a lease, far more than its share of the job's time.
#[test]
fn a_job_of_tiny_frames_is_made_within_its_cap() {
    let mut world = a_world(25);
    let order = world.order(1, Preview::None);
    let id = world.place(NewJob { reference_ms: 1, cap: Amount(25_000), ..order }).expect("a job");
    run_out(&mut world, id);
    assert_eq!(world.finished_jobs, 1, "{:?}", world.state.job(id).map(|j| &j.state));
}
