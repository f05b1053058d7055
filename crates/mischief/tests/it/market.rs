//! The whole market with real processes: honest work is paid, every cheat is caught and never paid for it, the job goes on.
#![allow(clippy::unwrap_used)]

use crate::house::{House, Running, stories};
use std::path::Path;
use std::time::{Duration, Instant};
use tatau_api::JobView;
use tatau_model::{Address, Amount, JobId, JobKind, Work};

const FRAMES: &str = "1-4";
const JOB_LIMIT: Duration = Duration::from_mins(4);

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

/// Kind of cheat, the account that does it, what becomes of it, and what its log or the job's story has to say. Three stake
/// faults bar an account, so each does two things at most that cost stake.
const CHEATS: &[(&str, &str, End, &str)] = &[
    ("fewer-samples", "cheat-1", End::Slashed, "audits contradicted"),
    ("half-resolution", "cheat-1", End::Slashed, "audits contradicted"),
    ("previous-frame", "cheat-2", End::Slashed, "audits contradicted"),
    ("other-seed", "cheat-2", End::Slashed, "audits contradicted"),
    ("tone", "cheat-3", End::Slashed, "audits contradicted"),
    ("garbage-png", "cheat-3", End::Slashed, "audits contradicted"),
    ("wrong-size", "cheat-4", End::Slashed, "pixels"),
    ("wrong-hash", "cheat-4", End::Slashed, "receipt"),
    ("silent", "cheat-5", End::Slashed, "did not arrive"),
    ("nan", "cheat-5", End::Withheld, "NaN"),
    ("vanish", "cheat-6", End::Lost, "not heard from"),
    ("foreign-receipt", "cheat-6", End::Refused, "foreign receipt"),
    ("double-receipt", "cheat-6", End::Refused, "one attempt, one receipt"),
];

/// The account that cheats at frames in tiles.
const TILE_CHEAT: &str = "cheat-7";

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
    house.must(
        "buyer",
        &["render", scene, "--frames", FRAMES, "--out", out.to_str().unwrap(), "--yes", "--fresh", "--json"],
    );
    let (inspection, model) = rendered(&house);
    let job = house.finish(model, JOB_LIMIT, || server.check());
    house.check_finished(&job, 4 + 4 + 1);
    for file in ["frames/frame_0001.exr", "frames/frame_0004.png", "video.mp4"] {
        assert!(out.join(file).is_file(), "{file} is missing in {}", out.display());
    }
    house.books();

    for (cheat, party, end, says) in CHEATS {
        say(cheat);
        let before =
            Before { faults: house.account(party).account.stake_faults, log: house.log(party).len() };
        let mut running = house.start_cheat(party, cheat);
        house.until("the cheat is registered", Duration::from_secs(30), || {
            house.log(party)[before.log..].contains("registered")
        });
        let id = house.again(&job.job, inspection, FRAMES, cheat);
        let done = house.finish(id, JOB_LIMIT, || {
            server.check();
            honest.check();
            if *end != End::Lost {
                running.check();
            }
        });
        house.check_finished(&done, 4 + 4);
        check_cheat(&house, cheat, party, *end, says, &before, &done);
        if !running.has_ended() {
            running.stop();
        }
        check_honest(&house);
    }

    say("a frame in tiles");
    honest = tiles(&house, &mut server, honest, &say);

    say("a scene of an older Blender");
    older(&house);

    say("settling");
    let balances = house.settled();
    assert_eq!(
        balances.values().try_fold(Amount::ZERO, |sum, amount| sum.add(*amount)).unwrap(),
        Amount::ZERO
    );
    for running in validators.into_iter().chain([honest]) {
        running.stop();
    }
    server.stop();
    say("done");
}

/// A frame joined from tiles is the frame; who renders another tile, or joins them wrongly, is caught. Gives the honest provider back,
/// which was away so that the cheats get what they are to cheat at.
fn tiles(house: &House, server: &mut Running, mut honest: Running, say: &dyn Fn(&str)) -> Running {
    let wide = house.scene("wide", 1, (320, 192));
    let wide = |out: &str, more: &[&str]| {
        let out = house.home.path().join(out);
        let fixed =
            ["render", wide.to_str().unwrap(), "--frames", "1", "--no-video", "--yes", "--json", "--out"];
        house.must("buyer", &[&fixed[..], &[out.to_str().unwrap()], more].concat());
        std::fs::read(out.join("frames/frame_0001.png")).unwrap()
    };
    let whole = wide("whole", &[]);
    let joined = wide("joined", &["--tiles", "2x1"]);
    assert!(whole == joined, "a frame joined from its tiles has another picture");
    let (inspection, model) = rendered(house);
    let model = house.job(model);
    house.check_finished(&model, 2 + 1 + 1);
    for cheat in ["other-seed", "wrong-join"] {
        say(&format!("{cheat}, in tiles"));
        let before = Before {
            faults: house.account(TILE_CHEAT).account.stake_faults,
            log: house.log(TILE_CHEAT).len(),
        };
        let running = house.start_cheat(TILE_CHEAT, cheat);
        house.until("the cheat is registered", Duration::from_secs(30), || {
            house.log(TILE_CHEAT)[before.log..].contains("registered")
        });
        honest.stop();
        let id = house.again_in(&model.job, inspection, "1", &format!("{cheat} in tiles"), "2x1");
        house.until("it is slashed", JOB_LIMIT, || {
            server.check();
            house.account(TILE_CHEAT).account.stake_faults > before.faults
        });
        honest = house.start_node("honest", "provide");
        let done = house.finish(id, JOB_LIMIT, || server.check());
        house.check_finished(&done, 2 + 1 + 1);
        check_cheat(house, cheat, TILE_CHEAT, End::Slashed, "audits contradicted", &before, &done);
        running.stop();
        check_honest(house);
    }
    honest
}

