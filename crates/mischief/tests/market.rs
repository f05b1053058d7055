//! The whole market with real processes: honest work is paid, every cheat is caught and never paid for it, the job goes on.
#![allow(clippy::unwrap_used)]

mod house;

use house::{House, Running};
use std::time::{Duration, Instant};
use tatau_api::JobView;
use tatau_model::{Address, Amount, JobId, JobKind, JobState, Work};

const FRAMES: &str = "1-4";
const JOB_LIMIT: Duration = Duration::from_secs(90);

/// What has to come of a cheat.
#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    /// Contradicted by audits or by its own receipt: not paid, stake taken.
    Slashed,
    /// Not paid, nobody slashed: a scene could do that to honest hands.
    Withheld,
    /// The lease is lost; nothing else happens.
    Lost,
    /// Its extra receipts are refused; its work is honest and paid.
    Refused,
}

/// Kind of cheat, what becomes of it, and what its log or the job's story has to say.
const CHEATS: &[(&str, End, &str)] = &[
    ("fewer-samples", End::Slashed, "audits contradicted"),
    ("half-resolution", End::Slashed, "audits contradicted"),
    ("previous-frame", End::Slashed, "audits contradicted"),
    ("other-seed", End::Slashed, "audits contradicted"),
    ("tone", End::Slashed, "audits contradicted"),
    ("garbage-png", End::Slashed, "audits contradicted"),
    ("wrong-size", End::Slashed, "pixels"),
    ("nan", End::Withheld, "NaN"),
    ("wrong-hash", End::Slashed, "receipt"),
    ("silent", End::Slashed, "did not arrive"),
    ("vanish", End::Lost, "not heard from"),
    ("foreign-receipt", End::Refused, "foreign receipt"),
    ("double-receipt", End::Refused, "one attempt, one receipt"),
];

#[test]
fn honest_work_is_paid_and_every_cheat_is_caught() {
    let started = Instant::now();
    let say = |words: &str| eprintln!("[{:>3} s] {words}", started.elapsed().as_secs());
    let house = House::new();
    let mut server = house.serve();
    for party in ["honest", "validator-1", "validator-2"] {
        house.stake(party);
    }
    let mut honest = house.start_node("honest", "provide");
    let validators = ["validator-1", "validator-2"].map(|party| house.start_node(party, "validate"));
    measure(&house, &say);

    say("an honest market renders a scene");
    let scene = house.tiny_scene(4);
    let (scene, out) = (scene.to_str().unwrap(), house.home.path().join("out"));
    house.must("buyer", &["render", scene, "--frames", FRAMES, "--out", out.to_str().unwrap(), "--yes", "--json"]);
    let (inspection, model) = rendered(&house);
    let job = house.finish(model, JOB_LIMIT, || server.check());
    check_finished(&job, 4 + 4 + 1);
    for file in ["frames/frame_0001.exr", "frame_0004.png", "video.mp4"] {
        assert!(out.join(file).is_file(), "{file} is missing in {}", out.display());
    }
    house.books();

    for (cheat, end, says) in CHEATS {
        say(cheat);
        let mut running = house.start_cheat(cheat, cheat);
        let id = house.again(&job.job, inspection, FRAMES, cheat);
        let done = house.finish(id, JOB_LIMIT, || {
            server.check();
            honest.check();
            if *end != End::Lost {
                running.check();
            }
        });
        check_finished(&done, 4 + 4);
        check_cheat(&house, cheat, *end, says, &done);
        if !running.has_ended() {
            running.stop();
        }
        check_honest(&house);
    }

    say("settling");
    let balances = house.settled();
    assert_eq!(balances.values().try_fold(Amount::ZERO, |sum, amount| sum.add(*amount)).unwrap(), Amount::ZERO);
    for running in validators.into_iter().chain([honest]) {
        running.stop();
    }
    server.stop();
    say("done");
}

/// Starts every cheat once, a few at a time, until the platform has measured its card.
fn measure(house: &House, say: &dyn Fn(&str)) {
    for group in CHEATS.chunks(4) {
        let names: Vec<&str> = group.iter().map(|(cheat, ..)| *cheat).collect();
        say(&format!("measuring {}", names.join(", ")));
        for name in &names {
            house.stake(name);
        }
        let running: Vec<Running> = names.iter().map(|name| house.start_cheat(name, name)).collect();
        house.until("all cards are measured", Duration::from_secs(120), || {
            house.is_measured("honest") && names.iter().all(|name| house.is_measured(name))
        });
        for one in running {
            one.stop();
        }
    }
}

