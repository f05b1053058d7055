//! What a sandbox costs: `cargo nextest run -p tatau-sandbox --run-ignored only --success-output immediate measure`.

#![allow(clippy::unwrap_used)] // a test

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use crate::support::{Place, success};

const SESSIONS: usize = 30;
const TASKS: usize = 300;

fn told(what: &str, mut times: Vec<Duration>) {
    times.sort_unstable();
    let at = |share: usize| times[(times.len() - 1) * share / 100].as_secs_f64() * 1e3;
    println!("{what}: median {:.2} ms, p90 {:.2} ms, n = {}", at(50), at(90), times.len());
}

#[tokio::test]
#[ignore = "a measurement"]
async fn start_and_task() {
    let mut place = Place::new();
    let template = r#"{"specificationVersion": "jobtemplate-2023-09", "name": "t",
        "steps": [{"name": "step", "script": {"actions": {"onRun": {"command": "/bin/true"}}}}]}"#;
    let (mut starts, mut closes) = (Vec::new(), Vec::new());
    for _ in 0..SESSIONS {
        let began = Instant::now();
        let session = place.start(template).await.unwrap();
        starts.push(began.elapsed());
        let began = Instant::now();
        session.close().await;
        closes.push(began.elapsed());
    }
    told("start of a session", starts);
    told("close of a session", closes);
    let mut session = place.start(template).await.unwrap();
    let outputs = place.fresh_outputs();
    let mut tasks = Vec::new();
    for _ in 0..TASKS {
        let began = Instant::now();
        success(&session.run_task(&BTreeMap::new(), &outputs, &mut |_| {}).await.unwrap());
        tasks.push(began.elapsed());
    }
    told("no-op task", tasks);
    session.close().await;
    let spawns = (0..TASKS).map(|_| {
        let began = Instant::now();
        assert!(std::process::Command::new("/bin/true").status().unwrap().success());
        began.elapsed()
    });
    told("bare /bin/true, for comparison", spawns.collect());
}

#[tokio::test]
#[ignore = "a measurement"]
async fn output_transfer() {
    let mut place = Place::new();
    place.policy.limits.memory_bytes = 1 << 30;
    place.policy.limits.scratch_bytes = 512 << 20;
    place.policy.limits.output_bytes = 256 << 20;
    let template = crate::support::python_template("open('/work/out/x', 'wb').write(bytes(200 << 20))");
    let mut session = place.start(&template).await.unwrap();
    let outputs = place.fresh_outputs();
    let outcome = session.run_task(&BTreeMap::new(), &outputs, &mut |_| {}).await.unwrap();
    success(&outcome);
    println!("200 MiB made, streamed and written: {} ms", outcome.wall_ms);
    session.close().await;
}
