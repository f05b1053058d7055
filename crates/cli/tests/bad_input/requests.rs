//! What is asked for in a wrong way, without a server, without a right, or without money.

use crate::market::{Market, SMALL};
use std::fs;

pub fn frame_lists(market: &Market) {
    let good = market.path("scenes/good.blend");
    for (frames, words) in [
        ("", "no frames are given; write"),
        (" ", "no frames are given; write"),
        ("24-1", "runs backwards; write the smaller frame first"),
        ("1-9999999", "too large"),
        ("99999999999999999999", "too large"),
        ("1-100001", "more than 100000 frames; split it"),
        ("one", "no frame and no range of frames; write"),
        ("1-", "no frame and no range of frames; write"),
        ("1,,2", "no frame and no range of frames; write"),
        ("1-10:0", "step"),
        ("1-10:-1", "step"),
        ("$(id)", "no frame and no range of frames; write"),
        ("\u{1b}[2J", "no frame and no range of frames; write"),
    ] {
        market.refused("ana", &["render", &good, "--frames", frames, "--out", "never"], 2, &[words]);
    }
    let hostile = "1-100000,".repeat(2_000);
    market.refused("ana", &["render", &good, "--frames", &hostile, "--out", "never"], 2, &["frames"]);
    assert!(!market.house.path("never").exists());
}

/// Also what the argument parser refuses is JSON for programs.
pub fn wrong_words(market: &Market) {
    let good = market.path("scenes/good.blend");
    let render = |more: &[&str], words: &[&str]| {
        market.refused("ana", &[&["render", &good, "--out", "never"], more].concat(), 2, words);
    };
    render(&["--max-price", "1e3"], &["--max-price", "not an amount"]);
    render(&["--max-price", "0"], &["more than zero"]);
    render(&["--class", "abacus"], &["no such class", "cpu"]);
    render(&["--frobnicate"], &["--frobnicate", "--help"]);
    render(&["--assets", "nowhere"], &["there is no folder nowhere", "name one that exists"]);
    market.refused("ana", &["render"], 2, &["--out", "--help"]);
    market.refused("ana", &["job", "attempt-1"], 2, &["job number such as job-12"]);
}

pub fn unwritable_folders(market: &Market) {
    let good = market.path("scenes/good.blend");
    fs::write(market.house.path("a-file"), b"mine").unwrap();
    for out in ["a-file", "a-file/below", "/proc", "/proc/nowhere"] {
        let words = [out.split('/').next_back().unwrap(), "choose another"];
        market.refused("ana", &["render", &good, "--out", out], 2, &words);
        market.refused("ana", &["sync", "job-1", out], 2, &words);
        if out != "/proc" {
            market.refused("ana", &["render", &good, "--out", "o", "--bundle", out], 2, &words);
        }
    }
    assert_eq!(fs::read(market.house.path("a-file")).unwrap(), b"mine");
    assert!(!market.house.path("ana/owner.key").exists(), "nothing is sent, nothing needs a key");
}

pub fn a_server_that_is_away(market: &Market) {
    let good = market.path("scenes/good.blend");
    let away = ["--server", "http://127.0.0.1:1"];
    let words = ["cannot be reached", "tatau serve --local", "--server"];
    market.refused("ana", &[&["render", &good, "--out", "away"], &away[..]].concat(), 4, &words);
    market.refused("ana", &["jobs", "--server", "not an address"], 2, &["server address"]);
}

pub fn a_wrong_token(market: &Market) {
    let good = market.path("scenes/good.blend");
    for arguments in
        [&["wallet"][..], &["jobs"], &["render", &good, "--frames", "1", "--out", "never-2", "--yes"]]
    {
        for token in ["tatau_wrong", "x y\u{7f}", "\u{e9}"] {
            let mut command = market.house.command("nobody", arguments);
            command.env("TATAU_TOKEN", token).arg("--json");
            let ended = market.run_command(command, arguments);
            assert!(matches!(ended.code, Some(2 | 3)), "{token:?}: {ended:?}");
            assert!(ended.err.contains("token"), "{token:?}: {}", ended.err);
            assert_eq!(ended.lines().pop().unwrap()["error"]["exit"], ended.code.unwrap());
        }
    }
    assert!(!market.house.path("nobody/owner.key").exists(), "a token needs no key");
}

pub fn an_emptied_account(market: &Market) {
    let good = market.path("scenes/good.blend");
    market.run("poor", &["wallet", "stake", "99.9999999"]).code(0);
    let before = market.money("poor");
    let render = ["render", &good, "--frames", "1", "--out", "poor-out", "--yes"];
    market.refused("poor", &render, 3, &["0.0000001 TATAU", "tatau wallet", "unstake"]);
    market.refused("poor", &["wallet", "stake", "5"], 3, &["0.0000001 TATAU"]);
    assert_eq!(market.money("poor"), before);
    let jobs = market.run("poor", &["jobs", "--json"]).code(0).json();
    assert_eq!(jobs, serde_json::json!([]), "a job without money");
}

pub fn too_dear(market: &Market) {
    let good = market.path("scenes/good.blend");
    let render = ["render", &good, "--frames", "1", "--out", "dear", "--yes", "--max-price", "0.000000001"];
    market.refused_cheaply(&render, 3, &["above the 0.000000001 allowed", "raise --max-price"], 0);
    let unasked = ["render", &good, "--frames", "1", "--out", "dear"];
    market.refused_cheaply(&unasked, 3, &["not paid", "add --yes"], 0);
}

/// Legal, huge, and more than the buyer has once the stake is put away.
pub fn more_than_there_is(market: &Market) {
    let good = market.path("scenes/good.blend");
    market.run("rich", &["wallet", "stake", "99.8"]).code(0);
    let before = market.money("rich");
    let render = ["render", &good, "--frames", "1-100000", "--out", "huge", "--yes"];
    market.refused("rich", &render, 3, &["a video has at most 20,000 frames", "leave it out"]);
    let stills = [&render[..], &["--no-video"]].concat();
    market.refused("rich", &stills, 3, &["TATAU", "are needed", "tatau wallet"]);
    assert!((0..=SMALL).contains(&(before - market.money("rich"))));
}
