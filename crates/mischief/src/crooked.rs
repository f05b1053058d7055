//! The platform as a crooked agent speaks to it: the honest client, with lies in the places where an agent can lie.

use crate::cheat::{Cheat, When};
use std::{
    collections::BTreeMap,
    path::Path,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tatau_api::{
    AuditCommit, AuditReveal, Delivered, Earnings, ErrorBody, FailReport, Granted, Poll, PollAnswer,
    ReceiptCommit, RegisterNode,
};
use tatau_client::{Client, ClientError};
use tatau_evidence::{Domain, SigningKey, keccak, sign_receipt};
use tatau_model::{AttemptId, AuditId, BlobId, Card, JobId, Node, Offer, TaskId, Work};
use tatau_worker::Platform;

type Answer<T> = Result<T, ClientError>;

/// From the lease until a provider that vanishes is gone: long enough to have begun.
const VANISH_AFTER: Duration = Duration::from_millis(1_500);
/// How far around its own attempt a provider looks for those of others.
const NEIGHBOURS: u64 = 6;

/// A lease of a frame that is to be cheated at.
#[derive(Debug, Clone, Copy)]
struct Mark {
    task: TaskId,
    job: JobId,
}

/// Speaks to the platform for one dishonest node.
#[derive(Clone)]
pub struct Crooked {
    honest: Client,
    cheat: Cheat,
    key: SigningKey,
    when: When,
    marks: Arc<Mutex<Marks>>,
}

#[derive(Default)]
struct Marks {
    frames: u64,
    cheated: BTreeMap<AttemptId, Mark>,
    own: Vec<AttemptId>,
}

impl Crooked {
    /// Cheats at the frames that `when` says.
    pub fn new(honest: Client, cheat: Cheat, key: SigningKey, when: When) -> Self {
        Self { honest, cheat, key, when, marks: Arc::default() }
    }

    fn marks(&self) -> MutexGuard<'_, Marks> {
        self.marks.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn mark_of(&self, attempt: AttemptId) -> Option<Mark> {
        self.marks().cheated.get(&attempt).copied()
    }

    fn note(&self, answer: &PollAnswer) {
        for lease in &answer.leases {
            let mut marks = self.marks();
            marks.own.push(lease.attempt);
            if !matches!(lease.order.work, Work::Render { .. }) || marks.cheated.contains_key(&lease.attempt)
            {
                continue;
            }
            marks.frames += 1;
            if !self.when.is_cheated(marks.frames) {
                continue;
            }
            marks.cheated.insert(lease.attempt, Mark { task: lease.task, job: lease.order.job });
            drop(marks);
            if self.cheat == Cheat::Vanish {
                println!("vanishing in the middle of {}", lease.attempt);
                tokio::spawn(async {
                    tokio::time::sleep(VANISH_AFTER).await;
                    // No farewell: neither the platform nor the sandbox hears of it.
                    std::process::exit(9);
                });
            }
        }
    }

    /// The same receipt over other files.
    fn forged(&self, commit: &ReceiptCommit, mark: Mark) -> ReceiptCommit {
        let mut forged = commit.clone();
        forged.receipt.manifest_root = keccak(b"files that were never made");
        sign_receipt(&Domain::default(), &self.key, commit.attempt, mark.task, mark.job, &mut forged.receipt);
        forged
    }

    /// Sends a receipt on the side and prints what the platform says to it.
    async fn try_on(&self, what: &str, commit: ReceiptCommit) {
        let attempt = commit.attempt;
        match self.honest.commit_receipts(&[commit]).await {
            Ok(answers) => match answers.into_iter().next().flatten() {
                None => println!("{what} {attempt}: accepted"),
                Some(no) => println!("{what} {attempt}: {} {}", no.code, no.sentence),
            },
            Err(error) => println!("{what} {attempt}: {error}"),
        }
    }

    async fn foreign(&self, commit: &ReceiptCommit) {
        let middle = commit.attempt.0;
        for id in middle.saturating_sub(NEIGHBOURS).max(1)..=middle + NEIGHBOURS {
            let own = self.marks().own.contains(&AttemptId(id));
            if !own {
                self.try_on("foreign receipt", ReceiptCommit { attempt: AttemptId(id), ..commit.clone() })
                    .await;
            }
        }
    }
}

impl Platform for Crooked {
    async fn platform(&self) -> Answer<tatau_api::Platform> {
        self.honest.platform().await
    }
    async fn register_node(&self, node: &RegisterNode) -> Answer<Node> {
        self.honest.register_node(node).await
    }
    async fn set_offer(&self, offer: &Offer, cards: Option<&[Card]>) -> Answer<Node> {
        self.honest.set_offer(offer, cards).await
    }
    async fn node(&self) -> Answer<Node> {
        self.honest.node().await
    }
    async fn earnings(&self, utc_offset_minutes: i32) -> Answer<Earnings> {
        self.honest.earnings(utc_offset_minutes).await
    }
    async fn drain(&self, draining: bool) -> Answer<Node> {
        self.honest.drain(draining).await
    }
    async fn poll(&self, poll: &Poll) -> Answer<PollAnswer> {
        let answer = self.honest.poll(poll).await?;
        self.note(&answer);
        Ok(answer)
    }
    async fn commit_receipts(&self, receipts: &[ReceiptCommit]) -> Answer<Vec<Option<ErrorBody>>> {
        let lie = |commit: &ReceiptCommit| match (self.cheat, self.mark_of(commit.attempt)) {
            (Cheat::WrongHash, Some(mark)) => self.forged(commit, mark),
            _ => commit.clone(),
        };
        if self.cheat == Cheat::Vanish && receipts.iter().any(|c| self.mark_of(c.attempt).is_some()) {
            // A frame that was done sooner than the end came is not spoken of either.
            std::future::pending::<()>().await;
        }
        let told: Vec<ReceiptCommit> = receipts.iter().map(lie).collect();
        if self.cheat == Cheat::ForeignReceipt {
            for commit in receipts.iter().filter(|c| self.mark_of(c.attempt).is_some()) {
                self.foreign(commit).await;
            }
        }
        let answers = self.honest.commit_receipts(&told).await?;
        if self.cheat == Cheat::DoubleReceipt {
            for commit in receipts {
                let Some(mark) = self.mark_of(commit.attempt) else { continue };
                self.try_on("same receipt again", commit.clone()).await;
                self.try_on("second receipt", self.forged(commit, mark)).await;
            }
        }
        Ok(answers)
    }
    async fn delivered(&self, attempt: AttemptId, delivered: &Delivered) -> Answer<()> {
        if self.cheat == Cheat::Silent && self.mark_of(attempt).is_some() {
            return Ok(());
        }
        self.honest.delivered(attempt, delivered).await
    }
    async fn attempt_failed(&self, attempt: AttemptId, report: &FailReport) -> Answer<()> {
        self.honest.attempt_failed(attempt, report).await
    }
    async fn audit_commit(&self, commit: &AuditCommit) -> Answer<()> {
        self.honest.audit_commit(commit).await
    }
    async fn audit_reveal(&self, audit: AuditId, reveal: &AuditReveal) -> Answer<()> {
        self.honest.audit_reveal(audit, reveal).await
    }
    async fn audit_failed(&self, audit: AuditId, report: &FailReport) -> Answer<()> {
        self.honest.audit_failed(audit, report).await
    }
    async fn grants(&self, holder: &str, blobs: &[BlobId]) -> Answer<Granted> {
        self.honest.grants(holder, blobs).await
    }
    async fn download(&self, url: &str, to: &Path, blob: BlobId, most_bytes: u64) -> Answer<u64> {
        self.honest.download(url, to, blob, most_bytes, &mut |_, _| {}).await
    }
    async fn upload(&self, path: &Path, blob: BlobId, bytes: u64) -> Answer<()> {
        self.honest.upload_named(path, blob, bytes, &mut |_, _| {}).await
    }
}
