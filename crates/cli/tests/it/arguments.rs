//! Wrong words and wrong files: exit codes, one sentence, nothing made and nothing sent.

use crate::support::{House, looks_like_a_scene};
use std::os::unix::fs::PermissionsExt;

#[test]
fn wrong_arguments_are_usage_errors_before_anything_is_sent() {
    let mut house = House::new();
    // Nobody listens there: whoever asks it gets exit code 4, not 2.
    house.server = Some("http://127.0.0.1:1".into());
    looks_like_a_scene(&house.path("scene.blend"));
    std::fs::write(house.path("text.blend"), "no scene").unwrap();
    let cases: &[(&[&str], &str)] = &[
        (&["frobnicate"], "unrecognized"),
        (&["watch", ".", "--out", "o"], "--max-price"),
        (&["watch", ".", "--out", "o", "--", "--max-price", "1", "--nonsense"], "--nonsense"),
        (&["watch", "nowhere", "--out", "o", "--", "--max-price", "1"], "there is no folder nowhere"),
        (&["render", "none.blend", "--out", "o"], "there is no file none.blend"),
        (&["render", "text.blend", "--out", "o"], "no Blender file"),
        (&["render", "scene.blend", "--out", "o", "--frames", ""], "no frames"),
        (&["render", "scene.blend", "--out", "o", "--frames", "9-1"], "backwards"),
        (&["render", "scene.blend", "--out", "o", "--frames", "1-9999999"], "too large"),
        (&["render", "scene.blend", "--out", "o", "--frames", "1-1000000"], "100000"),
        (&["render", "scene.blend", "--out", "o", "--frames", "one"], "no frame"),
        (&["render", "scene.blend", "--out", "o", "--max-price", "-1"], "--max-price"),
        (&["render", "scene.blend", "--out", "o", "--max-price", "0"], "--max-price"),
        (&["render", "scene.blend", "--out", "o", "--max-price", "1e3"], "not an amount"),
        (&["render", "scene.blend", "--out", "o", "--class", "abacus"], "no such class"),
        (&["render", "scene.blend", "--out", "o", "--strategy", "slow"], "cheapest, balanced, fastest"),
        (&["submit", "nothing", "--out", "o"], "no bundle folder"),
        (&["submit", ".", "--out", "o"], "no template.yaml"),
        (&["sync", "what", "o"], "not a job number"),
        (&["job", "attempt-1"], "not a job number"),
        (&["wallet", "stake", "0"], "more than zero"),
        (&["wallet", "show"], "wallet new"),
        (&["provide", "--ask", "0"], "--ask"),
        (&["provide", "environment", "octane"], "not known"),
        (&["serve", "--local", "--listen", "0.0.0.0:0"], "--local"),
        (&["jobs", "--server", "nonsense"], "no server address"),
        (&["admin", "audit-books"], "--token-file"),
    ];
    for (arguments, words) in cases {
        let ran = house.run("me", arguments);
        assert_eq!(ran.code, Some(2), "{arguments:?}: {}", ran.err);
        assert!(ran.err.contains(words), "{arguments:?}: {}", ran.err);
        assert!(ran.err.contains("error: ") && !ran.err.contains("panicked"), "{arguments:?}: {}", ran.err);
        assert!(ran.out.is_empty(), "{arguments:?}: {}", ran.out);
    }
    assert!(!house.path("o").exists(), "a refused render made a folder");
}

#[test]
fn a_server_that_is_away_has_its_own_code() {
    let mut house = House::new();
    house.server = Some("http://127.0.0.1:1".into());
    let ran = house.run("me", &["login", "http://127.0.0.1:1", "--json"]).code(4);
    assert_eq!(ran.json()["error"]["exit"], 4);
    assert!(ran.err.contains("cannot be reached") && ran.err.contains("hint: "), "{}", ran.err);
    assert!(!house.path("home/.config/tatau/config.json").exists());
}

#[test]
fn the_owners_key_is_made_once_and_for_its_owner_only() {
    let house = House::new();
    let made = house.run("me", &["wallet", "new", "--json"]).code(0);
    assert!(made.err.contains("back it up"), "{}", made.err);
    let key = house.path("me/owner.key");
    assert_eq!(key.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    assert!(house.run("me", &["wallet", "new"]).code(2).err.contains("there is a key already"));
    assert_eq!(
        house.run("me", &["wallet", "show", "--json"]).code(0).json()["account"],
        made.json()["account"]
    );
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o644)).unwrap();
    assert!(house.run("me", &["wallet", "show"]).code(2).err.contains("chmod 600"));
}

#[test]
fn a_reader_that_goes_away_is_no_error() {
    let house = House::new();
    let script = format!(
        "for i in 1 2 3; do {} wallet backup-hint; done | head -1 >/dev/null; echo ${{PIPESTATUS[0]}}",
        env!("CARGO_BIN_EXE_tatau")
    );
    let ran = std::process::Command::new("bash")
        .args(["-c", &script])
        .env("TATAU_DATA", house.path("me"))
        .output()
        .unwrap();
    let ran = crate::support::ran(ran);
    assert_eq!((ran.out.trim(), ran.err.as_str()), ("0", ""));
}

#[test]
fn help_names_the_exit_codes_and_every_verb_has_help() {
    let house = House::new();
    let help = house.run("me", &["--help"]).code(0).out;
    for words in ["Exit codes:", "130", "Examples:", "owner.key"] {
        assert!(help.contains(words), "{words}");
    }
    assert!(!help.contains("session"), "hidden");
    let verbs = [
        "render", "submit", "watch", "edit", "sync", "jobs", "job", "logs", "cancel", "forget", "resume",
        "wallet", "login", "token", "provide", "validate", "serve", "admin", "demo",
    ];
    for verb in verbs {
        assert!(
            !house.run("me", &[verb, "--help"]).code(0).out.contains('\x1b'),
            "{verb}: colours in a pipe"
        );
    }
}
