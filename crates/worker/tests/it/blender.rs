//! The real renderer in the real sandbox, by real orders: frames, pictures, crops and the benchmark.
//!
//! Needs the environment `blender-5.0`: its folder in `TATAU_TEST_ENV`, or `.cache/env-blender` in the workspace.

#![allow(clippy::unwrap_used)] // a test that cannot go on fails

use crate::support::{Fake, runner};
use serde_json::Value;
use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    process::Command,
    sync::Arc,
    time::{Duration, Instant},
};
use tatau_blobs::{Manifest, hash_file};
use tatau_model::{
    Address, Amount, AttemptId, AuditId, AuditWork, BlobId, Card, CardKind, Digest, Job, JobId, JobKind,
    JobState, Millis, Order, OrderFile, Preview, Rect, RenderSpec, Strategy, Work,
};
use tatau_worker::{
    Bench, BenchOptions, Collected, Inputs, Place, Ran, check_names, collect, collect_audit, write_runtime,
};
use tatau_workload::{audit::audit_work, order, runtime::BLENDER, template::render_bundle};

fn environment() -> Option<PathBuf> {
    let named = std::env::var_os("TATAU_TEST_ENV").map(PathBuf::from);
    let usual = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../.cache/env-blender");
    named.or(Some(usual)).filter(|dir| dir.join("bin/python").exists())
}

fn job(kind: JobKind, inputs: Option<BlobId>) -> Job {
    Job {
        id: JobId(7),
        owner: Address::default(),
        name: "demo".into(),
        kind,
        state: JobState::Running,
        inputs,
        bundle: None,
        scene: "scene.blend".into(),
        environment: "blender-5.0".into(),
        class: None,
        strategy: Strategy::Balanced,
        machines: tatau_model::Machines::default(),
        priority: 0,
        memory_mib: 0,
        deadline: None,
        cap: Amount::ZERO,
        spent: Amount::ZERO,
        reference_ms: 1,
        created: Millis(0),
        ended: None,
        request_key: String::new(),
    }
}

struct Studio {
    root: tempfile::TempDir,
    fake: Fake,
    inputs: Arc<Inputs<Fake>>,
    bench: Bench,
}

impl Studio {
    fn new(environment: PathBuf) -> Self {
        let root = tempfile::tempdir().unwrap();
        let fake = Fake::default();
        let files: Vec<_> = BLENDER.iter().map(|f| (f.name, f.text.as_bytes())).collect();
        let runtime = write_runtime(root.path(), &files).unwrap();
        let card = Card {
            kind: CardKind::Cpu,
            name: "slot".into(),
            memory_mib: 4_096,
            threads: 2,
            devices: vec![],
            score_milli: None,
        };
        let bench = Bench::new(BenchOptions {
            places: BTreeMap::from([(
                "blender-5.0".to_owned(),
                Place { environment, runtime, licence: None },
            )]),
            runner: runner("worker-session"),
            runner_args: Vec::new(),
            card,
            memory_mib: 4_096,
            devices: Vec::new(),
            shown: Vec::new(),
            most_sessions: 3,
            idle: Duration::from_mins(1),
        });
        let inputs = Arc::new(Inputs::open(fake.clone(), &root.path().join("node"), 1 << 30).unwrap());
        Self { root, fake, inputs, bench }
    }

    /// Puts a folder on the platform as inputs.
    fn put(&self, dir: &Path) -> BlobId {
        let manifest = Manifest::scan(dir).unwrap();
        for file in manifest.files() {
            self.fake.put(&std::fs::read(dir.join(&file.path)).unwrap());
        }
        self.fake.put(&manifest.to_json().unwrap())
    }

    async fn run(&mut self, holder: &str, order: &Order) -> (Ran, PathBuf) {
        let out = self.root.path().join(holder);
        std::fs::create_dir(&out).unwrap();
        let began = Instant::now();
        let task = self.inputs.prepare(holder, order).await.unwrap();
        let ran = self.bench.run(&task, &out, &mut |_| {}).await;
        let ran = ran
            .unwrap_or_else(|fault| panic!("{} {}: {}\n{}", holder, fault.code, fault.sentence, fault.log));
        println!(
            "{holder}: start {} ms, task {} ms, all {} ms",
            ran.start_ms,
            ran.wall_ms,
            began.elapsed().as_millis()
        );
        (ran, out)
    }

