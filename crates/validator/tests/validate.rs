//! The validator against a platform in memory, with a real sandbox.

#![allow(clippy::unwrap_used)] // a test that cannot go on fails

#[path = "../../worker/tests/support/mod.rs"]
mod support;

use serde_json::{Value, json};
use std::{
    path::Path,
    sync::{Arc, Mutex},
    time::Duration,
};
use support::{Fake, options, order, scene};
use tatau_api::AuditOrder;
use tatau_evidence::{AuditCommitment, Domain, manifest_root};
use tatau_model::{AuditId, BlobId, Millis, Work};
use tatau_validator::{ValidateError, ValidateOptions, ValidatorEvent, validate_on};
use tatau_worker::{Membership, Stop};
use tokio::{sync::watch, task::JoinHandle};

struct Node {
    stop: watch::Sender<Stop>,
    running: JoinHandle<Result<(), ValidateError>>,
    events: Arc<Mutex<Vec<ValidatorEvent>>>,
    address: tatau_model::Address,
}

impl Node {
    fn start(fake: &Fake, root: &Path) -> Self {
        let events = Arc::new(Mutex::new(Vec::new()));
        let mut options = ValidateOptions::new("http://nowhere".into(), options(root, "validator-session"));
        let heard = Arc::clone(&events);
        options.on = Arc::new(move |event| heard.lock().unwrap().push(event));
        let membership = Membership::open(&options.node.data_dir, &mut rand::rng()).unwrap();
        let address = membership.key.address();
        let (stop, signal) = watch::channel(Stop::Run);
        let running = tokio::spawn(validate_on(fake.clone(), membership, options, signal));
        Self { stop, running, events, address }
    }

    async fn end(self, stop: Stop) -> Vec<ValidatorEvent> {
        self.stop.send_replace(stop);
        let ended = tokio::time::timeout(Duration::from_secs(30), self.running).await;
        ended.expect("it stops").unwrap().unwrap();
        self.events.lock().unwrap().clone()
    }

    async fn hears(&self, is: impl Fn(&ValidatorEvent) -> bool) {
        while !self.events.lock().unwrap().iter().any(&is) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

fn audit(n: u64, scene: &str, inputs: Option<BlobId>, more: &Value) -> AuditOrder {
    let mut request = json!({"kind": "crops", "frame": n});
    request.as_object_mut().unwrap().extend(more.as_object().cloned().unwrap_or_default());
    let work = Work::Render { frame: n as i32, tile: None };
    let holder = AuditId(n).to_string();
    AuditOrder {
        audit: AuditId(n),
        due: Millis(i64::MAX),
        order: order(&holder, work, scene, inputs, &request),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn audits_of_one_scene_share_a_session_and_are_committed_before_they_are_revealed() {
    let (fake, root) = (Fake::default(), tempfile::tempdir().unwrap());
    let inputs = Some(scene(&fake, "scene"));
    fake.change(|s| {
        s.audits = (1..=6).map(|n| audit(n, ["a", "b"][n as usize % 2], inputs, &json!({}))).collect();
    });
    let node = Node::start(&fake, root.path());
    fake.until("six reveals", |s| s.reveals.len() == 6).await;
    let mut counts = Vec::new();
    {
        let s = fake.state();
        assert_eq!(s.downloads.len(), 2, "manifest and scene, once");
        for (id, reveal) in &s.reveals {
            let commit = &s.commits[id];
            assert_eq!(commit.commitment, manifest_root(&reveal.files));
            let claim = AuditCommitment { audit: *id, node: node.address, files_root: commit.commitment };
            claim.check(&Domain::default(), &commit.signature.parse().unwrap()).unwrap();
            assert_eq!(reveal.work_ms, 7, "the runtime's time, without loading");
            let result = reveal.files.iter().find(|f| f.name == "result.json").unwrap();
            let result: Value = serde_json::from_slice(&s.blobs[&result.blob]).unwrap();
            counts.push(result["count"].as_u64().unwrap());
        }
        let offer = &s.node.as_ref().unwrap().offer;
        assert!(offer.validates && !offer.provides);
    }
    counts.sort_unstable();
    assert_eq!(counts, [1, 1, 2, 2, 3, 3], "two sessions of three audits");
    let events = node.end(Stop::Finish).await;
    assert_eq!(events.last(), Some(&ValidatorEvent::Stopped { revealed: 6, kept: 0 }));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signed_commitment_survives_the_end_of_the_validator() {
    let (fake, root) = (Fake::default(), tempfile::tempdir().unwrap());
    fake.change(|s| s.audits.push(audit(1, "a", None, &json!({"sleep": 1}))));
    let node = Node::start(&fake, root.path());
    node.hears(|e| matches!(e, ValidatorEvent::Progress { .. })).await;
    fake.change(|s| s.away = true);
    while !root.path().join("node/outbox/audit-1/entry.json").exists() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let events = node.end(Stop::Now).await;
    assert_eq!(events.last(), Some(&ValidatorEvent::Stopped { revealed: 0, kept: 1 }));
    fake.change(|s| s.away = false);
    let node = Node::start(&fake, root.path());
    fake.until("revealed by the next run", |s| s.reveals.contains_key(&AuditId(1))).await;
    let events = node.end(Stop::Finish).await;
    assert!(!events.iter().any(|e| matches!(e, ValidatorEvent::Progress { .. })), "nothing was run again");
}

#[tokio::test(flavor = "multi_thread")]
async fn failures_are_told_and_the_rest_is_returned() {
    let (fake, root) = (Fake::default(), tempfile::tempdir().unwrap());
    let mut fails = audit(1, "a", None, &json!({}));
    fails.order.request = Some(json!({"kind": "fail"}).to_string());
    fake.change(|s| {
        s.audits = vec![fails, audit(2, "a", None, &json!({"sleep": 1})), audit(3, "a", None, &json!({}))];
    });
    let node = Node::start(&fake, root.path());
    node.hears(|e| matches!(e, ValidatorEvent::Progress { audit, .. } if *audit == AuditId(2))).await;
    node.end(Stop::Finish).await;
    let s = fake.state();
    let failed: Vec<_> = s.audits_failed.iter().map(|(id, r)| (id.0, r.code.as_str())).collect();
    assert_eq!(failed, [(1, "no_camera"), (3, "returned")]);
    assert!(s.reveals.contains_key(&AuditId(2)) && s.draining);
}
