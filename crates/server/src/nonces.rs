//! Nonces seen lately: a signed request counts once.

use std::{collections::HashSet, sync::Mutex};
use tatau_model::{Address, Digest, Millis};

/// A signed request's clock may be off by this much, either way, ms.
pub(crate) const WINDOW_MS: u64 = 60_000;
/// A nonce is remembered at least this long: from the earliest clock that is accepted to the latest.
const KEEP_MS: u64 = 2 * WINDOW_MS + 5_000;
/// Nonces of one generation; more are refused rather than forgotten.
const MOST: usize = 4_000_000;

/// Why a nonce is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NonceRefusal {
    /// Seen before.
    Replay,
    /// Too many requests to remember; busy.
    Full,
    /// Signed before this server started, so that a replay could not be told.
    BeforeStart,
}

/// Two generations; the older is dropped when the younger is old enough.
pub(crate) struct Nonces {
    started: Millis,
    inner: Mutex<Generations>,
}

struct Generations {
    since: Millis,
    young: HashSet<(Address, Digest)>,
    old: HashSet<(Address, Digest)>,
}

impl Nonces {
    pub(crate) fn new(now: Millis) -> Self {
        let inner = Mutex::new(Generations { since: now, young: HashSet::new(), old: HashSet::new() });
        Self { started: now, inner }
    }

    /// Takes the nonce of a request that was signed at `signed`, or says why not.
    pub(crate) fn take(
        &self,
        signer: Address,
        nonce: Digest,
        signed: Millis,
        now: Millis,
    ) -> Result<(), NonceRefusal> {
        if signed < self.started {
            return Err(NonceRefusal::BeforeStart);
        }
        let mut inner = self.inner.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if now.since(inner.since) >= KEEP_MS {
            inner.old = std::mem::take(&mut inner.young);
            inner.since = now;
        }
        if inner.young.len() >= MOST {
            return Err(NonceRefusal::Full);
        }
        let key = (signer, nonce);
        if inner.old.contains(&key) || !inner.young.insert(key) {
            return Err(NonceRefusal::Replay);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_nonce_counts_once_for_as_long_as_its_signature_would() {
        let nonces = Nonces::new(Millis(1_000));
        let (who, other) = (Address([1; 20]), Address([2; 20]));
        let nonce = Digest([9; 32]);
        let mut now = Millis(1_000);
        assert_eq!(nonces.take(who, nonce, now, now), Ok(()));
        assert_eq!(nonces.take(other, nonce, now, now), Ok(()));
        while now.since(Millis(1_000)) < 2 * WINDOW_MS {
            assert_eq!(nonces.take(who, nonce, now, now), Err(NonceRefusal::Replay), "at {now:?}");
            now = now.plus(9_000);
        }
        assert_eq!(nonces.take(who, Digest([1; 32]), Millis(999), now), Err(NonceRefusal::BeforeStart));
    }
}