    async fn task(&mut self, n: u64, job: &Job, work: &Work, files: Vec<OrderFile>) -> (Collected, PathBuf) {
        let bundle = render_bundle("demo", "scene.blend", &[1, 2]).unwrap();
        let order = order::task_order(job, Some(&bundle), AttemptId(n), work, files, 120_000).unwrap();
        let (ran, out) = self.run(&AttemptId(n).to_string(), &order).await;
        check_names(work, &ran.names).unwrap();
        (collect(work, &out).await.unwrap(), out)
    }
}

fn result(out: &Path) -> Value {
    serde_json::from_slice(&std::fs::read(out.join("result.json")).unwrap()).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn frames_pictures_and_crops_of_the_demo_scene() {
    let Some(environment) = environment() else {
        println!("skipped: the environment blender-5.0 is not there; set TATAU_TEST_ENV to its folder");
        return;
    };
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/demo-scene/make_scene.py");
    let demo = tempfile::tempdir().unwrap();
    let made = Command::new(environment.join("bin/python")).arg(script).arg(demo.path()).output().unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));

    let mut studio = Studio::new(environment);
    let inputs = studio.put(demo.path());
    let spec = RenderSpec {
        frames: vec![1, 2],
        width: 480,
        height: 270,
        samples: 2,
        fps: (24, 1),
        video: true,
        layered: None,
        preview: Preview::None,
        tiles: None,
        device: tatau_model::Device::Cpu,
    };
    let job = job(JobKind::Render(spec), Some(inputs));
    let (first, out) = studio.task(1, &job, &Work::Render { frame: 1, tile: None }, Vec::new()).await;
    assert_eq!(first.units, 480 * 270 * 2);
    let fetched = studio.fake.state().downloads.len();
    let (second, _) = studio.task(2, &job, &Work::Render { frame: 2, tile: None }, Vec::new()).await;
    assert_ne!(first.trace_root, second.trace_root);
    assert_eq!(studio.fake.state().downloads.len(), fetched, "the second frame moves no scene bytes");

    // Another session renders the same pixels: the trace is the same, though the EXR's header may not be.
    let (blob, bytes) = hash_file(&out.join("frame_0001.exr")).unwrap();
    studio.fake.put(&std::fs::read(out.join("frame_0001.exr")).unwrap());
    let exr = OrderFile { name: "frame_0001.exr".into(), blob, bytes };
    let (picture, _) = studio.task(3, &job, &Work::Finish { frame: 1 }, vec![exr]).await;
    assert_eq!(picture.files[0].name, "frame_0001.png");
    assert_eq!(picture.units, 1);

    let work = Work::Render { frame: 1, tile: None };
    let part = audit_work(&work, &job, &Digest([9; 32]), 2, 20_000);
    let AuditWork::Crops { crops } = &part else { panic!("{part:?}") };
    let order = order::audit_order(&job, None, AuditId(4), &part, &work, Vec::new(), 120_000).unwrap();
    let (ran, out) = studio.run("audit-4", &order).await;
    assert_eq!(ran.start_ms, 0, "crops and pictures share the session that takes requests");
    let got = collect_audit(&work, &out).await.unwrap();
    assert_eq!(got.files.len(), crops.len() + 1);
    assert!(got.render_ms.is_some());
    let Rect { w, h, .. } = crops[0];
    assert_eq!(result(&out)["crops"][0]["w"], w);
    let header = 6 + 12;
    assert_eq!(std::fs::metadata(out.join("crop_0.f32")).unwrap().len(), u64::from(header + w * h * 4 * 4));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_benchmark_needs_no_inputs() {
    let Some(environment) = environment() else {
        println!("skipped: the environment blender-5.0 is not there; set TATAU_TEST_ENV to its folder");
        return;
    };
    let mut studio = Studio::new(environment);
    let job = job(
        JobKind::Benchmark { node: Address::default(), card: 0, seed: 5, device: tatau_model::Device::Cpu },
        None,
    );
    let (got, _) = studio.task(1, &job, &Work::Benchmark, Vec::new()).await;
    assert_eq!(got.units, 256 * 256 * 48);
    assert!(got.render_ms.is_some_and(|ms| ms > 100), "{:?}", got.render_ms);
    assert!(studio.fake.state().downloads.is_empty());
}
