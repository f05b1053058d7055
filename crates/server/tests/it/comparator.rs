//! The whole way of a benchmark with the real renderer and the real comparator: an honest card is placed, a card whose
//! owner delivers another picture is caught by two validators who agree with each other.
//!
//! Needs the environment `blender-5.0` (folder in TATAU_TEST_ENV, or `.cache/env-blender` of the checkout) and a
//! machine that can run sandboxes; says so and passes where there is none.
#![allow(clippy::unwrap_used)]

use crate::home::Home;
use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};
use tatau_api::{AuditCommit, AuditReveal, Delivered, Poll, ReceiptCommit};
use tatau_client::Client;
use tatau_evidence::{
    SigningKey, manifest_root,
    typed::{AuditCommitment, Domain, sign_receipt},
};
use tatau_model::{Amount, Order, OutputFile, Receipt, Work};
use tatau_sandbox::{Limits, Outcome, Policy, Session, SessionSpec};
use tatau_server::{Config, JudgeOptions};
use tatau_workload::{audit::BENCHMARK, runtime, trace};

fn environment() -> Option<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let dir =
        std::env::var_os("TATAU_TEST_ENV").map_or_else(|| root.join(".cache/env-blender"), PathBuf::from);
    dir.join("bin/python").exists().then(|| dir.canonicalize().unwrap())
}

/// The session runner, beside this test's binary; built where it is missing.
fn runner() -> PathBuf {
    let exe = std::env::current_exe().unwrap();
    let path = exe.parent().unwrap().parent().unwrap().join("tatau-session-runner");
    if !path.exists() {
        let built = std::process::Command::new(env!("CARGO"))
            .args(["build", "-q", "-p", "tatau-sandbox", "--bin", "tatau-session-runner"])
            .status()
            .unwrap();
        assert!(built.success());
    }
    path
}

/// Runs one order like a node does, with the request changed by `cheat`.
struct Bench {
    dir: tempfile::TempDir,
    session: Option<Session>,
    policy: Policy,
    runs: u32,
}

impl Bench {
    fn new(env: &Path) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let runtime_dir = dir.path().join("runtime");
        for folder in ["runtime", "in/requests"] {
            std::fs::create_dir_all(dir.path().join(folder)).unwrap();
        }
        for file in runtime::BLENDER {
            std::fs::write(runtime_dir.join(file.name), file.text).unwrap();
        }
        let limits = Limits {
            memory_bytes: 4 << 30,
            processes: 256,
            scratch_bytes: 256 << 20,
            threads: 1,
            output_bytes: 64 << 20,
            output_files: 64,
            log_bytes: 1 << 20,
            task_seconds: 300,
            start_seconds: 180,
        };
        let policy = Policy {
            env_dir: env.to_owned(),
            runtime_dir,
            input_dir: dir.path().join("in"),
            limits,
            devices: vec![],
            shown: vec![],
            licence: None,
            runner: runner(),
            runner_args: vec![],
        };
        Self { dir, session: None, policy, runs: 0 }
    }

    async fn run(&mut self, order: &Order, cheat: impl Fn(&mut serde_json::Value)) -> Vec<(String, Vec<u8>)> {
        let inside = order.parameters["Request"].clone();
        let mut request = serde_json::from_str(order.request.as_ref().unwrap()).unwrap();
        cheat(&mut request);
        std::fs::write(self.policy.input_dir.join(&inside["/in/".len()..]), request.to_string()).unwrap();
        if self.session.is_none() {
            let order = order.session.clone();
            let spec =
                SessionSpec { template: order.template, parameters: order.parameters, step: order.step };
            self.session = Some(Session::start(&self.policy, &spec).await.unwrap());
        }
        self.runs += 1;
        let out = self.dir.path().join(format!("out-{}", self.runs));
        std::fs::create_dir(&out).unwrap();
        let parameters = BTreeMap::from([("Request".to_owned(), inside)]);
        let session = self.session.as_mut().unwrap();
        let done = session.run_task(&parameters, &out, &mut |_| {}).await.unwrap();
        assert_eq!(done.exit, Outcome::Success, "{}", done.log_tail);
        let read = |f: tatau_sandbox::OutputFile| (f.name.clone(), std::fs::read(out.join(&f.name)).unwrap());
        done.files.into_iter().map(read).collect()
    }
}

async fn upload(client: &Client, files: &[(String, Vec<u8>)]) -> Vec<OutputFile> {
    let mut told = Vec::new();
    for (name, bytes) in files {
        let blob = client.upload_bytes(bytes.clone().into()).await.unwrap();
        told.push(OutputFile { name: name.clone(), blob, bytes: bytes.len() as u64 });
    }
    told
}

