//! Nonces seen lately: a signed request counts once.

use std::{
    collections::{HashMap, HashSet},
    sync::Mutex,
    time::{Duration, Instant},
};
use tatau_model::{Address, Digest, Millis};

/// A signed request's clock may be off by this much, either way, ms.
pub(crate) const WINDOW_MS: u64 = 60_000;
/// A nonce is remembered at least this long: from the earliest clock that is accepted to the latest.
const KEEP: Duration = Duration::from_millis(2 * WINDOW_MS + 5_000);
/// Nonces of one generation; more are refused rather than forgotten.
const MOST: usize = 4_000_000;
/// Of them, one signer's: 1,600 requests a second.
const MOST_EACH: usize = 200_000;

/// Why a nonce is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NonceRefusal {
    /// Seen before.
    Replay,
    /// Too many requests to remember; busy.
    Full,
    /// Too many requests of this signer to remember.
    FullForSigner,
    /// Signed before this server started, so that a replay could not be told.
    BeforeStart,
}

/// Two generations; the older is dropped when the younger is old enough, by a clock that nobody can set.
pub(crate) struct Nonces {
    started: Millis,
    most_each: usize,
    inner: Mutex<Generations>,
}

struct Generations {
    since: Instant,
    young: Generation,
    old: Generation,
}

#[derive(Default)]
struct Generation {
    count: usize,
    seen: HashMap<Address, HashSet<Digest>>,
}

impl Generation {
    fn has(&self, signer: &Address, nonce: &Digest) -> bool {
        self.seen.get(signer).is_some_and(|nonces| nonces.contains(nonce))
    }
}

impl Nonces {
    /// `started`: the system's time now.
    pub(crate) fn new(started: Millis) -> Self {
        Self::with_most(started, MOST_EACH, Instant::now())
    }

    fn with_most(started: Millis, most_each: usize, since: Instant) -> Self {
        let inner = Generations { since, young: Generation::default(), old: Generation::default() };
        Self { started, most_each, inner: Mutex::new(inner) }
    }

    /// Takes the nonce of a request that was signed at `signed`, or says why not.
    pub(crate) fn take(&self, signer: Address, nonce: Digest, signed: Millis) -> Result<(), NonceRefusal> {
        self.take_at(signer, nonce, signed, Instant::now())
    }

    fn take_at(
        &self,
        signer: Address,
        nonce: Digest,
        signed: Millis,
        now: Instant,
    ) -> Result<(), NonceRefusal> {
        if signed < self.started {
            return Err(NonceRefusal::BeforeStart);
        }
        let mut inner = self.inner.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let Generations { since, young, old } = &mut *inner;
        if now.saturating_duration_since(*since) >= KEEP {
            *old = std::mem::take(young);
            *since = now;
        }
        if old.has(&signer, &nonce) || young.has(&signer, &nonce) {
            return Err(NonceRefusal::Replay);
        }
        if young.count >= MOST {
            return Err(NonceRefusal::Full);
        }
        let own = young.seen.entry(signer).or_default();
        if own.len() >= self.most_each {
            return Err(NonceRefusal::FullForSigner);
        }
        own.insert(nonce);
        young.count += 1;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIGNED: Millis = Millis(1_000);

    #[test]
    fn a_nonce_counts_once_for_as_long_as_its_signature_would() {
        let start = Instant::now();
        let nonces = Nonces::with_most(SIGNED, 10, start);
        let (who, other) = (Address([1; 20]), Address([2; 20]));
        let nonce = Digest([9; 32]);
        assert_eq!(nonces.take_at(who, nonce, SIGNED, start), Ok(()));
        assert_eq!(nonces.take_at(other, nonce, SIGNED, start), Ok(()));
        for seconds in (0..2 * WINDOW_MS / 1_000).step_by(9) {
            let now = start + Duration::from_secs(seconds);
            // The signer's clock, and the server's, do not matter: only time that passed does.
            for signed in [SIGNED, Millis(i64::MAX)] {
                assert_eq!(nonces.take_at(who, nonce, signed, now), Err(NonceRefusal::Replay), "{seconds} s");
            }
        }
        let early = nonces.take_at(who, Digest([1; 32]), Millis(999), start);
        assert_eq!(early, Err(NonceRefusal::BeforeStart));
    }

    #[test]
    fn one_signer_cannot_use_the_memory_of_all() {
        let start = Instant::now();
        let nonces = Nonces::with_most(SIGNED, 10, start);
        let (greedy, other) = (Address([1; 20]), Address([2; 20]));
        for n in 0..10 {
            assert_eq!(nonces.take_at(greedy, Digest([n; 32]), SIGNED, start), Ok(()));
        }
        let more = Digest([10; 32]);
        assert_eq!(nonces.take_at(greedy, more, SIGNED, start), Err(NonceRefusal::FullForSigner));
        assert_eq!(nonces.take_at(greedy, Digest([3; 32]), SIGNED, start), Err(NonceRefusal::Replay));
        assert_eq!(nonces.take_at(other, more, SIGNED, start), Ok(()));
        assert_eq!(nonces.take_at(greedy, more, SIGNED, start + KEEP), Ok(()), "a new generation");
    }
}
