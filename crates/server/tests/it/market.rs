//! A card is placed, a scene inspected, and both audited: the market's life over HTTP, with nodes that make their
//! results up. No comparator runs here, so nothing is accepted.
#![allow(clippy::unwrap_used)]

use crate::home::{Home, upload_scene};
use std::time::{Duration, Instant};
use tatau_api::{AuditCommit, AuditReveal, Delivered, FailReport, Lease, Poll, ReceiptCommit};
use tatau_client::Client;
use tatau_evidence::{
    SigningKey, manifest_root, merkle,
    typed::{AuditCommitment, Domain, sign_receipt},
};
use tatau_model::{Amount, BlobId, Digest, EpochId, OutputFile, Receipt, Work};
use tatau_workload::{audit::BENCHMARK, trace};

async fn put(client: &Client, name: &str, bytes: Vec<u8>) -> OutputFile {
    let len = bytes.len() as u64;
    let blob: BlobId = client.upload_bytes(bytes.into()).await.unwrap();
    OutputFile { name: name.into(), blob, bytes: len }
}

/// A frame of the benchmark's size that nobody rendered, with its tiles.
async fn made_up(client: &Client, lease: &Lease) -> (Vec<OutputFile>, Digest) {
    assert_eq!(lease.order.work, Work::Benchmark);
    let (w, h) = (BENCHMARK.width, BENCHMARK.height);
    let count = merkle::tile_count(w, h) as usize;
    let mut tiles = b"TTIL1\0".to_vec();
    for field in [w, h, 64, 4] {
        tiles.extend(field.to_le_bytes());
    }
    tiles.extend(vec![7; 32 * count]);
    let root = trace::Tiles::parse(&tiles).unwrap().root().unwrap();
    let files = vec![
        put(client, "frame_0001.exr", vec![1; 5_000]).await,
        put(client, "frame_0001.tiles", tiles).await,
        put(client, "result.json", b"{}".to_vec()).await,
    ];
    (files, root)
}

fn receipt(
    key: &SigningKey,
    lease: &Lease,
    files: &[OutputFile],
    trace_root: Digest,
    units: u64,
) -> ReceiptCommit {
    let mut receipt = Receipt {
        manifest_root: manifest_root(files),
        trace_root,
        units,
        claimed_ms: 900,
        energy_j: 0,
        signature: String::new(),
    };
    sign_receipt(&Domain::default(), key, lease.attempt, lease.task, lease.order.job, &mut receipt);
    ReceiptCommit { attempt: lease.attempt, receipt }
}

