//! `tatau provide install`, `uninstall` and `page`, with a systemd that only writes down what it is told.

#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

use crate::support::{House, Ran, ran};
use std::{fs, os::unix::fs::PermissionsExt, path::PathBuf, time::Duration};

/// Programs of that name that log their words; `fails` makes them fail.
fn pretend(house: &House, names: &[&str]) -> PathBuf {
    let folder = house.path("bin");
    fs::create_dir_all(&folder).unwrap();
    for name in names {
        let path = folder.join(name);
        let log = house.path("told.log");
        let fails = house.path("fails");
        let script = format!(
            "#!/bin/sh\necho {name} \"$@\" >> '{}'\nif [ -e '{}' ]; then echo 'Failed to connect to bus' >&2; exit 1; fi\n",
            log.display(),
            fails.display()
        );
        fs::write(&path, script).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    }
    folder
}

fn run(house: &House, bin: &PathBuf, words: &[&str]) -> Ran {
    ran(house.command("p", words).env("PATH", bin).output().unwrap())
}

fn told(house: &House) -> Vec<String> {
    let text = fs::read_to_string(house.path("told.log")).unwrap_or_default();
    let _ = fs::remove_file(house.path("told.log"));
    text.lines().map(str::to_owned).collect()
}

#[test]
fn a_service_is_installed_again_and_taken_away() {
    let house = House::new();
    let bin = pretend(&house, &["systemctl", "loginctl"]);
    let unit = house.path("home/.config/systemd/user/tatau-provide.service");
    let install = [
        "provide",
        "install",
        "--slots",
        "2",
        "--name",
        "a 100% \"rig\"",
        "--ask",
        "0.8",
        "--server",
        "http://127.0.0.1:9",
    ];
    run(&house, &bin, &install).code(0);
    let text = fs::read_to_string(&unit).unwrap();
    let line = text.lines().find(|line| line.starts_with("ExecStart=")).unwrap().to_owned();
    for words in [
        r#""provide""#,
        r#""--server" "http://127.0.0.1:9""#,
        r#""--slots" "2""#,
        r#""a 100%% \"rig\"""#,
        "--no-open",
    ] {
        assert!(line.contains(words), "{words}: {line}");
    }
    assert!(!line.contains("0.8"), "the price is a setting, so that the page can change it");
    let settings = fs::read_to_string(house.path("p/node/provider.json")).unwrap();
    assert!(settings.contains("800000000") && settings.contains(r#""working": true"#), "{settings}");
    let first = told(&house);
    for words in [
        "systemctl --user enable tatau-provide.service",
        "systemctl --user restart tatau-provide.service",
        "loginctl enable-linger",
    ] {
        assert!(first.iter().any(|line| line == words), "{words}: {first:?}");
    }
    run(&house, &bin, &install).code(0);
    assert_eq!(fs::read_to_string(&unit).unwrap(), text, "a second time changes nothing");
    told(&house);
    run(&house, &bin, &["provide", "uninstall"]).code(0);
    assert!(!unit.exists());
    assert!(told(&house).iter().any(|line| line == "systemctl --user disable --now tatau-provide.service"));
    assert!(run(&house, &bin, &["provide", "uninstall"]).code(0).err.contains("nothing is installed"));
}

#[test]
fn a_unit_of_somebody_elses_and_a_machine_without_systemd_are_left_alone() {
    let house = House::new();
    let empty = house.path("empty");
    fs::create_dir_all(&empty).unwrap();
    let unit = house.path("home/.config/systemd/user/tatau-provide.service");
    let refused = run(&house, &empty, &["provide", "install"]).code(2);
    assert!(refused.err.contains("there is no systemctl") && !unit.exists(), "{}", refused.err);
    let bin = pretend(&house, &["systemctl", "loginctl"]);
    fs::write(house.path("fails"), "").unwrap();
    let refused = run(&house, &bin, &["provide", "install"]).code(2);
    assert!(refused.err.contains("connect to bus") && !unit.exists(), "{}", refused.err);
    fs::remove_file(house.path("fails")).unwrap();
    fs::create_dir_all(unit.parent().unwrap()).unwrap();
    fs::write(&unit, "[Service]\nExecStart=/bin/true\n").unwrap();
    for verb in ["install", "uninstall"] {
        let refused = run(&house, &bin, &["provide", verb]).code(2);
        assert!(refused.err.contains("not written by Tatau"), "{}", refused.err);
    }
    assert!(fs::read_to_string(&unit).unwrap().contains("/bin/true"));
}

#[test]
fn the_page_is_found_again_and_refuses_the_network() {
    let mut house = House::new();
    assert!(house.run("p", &["provide", "page"]).code(2).err.contains("ever had a page"));
    let refused = house.run("p", &["provide", "--page", "0.0.0.0:0"]).code(2);
    assert!(refused.err.contains("this machine alone"), "{}", refused.err);
    // No server is there: it waits for one, and its page is there meanwhile.
    house.server = Some("http://127.0.0.1:9".into());
    house.start("p", &["provide", "--page", "127.0.0.1:0", "--no-open"]);
    house.wait("the page", Duration::from_secs(20), |house| house.log("p").contains("/open?key="));
    let link = house.run("p", &["provide", "page", "--print"]).code(0).out.trim().to_owned();
    assert!(link.starts_with("http://127.0.0.1:") && house.log("p").contains(&link));
}
