//! A session ends whole: by its close, by a drop, by its own hand, by the death of the agent.

#![allow(clippy::unwrap_used)] // a test

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use crate::support::{Place, assert_no_groups, groups, python_template, running, success, wait_until};
use tatau_sandbox::SandboxError;

#[tokio::test]
async fn a_task_that_kills_the_runner_ends_only_its_session() {
    for program in ["import os\nos.kill(-1, 9)", "import os\nos.kill(2, 9)\nimport time\ntime.sleep(30)"] {
        let mut place = Place::new();
        let (ran, _) = place.python(program).await;
        match ran {
            Err(SandboxError::Dead { sentence, .. }) => assert!(sentence.contains("killed"), "{sentence}"),
            other => panic!("{other:?}"),
        }
    }
    assert_no_groups();
}

#[tokio::test]
async fn a_daemon_left_behind_dies_with_the_session() {
    let mut place = Place::new();
    let template = python_template(
        "import os, time\nif os.fork() == 0:\n    os.setsid()\n    null = os.open('/dev/null', os.O_RDWR)\n    \
         for fd in (0, 1, 2): os.dup2(null, fd)\n    os.execv('/bin/sleep', ['tatau-left-behind', '1000'])\n\
         time.sleep(0.1)\n",
    );
    let mut session = place.start(&template).await.unwrap();
    let outputs = place.fresh_outputs();
    success(&session.run_task(&BTreeMap::new(), &outputs, &mut |_| {}).await.unwrap());
    assert_eq!(running("tatau-left-behind"), 1);
    session.close().await;
    assert_eq!(running("tatau-left-behind"), 0);
    assert_no_groups();
}

#[tokio::test]
async fn a_dropped_session_dies() {
    let mut place = Place::new();
    let template = python_template("import os\nos.execv('/bin/sleep', ['tatau-dropped', '1000'])\n");
    let mut session = place.start(&template).await.unwrap();
    let outputs = place.fresh_outputs();
    let none = BTreeMap::new();
    let mut quiet = |_| {};
    let ran =
        tokio::time::timeout(Duration::from_millis(700), session.run_task(&none, &outputs, &mut quiet)).await;
    assert!(ran.is_err());
    assert_eq!(running("tatau-dropped"), 1);
    drop(session);
    wait_until(|| running("tatau-dropped") == 0);
    wait_until(|| groups().is_empty());
}

/// Started again by the tests below as another process, told apart by this variable.
const ROLE: &str = "TATAU_TEST_ROLE";

fn again(role: &str) -> std::process::Command {
    again_from(&std::env::current_exe().unwrap(), role)
}

fn again_from(program: &Path, role: &str) -> std::process::Command {
    let mut command = std::process::Command::new(program);
    command.args(["--exact", "life::as_another_process", "--ignored", "--nocapture"]).env(ROLE, role);
    command
}

#[tokio::test]
#[ignore = "the other process of the tests below"]
async fn as_another_process() {
    let place = Place::new();
    let role = std::env::var(ROLE).unwrap_or_default();
    let mut session = match place
        .start(&python_template("open('/work/out/x', 'w').write('done')\nimport os\nprint(os.getuid())"))
        .await
    {
        Ok(session) => session,
        Err(error) => return println!("refused: {error}"),
    };
    if role == "killed" {
        let template = python_template("import os\nos.execv('/bin/sleep', ['tatau-orphan', '1000'])");
        let mut orphan = place.start(&template).await.unwrap();
        orphan.run_task(&BTreeMap::new(), place.root.path(), &mut |_| {}).await.unwrap();
    }
    let outcome = session.run_task(&BTreeMap::new(), place.root.path(), &mut |_| {}).await.unwrap();
    session.close().await;
    println!("ended: {outcome:?}");
}

#[test]
fn sandboxes_die_with_a_killed_agent() {
    let mut agent = again("killed").stdout(std::process::Stdio::null()).spawn().unwrap();
    wait_until(|| running("tatau-orphan") == 1);
    agent.kill().unwrap();
    agent.wait().unwrap();
    wait_until(|| running("tatau-orphan") == 0);
}

/// The user that owns nothing.
const NOBODY: u32 = 65534;

/// As user 65534 without control groups of its own: refused with the mend; with them (version 1, given by root): the same walls.
#[test]
fn an_ordinary_user_is_refused_or_isolated() {
    use std::os::unix::{fs::PermissionsExt, process::CommandExt};
    if !nix::unistd::geteuid().is_root() {
        return println!("skipped: only root can become another user here");
    }
    // The checkout may lie where nobody else may look.
    let open =
        tempfile::Builder::new().permissions(std::fs::Permissions::from_mode(0o755)).tempdir().unwrap();
    let (program, runner) = (open.path().join("test"), open.path().join("runner"));
    std::fs::copy(std::env::current_exe().unwrap(), &program).unwrap();
    std::fs::copy(crate::support::RUNNER, &runner).unwrap();
    let run = || {
        let output = again_from(&program, "user")
            .env(crate::support::OTHER_RUNNER, &runner)
            .uid(NOBODY)
            .gid(NOBODY)
            .env_remove("XDG_RUNTIME_DIR")
            .output()
            .unwrap();
        String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
    };
    let said = run();
    assert!(said.contains("refused: this machine cannot run the sandbox") && said.contains("root"), "{said}");
    if !Path::new("/sys/fs/cgroup/memory").exists() {
        return println!(
            "skipped: giving control groups to a user is for version 1; version 2 needs a user's systemd"
        );
    }
    let folders = ["memory", "pids", "cpu", "cpuacct"].map(|c| format!("/sys/fs/cgroup/{c}/tatau"));
    let give = |owner| {
        for folder in &folders {
            std::fs::create_dir_all(folder).unwrap();
            std::os::unix::fs::chown(folder, Some(owner), None).unwrap();
        }
    };
    give(NOBODY);
    let said = run();
    give(0);
    assert!(
        said.contains("ended:") && said.contains("exit: Success") && said.contains("log_tail: \"1000\""),
        "{said}"
    );
}

#[test]
fn the_doctor_finds_this_machine_fit_or_names_the_mend() {
    for check in tatau_sandbox::doctor() {
        println!("{check:?}");
        assert!(!check.sentence.is_empty());
        assert!(check.ok, "these tests need it: {}", check.sentence);
    }
}
