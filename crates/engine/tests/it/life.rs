//! The market under a fake clock: random events, every invariant after each one, and an end in which nothing is stuck.

use crate::world::{Character, World};
use tatau_engine::Event;
use tatau_model::{AccountKey, JobState, Purpose, TaskState};

/// Seeds are fixed, so that a failure names the run to repeat; the campaign passes others in `TATAU_SEED`.
fn seeds(count: u64) -> Vec<u64> {
    let given = |name: &str| std::env::var(name).ok().and_then(|text| text.parse().ok());
    if let Some(seed) = given("TATAU_SEED") {
        return vec![seed];
    }
    (1..=given("TATAU_SEEDS").unwrap_or(count)).collect()
}

#[test]
fn random_lives_keep_every_invariant_and_get_stuck_nowhere() {
    for seed in seeds(40) {
        println!("seed {seed}");
        let mut world = World::new(seed);
        world.populate(
            &[Character::Honest, Character::Honest, Character::Cheat, Character::Flaky, Character::Silent],
            4,
        );
        let jobs: Vec<_> = (0..3).filter_map(|_| world.submit_render(6)).collect();
        for _ in 0..400 {
            world.random_step();
        }
        // From here on everybody who is left behaves: whatever happened before must come to an end.
        world.everybody_behaves();
        for _ in 0..3_000 {
            world.work_and_wait();
            if jobs.iter().all(|j| world.state.job(*j).is_none_or(|j| j.state != JobState::Running)) {
                break;
            }
        }
        for job in &jobs {
            if let Some(job) = world.state.job(*job) {
                let left: Vec<_> = world
                    .state
                    .tasks_of(job.id)
                    .filter(|t| t.state != TaskState::Accepted)
                    .cloned()
                    .collect();
                assert_ne!(job.state, JobState::Running, "seed {seed}: {} is stuck: {left:?}", job.id);
            }
        }
    }
}

#[test]
fn a_cheat_is_never_paid_and_loses_its_stake_to_the_fire_and_the_provers() {
    let mut world = World::new(7);
    world.populate(&[Character::Honest, Character::Cheat], 3);
    let cheat = world.owner_of(Character::Cheat);
    world.stake(cheat, 5);
    world.submit_render(8).expect("a job");
    for _ in 0..2_000 {
        world.work_and_wait();
    }
    let account = world.state.account(&cheat).expect("the cheat's account");
    assert!(account.stake_faults > 0 && account.accepted == 0, "{account:?}");
    assert!(world.state.books.balance(&AccountKey::Burned).is_positive());
    let stake = world.state.books.balance(&AccountKey::Owner(cheat, Purpose::StakeFree));
    assert!(stake < tatau_model::Amount::tatau(5), "{stake}");
    assert!(world.finished_jobs > 0, "the honest provider did the job");
}

#[test]
fn honest_providers_are_never_slashed() {
    for seed in seeds(10) {
        let mut world = World::new(seed);
        world.populate(&[Character::Honest, Character::Honest], 3);
        world.submit_render(10).expect("a job");
        for _ in 0..1_500 {
            world.work_and_wait();
        }
        assert_eq!(world.finished_jobs, 1, "seed {seed}");
        assert!(!world.state.books.balance(&AccountKey::Burned).is_positive(), "seed {seed}");
        let refund = world.state.books.iter().filter(|(k, _)| {
            matches!(k, AccountKey::Owner(_, Purpose::Escrow(_) | Purpose::Held(_) | Purpose::Pending))
        });
        assert_eq!(refund.count(), 0, "seed {seed}: money left in a finished job");
    }
}

#[test]
fn a_lone_hostile_validator_cannot_have_an_honest_provider_slashed() {
    let mut world = World::new(3);
    world.populate(&[Character::Honest, Character::Honest], 4);
    world.make_liar(0);
    world.submit_render(10).expect("a job");
    for _ in 0..4_000 {
        world.work_and_wait();
    }
    assert!(!world.state.books.balance(&AccountKey::Burned).is_positive());
    assert_eq!(world.finished_jobs, 1);
}

