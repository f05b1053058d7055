//! A platform in memory, and work that a shell-and-Python stand-in for the renderer does in a real sandbox.
#![allow(dead_code, clippy::unwrap_used)] // each test file uses its part, and fails where it cannot go on

mod stand_in;

#[allow(unused_imports)] // as above
pub use stand_in::*;

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};
use tatau_api::{
    AuditCommit, AuditOrder, AuditReveal, Delivered, Earnings, ErrorBody, FailReport, Granted, Lease, Poll,
    PollAnswer, ReceiptCommit, RegisterNode,
};
use tatau_client::ClientError;
use tatau_model::{
    Address, Amount, AttemptId, AuditId, BlobId, Card, Digest, Millis, Node, NodeSettings, Offer,
};
use tatau_worker::Platform;
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
    /// Polls before `draining` was last told.
    pub told_after: u32,
    pub polls: u32,
    pub earnings: Option<Earnings>,
    pub middle_ask: Option<Amount>,
    pub registered: Vec<RegisterNode>,
    /// The owner's word, told to whoever has not heard it.
    pub settings: Option<NodeSettings>,
    /// What the last poll says of it.
    pub heard: u64,
    /// Uploads wait until it is false again.
    pub hold_uploads: bool,
    /// The answer to a drain waits until it is false again.
    pub hold_drains: bool,
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
        answer.settings = s.settings.clone().filter(|settings| settings.revision > poll.heard);
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
        let middle_ask = self.here()?.middle_ask;
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
            middle_ask,
        })
    }
    async fn register_node(&self, r: &RegisterNode) -> Result<Node, ClientError> {
        let mut s = self.here()?;
        s.registrations += 1;
        s.registered.push(r.clone());
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
            settings: NodeSettings::default(),
            heard: 0,
        };
        s.node = Some(node.clone());
        Ok(node)
    }
    async fn set_offer(&self, offer: &Offer, _: Option<&[Card]>) -> Result<Node, ClientError> {
        let mut s = self.here()?;
        let node = s.node.as_mut().ok_or_else(|| no("not_found"))?;
        node.offer = offer.clone();
        Ok(node.clone())
    }
    async fn node(&self) -> Result<Node, ClientError> {
        self.here()?.node.clone().ok_or_else(|| no("not_found"))
    }
    async fn earnings(&self, _: i32) -> Result<Earnings, ClientError> {
        self.here()?.earnings.clone().ok_or_else(|| no("not_found"))
    }
    async fn drain(&self, draining: bool) -> Result<Node, ClientError> {
        self.change(|s| (s.draining, s.told_after) = (draining, s.polls));
        loop {
            let changed = self.changed.notified();
            if !self.here()?.hold_drains {
                return self.here()?.node.clone().ok_or_else(|| no("not_found"));
            }
            changed.await;
        }
    }
    async fn poll(&self, poll: &Poll) -> Result<PollAnswer, ClientError> {
        self.change(|s| (s.polls, s.heard) = (s.polls + 1, poll.heard));
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
        loop {
            let changed = self.changed.notified();
            if !self.here()?.hold_uploads {
                break;
            }
            changed.await;
        }
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
