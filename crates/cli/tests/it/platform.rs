//! Verbs against a real server without providers.

use crate::support::{House, looks_like_a_scene, ran, signal};
use nix::sys::signal::Signal;
use std::{process::Stdio, time::Duration};

#[test]
fn money_tokens_and_books() {
    let mut house = House::new();
    house.serve(&["--no-judge"]);
    let credit = house.run("ana", &["wallet", "--json"]).code(0).json();
    assert_eq!(credit["total"], 100_000_000_000_i64);
    let staked = house.run("ana", &["wallet", "stake", "12.5", "--json"]).code(0).json();
    let stake = staked["balances"]
        .as_array()
        .unwrap()
        .iter()
        .find(|b| b["account"].as_str().unwrap().ends_with("stake-free"));
    assert_eq!(stake.unwrap()["amount"], 12_500_000_000_i64);
    let refused = house.run("ana", &["wallet", "stake", "1000"]).code(3);
    assert!(refused.err.starts_with("error: "), "{}", refused.err);
    let statement = house.run("ana", &["wallet", "statement", "--json"]).code(0).json();
    assert!(statement.as_array().unwrap().len() >= 3, "{statement}");

    let token =
        house.run("ana", &["token", "farm", "--json"]).code(0).json()["token"].as_str().unwrap().to_owned();
    let mut with_token = house.command("nobody", &["wallet", "--json"]);
    let seen = ran(with_token.env("TATAU_TOKEN", &token).output().unwrap()).code(0).json();
    assert_eq!(seen["owner"], credit["owner"]);
    assert!(!house.path("nobody/owner.key").exists(), "a token needs no key");
    let wrong =
        ran(house.command("nobody", &["wallet"]).env("TATAU_TOKEN", format!("{token}x")).output().unwrap());
    assert!(wrong.code(3).err.contains("error: "));

    let books = house.run("server", &["admin", "audit-books", "--json"]).code(0).json();
    assert_eq!((&books["balanced"], &books["sum"]), (&true.into(), &0.into()));
    let whole = house.run("server", &["admin", "backup", "copy", "--json"]).code(0).json();
    assert_eq!(whole["missing"], 0, "{whole}");
    house.run("server", &["admin", "backup", "copy"]).code(0);
    let refused = house.run("server", &["admin", "restore", "copy"]).code(1);
    assert!(refused.err.contains("holds a server's data"), "{}", refused.err);
    let refused = house.run("server", &["admin", "backup", "."]).code(1);
    assert!(refused.err.contains("no backup"), "{}", refused.err);
    house.run("second", &["admin", "restore", "copy"]).code(0);
    // The copy serves: the same accounts, the same money.
    let second = ["serve", "--local", "--no-judge", "--listen", "127.0.0.1:0"];
    house.start_command("second", house.command("second", &second));
    let file = house.path("second/server.json");
    house.wait("the restored server", Duration::from_secs(30), |_| file.is_file());
    let ready: serde_json::Value = serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap();
    let there =
        house.run("ana", &["wallet", "--json", "--server", ready["url"].as_str().unwrap()]).code(0).json();
    let here = house.run("ana", &["wallet", "--json"]).code(0).json();
    assert_eq!(there["balances"], here["balances"]);
    let refused = house.run("third", &["admin", "restore", "."]).code(1);
    assert!(refused.err.contains("no whole backup"), "{}", refused.err);
    let server = house.server.clone().unwrap();
    house.run("ana", &["login", &server]).code(0);
    house.server = None;
    assert_eq!(house.run("ana", &["jobs", "--json"]).code(0).json(), serde_json::json!([]));
    assert!(house.run("ana", &["job", "job-99"]).code(3).err.contains("job-99"));
    house.run("ana", &["cancel", "job-99"]).code(3);
    house.run("ana", &["sync", "job-99", "out"]).code(3);
}

#[test]
fn interrupting_an_inspection_pays_no_render_and_can_be_repeated() {
    let mut house = House::new();
    house.serve(&["--no-judge"]);
    looks_like_a_scene(&house.path("scene.blend"));
    for _ in 0..2 {
        let child = house
            .command("ana", &["render", "scene.blend", "--frames", "1", "--out", "out", "--yes", "--json"])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // Nobody inspects: it waits, after one job was made.
        house.wait("the inspection", Duration::from_secs(20), |house| {
            !house.run("ana", &["jobs", "--json"]).code(0).json().as_array().unwrap().is_empty()
        });
        std::thread::sleep(Duration::from_millis(300));
        signal(child.id(), Signal::SIGINT);
        let ran = ran(child.wait_with_output().unwrap()).code(130);
        assert!(ran.err.contains("no render was paid"), "{}", ran.err);
        let events: Vec<_> =
            ran.lines().iter().map(|line| line["event"].as_str().unwrap_or("error").to_owned()).collect();
        assert!(events.contains(&"inspecting".to_owned()), "{events:?}");
    }
    let jobs = house.run("ana", &["jobs", "--json"]).code(0).json();
    assert_eq!(jobs.as_array().unwrap().len(), 1, "the second run found the first one's inspection: {jobs}");
    let id = jobs[0]["id"].to_string();
    assert_eq!(house.run("ana", &["cancel", &id, "--json"]).code(0).json()["state"], "cancelled");
    let wallet = house.run("ana", &["wallet", "--json"]).code(0).json();
    assert_eq!(wallet["total"], 100_000_000_000_i64);
}

#[test]
fn too_little_money_is_refused() {
    let mut house = House::new();
    std::fs::write(house.path("rules.json"), r#"{"starter_credit": 1000}"#).unwrap();
    house.serve(&["--no-judge", "--rules", "rules.json"]);
    looks_like_a_scene(&house.path("scene.blend"));
    let ran = house.run("ana", &["render", "scene.blend", "--frames", "1", "--out", "out", "--yes"]).code(3);
    assert!(ran.err.contains("hint: `tatau wallet`"), "{}", ran.err);
    std::fs::write(house.path("rules.json"), r#"{"starter_kredit": 1000}"#).unwrap();
    let ran = house.run("other", &["serve", "--listen", "127.0.0.1:0", "--rules", "rules.json"]).code(2);
    assert!(ran.err.contains("starter_kredit"), "{}", ran.err);
}

#[test]
fn ctrl_c_is_heard_while_a_server_that_is_away_is_waited_for() {
    let house = House::new();
    looks_like_a_scene(&house.path("scene.blend"));
    let away = ["render", "scene.blend", "--out", "out", "--yes", "--server", "http://127.0.0.1:9"];
    let said = house.path("said");
    let log = std::fs::File::create(&said).unwrap();
    let mut child = house.command("ana", &away).stdout(Stdio::null()).stderr(log).spawn().unwrap();
    house.wait("the word that nobody answers", Duration::from_secs(8), |_| {
        std::fs::read_to_string(&said).is_ok_and(|said| said.contains("trying on"))
    });
    signal(child.id(), Signal::SIGINT);
    house.wait("the end", Duration::from_secs(5), |_| child.try_wait().unwrap().is_some());
    assert_eq!(child.wait().unwrap().code(), Some(130));
    assert!(std::fs::read_to_string(&said).unwrap().contains("no render was paid"));
}