/// A scene is rendered by the Blender that is nearest to the one that saved it.
fn older(house: &House) {
    let python = house.must("setup", &["provide", "environment", "blender-4.5", "--print-python"]);
    let scene = house.scene_by(Path::new(python.trim()), "older", 1, (96, 54));
    let out = house.home.path().join("old");
    let fixed = ["render", scene.to_str().unwrap(), "--no-video", "--yes", "--json", "--out"];
    house.must("buyer", &[&fixed[..], &[out.to_str().unwrap()]].concat());
    assert!(out.join("frames/frame_0001.png").is_file());
    let (inspection, render) = rendered(house);
    for id in [inspection, render] {
        assert_eq!(house.job(id).job.environment, "blender-4.5", "{id}");
    }
    let asked = [&fixed[..], &[out.to_str().unwrap(), "--environment", "blender-3.6"]].concat();
    assert!(house.tatau("buyer", &asked).err.contains("use one of: blender-5.0, blender-4.5"));
}

/// Starts every cheat once, until the platform has measured its card.
fn measure(house: &House, say: &dyn Fn(&str)) {
    let mut names: Vec<&str> = CHEATS.iter().map(|(_, party, ..)| *party).collect();
    names.dedup();
    names.push(TILE_CHEAT);
    say(&format!("measuring {} cards", names.len() + 1));
    for name in &names {
        house.stake(name);
    }
    let running: Vec<Running> = names.iter().map(|name| house.start_cheat(name, "tone")).collect();
    house.until("all cards are measured", Duration::from_mins(6), || {
        house.is_measured("honest") && names.iter().all(|name| house.is_measured(name))
    });
    for one in running {
        one.stop();
    }
}

/// How it was with an account before a case.
struct Before {
    faults: u64,
    log: usize,
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

fn check_cheat(
    house: &House,
    cheat: &str,
    party: &str,
    end: End,
    says: &str,
    before: &Before,
    view: &JobView,
) {
    let own = lines_of(view, house.key(party).address(), cheat);
    let log = house.log(party)[before.log..].to_owned();
    let context = format!("{cheat}:\n{:#?}\nits log:\n{log}", stories(view));
    assert!(!own.is_empty(), "it took no part\n{context}");
    assert!(
        own.iter().any(|line| line.contains(says)) || log.contains(says),
        "nobody says '{says}'\n{context}"
    );
    let notable = ["foreign receipt", "same receipt", "second receipt", "lost"];
    for line in log.lines().filter(|line| notable.iter().any(|word| line.starts_with(word))) {
        eprintln!("        it hears: {line}");
    }
    for line in own.iter().filter(|line| !line.contains(": accepted")) {
        eprintln!("        the buyer hears: {line}");
    }
    let of = |words: &str| own.iter().filter(|line| line.contains(words)).count();
    // What it does once is not paid, once; all else that it did was honest.
    let (unpaid, taken, void) =
        (of("it was not paid"), of("were taken from it"), of("ended without a result"));
    let expected = match end {
        End::Slashed => (1, 1, 0),
        End::Withheld => (1, 0, 0),
        End::Lost => (0, 0, 1),
        End::Refused => (0, 0, 0),
    };
    let void = void.min(1);
    assert_eq!((unpaid, taken, void), expected, "{context}");
    let faults = house.account(party).account.stake_faults - before.faults;
    assert_eq!(faults, u64::from(end == End::Slashed), "{context}");
    if end == End::Refused {
        assert!(of(": accepted") > 0, "{context}");
        // Not one receipt on the side was taken: each answer is one sentence that says why.
        for line in
            log.lines().filter(|l| l.starts_with("foreign receipt") || l.starts_with("second receipt"))
        {
            assert!(!line.ends_with(": accepted"), "{line}\n{context}");
            let codes = ["conflict", "not_yours", "not_found", "forbidden", "unauthorized"];
            assert!(codes.iter().any(|code| line.contains(code)), "{line}\n{context}");
        }
    }
}

/// What became of the tasks of an owner that it cheats at.
fn lines_of(view: &JobView, owner: Address, cheat: &str) -> Vec<String> {
    let mark = format!("by {}", &owner.to_string()[..8]);
    let cheated = |work: &Work| match work {
        Work::Render { .. } => !["garbage-png", "wrong-join"].contains(&cheat),
        Work::Stitch { .. } => cheat == "wrong-join",
        Work::Finish { .. } => cheat == "garbage-png",
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
