//! Inputs, sessions and faults, in a real sandbox with a stand-in for the renderer.

#![allow(clippy::unwrap_used)] // a test that cannot go on fails

use crate::support::{Fake, order, place, runner, scene, with_files};
use serde_json::json;
use std::{collections::BTreeMap, path::Path, sync::Arc, time::Duration};
use tatau_model::{Card, CardKind, Order, Work};
use tatau_worker::{Bench, BenchOptions, Fault, Inputs, InputsError, Ran, TaskEvent, collect};

struct Place {
    root: tempfile::TempDir,
    fake: Fake,
    inputs: Arc<Inputs<Fake>>,
    bench: Bench,
}

impl Place {
    fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        let fake = Fake::default();
        let inputs = Arc::new(Inputs::open(fake.clone(), &root.path().join("node"), 64 << 20).unwrap());
        let card = Card {
            kind: CardKind::Cpu,
            name: "slot".into(),
            memory_mib: 256,
            threads: 1,
            devices: vec![],
            score_milli: None,
        };
        let bench = Bench::new(BenchOptions {
            places: BTreeMap::from([("stand-in".to_owned(), place(root.path()))]),
            runner: runner("worker-session"),
            runner_args: Vec::new(),
            card,
            memory_mib: 256,
            devices: Vec::new(),
            shown: Vec::new(),
            most_sessions: 2,
            idle: Duration::from_mins(1),
        });
        Self { root, fake, inputs, bench }
    }

    async fn run(&mut self, holder: &str, order: &Order) -> (Result<Ran, Fault>, std::path::PathBuf) {
        let out = self.root.path().join(format!("out-{holder}"));
        std::fs::create_dir(&out).unwrap();
        let task = match self.inputs.prepare(holder, order).await {
            Ok(task) => task,
            Err(InputsError::Fault(fault)) => return (Err(fault), out),
            Err(e) => panic!("{e}"),
        };
        (self.bench.run(&task, &out, &mut |_| {}).await, out)
    }
}

fn count(out: &Path) -> u64 {
    let result: serde_json::Value =
        serde_json::from_slice(&std::fs::read(out.join("result.json")).unwrap()).unwrap();
    result["count"].as_u64().unwrap()
}

fn render(frame: i32) -> (Work, serde_json::Value) {
    (Work::Render { frame, tile: None }, json!({"kind": "render", "frame": frame}))
}

