//! A platform in memory, and work that a shell-and-Python stand-in for the renderer does in a real sandbox.
#![allow(dead_code, clippy::unwrap_used)] // each test file uses its part, and fails where it cannot go on

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};
use tatau_api::{
    AuditCommit, AuditOrder, AuditReveal, Delivered, ErrorBody, FailReport, Granted, Lease, Poll, PollAnswer,
    ReceiptCommit, RegisterNode,
};
use tatau_client::ClientError;
use tatau_model::{
    Address, Amount, AttemptId, AuditId, BlobId, Card, Digest, JobId, Millis, Node, Offer, Order, OrderFile,
    SessionOrder, TaskId, Work,
};
use tatau_worker::{NodeOptions, Place, Platform};
use tokio::sync::Notify;

/// The session runner that cargo builds beside the tests.
pub fn runner(name: &str) -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let path = test.parent().unwrap().parent().unwrap().join("examples").join(name);
    assert!(
        path.exists(),
        "{} is not built; run the crate's tests without naming one target",
        path.display()
    );
    path
}

#[derive(Default)]
pub struct State {
    pub away: bool,
    /// The next answers of polls are lost on their way.
    pub lose_answers: u32,
    pub blobs: HashMap<BlobId, Vec<u8>>,
    pub downloads: Vec<BlobId>,
    pub node: Option<Node>,
    pub registrations: u32,
    /// Leases that nobody has yet.
    pub leases: Vec<Lease>,
    pub handed: BTreeMap<AttemptId, Lease>,
    pub audits: Vec<AuditOrder>,
    pub audits_handed: BTreeMap<AuditId, AuditOrder>,
    pub taken_back: BTreeSet<AttemptId>,
    pub receipts: BTreeMap<AttemptId, ReceiptCommit>,
    pub receipt_calls: u32,
    pub refuse_receipts: Option<ErrorBody>,
    pub delivered: BTreeMap<AttemptId, Delivered>,
    pub failed: BTreeMap<AttemptId, FailReport>,
    pub uploaded: BTreeSet<BlobId>,
    pub commits: BTreeMap<AuditId, AuditCommit>,
    pub reveals: BTreeMap<AuditId, AuditReveal>,
    pub audits_failed: BTreeMap<AuditId, FailReport>,
    pub draining: bool,
    pub polls: u32,
}

/// A platform in memory that keeps the protocol's promises.
#[derive(Clone, Default)]
pub struct Fake {
    state: Arc<Mutex<State>>,
    changed: Arc<Notify>,
}

pub fn no(code: &str) -> ClientError {
    let body = ErrorBody { code: code.into(), sentence: format!("refused: {code}") };
    ClientError::Refused { status: 409, body }
}

impl Fake {
    pub fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }
    pub fn change(&self, with: impl FnOnce(&mut State)) {
        with(&mut self.state());
        self.changed.notify_waiters();
    }
    pub fn put(&self, bytes: &[u8]) -> BlobId {
        let id = BlobId(*blake3::hash(bytes).as_bytes());
        self.state().blobs.insert(id, bytes.to_vec());
        id
    }
    /// Waits until it is so; fails after a minute.
    pub async fn until(&self, what: &str, is: impl Fn(&State) -> bool) {
        let waiting = async {
            while !is(&self.state()) {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(Duration::from_mins(1), waiting).await.unwrap_or_else(|_| {
            let s = self.state();
            panic!(
                "never: {what}; receipts {:?}, delivered {:?}, failed {:?}, audits failed {:?}, reveals {:?}",
                s.receipts.keys(),
                s.delivered.keys(),
                s.failed,
                s.audits_failed,
                s.reveals.keys()
            )
        });
    }
    fn here(&self) -> Result<MutexGuard<'_, State>, ClientError> {
        let state = self.state();
        if state.away { Err(ClientError::Unreachable("nobody is there".into())) } else { Ok(state) }
    }
    fn answer(&self, poll: &Poll) -> Result<Option<PollAnswer>, ClientError> {
        let mut guard = self.here()?;
        let s = &mut *guard;
        let mut answer = PollAnswer {
            stop: poll.running.iter().filter(|id| s.taken_back.contains(id)).copied().collect(),
            ..PollAnswer::default()
        };
        // Handed out before, but the node does not name it.
        answer.leases.extend(s.handed.values().filter(|l| !poll.running.contains(&l.attempt)).cloned());
        answer.audits.extend(s.audits_handed.values().filter(|a| !poll.auditing.contains(&a.audit)).cloned());
        for card in &poll.cards {
            let Some(at) = s.leases.iter().position(|l| l.card == *card) else { continue };
            let lease = s.leases.remove(at);
            s.handed.insert(lease.attempt, lease.clone());
            answer.leases.push(lease);
        }
        let count = usize::from(poll.audits).min(s.audits.len());
        for audit in s.audits.drain(..count) {
            s.audits_handed.insert(audit.audit, audit.clone());
            answer.audits.push(audit);
        }
        let something = answer != PollAnswer::default();
        if something && s.lose_answers > 0 {
            s.lose_answers -= 1;
            return Err(ClientError::Unreachable("the answer was lost".into()));
        }
        Ok(something.then_some(answer))
    }
}

