//! The platform's pre-committed randomness: a chain of hashes revealed backwards, and the challenge made of it.
//!
//! `anchor = H^N(seed)` is published first; the value of epoch i is `H^(N-i)(seed)`. Anyone checks a value by
//! hashing it once: it must give the value before. Nobody, not even the platform, can change what comes next.
//! When a chain is used up the next generation of the same seed follows; publish [`HashChain::anchor`] of it
//! while the old one still runs.

use crate::hash::keccak_of;
use tatau_model::{AttemptId, Digest};

/// Values of one generation by default: an epoch a second lasts twelve days, one a minute two years.
pub const CHAIN_LENGTH: u64 = 1 << 20;

/// The longest chain that is made (a minute of hashing, 2 MiB of checkpoints).
pub const MAX_CHAIN_LENGTH: u64 = 1 << 26;

/// Hashes between two remembered values.
const STRIDE: u64 = 1024;

/// A value was asked for that the chain does not have.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BeaconError {
    /// Not between 1 and the length.
    #[error("the chain has the values 1 to {length}, not {asked}; go on with the next generation")]
    Exhausted {
        /// Asked for.
        asked: u64,
        /// Values there are.
        length: u64,
    },
    /// No chain of this length is made.
    #[error("a chain of {0} values cannot be made; choose 1 to 67108864")]
    Length(u64),
}

/// One generation of the chain, with checkpoints so that any value costs at most 1,024 hashes.
#[derive(Clone)]
pub struct HashChain {
    length: u64,
    /// `checkpoints[k]` is `H^(k·STRIDE)(start)`.
    checkpoints: Vec<Digest>,
    anchor: Digest,
}

/// One step of the chain.
fn step(value: &Digest) -> Digest {
    keccak_of(&[b"tatau-beacon", &value.0])
}

impl HashChain {
    /// Generation `generation` (from 0) of the chains of `seed`, of `length` values. Takes `length` hashes.
    pub fn new(seed: &Digest, generation: u64, length: u64) -> Result<Self, BeaconError> {
        if length == 0 || length > MAX_CHAIN_LENGTH {
            return Err(BeaconError::Length(length));
        }
        let mut value = keccak_of(&[b"tatau-beacon-seed", &seed.0, &generation.to_be_bytes()]);
        let mut checkpoints = Vec::with_capacity((length / STRIDE + 1) as usize);
        for done in 0..length {
            if done % STRIDE == 0 {
                checkpoints.push(value);
            }
            value = step(&value);
        }
        Ok(Self { length, checkpoints, anchor: value })
    }

    /// What is published before the first value is used; `follows(anchor, value(1))`.
    pub fn anchor(&self) -> Digest {
        self.anchor
    }

    /// How many values there are.
    pub fn length(&self) -> u64 {
        self.length
    }

    /// Value `i`, 1 to [`Self::length`].
    pub fn value(&self, i: u64) -> Result<Digest, BeaconError> {
        let exhausted = BeaconError::Exhausted { asked: i, length: self.length };
        if i == 0 || i > self.length {
            return Err(exhausted);
        }
        let hashes = self.length - i;
        let mut value = *self.checkpoints.get((hashes / STRIDE) as usize).ok_or(exhausted)?;
        for _ in 0..hashes % STRIDE {
            value = step(&value);
        }
        Ok(value)
    }
}

impl std::fmt::Debug for HashChain {
    /// Without the secret values.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "HashChain({} values below {})", self.length, self.anchor)
    }
}

/// Is `next` the value that comes after `previous` (or first after an anchor)?
pub fn follows(previous: &Digest, next: &Digest) -> bool {
    step(next) == *previous
}

/// Where epoch `epoch` (from 1) finds its value: the generation, and the number within it, for chains of
/// `length` values. `None` for epoch 0 or length 0.
pub fn place_of_epoch(epoch: u64, length: u64) -> Option<(u64, u64)> {
    let before = epoch.checked_sub(1)?;
    Some((before.checked_div(length)?, before % length + 1))
}

/// The challenge of one attempt: nothing in it can be varied by the provider once its receipt is logged, and
/// nothing is known before the epoch's beacon is.
pub fn challenge(beacon: &Digest, attempt: AttemptId, trace_root: &Digest) -> Digest {
    keccak_of(&[b"tatau-challenge", &beacon.0, &attempt.0.to_be_bytes(), &trace_root.0])
}
