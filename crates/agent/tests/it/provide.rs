//! The agent against a platform in memory, with a real sandbox.

#![allow(clippy::unwrap_used)] // a test that cannot go on fails

use crate::node::Node;
use crate::support::{Fake, lease, no, scene};
use serde_json::json;
use std::{path::Path, sync::Arc, time::Duration};
use tatau_agent::{AgentEvent, Outputs, ProvideOptions};
use tatau_api::ErrorBody;
use tatau_client::ClientError;
use tatau_evidence::{Domain, manifest_root, typed::check_receipt};
use tatau_model::{AttemptId, Work};
use tatau_worker::{Membership, Stop};

fn id(n: u64) -> AttemptId {
    AttemptId(n)
}

#[tokio::test(flavor = "multi_thread")]
async fn leases_are_worked_signed_and_delivered_in_one_session() {
    let (fake, root) = (Fake::default(), tempfile::tempdir().unwrap());
    let inputs = Some(scene(&fake, "scene"));
    for n in 1..=4 {
        fake.change(|s| s.leases.push(lease(n, n as i32, inputs, &json!({}))));
    }
    let node = Node::start(&fake, root.path());
    fake.until("four deliveries", |s| s.delivered.len() == 4).await;
    let address = node.address;
    {
        let s = fake.state();
        assert_eq!(s.downloads.len(), 2, "manifest and scene, once");
        for (attempt, commit) in &s.receipts {
            let files = &s.delivered[attempt].files;
            assert_eq!(commit.receipt.manifest_root, manifest_root(files));
            assert_eq!(commit.receipt.units, 128);
            let task = tatau_model::TaskId(100 + attempt.0);
            let job = tatau_model::JobId(1);
            check_receipt(&Domain::default(), *attempt, task, job, address, &commit.receipt).unwrap();
            assert!(s.delivered[attempt].log.contains("of this session"));
        }
        let node = s.node.as_ref().unwrap();
        assert!(node.offer.provides && !node.offer.validates && node.offer.environments == ["stand-in"]);
    }
    let events = node.end(Stop::Finish).await;
    assert_eq!(events.last(), Some(&AgentEvent::Stopped { delivered: 4, kept: 0 }));
    assert!(fake.state().draining);
    let left = std::fs::read_dir(root.path().join("node/outbox")).unwrap().count();
    assert_eq!(left, 0, "delivered work leaves the disk");
    // Started again, it takes leases again.
    let node = Node::start(&fake, root.path());
    fake.until("not draining", |s| s.registrations == 2 && !s.draining).await;
    node.end(Stop::Finish).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_network_is_waited_out_and_lost_answers_come_again() {
    let (fake, root) = (Fake::default(), tempfile::tempdir().unwrap());
    fake.change(|s| {
        s.leases.push(lease(1, 1, None, &json!({"sleep": 1})));
        s.lose_answers = 1;
    });
    let node = Node::start(&fake, root.path());
    while node.heard(|e| matches!(e, AgentEvent::Progress { .. })) == 0 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    fake.change(|s| s.away = true);
    let kept = root.path().join("node/outbox/attempt-1/entry.json");
    while !kept.exists() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert!(fake.state().receipts.is_empty());
    while node.heard(|e| matches!(e, AgentEvent::Waiting { .. })) < 2 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    fake.change(|s| s.away = false);
    fake.until("delivered", |s| s.delivered.contains_key(&id(1))).await;
    let events = node.end(Stop::Finish).await;
    let runs = events.iter().filter(|e| matches!(e, AgentEvent::Leased { .. })).count();
    assert_eq!(runs, 1, "the work was done once: {events:?}");
    let waits = events.iter().filter(|e| matches!(e, AgentEvent::Waiting { .. })).count();
    let back = events.iter().filter(|e| matches!(e, AgentEvent::Resumed)).count();
    assert_eq!((waits, back), (2, 2), "each said once: {events:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signed_receipt_survives_the_end_of_the_agent() {
    let (fake, root) = (Fake::default(), tempfile::tempdir().unwrap());
    fake.change(|s| s.leases.push(lease(1, 1, None, &json!({"sleep": 1}))));
    let node = Node::start(&fake, root.path());
    while node.heard(|e| matches!(e, AgentEvent::Progress { .. })) == 0 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    fake.change(|s| s.away = true);
    while !root.path().join("node/outbox/attempt-1/entry.json").exists() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let events = node.end(Stop::Now).await;
    assert_eq!(events.last(), Some(&AgentEvent::Stopped { delivered: 0, kept: 1 }));
    fake.change(|s| s.away = false);
    let node = Node::start(&fake, root.path());
    fake.until("delivered by the next run", |s| s.delivered.contains_key(&id(1))).await;
    let events = node.end(Stop::Finish).await;
    assert!(!events.iter().any(|e| matches!(e, AgentEvent::Progress { .. })), "nothing was run again");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_word_to_stop_finishes_what_runs_and_returns_the_rest() {
    let (fake, root) = (Fake::default(), tempfile::tempdir().unwrap());
    fake.change(|s| {
        s.leases = (1..=5).map(|n| lease(n, n as i32, None, &json!({"sleep": 1}))).collect();
    });
    let node = Node::start(&fake, root.path());
    while node.heard(|e| matches!(e, AgentEvent::Progress { .. })) == 0
        || node.heard(|e| matches!(e, AgentEvent::Leased { .. })) < 2
    {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    node.end(Stop::Finish).await;
    let s = fake.state();
    assert!(s.delivered.contains_key(&id(1)) && s.delivered.len() == 1, "{:?}", s.delivered.keys());
    assert_eq!(
        s.failed.iter().map(|(a, r)| (*a, r.code.as_str())).collect::<Vec<_>>(),
        [(id(2), "returned")]
    );
    assert_eq!(s.leases.len(), 3, "no more than one runs and one waits");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_second_word_ends_everything_at_once() {
    let (fake, root) = (Fake::default(), tempfile::tempdir().unwrap());
    fake.change(|s| s.leases.push(lease(1, 1, None, &json!({"sleep": 25}))));
    let node = Node::start(&fake, root.path());
    while node.heard(|e| matches!(e, AgentEvent::Progress { .. })) == 0 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    node.stop.send_replace(Stop::Finish);
    let began = std::time::Instant::now();
    node.end(Stop::Now).await;
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    assert!(fake.state().receipts.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn failures_are_told_and_work_taken_back_is_ended() {
    let (fake, root) = (Fake::default(), tempfile::tempdir().unwrap());
    let mut fails = lease(1, 1, None, &json!({}));
    fails.order.request = Some(json!({"kind": "fail", "frame": 1}).to_string());
    let mut lacks = lease(2, 2, None, &json!({}));
    lacks.order.request = Some(json!({"kind": "nothing"}).to_string());
    fake.change(|s| s.leases = vec![fails, lacks, lease(3, 3, None, &json!({"sleep": 25}))]);
    let node = Node::start(&fake, root.path());
    fake.until("two failures", |s| s.failed.len() == 2).await;
    assert_eq!(fake.state().failed[&id(1)].code, "no_camera");
    assert_eq!(fake.state().failed[&id(2)].code, "bad_output");
    while node.heard(|e| matches!(e, AgentEvent::Progress { attempt, .. } if *attempt == id(3))) == 0 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    fake.change(|s| {
        s.taken_back.insert(id(3));
        s.handed.remove(&id(3));
        s.leases.push(lease(4, 4, None, &json!({})));
    });
    fake.until("the next one is done", |s| s.delivered.contains_key(&id(4))).await;
    assert_eq!(node.heard(|e| matches!(e, AgentEvent::Lost { attempt, .. } if *attempt == id(3))), 1);
    node.end(Stop::Finish).await;
    assert_eq!(fake.state().receipts.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_receipt_is_forgotten_and_told() {
    let (fake, root) = (Fake::default(), tempfile::tempdir().unwrap());
    fake.change(|s| {
        s.refuse_receipts = Some(ErrorBody { code: "conflict".into(), sentence: "too late".into() });
        s.leases.push(lease(1, 1, None, &json!({})));
    });
    let node = Node::start(&fake, root.path());
    while node.heard(|e| matches!(e, AgentEvent::Lost { .. })) == 0 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let events = node.end(Stop::Finish).await;
    assert_eq!(events.last(), Some(&AgentEvent::Stopped { delivered: 0, kept: 0 }));
    assert!(fake.state().delivered.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_line_promises_and_takes_on_no_more_than_it_carries() {
    let (fake, root) = (Fake::default(), tempfile::tempdir().unwrap());
    fake.change(|s| {
        s.hold_uploads = true;
        s.leases = (1..=7).map(|n| lease(n, n as i32, None, &json!({"sleep": 0.5}))).collect();
    });
    let node = Node::start(&fake, root.path());
    let finished = |n: u64| root.path().join(format!("node/outbox/attempt-{n}/entry.json")).exists();
    fake.until("three promises, and one more piece of work done", |s| s.receipts.len() == 3 && finished(4))
        .await;
    // Whatever the agent says from now on, it asks for nothing and promises nothing: the line is full.
    let polls = fake.state().polls;
    fake.until("it asks again", |s| s.polls > polls || !s.handed.contains_key(&id(4))).await;
    {
        let s = fake.state();
        assert_eq!(s.receipts.keys().copied().collect::<Vec<_>>(), [id(1), id(2), id(3)]);
        assert!(s.handed.contains_key(&id(4)), "its lease is kept: {:?}", s.handed.keys());
        assert!(s.leases.len() >= 2, "no further lease was taken: {}", s.leases.len());
        assert!(s.delivered.is_empty());
    }
    fake.change(|s| s.hold_uploads = false);
    fake.until("all is delivered", |s| s.delivered.len() == 7).await;
    let events = node.end(Stop::Finish).await;
    assert_eq!(events.last(), Some(&AgentEvent::Stopped { delivered: 7, kept: 0 }));
}

struct Painter;

impl Outputs for Painter {
    fn collected(&self, work: &Work, folder: &Path) {
        assert_eq!(*work, Work::Render { frame: 1, tile: None });
        std::fs::write(folder.join("frame_0001.exr"), "forged").unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_hook_sees_outputs_before_they_are_signed() {
    let (fake, root) = (Fake::default(), tempfile::tempdir().unwrap());
    fake.change(|s| s.leases.push(lease(1, 1, None, &json!({}))));
    let node = Node::start_with(&fake, root.path(), |o| o.outputs = Arc::new(Painter));
    fake.until("delivered", |s| s.delivered.contains_key(&id(1))).await;
    node.end(Stop::Finish).await;
    let s = fake.state();
    let file = s.delivered[&id(1)].files.iter().find(|f| f.name == "frame_0001.exr").unwrap();
    assert_eq!(s.blobs[&file.blob], b"forged");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_folder_is_one_node_and_refusals_are_final() {
    assert!(matches!(no("barred"), ClientError::Refused { .. }));
    let (fake, root) = (Fake::default(), tempfile::tempdir().unwrap());
    let node = Node::start(&fake, root.path());
    fake.until("registered", |s| s.registrations == 1).await;
    assert!(Membership::open(&root.path().join("node"), &mut rand::rng()).is_err());
    node.end(Stop::Now).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_join_code_is_said_once_and_the_fleet_remembered() {
    let (fake, root) = (Fake::default(), tempfile::tempdir().unwrap());
    let join = |o: &mut ProvideOptions| (o.node.owner, o.node.join) = (None, Some("join-code".into()));
    let node = Node::start_with(&fake, root.path(), join);
    fake.until("registered", |s| s.registrations == 1).await;
    fake.until("it works", |s| s.polls > 0).await;
    node.end(Stop::Finish).await;
    // Without a code, an owner's key or a delegation it is in the fleet that it joined.
    let node = Node::start_with(&fake, root.path(), |o| o.node.owner = None);
    fake.until("registered again", |s| s.registrations == 2).await;
    node.end(Stop::Finish).await;
    let s = fake.state();
    let said: Vec<_> =
        s.registered.iter().map(|r| (r.join.as_deref(), r.delegation.as_str(), r.owner)).collect();
    let owner = s.node.as_ref().unwrap().owner;
    assert_eq!(said, [(Some("join-code"), "", owner), (None, "", owner)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_owners_word_is_told_once_for_each_time_that_it_changes() {
    let (fake, root) = (Fake::default(), tempfile::tempdir().unwrap());
    let say = |revision| {
        let settings = tatau_model::NodeSettings { revision, draining: true, ..Default::default() };
        fake.change(|s| s.settings = Some(settings));
    };
    let node = Node::start(&fake, root.path());
    let told = |event: &AgentEvent| matches!(event, AgentEvent::Settings { .. });
    fake.until("it polls", |s| s.polls > 0).await;
    say(1);
    fake.until("it has heard and polls again", |s| s.heard == 1).await;
    say(2);
    fake.until("it has heard that too", |s| s.heard == 2).await;
    assert_eq!(node.heard(told), 2);
    node.end(Stop::Finish).await;
}