impl Platform for Fake {
    async fn platform(&self) -> Result<tatau_api::Platform, ClientError> {
        drop(self.here()?);
        Ok(tatau_api::Platform {
            version: "test".into(),
            now: Millis(0),
            local: true,
            chain_id: 0,
            fee_ppm: 0,
            dispute_ms: 0,
            environments: vec!["stand-in".into()],
            beacon_anchor: Digest::default(),
            inspection_cap: Amount::ZERO,
            max_blob_bytes: 1 << 40,
        })
    }
    async fn register_node(&self, r: &RegisterNode) -> Result<Node, ClientError> {
        let mut s = self.here()?;
        s.registrations += 1;
        let node = Node {
            id: Address::default(),
            owner: r.owner,
            name: r.name.clone(),
            cards: r.cards.clone(),
            offer: r.offer.clone(),
            block: String::new(),
            version: r.version.clone(),
            registered: Millis(0),
            draining: s.draining,
        };
        s.node = Some(node.clone());
        Ok(node)
    }
    async fn set_offer(&self, _: &Offer, _: Option<&[Card]>) -> Result<Node, ClientError> {
        self.here()?.node.clone().ok_or_else(|| no("not_found"))
    }
    async fn drain(&self, draining: bool) -> Result<Node, ClientError> {
        let mut s = self.here()?;
        s.draining = draining;
        s.node.clone().ok_or_else(|| no("not_found"))
    }
    async fn poll(&self, poll: &Poll) -> Result<PollAnswer, ClientError> {
        self.state().polls += 1;
        let patience = tokio::time::sleep(Duration::from_millis(poll.wait_ms));
        tokio::pin!(patience);
        loop {
            let changed = self.changed.notified();
            if let Some(answer) = self.answer(poll)? {
                return Ok(answer);
            }
            tokio::select! {
                () = changed => {}
                () = &mut patience => return Ok(PollAnswer::default()),
            }
        }
    }
    async fn commit_receipts(
        &self,
        receipts: &[ReceiptCommit],
    ) -> Result<Vec<Option<ErrorBody>>, ClientError> {
        let mut s = self.here()?;
        s.receipt_calls += 1;
        let refuse = s.refuse_receipts.clone();
        Ok(receipts
            .iter()
            .map(|r| {
                s.handed.remove(&r.attempt);
                if refuse.is_none() {
                    s.receipts.insert(r.attempt, r.clone());
                }
                refuse.clone()
            })
            .collect())
    }
    async fn delivered(&self, attempt: AttemptId, delivered: &Delivered) -> Result<(), ClientError> {
        let mut s = self.here()?;
        if !delivered.files.iter().all(|f| s.uploaded.contains(&f.blob)) {
            return Err(no("conflict"));
        }
        s.delivered.insert(attempt, delivered.clone());
        Ok(())
    }
    async fn attempt_failed(&self, attempt: AttemptId, report: &FailReport) -> Result<(), ClientError> {
        let mut s = self.here()?;
        s.handed.remove(&attempt);
        s.failed.insert(attempt, report.clone());
        Ok(())
    }
    async fn audit_commit(&self, commit: &AuditCommit) -> Result<(), ClientError> {
        self.here()?.commits.insert(commit.audit, commit.clone());
        Ok(())
    }
    async fn audit_reveal(&self, audit: AuditId, reveal: &AuditReveal) -> Result<(), ClientError> {
        let mut s = self.here()?;
        if !s.commits.contains_key(&audit) || !reveal.files.iter().all(|f| s.uploaded.contains(&f.blob)) {
            return Err(no("conflict"));
        }
        s.audits_handed.remove(&audit);
        s.reveals.insert(audit, reveal.clone());
        Ok(())
    }
    async fn audit_failed(&self, audit: AuditId, report: &FailReport) -> Result<(), ClientError> {
        let mut s = self.here()?;
        s.audits_handed.remove(&audit);
        s.audits_failed.insert(audit, report.clone());
        Ok(())
    }
    async fn grants(&self, _: &str, blobs: &[BlobId]) -> Result<Granted, ClientError> {
        drop(self.here()?);
        Ok(Granted {
            urls: blobs.iter().map(|b| format!("/v1/blobs/{b}")).collect(),
            expires: Millis(i64::MAX),
        })
    }
    async fn download(&self, _: &str, to: &Path, blob: BlobId, most: u64) -> Result<u64, ClientError> {
        let bytes = {
            let mut s = self.here()?;
            s.downloads.push(blob);
            s.blobs.get(&blob).cloned().ok_or_else(|| no("not_found"))?
        };
        if bytes.len() as u64 > most {
            return Err(ClientError::Malformed("too large".into()));
        }
        std::fs::write(to, &bytes).unwrap();
        Ok(bytes.len() as u64)
    }
    async fn upload(&self, path: &Path, blob: BlobId, bytes: u64) -> Result<(), ClientError> {
        drop(self.here()?);
        let found = std::fs::read(path).map_err(|e| ClientError::File(e.to_string()))?;
        assert_eq!(
            (found.len() as u64, *blake3::hash(&found).as_bytes()),
            (bytes, blob.0),
            "{}",
            path.display()
        );
        let mut s = self.here()?;
        s.uploaded.insert(blob);
        s.blobs.insert(blob, found);
        Ok(())
    }
}

