//! The receipt log.

use super::{MAX_ROWS, Reader, jobs::all};
use crate::{StoreError, rows};
use tatau_evidence::{Domain, receipt_digest};
use tatau_model::{Attempt, AttemptId, Digest, Epoch, EpochId};

impl Reader {
    /// Closed epochs after that number (0: from the first), in order.
    pub fn epochs(&self, after: u64, limit: usize) -> Result<Vec<Epoch>, StoreError> {
        let (after, limit) = (rows::key(after), rows::limit(limit.min(MAX_ROWS)));
        self.with(|c| {
            all(c, "an epoch", "SELECT body FROM epochs WHERE id > ?1 ORDER BY id LIMIT ?2", [after, limit])
        })
    }

    /// The receipts of an epoch, in log order: the leaves under its root. Empty where there is no such epoch.
    pub fn receipts_of_epoch(
        &self,
        epoch: EpochId,
        domain: &Domain,
    ) -> Result<Vec<(AttemptId, Digest)>, StoreError> {
        let id = rows::key(epoch.0);
        let sql = "SELECT body FROM attempts WHERE epoch = ?1 ORDER BY id";
        let attempts: Vec<Attempt> = self.with(|c| all(c, "an attempt", sql, [id]))?;
        let digest = |a: Attempt| {
            let receipt = a
                .receipt
                .as_ref()
                .ok_or_else(|| StoreError::Damaged(format!("{} is in {epoch} without a receipt", a.id)))?;
            Ok((a.id, receipt_digest(domain, a.id, a.task, a.job, a.node, receipt)))
        };
        attempts.into_iter().map(digest).collect()
    }
}