fn poll(cards: &[u16], running: Vec<tatau_model::AttemptId>) -> Poll {
    Poll { cards: cards.to_vec(), running, wait_ms: 5_000, ..Poll::default() }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_benchmark_goes_from_lease_to_revealed_audit_and_survives_restarts() {
    let home = Home::open().await;
    let (owner, _) = home.owner().await;
    let (key, node, _) = home.node(&owner, false).await;
    let lease = node.poll(&poll(&[0], vec![])).await.unwrap().leases.remove(0);
    assert_eq!(lease.price, Amount::ZERO);
    // That answer might have been lost: what the poll does not name comes again, also after a restart.
    let again = node.poll(&poll(&[], vec![])).await.unwrap();
    assert_eq!(again.leases.len(), 1);
    assert_eq!(again.leases[0].attempt, lease.attempt);
    let home = home.restart().await;
    let node = home.as_key(&key);
    assert_eq!(node.poll(&poll(&[], vec![])).await.unwrap().leases, vec![lease.clone()]);
    let named = Poll { wait_ms: 0, ..poll(&[], vec![lease.attempt]) };
    assert_eq!(node.poll(&named).await.unwrap(), tatau_api::PollAnswer::default());

    let (files, root) = made_up(&node, &lease).await;
    let units = u64::from(BENCHMARK.width * BENCHMARK.height * BENCHMARK.samples);
    let good = receipt(&key, &lease, &files, root, units);
    let mut forged = good.clone();
    forged.receipt.claimed_ms += 1;
    let early = Delivered { files: files.clone(), log: String::new() };
    assert_eq!(node.delivered(lease.attempt, &early).await.unwrap_err().code(), Some("conflict"));
    let answers = node.commit_receipts(&[forged]).await.unwrap();
    assert_eq!(answers[0].as_ref().map(|e| e.code.as_str()), Some("invalid"));
    let answers = node.commit_receipts(&[good.clone(), good.clone()]).await.unwrap();
    assert_eq!(answers[0], None);
    assert!(answers[1].as_ref().is_some_and(|e| e.sentence.contains("twice")), "once in one batch");
    assert_eq!(node.commit_receipts(&[good]).await.unwrap(), [None], "but it may be sent again");

    let mut other = early.clone();
    other.files.pop();
    assert_eq!(node.delivered(lease.attempt, &other).await.unwrap_err().code(), Some("invalid"));
    let said = Delivered { files: files.clone(), log: "sampled\n".into() };
    node.delivered(lease.attempt, &said).await.unwrap();
    node.delivered(lease.attempt, &said).await.unwrap();

    // Another owner's validator gets the audit, blind, once the epoch is closed.
    let (judge, judges_money) = home.owner().await;
    judges_money.stake(Amount::tatau(5)).await.unwrap();
    let (judge_key, validator, _) = home.node(&judge, true).await;
    let ask = Poll { audits: 4, wait_ms: 10_000, ..Poll::default() };
    let audit = validator.poll(&ask).await.unwrap().audits.remove(0);
    let text = serde_json::to_string(&audit).unwrap();
    assert!(!text.contains(&files[0].blob.to_string()), "the claim is not shown");
    assert!(audit.order.request.as_ref().unwrap().contains("benchmark"), "{text}");
    let crops = vec![
        put(&validator, "crop_0.f32", vec![1; 64]).await,
        put(&validator, "crop_1.f32", vec![2; 64]).await,
    ];
    let reveal = AuditReveal { files: crops.clone(), work_ms: 5 };
    assert!(validator.audit_reveal(audit.audit, &reveal).await.is_err(), "commit first");
    let claim = AuditCommitment::to_files(audit.audit, judge_key.address(), &crops);
    let commit = |signer: &SigningKey| AuditCommit {
        audit: audit.audit,
        commitment: claim.files_root,
        signature: claim.sign(&Domain::default(), signer).to_string(),
    };
    assert_eq!(validator.audit_commit(&commit(&key)).await.unwrap_err().code(), Some("invalid"));
    let foreign = node.audit_commit(&commit(&judge_key)).await.unwrap_err();
    assert!(foreign.status().is_some_and(|s| s == 403 || s == 422), "{foreign}");
    validator.audit_commit(&commit(&judge_key)).await.unwrap();
    let changed = AuditReveal { files: crops[..1].to_vec(), work_ms: 5 };
    assert_eq!(validator.audit_reveal(audit.audit, &changed).await.unwrap_err().code(), Some("invalid"));
    validator.audit_reveal(audit.audit, &reveal).await.unwrap();

    let epochs = validator.epochs(EpochId(0)).await.unwrap();
    assert_eq!(epochs.len(), 1);
    let anchor = validator.platform().await.unwrap().beacon_anchor;
    assert!(tatau_evidence::follows(&anchor, &epochs[0].beacon));
    let digests = validator.epoch_receipts(EpochId(1)).await.unwrap();
    assert_eq!(merkle::receipts_root(&digests), epochs[0].receipts_root);
    let home = home.restart().await;
    assert!(home.operator().admin_books().await.unwrap().balanced);
    home.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_waiting_poll_is_woken_by_work_and_answered_when_the_server_stops() {
    let home = Home::open().await;
    let (owner, _) = home.owner().await;
    let (_, node, _) = home.node(&owner, false).await;
    let lease = node.poll(&poll(&[0], vec![])).await.unwrap().leases.remove(0);
    let waiting = node.clone();
    let running = vec![lease.attempt];
    let held = tokio::spawn(async move {
        let asked = Poll { wait_ms: 25_000, ..poll(&[], running) };
        (waiting.poll(&asked).await, Instant::now())
    });
    // Given up from elsewhere: the poll hears of it long before its time is over.
    tokio::time::sleep(Duration::from_millis(300)).await;
    let report = FailReport { code: "returned".into(), sentence: "stopping".into(), log: String::new() };
    let began = Instant::now();
    node.attempt_failed(lease.attempt, &report).await.unwrap();
    let (answer, at) = held.await.unwrap();
    assert_eq!(answer.unwrap().stop, vec![lease.attempt]);
    assert!(at.duration_since(began) < Duration::from_secs(7), "woken, not timed out");

    let waiting = node.clone();
    let held = tokio::spawn(async move { waiting.poll(&Poll { wait_ms: 25_000, ..Poll::default() }).await });
    tokio::time::sleep(Duration::from_millis(300)).await;
    let began = Instant::now();
    home.close().await;
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    assert_eq!(held.await.unwrap().unwrap(), tatau_api::PollAnswer::default());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_buyers_poll_waits_for_changes_and_a_story_is_told() {
    let home = Home::open().await;
    let (_, buyer) = home.owner().await;
    let inputs = upload_scene(&buyer, b"BLENDER scene").await;
    let request = serde_json::json!({
        "name": "look", "inputs": inputs, "scene": "scene.blend", "environment": "blender-5.0", "cap": 50_000_000,
        "request_key": "k"
    });
    let submitted = buyer.submit_job(&serde_json::from_value(request).unwrap()).await.unwrap();
    assert_eq!(submitted.tasks.len(), 1);
    assert_eq!((submitted.frames_done, submitted.frames_total), (0, 1));
    let job = submitted.job.id;
    let waiting = buyer.clone();
    let held = tokio::spawn(async move { waiting.job(job, submitted.change, 20_000).await });
    tokio::time::sleep(Duration::from_millis(300)).await;
    let began = Instant::now();
    buyer.cancel_job(job).await.unwrap();
    let seen = held.await.unwrap().unwrap();
    assert!(began.elapsed() < Duration::from_secs(5));
    assert_eq!(seen.job.state.name(), "cancelled");
    assert_eq!(seen.tasks[0].state, "cancelled");
    let none = buyer.task_log(job, seen.tasks[0].id).await.unwrap_err();
    assert_eq!(none.code(), Some("not_found"));
    home.close().await;
}