/// The stand-in's resident part counts in `/work/count`, so that a new session can be told from an open one.
const PROGRAM: &str = r#"
import hashlib, json, os, struct, sys, time
request = json.load(open(sys.argv[1]))
kind, out = request.get("kind"), "/work/out/"
count = 1 + (int(open("/work/count").read()) if os.path.exists("/work/count") else 0)
open("/work/count", "w").write(str(count))
print("openjd_progress: 50", flush=True)
print("task", count, "of this session", flush=True)
time.sleep(request.get("sleep", 0))
if kind == "fail":
    print("tatau_error: no_camera The scene has no camera; add one.")
    sys.exit(1)
if kind == "die":
    os.kill(int(open("/proc/self/status").read().split("PPid:")[1].split()[0]), 9)
if kind == "hog":
    block = []
    while True: block.append(bytearray(16 << 20))
scene = open("/in/scene/scene.txt").read() if os.path.exists("/in/scene/scene.txt") else ""
pixels = (scene + str(request.get("frame", 0))).encode()
if kind == "render":
    name = out + "frame_%04d" % request["frame"]
    open(name + ".exr", "wb").write(pixels)
    open(name + ".tiles", "wb").write(b"TTIL1\0" + struct.pack("<4I", 4, 2, 64, 4) + hashlib.sha256(pixels).digest())
elif kind == "crops":
    open(out + "crop_0.f32", "wb").write(pixels)
elif kind == "link":
    os.symlink("/etc/passwd", out + "frame_0001.exr")
