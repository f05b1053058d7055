//! Rendering on graphics cards through the whole market: real processes, the real renderer, and a stand-in where a card would be (what
//! is asked of it is rendered on the processor, a shade brighter). No card is used: what Cycles does on one is tried by `tatau provide`
//! before it offers any.
#![allow(clippy::unwrap_used)]

use crate::house::{House, stories};
use std::{fs, time::Duration};
use tatau_client::Credentials;
use tatau_model::{CardKind, Device, JobKind, Node, Work};

const LIMIT: Duration = Duration::from_mins(4);

#[test]
fn a_scene_is_rendered_and_checked_on_graphics_cards_and_finished_on_processors() {
    let house = House::new();
    let server = house.serve();
    for party in ["processor", "card", "checker", "card-checker-1", "card-checker-2"] {
        house.stake(party);
    }
    let mut running =
        vec![server, house.start_node("processor", "provide"), house.start_node("checker", "validate")];
    for (party, verb) in [("card-checker-1", "validate"), ("card-checker-2", "validate"), ("card", "provide")]
    {
        running.push(house.start_stand_in(party, verb, &[]));
    }
    house.until("all cards are measured", LIMIT, || {
        running.iter_mut().for_each(super::house::Running::check);
        let placed = |party: &str, cards: usize| {
            node(&house, party).is_some_and(|node| {
                node.cards.len() == cards && node.cards.iter().all(|card| card.score_milli.is_some())
            })
        };
        placed("processor", 1) && placed("card", 2)
    });
    let card = node(&house, "card").unwrap();
    assert_eq!(card.cards[1].devices, [Device::Optix, Device::Cuda], "both were tried, and rendered");
    assert_eq!((card.cards[1].kind, card.cards[0].memory_mib), (CardKind::Gpu, 1_500));

    let scene = house.tiny_scene(2);
    let render = |out: &str, more: &[&str]| {
        let out = house.home.path().join(out);
        let fixed =
            ["render", scene.to_str().unwrap(), "--frames", "1-2", "--yes", "--no-video", "--json", "--out"];
        house.tatau("buyer", &[&fixed[..], &[out.to_str().unwrap()], more].concat())
    };
    let exr = |out: &str| fs::read(house.home.path().join(out).join("frames/frame_0001.exr")).unwrap();
    let said = render("plain", &[]);
    assert!(said.ok, "{}", said.err);
    let said = render("bright", &["--class", "rtx-3080"]);
    assert!(said.ok, "{}", said.err);
    assert!(exr("plain") != exr("bright"), "what processors had rendered was taken for what a card renders");
    let id = house.jobs().into_iter().find(|job| matches!(&job.kind, JobKind::Render(_))).unwrap().id;
    let done = house.finish(id, LIMIT, || {});
    house.check_finished(&done, 4);
    let JobKind::Render(spec) = &done.job.kind else { panic!("{:?}", done.job.kind) };
    assert_eq!(spec.device, Device::Optix, "what the class usually renders on");
    for task in &done.tasks {
        let told = task.story.join("\n");
        let by_card = told.contains(&card.owner.to_string()[..8]);
        assert!(by_card || !matches!(task.work, Work::Render { .. }), "{}: {told}", task.work.label());
    }

    // Another device is another picture: neither a folder nor a class mixes them.
    let said = render("plain", &["--device", "optix"]);
    assert!(!said.ok && said.err.contains("rendered something else"), "{}", said.err);
    let said = render("none", &["--class", "rtx-3080", "--device", "hip"]);
    assert!(!said.ok && said.err.contains("render on optix or cuda, not on hip"), "{}", said.err);
    let said = render("none", &["--device", "hip"]);
    assert!(!said.ok && said.err.contains("by HIP"), "{}", said.err);

    // A cheat: not paid, not slashed.
    running.pop().unwrap().stop();
    house.stake("cheat");
    running.push(house.start_stand_in("cheat", "provide", &["--cheat", "tone"]));
    house.until("the cheat's card is measured", LIMIT, || {
        node(&house, "cheat").is_some_and(|node| node.cards.iter().all(|card| card.score_milli.is_some()))
    });
    let inspection = house.jobs().into_iter().find(|job| job.kind == JobKind::Inspect).unwrap().id;
    let id = house.again(&done.job, inspection, "1-2", "cheated");
    house.until("the cheat is contradicted", LIMIT, || {
        stories(&house.job(id)).iter().any(|line| line.contains("was not measured"))
    });
    let account = house.account("cheat").account;
    assert_eq!((account.stake_faults, account.accepted), (0, 0), "{account:?}");
    house.must("buyer", &["cancel", &id.to_string()]);
    for running in running.into_iter().rev() {
        running.stop();
    }
}

fn node(house: &House, party: &str) -> Option<Node> {
    let key = tatau_evidence::load(&house.data(party).join("node").join("node.key")).ok()?;
    house.wait(house.client(Credentials::Key(key)).node()).ok()
}
