//! The platform as a node sees it. The production one is [`tatau_client::Client`]; tests bring their own.

use std::{future::Future, path::Path};
use tatau_api::{
    AuditCommit, AuditReveal, Delivered, Earnings, ErrorBody, FailReport, Granted, Poll, PollAnswer,
    ReceiptCommit, RegisterNode,
};
use tatau_client::{Client, ClientError};
use tatau_model::{AttemptId, AuditId, BlobId, Card, Node, Offer};

/// Answer to a call.
type Answer<T> = Result<T, ClientError>;

/// The calls of a node, named as in `tatau_client`; each may be repeated. Cheap to clone.
#[allow(missing_docs)] // each is documented at the client's method of the same name
pub trait Platform: Clone + Send + Sync + 'static {
    fn platform(&self) -> impl Future<Output = Answer<tatau_api::Platform>> + Send;
    fn register_node(&self, node: &RegisterNode) -> impl Future<Output = Answer<Node>> + Send;
    fn set_offer(&self, offer: &Offer, cards: Option<&[Card]>) -> impl Future<Output = Answer<Node>> + Send;
    fn node(&self) -> impl Future<Output = Answer<Node>> + Send;
    fn earnings(&self, utc_offset_minutes: i32) -> impl Future<Output = Answer<Earnings>> + Send;
    fn drain(&self, draining: bool) -> impl Future<Output = Answer<Node>> + Send;
    fn poll(&self, poll: &Poll) -> impl Future<Output = Answer<PollAnswer>> + Send;
    fn commit_receipts(
        &self,
        receipts: &[ReceiptCommit],
    ) -> impl Future<Output = Answer<Vec<Option<ErrorBody>>>> + Send;
    fn delivered(&self, attempt: AttemptId, delivered: &Delivered)
    -> impl Future<Output = Answer<()>> + Send;
    fn attempt_failed(
        &self,
        attempt: AttemptId,
        report: &FailReport,
    ) -> impl Future<Output = Answer<()>> + Send;
    fn audit_commit(&self, commit: &AuditCommit) -> impl Future<Output = Answer<()>> + Send;
    fn audit_reveal(&self, audit: AuditId, reveal: &AuditReveal) -> impl Future<Output = Answer<()>> + Send;
    fn audit_failed(&self, audit: AuditId, report: &FailReport) -> impl Future<Output = Answer<()>> + Send;
    fn grants(&self, holder: &str, blobs: &[BlobId]) -> impl Future<Output = Answer<Granted>> + Send;
    /// Downloads into the new file `to`; only the bytes of `blob` ever appear there.
    fn download(
        &self,
        url: &str,
        to: &Path,
        blob: BlobId,
        most_bytes: u64,
    ) -> impl Future<Output = Answer<u64>> + Send;
    /// Uploads a file whose name and size are known.
    fn upload(&self, path: &Path, blob: BlobId, bytes: u64) -> impl Future<Output = Answer<()>> + Send;
}

impl Platform for Client {
    async fn platform(&self) -> Answer<tatau_api::Platform> {
        self.platform().await
    }
    async fn register_node(&self, node: &RegisterNode) -> Answer<Node> {
        self.register_node(node).await
    }
    async fn set_offer(&self, offer: &Offer, cards: Option<&[Card]>) -> Answer<Node> {
        self.set_offer(offer, cards).await
    }
    async fn node(&self) -> Answer<Node> {
        self.node().await
    }
    async fn earnings(&self, utc_offset_minutes: i32) -> Answer<Earnings> {
        self.earnings(utc_offset_minutes).await
    }
    async fn drain(&self, draining: bool) -> Answer<Node> {
        self.drain(draining).await
    }
    async fn poll(&self, poll: &Poll) -> Answer<PollAnswer> {
        self.poll(poll).await
    }
    async fn commit_receipts(&self, receipts: &[ReceiptCommit]) -> Answer<Vec<Option<ErrorBody>>> {
        self.commit_receipts(receipts).await
    }
    async fn delivered(&self, attempt: AttemptId, delivered: &Delivered) -> Answer<()> {
        self.delivered(attempt, delivered).await
    }
    async fn attempt_failed(&self, attempt: AttemptId, report: &FailReport) -> Answer<()> {
        self.attempt_failed(attempt, report).await
    }
    async fn audit_commit(&self, commit: &AuditCommit) -> Answer<()> {
        self.audit_commit(commit).await
    }
    async fn audit_reveal(&self, audit: AuditId, reveal: &AuditReveal) -> Answer<()> {
        self.audit_reveal(audit, reveal).await
    }
    async fn audit_failed(&self, audit: AuditId, report: &FailReport) -> Answer<()> {
        self.audit_failed(audit, report).await
    }
    async fn grants(&self, holder: &str, blobs: &[BlobId]) -> Answer<Granted> {
        self.grants(holder, blobs).await
    }
    async fn download(&self, url: &str, to: &Path, blob: BlobId, most_bytes: u64) -> Answer<u64> {
        self.download(url, to, blob, most_bytes, &mut |_, _| {}).await
    }
    async fn upload(&self, path: &Path, blob: BlobId, bytes: u64) -> Answer<()> {
        self.upload_named(path, blob, bytes, &mut |_, _| {}).await
    }
}