/// The buyer's latest inspection and render.
fn rendered(house: &House) -> (JobId, JobId) {
    let jobs = house.jobs();
    let of = |render: bool| {
        let is = |kind: &JobKind| matches!(kind, JobKind::Render(_)) == render;
        jobs.iter().find(|job| is(&job.kind)).unwrap().id
    };
    (of(false), of(true))
}

/// Everything accepted, every task paid once.
fn check_finished(view: &JobView, tasks: usize) {
    assert_eq!(view.job.state, JobState::Finished, "{:#?}", stories(view));
    assert_eq!(view.tasks.len(), tasks);
    let mut paid = Amount::ZERO;
    for task in &view.tasks {
        assert_eq!(task.state, "accepted", "{}: {:?}", task.work.label(), task.story);
        assert!(task.paid.is_positive(), "{} was accepted and not paid", task.work.label());
        assert_eq!(task.story.iter().filter(|line| line.contains(": accepted")).count(), 1, "{:?}", task.story);
        paid = paid.add(task.paid).unwrap();
    }
    // Shares are rounded: one unit a task at most.
    let off = view.job.spent.sub(paid).unwrap().0.unsigned_abs();
    assert!(off <= view.tasks.len() as u64, "spent {} but the tasks were paid {paid}", view.job.spent);
    assert!(view.job.spent <= view.job.cap);
}

fn stories(view: &JobView) -> Vec<String> {
    view.tasks.iter().flat_map(|t| t.story.iter().map(move |line| format!("{}: {line}", t.work.label()))).collect()
}

fn check_cheat(house: &House, cheat: &str, end: End, says: &str, view: &JobView) {
    let owner = house.key(cheat).address();
    let own = lines_of(view, owner, cheat == "garbage-png");
    let told = stories(view);
    assert!(!own.is_empty(), "the {cheat} took no part\n{told:#?}\n{}", house.log(cheat));
    let paid = own.iter().filter(|line| line.contains(": accepted")).count();
    let account = house.account(cheat);
    let log = house.log(cheat);
    let said = own.iter().any(|line| line.contains(says)) || log.contains(says);
    assert!(said, "nobody says '{says}' about the {cheat}\n{own:#?}\n{log}");
    match end {
        End::Slashed => {
            assert_eq!(paid, 0, "the {cheat} was paid\n{told:#?}");
            assert!(account.account.stake_faults > 0, "the {cheat} was not slashed\n{told:#?}");
            assert!(own.iter().any(|line| line.contains("were taken from it")), "{own:#?}");
            assert!(account.total < Amount::tatau(100), "the {cheat} lost nothing: {}", account.total);
        }
        End::Withheld => {
            assert_eq!((paid, account.account.stake_faults), (0, 0), "{told:#?}");
            assert!(own.iter().any(|line| line.contains("it was not paid")), "{own:#?}");
        }
        End::Lost => assert_eq!((paid, account.account.stake_faults), (0, 0), "{told:#?}"),
        End::Refused => {
            assert_eq!(account.account.stake_faults, 0, "{told:#?}");
            assert!(paid > 0, "{told:#?}");
            // Not one receipt on the side was taken: each answer is one sentence that says why.
            for line in log.lines().filter(|l| l.starts_with("foreign receipt") || l.starts_with("second receipt")) {
                assert!(!line.ends_with("accepted"), "{line}");
                assert!(["conflict", "not_yours", "not_found", "forbidden", "unauthorized"].iter().any(|c| line.contains(c)), "{line}");
            }
        }
    }
}

/// What became of the tasks of an owner that it cheats at.
fn lines_of(view: &JobView, owner: Address, pictures: bool) -> Vec<String> {
    let mark = format!("by {}", &owner.to_string()[..8]);
    let cheated = |work: &Work| match work {
        Work::Render { .. } => !pictures,
        Work::Finish { .. } => pictures,
        _ => false,
    };
    let tasks = view.tasks.iter().filter(|task| cheated(&task.work));
    tasks.flat_map(|task| task.story.iter()).filter(|line| line.contains(&mark)).cloned().collect()
}

fn check_honest(house: &House) {
    for party in ["honest", "validator-1", "validator-2"] {
        let account = house.account(party);
        assert_eq!(account.account.stake_faults, 0, "{party} was slashed");
        assert!(account.total >= Amount::tatau(100), "{party} lost money: {}", account.total);
    }
    house.books();
}
