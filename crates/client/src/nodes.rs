//! What a node says and hears. All calls are signed by the node's key.

use crate::{Client, ClientError, send::Call};
use reqwest::Method;
use tatau_api::{
    AuditCommit, AuditReveal, Delivered, Drain, Earnings, ErrorBody, FailReport, Poll, PollAnswer,
    ReceiptCommit, RegisterNode, SetOffer,
};
use tatau_model::{AttemptId, AuditId, Card, Node, Offer};

/// Receipts in one request.
const RECEIPTS: usize = 1_000;

impl Client {
    /// `POST /v1/nodes`: registers this node, or registers it again.
    pub async fn register_node(&self, node: &RegisterNode) -> Result<Node, ClientError> {
        self.json(Call::post("/v1/nodes", node)?).await
    }

    /// `GET /v1/nodes/me`.
    pub async fn node(&self) -> Result<Node, ClientError> {
        self.json(Call::get("/v1/nodes/me")).await
    }

    /// `GET /v1/nodes/me/earnings`: day and month begin by a clock so many minutes ahead of UTC, whole quarters of an hour.
    pub async fn earnings(&self, utc_offset_minutes: i32) -> Result<Earnings, ClientError> {
        self.json(Call::get(format!("/v1/nodes/me/earnings?utc_offset_minutes={utc_offset_minutes}"))).await
    }

    /// `PUT /v1/nodes/me/offer`.
    pub async fn set_offer(&self, offer: &Offer, cards: Option<&[Card]>) -> Result<Node, ClientError> {
        let body = SetOffer { offer: offer.clone(), cards: cards.map(<[Card]>::to_vec) };
        self.json(Call::send(Method::PUT, "/v1/nodes/me/offer", &body)?).await
    }

    /// `POST /v1/nodes/me/drain`.
    pub async fn drain(&self, draining: bool) -> Result<Node, ClientError> {
        self.json(Call::post("/v1/nodes/me/drain", &Drain { draining })?).await
    }

    /// `POST /v1/nodes/me/poll`: heartbeat and request for work; held open up to `poll.wait_ms`. A lost answer's leases
    /// and audits come again with the next poll, because it does not name them.
    pub async fn poll(&self, poll: &Poll) -> Result<PollAnswer, ClientError> {
        self.json(Call::post("/v1/nodes/me/poll", poll)?.waiting(poll.wait_ms)).await
    }

    /// `POST /v1/receipts`: one answer a receipt, in order; `None` where it was taken (also when it had been before).
    pub async fn commit_receipts(
        &self,
        receipts: &[ReceiptCommit],
    ) -> Result<Vec<Option<ErrorBody>>, ClientError> {
        let mut answers = Vec::with_capacity(receipts.len());
        for part in receipts.chunks(RECEIPTS) {
            let got: Vec<Option<ErrorBody>> = self.json(Call::post("/v1/receipts", &part)?).await?;
            if got.len() != part.len() {
                return Err(ClientError::Malformed(format!(
                    "the server answered {} of {} receipts; send them again",
                    got.len(),
                    part.len()
                )));
            }
            answers.extend(got);
        }
        Ok(answers)
    }

    /// `POST /v1/attempts/{id}/delivered`: all files of the receipt were uploaded.
    pub async fn delivered(&self, attempt: AttemptId, delivered: &Delivered) -> Result<(), ClientError> {
        self.nothing(Call::post(format!("/v1/attempts/{attempt}/delivered"), delivered)?).await
    }

    /// `POST /v1/attempts/{id}/failed`: gives the lease up.
    pub async fn attempt_failed(&self, attempt: AttemptId, report: &FailReport) -> Result<(), ClientError> {
        self.nothing(Call::post(format!("/v1/attempts/{attempt}/failed"), report)?).await
    }

    /// `POST /v1/audits/{id}/commit`.
    pub async fn audit_commit(&self, commit: &AuditCommit) -> Result<(), ClientError> {
        self.nothing(Call::post(format!("/v1/audits/{}/commit", commit.audit), commit)?).await
    }

    /// `POST /v1/audits/{id}/reveal`: all files of the commitment were uploaded.
    pub async fn audit_reveal(&self, audit: AuditId, reveal: &AuditReveal) -> Result<(), ClientError> {
        self.nothing(Call::post(format!("/v1/audits/{audit}/reveal"), reveal)?).await
    }

    /// `POST /v1/audits/{id}/failed`: gives the audit up.
    pub async fn audit_failed(&self, audit: AuditId, report: &FailReport) -> Result<(), ClientError> {
        self.nothing(Call::post(format!("/v1/audits/{audit}/failed"), report)?).await
    }
}