#[test]
fn an_outage_of_a_validator_is_one_fault_and_picking_audits_is_one_each() {
    let mut world = World::new(13);
    world.populate(&[Character::Honest, Character::Honest], 3);
    for _ in 0..60 {
        world.work_and_wait();
    }
    world.submit_render(20).expect("a job");
    for _ in 0..40 {
        world.providers_work();
        world.must(Event::Tick);
    }
    let late = world.state.config.audit_ms + 10_000;
    let (_, owner, held) = world.take_audits(0, 64);
    assert!(held.len() >= 4, "{held:?}");
    let before = world.audit_faults(owner);
    world.pass(late);
    assert_eq!(world.audit_faults(owner) - before, 1, "its power was gone once");

    // Told to stop, it gives back what it holds: once more.
    world.pass(late);
    let (node, _, held) = world.take_audits(0, 64);
    assert!(held.len() >= 4, "{held:?}");
    world.must(Event::Drain { node, draining: true });
    for audit in held {
        world.must(Event::FailAudit { node, audit, code: "returned".into(), sentence: "it stops".into() });
    }
    assert_eq!(world.audit_faults(owner) - before, 2);

    // Whoever goes on and gives back what it does not like picks.
    world.must(Event::Drain { node, draining: false });
    world.pass(late);
    let (_, _, held) = world.take_audits(0, 3);
    assert_eq!(held.len(), 3);
    for audit in held {
        world.must(Event::FailAudit { node, audit, code: "returned".into(), sentence: "no".into() });
    }
    assert_eq!(world.audit_faults(owner) - before, 5);
}

#[test]
fn cancelling_pays_what_ran_and_returns_the_rest() {
    let mut world = World::new(11);
    world.populate(&[Character::Honest], 3);
    let job = world.submit_render(10).expect("a job");
    for _ in 0..60 {
        world.work_and_wait();
    }
    world.cancel(job);
    for _ in 0..400 {
        world.work_and_wait();
    }
    assert!(world.state.job(job).is_none(), "closed");
    let left = world
        .state
        .books
        .iter()
        .filter(|(k, _)| matches!(k, AccountKey::Owner(_, Purpose::Escrow(_) | Purpose::Held(_))));
    assert_eq!(left.count(), 0);
}

#[test]
fn blocked_buyers_and_refused_work_go_to_others() {
    let mut world = World::new(13);
    world.populate(&[Character::Honest, Character::Honest, Character::Honest], 3);
    world.work_and_wait();
    // Nobody but the third makes pictures, and the first does nothing for this buyer. Each lease is checked as it is given.
    world.change_offer(0, true, &[]);
    world.change_offer(1, false, &["finish", "video"]);
    for _ in 0..300 {
        // The cards are placed by then: benchmarks are taken whatever an offer says.
        world.work_and_wait();
    }
    world.submit_render(4).expect("a job");
    let mut second = 0;
    for _ in 0..2_000 {
        world.work_and_wait();
        assert_eq!(world.leases_of(0), 0, "its buyer is blocked there");
        second += world.leases_of(1);
    }
    assert_eq!(world.finished_jobs, 1, "the others did it");
    assert!(second > 0, "what it does not refuse it gets");
}

#[test]
fn a_job_that_everybody_refuses_waits_and_is_not_paused_for_its_money() {
    let mut world = World::new(17);
    world.populate(&[Character::Honest, Character::Honest], 3);
    for _ in 0..300 {
        world.work_and_wait();
    }
    (0..2).for_each(|provider| world.change_offer(provider, true, &[]));
    let job = world.submit_render(2).expect("a job");
    for _ in 0..200 {
        world.work_and_wait();
    }
    assert_eq!(world.state.job(job).expect("the job").state, JobState::Running);
    world.change_offer(1, false, &[]);
    for _ in 0..1_500 {
        world.work_and_wait();
    }
    assert_eq!(world.finished_jobs, 1);
}

#[test]
fn recovery_from_the_records_is_the_same_state() {
    let mut world = World::new(5);
    world.populate(&[Character::Honest, Character::Flaky, Character::Cheat], 3);
    world.submit_render(6).expect("a job");
    for _ in 0..300 {
        world.random_step();
    }
    world.check_recovery();
}
