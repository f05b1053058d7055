//! Kills the real server and agents at random moments of a real job: nothing is lost, nothing is paid twice, the books balance.
//! A campaign (`FAULTS=all`) freezes them as well, and cuts, holds up and slows down the network between them.
#![allow(clippy::unwrap_used)]

use crate::house::{House, Line, Running};
use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};
use std::time::{Duration, Instant};
use tatau_model::{Amount, JobKind};

const FRAMES: u32 = 16;

fn number(name: &str, otherwise: u64) -> u64 {
    std::env::var(name)
        .map_or(otherwise, |text| text.parse().unwrap_or_else(|_| panic!("{name} is no number")))
}

#[test]
fn kills_lose_nothing_and_pay_nothing_twice() {
    let started = Instant::now();
    let say = |words: &str| eprintln!("[{:>3} s] {words}", started.elapsed().as_secs());
    let kills = number("KILLS", 50);
    let seed = number("SEED", u64::from(std::process::id()));
    say(&format!("{kills} kills; again with SEED={seed}"));
    let mut dice = ChaCha8Rng::seed_from_u64(seed);

    let mut house = House::new();
    // Nobody is silent on purpose here.
    house.delivery_ms = 60_000;
    let everything = std::env::var("FAULTS").is_ok_and(|faults| faults == "all");
    let line = Line::new(house.url.strip_prefix("http://").unwrap());
    house.line = everything.then(|| line.url.clone());
    let mut all = vec![house.serve()];
    for (party, verb) in
        [("one", "provide"), ("two", "provide"), ("validator-1", "validate"), ("validator-2", "validate")]
    {
        house.stake(party);
        all.push(house.start_node(party, verb));
    }
    house.until("all cards are measured", Duration::from_mins(4), || {
        house.is_measured("one") && house.is_measured("two")
    });
    let scene = house.tiny_scene(FRAMES);
    let (scene, out) = (scene.to_str().unwrap(), house.home.path().join("out"));
    house.must(
        "buyer",
        &["render", scene, "--frames", "1", "--out", out.to_str().unwrap(), "--yes", "--no-video", "--json"],
    );
    let jobs = house.jobs();
    let model = jobs.iter().find(|job| matches!(job.kind, JobKind::Render(_))).unwrap().clone();
    let inspection = jobs.iter().find(|job| job.kind == JobKind::Inspect).unwrap().id;

    let mut ids = vec![house.again(&model, inspection, &format!("1-{FRAMES}"), "crash-0")];
    let mut done = 0;
    let mut killed = [0u32; 5];
    let mut others = [0u32; 4];
    while done < kills {
        // In a campaign so far apart that work gets done meanwhile: a server that dies every few seconds never comes to comparing.
        let (pause, share) = if everything { (3_000, 8) } else { (1_400, 2) };
        std::thread::sleep(Duration::from_millis(below(&mut dice, pause) + 300));
        // Else the server as often as all others together: it holds the state.
        let which = if below(&mut dice, share) == 0 { 0 } else { 1 + below(&mut dice, 4) as usize };
        let time = |dice: &mut ChaCha8Rng, most| Duration::from_millis(100 + below(dice, most));
        match if everything { below(&mut dice, 10) } else { 0 } {
            0..5 => {
                all[which].kill_and_restart();
                killed[which] += 1;
            }
            5..7 => {
                all[which].freeze(time(&mut dice, 2_000));
                others[0] += 1;
            }
            7 => {
                line.cut();
                others[1] += 1;
            }
            8 => {
                line.hold(time(&mut dice, 3_000));
                others[2] += 1;
            }
            _ => {
                line.slow(time(&mut dice, 3_000));
                others[3] += 1;
            }
        }
        done += 1;
        if done % 10 == 0 {
            say(&format!(
                "{done} faults: kills of the server {}, of agents {:?}; frozen {}, network cut {}, held up {}, slowed {}",
                killed[0],
                &killed[1..],
                others[0],
                others[1],
                others[2],
                others[3]
            ));
            // The job must be under way at every kill.
            ids.extend(next_job(&house, &model, inspection, ids.len(), *ids.last().unwrap()));
        }
    }
    say("no more faults; the rest is finished in peace");
    for id in &ids {
        let view = house.finish(*id, Duration::from_mins(4), || check(&mut all));
        house.check_finished(&view, 2 * FRAMES as usize);
    }
    let balances = house.settled();
    assert_eq!(
        balances.values().try_fold(Amount::ZERO, |sum, amount| sum.add(*amount)).unwrap(),
        Amount::ZERO
    );
    for party in ["one", "two", "validator-1", "validator-2"] {
        assert_eq!(house.account(party).account.stake_faults, 0, "{party} was slashed for being killed");
    }
    // Every frame is there for its buyer.
    let synced = house.home.path().join("synced");
    house.must("buyer", &["sync", &ids[0].to_string(), synced.to_str().unwrap(), "--json"]);
    for frame in 1..=FRAMES {
        assert!(synced.join(format!("frames/frame_{frame:04}.png")).is_file(), "frame {frame} was lost");
    }
    while let Some(running) = all.pop() {
        running.stop();
    }
    say(&format!("nothing lost in {done} faults over {} jobs", ids.len()));
}

/// A further job if the last one is over (the server may be starting: then the next look decides).
fn next_job(
    house: &House,
    model: &tatau_model::Job,
    inspection: tatau_model::JobId,
    number: usize,
    last: tatau_model::JobId,
) -> Option<tatau_model::JobId> {
    house.until("the server answers", Duration::from_secs(30), || {
        house.wait(house.client(tatau_client::Credentials::None).healthz()).is_ok()
    });
    let view = house.job(last);
    eprintln!("        {last}: {} of {} frames verified", view.frames_done, view.frames_total);
    let over = view.job.state.is_ended();
    over.then(|| house.again(model, inspection, &format!("1-{FRAMES}"), &format!("crash-{number}")))
}

fn below(dice: &mut ChaCha8Rng, limit: u64) -> u64 {
    use rand_chacha::rand_core::Rng;
    dice.next_u64() % limit
}

fn check(all: &mut [Running]) {
    for one in all {
        one.check();
    }
}
