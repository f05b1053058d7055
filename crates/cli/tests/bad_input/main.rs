//! Bad input and hostile buyers against the whole system: a real platform, providers, validators and sandboxes.
//!
//! Every case: the right exit code, one sentence that says what to do (for people and as JSON), no accident, no hang, no money lost
//! but for a small inspection. One market serves all cases; all failures are told at the end. Needs the environment
//! (`tatau provide environment blender-5.0`); where it is not made yet, the test says so and passes over.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod bundles;
mod hostile;
mod market;
mod requests;
mod results;
mod scenes;
#[path = "../support/mod.rs"]
mod support;

use market::{STAYING, case};
use std::time::Duration;

#[test]
fn bad_input_has_one_sentence_and_costs_next_to_nothing() {
    let Some(mut market) = market::open() else { return };
    let mut failures = Vec::new();
    let mut run = |name: &str, act: fn(&market::Market)| case(&mut failures, name, || act(&market));

    // Nothing is asked of the providers yet: they measure their cards meanwhile.
    run("files that are no scenes", scenes::no_scenes);
    run("frame lists", requests::frame_lists);
    run("wrong words, with JSON", requests::wrong_words);
    run("folders that cannot be written", requests::unwritable_folders);
    run("a server that is away", requests::a_server_that_is_away);
    run("a wrong token", requests::a_wrong_token);
    run("an emptied account", requests::an_emptied_account);
    run("hostile Python, rehearsed", hostile::rehearsal);

    // From here on nothing works without a first good inspection.
    run("a bundle of a good scene", bundles::a_good_one);
    run("bundles that are none", bundles::bad_ones);
    run("a price above the limit", requests::too_dear);
    run("a job dearer than the account", requests::more_than_there_is);
    run("damaged scenes", scenes::damaged);
    run("the same damage again and again", scenes::damage_again);
    run("missing files", scenes::missing_files);
    run("scenes that cannot be rendered", scenes::unfit);
    run("hostile Python, refused", hostile::refused);
    run("hostile Python, asleep", hostile::asleep);
    run("a bundle with hostile names", bundles::hostile_names);
    run("interrupted, synced, asked again", results::interrupted);
    run("foreign files in the folder", results::foreign_files);
    run("jobs of others and of nobody", results::others_jobs);

    case(&mut failures, "a careless provider instead", || {
        let cache = market.cache.clone();
        market.careless_provider(&cache);
    });
    case(&mut failures, "hostile Python, let loose", || hostile::let_loose(&market));
    for name in ["server", "v1", "v2"] {
        case(&mut failures, &format!("{name} stays"), || {
            assert!(market.house.stays(name), "{name} died: {}", market.house.log(name));
        });
    }

    let mut run = |name: &str, act: fn(&market::Market)| case(&mut failures, name, || act(&market));
    run("the market is whole", |market| {
        for name in STAYING {
            let log = market.house.log(name);
            assert!(!log.contains("panicked") && !log.contains("fault of tatau"), "{name}: {log}");
        }
        hostile::no_trace(market);
        let ok = |m: &support::House| m.run("server", &["admin", "audit-books", "--json"]).code(0).json();
        let books = ok(&market.house);
        assert_eq!((&books["balanced"], &books["sum"]), (&true.into(), &0.into()), "{books}");
        // Every provider still works: whoever died would not come back to say so.
        market.house.wait("an idle market", Duration::from_secs(20), |house| {
            let jobs = house.run("ana", &["jobs", "--json"]).code(0).json();
            jobs.as_array().unwrap().iter().all(|job| job["state"] != "running")
        });
    });
    assert!(failures.is_empty(), "{} cases failed:\n\n{}", failures.len(), failures.join("\n\n"));
}
