//! Lease terms.

/// How long leases last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LeaseTerms {
    /// Times the expected time …
    pub factor: u64,
    /// … plus this, ms (loading a scene, a slow moment).
    pub grace_ms: u64,
}

/// Expected milliseconds on a card: `reference_ms` (at score 1000) ÷ score. A score of zero counts as one.
pub fn expected_ms(reference_ms: u64, score_milli: u64) -> u64 {
    let ms = u128::from(reference_ms) * 1_000 / u128::from(score_milli.max(1));
    u64::try_from(ms).unwrap_or(u64::MAX)
}

impl LeaseTerms {
    /// Length of a lease of work that is expected to take `expected_ms`.
    pub fn length_ms(self, expected_ms: u64) -> u64 {
        expected_ms.saturating_mul(self.factor).saturating_add(self.grace_ms)
    }
}
