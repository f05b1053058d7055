//! What each account's files take here: one whose films fill the disk is stopped before it has.
//!
//! Counted hourly beside the removal of what nobody needs, and when an owner gave something up; between two counts the allowance of a
//! day bounds what can be added. What providers deliver is never refused: it was paid for.

use crate::error::ApiError;
use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};
use tatau_model::Address;
use tatau_ui::words::bytes;
use tokio::sync::Notify;

/// Bytes of each account, as they were last counted.
#[derive(Debug)]
pub(crate) struct Holdings {
    most: u64,
    counted: Mutex<HashMap<Address, u64>>,
    /// Somebody gave files up: count anew.
    pub again: Notify,
}

impl Holdings {
    pub(crate) fn new(most: u64) -> Self {
        Self { most, counted: Mutex::default(), again: Notify::new() }
    }

    pub(crate) fn counted(&self, held: HashMap<Address, u64>) {
        *self.counted.lock().unwrap_or_else(PoisonError::into_inner) = held;
    }

    /// May this account bring more?
    ///
    /// # Errors
    /// 507 with what it holds and how it gets room.
    pub(crate) fn check(&self, owner: &Address) -> Result<(), ApiError> {
        let counted = self.counted.lock().unwrap_or_else(PoisonError::into_inner);
        let held = counted.get(owner).copied().unwrap_or(0);
        if held < self.most {
            return Ok(());
        }
        Err(ApiError::full(format!(
            "the files of this account's jobs take {} here, and {} is the most; fetch what you need and have them removed \
             (`tatau forget JOB`, or on the job's page), or wait until they go by themselves",
            bytes(held),
            bytes(self.most)
        )))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_holds_too_much_brings_nothing_more_and_others_do() {
        let holdings = Holdings::new(1_000);
        let (a, b) = (Address([1; 20]), Address([2; 20]));
        assert!(holdings.check(&a).is_ok(), "nothing was counted yet");
        holdings.counted(HashMap::from([(a, 1_000), (b, 999)]));
        let refused = holdings.check(&a).unwrap_err();
        assert_eq!(refused.status, 507);
        assert!(refused.sentence.contains("tatau forget"), "{}", refused.sentence);
        assert!(holdings.check(&b).is_ok());
        holdings.counted(HashMap::from([(b, 999)]));
        assert!(holdings.check(&a).is_ok());
    }
}
