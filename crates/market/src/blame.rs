//! Whose fault a failure is.

use tatau_model::{Address, Failure};

/// The answer after a failed try.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Blame {
    /// Try another provider.
    TryAgain,
    /// It failed the same way on two providers: the buyer's fault. These tries are paid.
    Buyer(Vec<usize>),
}

/// What only a provider's side, its network or its patience explains: never the buyer's fault, however often.
const PROVIDERS_OWN: &[&str] = &[
    "returned",
    "expired",
    "vanished",
    "wrong_result",
    "unlike",
    "no_device",
    "device_failed",
    "wrong_pixels",
    "silent",
    "disk",
    "sandbox",
    "no_environment",
    "bad_inputs",
    "bad_order",
    "session_died",
    "no_verdict",
    "server_fault",
];

/// Can a failure with this code be the buyer's?
pub fn may_be_buyers(code: &str) -> bool {
    !PROVIDERS_OWN.contains(&code)
}

/// Judges the failures of one task, oldest first: two different providers with one code make it the buyer's fault.
/// Where `alone` is true (no other provider could try) the first failure already counts.
pub fn blame(failures: &[Failure], alone: bool) -> Blame {
    let Some((last, earlier)) = failures.split_last() else { return Blame::TryAgain };
    if !may_be_buyers(&last.code) {
        return Blame::TryAgain;
    }
    let mut same: Vec<usize> = Vec::new();
    let mut seen: Vec<Address> = vec![last.provider];
    for (index, failure) in earlier.iter().enumerate() {
        if failure.code == last.code && !seen.contains(&failure.provider) {
            seen.push(failure.provider);
            same.push(index);
        }
    }
    if same.is_empty() && !alone {
        return Blame::TryAgain;
    }
    same.push(failures.len() - 1);
    Blame::Buyer(same)
}

#[cfg(test)]
mod tests {
    use super::*;
    use tatau_model::{Amount, AttemptId};

    fn failure(provider: u8, code: &str) -> Failure {
        Failure {
            provider: Address([provider; 20]),
            attempt: AttemptId(u64::from(provider)),
            code: code.into(),
            sentence: String::new(),
            owed: Amount(1),
        }
    }

    #[test]
    fn two_providers_with_one_story_make_it_the_buyers_fault() {
        assert_eq!(blame(&[failure(1, "corrupt_blend")], false), Blame::TryAgain);
        assert_eq!(
            blame(&[failure(1, "corrupt_blend"), failure(1, "corrupt_blend")], false),
            Blame::TryAgain
        );
        assert_eq!(blame(&[failure(1, "timed_out"), failure(2, "corrupt_blend")], false), Blame::TryAgain);
        let same = [failure(1, "corrupt_blend"), failure(3, "x"), failure(2, "corrupt_blend")];
        assert_eq!(blame(&same, false), Blame::Buyer(vec![0, 2]));
        assert_eq!(
            blame(&[failure(1, "expired"), failure(2, "expired")], true),
            Blame::TryAgain,
            "slow is not wrong"
        );
        assert_eq!(blame(&[failure(1, "corrupt_blend")], true), Blame::Buyer(vec![0]));
    }
}
