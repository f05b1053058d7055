//! A real sandbox for tests: folders, small limits, templates of shell and Python.
#![allow(clippy::unwrap_used)] // a test
#![allow(dead_code)] // each test file uses its part

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use tatau_sandbox::{Limits, Outcome, Policy, SandboxError, Session, SessionSpec, TaskEvent, TaskOutcome};

pub struct Place {
    pub root: tempfile::TempDir,
    pub policy: Policy,
    turn: u32,
}

pub const MIB: u64 = 1 << 20;
pub const RUNNER: &str = env!("CARGO_BIN_EXE_tatau-session-runner");
/// Names a runner elsewhere, for who may not look into the checkout.
pub const OTHER_RUNNER: &str = "TATAU_TEST_RUNNER";

impl Place {
    pub fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        let folder = |name: &str| {
            let path = root.path().join(name);
            std::fs::create_dir(&path).unwrap();
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
            path
        };
        let policy = Policy {
            env_dir: folder("env"),
            runtime_dir: folder("runtime"),
            input_dir: folder("in"),
            limits: Limits {
                memory_bytes: 256 * MIB,
                processes: 32,
                scratch_bytes: 64 * MIB,
                threads: 2,
                output_bytes: 8 * MIB,
                output_files: 16,
                log_bytes: 64 * 1024,
                task_seconds: 20,
                start_seconds: 20,
            },
            devices: Vec::new(),
            shown: Vec::new(),
            licence: None,
            runner: std::env::var_os(OTHER_RUNNER).map_or_else(|| RUNNER.into(), Into::into),
            runner_args: Vec::new(),
        };
        Self { root, policy, turn: 0 }
    }

    pub async fn start(&self, template: &str) -> Result<Session, SandboxError> {
        let spec = SessionSpec {
            template: template.to_owned(),
            parameters: BTreeMap::new(),
            step: "step".to_owned(),
        };
        Session::start(&self.policy, &spec).await
    }

    pub fn fresh_outputs(&mut self) -> PathBuf {
        self.turn += 1;
        let path = self.root.path().join(format!("out-{}", self.turn));
        std::fs::create_dir(&path).unwrap();
        path
    }

    /// Runs one Python program as one task of a session of its own.
    pub async fn python(&mut self, program: &str) -> (Result<TaskOutcome, SandboxError>, PathBuf) {
        let mut session = self.start(&python_template(program)).await.unwrap();
        let outputs = self.fresh_outputs();
        let ran = session.run_task(&BTreeMap::new(), &outputs, &mut |_| {}).await;
        session.close().await;
        (ran, outputs)
    }
}

/// A template whose only task runs a Python program.
pub fn python_template(program: &str) -> String {
    serde_json::json!({
        "specificationVersion": "jobtemplate-2023-09",
        "name": "test",
        "steps": [{
            "name": "step",
            "script": {
                "actions": {"onRun": {"command": "/usr/bin/python3", "args": ["{{Task.File.program}}"]}},
                "embeddedFiles": [{"name": "program", "type": "TEXT", "data": program}],
            },
        }],
    })
    .to_string()
}

pub fn values(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect()
}

/// Lines and progress of a task.
#[derive(Default)]
pub struct Heard {
    pub lines: Vec<String>,
    pub progress: Vec<f32>,
}

impl Heard {
    pub fn ear(&mut self) -> impl FnMut(TaskEvent) + Send + '_ {
        |event| match event {
            TaskEvent::Log(line) => self.lines.push(line),
            TaskEvent::Progress(percent) => self.progress.push(percent),
        }
    }
}

pub fn success(outcome: &TaskOutcome) {
    assert_eq!(outcome.exit, Outcome::Success, "log:\n{}", outcome.log_tail);
}

/// Runs a program that must succeed and answers its log.
pub async fn told(place: &mut Place, program: &str) -> String {
    let (ran, _) = place.python(program).await;
    let outcome = ran.unwrap();
    success(&outcome);
    outcome.log_tail
}

pub async fn ended(place: &mut Place, program: &str) -> TaskOutcome {
    place.python(program).await.0.unwrap()
}

pub fn running(name: &str) -> usize {
    let named = |entry: std::fs::DirEntry| {
        let line = std::fs::read(entry.path().join("cmdline")).unwrap_or_default();
        line.starts_with(name.as_bytes())
    };
    std::fs::read_dir("/proc").unwrap().flatten().map(named).filter(|&n| n).count()
}

/// Control groups of sessions of this test process.
pub fn groups() -> Vec<String> {
    let mine = format!("s-{}-", std::process::id());
    ["/sys/fs/cgroup/memory/tatau", "/sys/fs/cgroup/tatau"]
        .iter()
        .filter_map(|f| std::fs::read_dir(f).ok())
        .flat_map(|entries| entries.flatten().map(|e| e.file_name().to_string_lossy().into_owned()))
        .filter(|name| name.starts_with(&mine))
        .collect()
}

pub fn assert_no_groups() {
    assert_eq!(groups(), Vec::<String>::new());
}

pub fn wait_until(done: impl Fn() -> bool) {
    let began = Instant::now();
    while !done() {
        assert!(began.elapsed() < Duration::from_secs(5), "it did not happen");
        std::thread::sleep(Duration::from_millis(5));
    }
}