#[tokio::test(flavor = "multi_thread")]
async fn the_second_frame_of_a_scene_moves_no_bytes_and_opens_no_session() {
    let mut place = Place::new();
    let inputs = Some(scene(&place.fake, "a lovely scene"));
    let (work, request) = render(1);
    let mut progress = Vec::new();
    let one = order("attempt-1", work.clone(), "s", inputs, &request);
    let task = place.inputs.prepare("attempt-1", &one).await.unwrap();
    let out = place.root.path().join("first");
    std::fs::create_dir(&out).unwrap();
    let mut hear = |event| {
        if let TaskEvent::Progress(percent) = event {
            progress.push(percent);
        }
    };
    let ran = place.bench.run(&task, &out, &mut hear).await.unwrap();
    drop(task);
    assert_eq!(progress, [50.0]);
    assert!(ran.log.contains("task 1 of this session") && ran.start_ms > 0, "{ran:?}");
    let got = collect(&work, &out).await.unwrap();
    assert_eq!(got.units, 4 * 2 * 16);
    assert_eq!(got.render_ms, Some(7));
    assert_ne!(got.trace_root, got.manifest_root);
    assert_eq!(std::fs::read_to_string(out.join("frame_0001.exr")).unwrap(), "a lovely scene1");
    assert_eq!(place.fake.state().downloads.len(), 2, "manifest and scene");

    let (work, request) = render(2);
    let (ran, out) = place.run("attempt-2", &order("attempt-2", work, "s", inputs, &request)).await;
    assert_eq!(ran.unwrap().start_ms, 0);
    assert_eq!(count(&out), 2, "the same session");
    assert_eq!(place.fake.state().downloads.len(), 2, "nothing was fetched again");

    // Another session of the same scene, and the same again after a restart of the node: from the cache.
    let (work, request) = render(3);
    let (ran, out) = place.run("attempt-3", &order("attempt-3", work, "other", inputs, &request)).await;
    ran.unwrap();
    assert_eq!(count(&out), 1);
    assert_eq!(place.fake.state().downloads.len(), 2);
    place.bench.close().await;
    let left: Vec<_> = std::fs::read_dir(place.root.path().join("node/in")).unwrap().collect();
    assert!(left.is_empty(), "input folders go with their sessions: {left:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn verified_files_are_laid_out_for_their_task_only() {
    let mut place = Place::new();
    let exr = place.fake.put(b"exr");
    let request = json!({"kind": "finish", "frame": 7, "exr": "/in/files/attempt-1/frame_0007.exr"});
    let finish = order("attempt-1", Work::Finish { frame: 7 }, "s", None, &request);
    let finish = with_files(finish, &[("frame_0007.exr", exr, 3)]);
    let (ran, out) = place.run("attempt-1", &finish).await;
    ran.unwrap();
    assert_eq!(std::fs::read(out.join("frame_0007.png")).unwrap(), b"rxe");
    let room = std::fs::read_dir(place.root.path().join("node/in")).unwrap().next().unwrap().unwrap().path();
    assert_eq!(std::fs::read_dir(room.join("files")).unwrap().count(), 0);
    assert_eq!(std::fs::read_dir(room.join("requests")).unwrap().count(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn faults_have_their_codes_and_the_bench_goes_on() {
    let mut place = Place::new();
    let cases = [
        ("fail", "no_camera"),
        ("hog", "out_of_memory"),
        ("link", "output_refused"),
        ("sleepy", "timed_out"),
    ];
    for (i, (kind, code)) in cases.into_iter().enumerate() {
        let holder = format!("attempt-{i}");
        let request = json!({"kind": kind, "frame": 1, "sleep": if kind == "sleepy" { 60 } else { 0 }});
        let mut order = order(&holder, Work::Render { frame: 1, tile: None }, "s", None, &request);
        order.limit_ms = if kind == "sleepy" { 1_000 } else { 30_000 };
        let (ran, _) = place.run(&holder, &order).await;
        let fault = ran.unwrap_err();
        assert_eq!(fault.code, code, "{fault:?}");
        assert!(fault.log.contains("of this session"), "{fault:?}");
    }
    let (work, request) = render(1);
    let (ran, _) = place.run("attempt-9", &order("attempt-9", work, "s", None, &request)).await;
    ran.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_resident_session_that_died_is_opened_again() {
    let mut place = Place::new();
    let (work, request) = render(1);
    let (ran, _) = place.run("attempt-1", &order("attempt-1", work.clone(), "s", None, &request)).await;
    ran.unwrap();
    // Kills the session's first process from inside, once, after the task has ended.
    kill_sandboxes(&place.root);
    let (ran, out) = place.run("attempt-2", &order("attempt-2", work, "s", None, &request)).await;
    ran.unwrap();
    assert_eq!(count(&out), 1, "a new session");
}

/// Kills every process whose command line is this test's session runner.
fn kill_sandboxes(root: &tempfile::TempDir) {
    let parent = std::process::id();
    let mut killed = 0;
    for entry in std::fs::read_dir("/proc").unwrap().flatten() {
        let Some(pid) = entry.file_name().to_str().and_then(|n| n.parse::<i32>().ok()) else { continue };
        let stat = std::fs::read_to_string(entry.path().join("stat")).unwrap_or_default();
        let own =
            stat.rsplit(')').next().and_then(|rest| rest.split_whitespace().nth(1)?.parse::<u32>().ok());
        if own == Some(parent) {
            nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), nix::sys::signal::Signal::SIGKILL)
                .unwrap();
            killed += 1;
        }
    }
    assert!(killed > 0, "{}", root.path().display());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_cannot_name_places_outside_of_its_own() {
    let mut place = Place::new();
    let (work, request) = render(1);
    let blob = place.fake.put(b"x");
    let good = order("attempt-1", work, "s", None, &request);
    let mut elsewhere = good.clone();
    elsewhere.parameters.insert("Request".into(), "/in/requests/../../etc/passwd".into());
    let climbing = with_files(good.clone(), &[("../x", blob, 1)]);
    let hidden = with_files(good.clone(), &[(".x", blob, 1)]);
    for (i, bad) in [elsewhere, climbing, hidden].iter().enumerate() {
        let (ran, _) = place.run(&format!("attempt-1{i}"), bad).await;
        assert_eq!(ran.unwrap_err().code, "bad_order");
    }
    assert!(place.inputs.prepare("../x", &good).await.is_err());
    let wrong_size = with_files(good.clone(), &[("x", blob, 2)]);
    let fault = place.inputs.prepare("attempt-1", &wrong_size).await.unwrap_err();
    assert!(matches!(&fault, InputsError::Fault(f) if f.code == "bad_inputs"), "{fault:?}");
    let mut unknown = good;
    unknown.session.environment = "unknown".into();
    let (ran, _) = place.run("attempt-1", &unknown).await;
    assert_eq!(ran.unwrap_err().code, "no_environment");
}