result = {"width": 4, "height": 2, "samples": 16, "render_ms": 7, "count": count, "env": sorted(os.listdir("/in"))}
if kind == "finish":
    open(out + "frame_%04d.png" % request["frame"], "wb").write(open(request["exr"], "rb").read()[::-1])
json.dump(result, open(out + "result.json", "w"))
"#;

pub fn template() -> String {
    serde_json::json!({
        "specificationVersion": "jobtemplate-2023-09",
        "name": "stand-in",
        "parameterDefinitions": [{"name": "Scene", "type": "STRING"}],
        "steps": [{
            "name": "Run",
            "parameterSpace": {"taskParameterDefinitions": [{"name": "Request", "type": "STRING", "range": ["x"]}]},
            "script": {
                "actions": {"onRun": {"command": "/usr/bin/python3", "args": ["{{Task.File.program}}", "{{Task.Param.Request}}"]}},
                "embeddedFiles": [{"name": "program", "type": "TEXT", "data": PROGRAM}],
            },
        }],
    })
    .to_string()
}

/// An order for the stand-in; `scene` names the session.
pub fn order(
    holder: &str,
    work: Work,
    scene: &str,
    inputs: Option<BlobId>,
    request: &serde_json::Value,
) -> Order {
    let parameters = BTreeMap::from([("Request".to_owned(), format!("/in/requests/{holder}.json"))]);
    Order {
        job: JobId(1),
        work,
        session: SessionOrder {
            template: template(),
            parameters: BTreeMap::from([("Scene".to_owned(), scene.to_owned())]),
            step: "Run".into(),
            environment: "stand-in".into(),
            inputs,
        },
        parameters,
        request: Some(request.to_string()),
        files: Vec::new(),
        limit_ms: 30_000,
    }
}

pub fn with_files(mut order: Order, files: &[(&str, BlobId, u64)]) -> Order {
    let file = |f: &(&str, BlobId, u64)| OrderFile { name: f.0.into(), blob: f.1, bytes: f.2 };
    order.files = files.iter().map(file).collect();
    order
}

/// A render lease on card 0.
pub fn lease(attempt: u64, frame: i32, inputs: Option<BlobId>, more: &serde_json::Value) -> Lease {
    let mut request = serde_json::json!({"kind": "render", "frame": frame});
    request.as_object_mut().unwrap().extend(more.as_object().cloned().unwrap_or_default());
    let holder = AttemptId(attempt).to_string();
    Lease {
        attempt: AttemptId(attempt),
        task: TaskId(100 + attempt),
        card: 0,
        price: Amount(5),
        due: Millis(i64::MAX),
        order: order(&holder, Work::Render { frame }, "scene", inputs, &request),
    }
}

/// A manifest with one file `scene.txt`, put on the platform.
pub fn scene(fake: &Fake, text: &str) -> BlobId {
    let blob = fake.put(text.as_bytes());
    let file = tatau_blobs::ManifestFile { path: "scene.txt".into(), blob, bytes: text.len() as u64 };
    fake.put(&tatau_blobs::Manifest::new(vec![file]).unwrap().to_json().unwrap())
}

/// Folders of the stand-in's environment.
pub fn place(root: &Path) -> Place {
    use std::os::unix::fs::PermissionsExt;
    let folder = |name: &str| {
        let path = root.join(name);
        std::fs::create_dir_all(&path).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
        path
    };
    Place { environment: folder("env-stand-in"), runtime: folder("runtime-stand-in") }
}

/// A node with one small slot.
pub fn options(root: &Path, runner_name: &str) -> NodeOptions {
    let owner = tatau_evidence::SigningKey::generate(&mut rand::rng());
    let mut options = NodeOptions::new(root.join("node"), root.join("cache"), Some(owner)).unwrap();
    options.environments = vec!["stand-in".into()];
    options.places = BTreeMap::from([("stand-in".to_owned(), place(root))]);
    options.runner = runner(runner_name);
    options.runner_args = Vec::new();
    options.slots = Some(1);
    options.threads = Some(1);
    options.memory_mib = Some(512);
    options.blob_cap_bytes = 64 << 20;
    options
}