/// Takes the node's benchmark, runs it and delivers.
async fn provide(bench: &mut Bench, key: &SigningKey, node: &Client, cheat: bool) {
    let asked = Poll { cards: vec![0], wait_ms: 10_000, ..Poll::default() };
    let lease = node.poll(&asked).await.unwrap().leases.remove(0);
    let made = bench
        .run(&lease.order, |request| {
            if cheat {
                request["samples"] = serde_json::json!(BENCHMARK.samples / 2);
            }
        })
        .await;
    let tiles = &made.iter().find(|(name, _)| name == "frame_0001.tiles").unwrap().1;
    let files = upload(node, &made).await;
    let mut receipt = Receipt {
        manifest_root: manifest_root(&files),
        trace_root: trace::Tiles::parse(tiles).unwrap().root().unwrap(),
        units: u64::from(BENCHMARK.width * BENCHMARK.height * BENCHMARK.samples),
        claimed_ms: 8_000,
        energy_j: 0,
        signature: String::new(),
    };
    let order = &lease.order;
    assert_eq!(order.work, Work::Benchmark);
    sign_receipt(&Domain::default(), key, lease.attempt, lease.task, order.job, &mut receipt);
    let answers = node.commit_receipts(&[ReceiptCommit { attempt: lease.attempt, receipt }]).await.unwrap();
    assert_eq!(answers, [None]);
    node.delivered(lease.attempt, &Delivered { files, log: String::new() }).await.unwrap();
}

/// Audits whatever is there; how many.
async fn audit(bench: &mut Bench, key: &SigningKey, node: &Client) -> usize {
    let asked = Poll { audits: 4, wait_ms: 1_500, ..Poll::default() };
    let audits = node.poll(&asked).await.unwrap().audits;
    for audit in &audits {
        let made = bench.run(&audit.order, |_| {}).await;
        let files = upload(node, &made).await;
        let claim = AuditCommitment::to_files(audit.audit, key.address(), &files);
        let signature = claim.sign(&Domain::default(), key).to_string();
        let commit = AuditCommit { audit: audit.audit, commitment: claim.files_root, signature };
        node.audit_commit(&commit).await.unwrap();
        node.audit_reveal(audit.audit, &AuditReveal { files, work_ms: 100 }).await.unwrap();
    }
    audits.len()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_honest_card_is_placed_and_a_cheaper_render_is_caught() {
    let Some(env) = environment() else {
        eprintln!("no environment blender-5.0 here: nothing was tested");
        return;
    };
    if let Some(lack) = tatau_sandbox::doctor().into_iter().find(|c| !c.ok) {
        eprintln!("no sandbox here ({lack:?}): nothing was tested");
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let judge = JudgeOptions {
        cache: dir.path().join("cache"),
        environment: Some(env.clone()),
        runner: runner(),
        runner_args: vec![],
        threads: 1,
    };
    // These nodes send no heartbeats while they render, and the machine may be busy.
    let slow = 300_000;
    let config = Config { node_silence_ms: slow, lease_grace_ms: slow, audit_ms: slow, ..Config::local() };
    let home = Home::with(dir, config, Some(judge)).await;
    let mut bench = Bench::new(&env);
    let (honest_owner, _) = home.owner().await;
    let (honest_key, honest, _) = home.node(&honest_owner, false).await;
    let (cheat_owner, _) = home.owner().await;
    let (cheat_key, cheat, _) = home.node(&cheat_owner, false).await;
    let mut validators = Vec::new();
    for _ in 0..2 {
        let (owner, money) = home.owner().await;
        money.stake(Amount::tatau(5)).await.unwrap();
        let (key, client, _) = home.node(&owner, true).await;
        validators.push((key, client));
    }
    provide(&mut bench, &honest_key, &honest, false).await;
    provide(&mut bench, &cheat_key, &cheat, true).await;

    let until = Instant::now() + Duration::from_mins(4);
    loop {
        for (key, node) in &validators {
            audit(&mut bench, key, node).await;
        }
        let placed = honest.node().await.unwrap().cards[0].score_milli;
        let faults = home.as_key(&cheat_owner).account().await.unwrap().account.stake_faults;
        if let (Some(score), 1) = (placed, faults) {
            assert!((1..10_000).contains(&score), "{score}");
            break;
        }
        assert!(Instant::now() < until, "placed {placed:?}, faults of the cheat {faults}");
    }
    assert_eq!(cheat.node().await.unwrap().cards[0].score_milli, None);
    let honest_account = home.as_key(&honest_owner).account().await.unwrap().account;
    assert_eq!(honest_account.stake_faults, 0);
    assert!(home.operator().admin_books().await.unwrap().balanced);
    home.close().await;
}
