//! How much an account uploads in a day: one that fills the disk for everybody is stopped before it has.
//!
//! Counted in memory, so a restart forgives; what nodes bring because the market waits for it is not counted.

use crate::error::ApiError;
use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};
use tatau_model::{Address, Millis};

const DAY_MS: u64 = 24 * 3_600_000;
/// Accounts that are counted at once; beyond it those whose day is over are forgotten, and then all.
const MOST: usize = 100_000;

/// Bytes of each account since the begin of its day.
#[derive(Debug)]
pub(crate) struct Allowance {
    bytes_a_day: u64,
    used: Mutex<HashMap<Address, (u64, Millis)>>,
}

impl Allowance {
    pub(crate) fn new(bytes_a_day: u64) -> Self {
        Self { bytes_a_day, used: Mutex::default() }
    }

    /// Counts `bytes` of an account, or refuses them.
    ///
    /// # Errors
    /// 507 with how long it takes until the account may upload again.
    pub(crate) fn take(&self, owner: Address, bytes: u64, now: Millis) -> Result<(), ApiError> {
        let mut used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        if used.len() >= MOST && !used.contains_key(&owner) {
            used.retain(|_, (_, since)| now.since(*since) < DAY_MS);
            if used.len() >= MOST {
                used.clear();
            }
        }
        let (sum, since) = used.entry(owner).or_insert((0, now));
        if now.since(*since) >= DAY_MS {
            (*sum, *since) = (0, now);
        }
        let more = sum.saturating_add(bytes);
        if more > self.bytes_a_day {
            let hours = (DAY_MS - now.since(*since)).div_ceil(3_600_000);
            return Err(ApiError::full(format!(
                "this account uploaded {} in a day, more than this server takes; go on in {hours} h, or ask its operator",
                tatau_ui::words::bytes(*sum)
            )));
        }
        *sum = more;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_has_so_many_bytes_for_each_account() {
        let allowance = Allowance::new(1_000);
        let (a, b) = (Address([1; 20]), Address([2; 20]));
        let take = |who, bytes, at| allowance.take(who, bytes, Millis(at));
        assert!(take(a, 600, 0).is_ok());
        let refused = take(a, 401, 3_600_000).unwrap_err();
        assert_eq!(refused.status, 507);
        assert!(refused.sentence.contains("in 23 h"), "{}", refused.sentence);
        assert!(take(a, 400, 3_600_000).is_ok(), "what was refused is not counted");
        assert!(take(b, 1_000, 3_600_000).is_ok());
        assert!(take(a, 1, 3_700_000).is_err());
        assert!(take(a, 1_000, 24 * 3_600_000).is_ok(), "the next day");
    }
}
