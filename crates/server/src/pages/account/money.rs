//! What an account holds, in plain words: what can be spent, what jobs hold, what is staked, what is on its way. Pure.

use std::collections::BTreeMap;
use tatau_model::{AccountKey, Address, Amount, AmountError, JobId, Millis, Purpose};
use tatau_ui::words;

/// Jobs that are listed; the rest is counted.
const LISTED: usize = 20;

/// Balances by what they mean.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Money {
    pub available: Amount,
    /// By job: its escrow, and what its tasks hold of it.
    pub jobs: BTreeMap<JobId, Amount>,
    pub in_jobs: Amount,
    pub stake_free: Amount,
    pub stake_reserved: Amount,
    pub unbonding: Amount,
    pub pending: Amount,
}

impl Money {
    pub(super) fn of(owner: Address, balances: &[(AccountKey, Amount)]) -> Result<Self, AmountError> {
        let mut money = Self::default();
        for (key, amount) in balances {
            let AccountKey::Owner(of, purpose) = key else { continue };
            if *of != owner {
                continue;
            }
            match purpose {
                Purpose::Available => money.available = *amount,
                Purpose::Escrow(job) | Purpose::Held(job) => {
                    let held = money.jobs.entry(*job).or_default();
                    *held = held.add(*amount)?;
                    money.in_jobs = money.in_jobs.add(*amount)?;
                }
                Purpose::StakeFree => money.stake_free = *amount,
                Purpose::StakeReserved => money.stake_reserved = *amount,
                Purpose::StakeUnbonding => money.unbonding = *amount,
                Purpose::Pending => money.pending = *amount,
            }
        }
        Ok(money)
    }

    /// Stake that answers for work.
    pub(super) fn stake(&self) -> Result<Amount, AmountError> {
        self.stake_free.add(self.stake_reserved)
    }

    /// The largest of them, with how many more there are.
    pub(super) fn largest_jobs(&self) -> (Vec<(JobId, Amount)>, usize) {
        let mut jobs: Vec<(JobId, Amount)> = self.jobs.iter().map(|(job, amount)| (*job, *amount)).collect();
        jobs.sort_by_key(|(job, amount)| (std::cmp::Reverse(*amount), *job));
        let more = jobs.len().saturating_sub(LISTED);
        jobs.truncate(LISTED);
        (jobs, more)
    }
}

/// Money on its way: how much at the first moment, and when all of it is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Due {
    /// Freed first.
    pub first: String,
    /// When, for `<time>`.
    pub first_at: String,
    /// When the last part is freed; empty where the first is all.
    pub last_at: String,
}

/// Parts with their moments; those of one minute are told together.
pub(super) fn due(parts: impl IntoIterator<Item = (Millis, Amount)>) -> Option<Due> {
    let mut parts: Vec<(Millis, Amount)> = parts.into_iter().collect();
    parts.sort_unstable();
    let (first, last) = (parts.first()?.0, parts.last()?.0);
    let soon = parts.iter().take_while(|(at, _)| at.since(first) < 60_000);
    let sum = soon.clone().fold(Amount::ZERO, |sum, (_, amount)| sum.add(*amount).unwrap_or(sum));
    let all = soon.count() == parts.len();
    Some(Due {
        first: words::money(sum),
        first_at: words::utc(first),
        last_at: if all { String::new() } else { words::utc(last) },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn balances_are_told_by_what_they_mean() {
        let (me, other) = (Address([1; 20]), Address([2; 20]));
        let key = |purpose| AccountKey::Owner(me, purpose);
        let balances = [
            (key(Purpose::Available), Amount(5)),
            (key(Purpose::Escrow(JobId(1))), Amount(10)),
            (key(Purpose::Held(JobId(1))), Amount(3)),
            (key(Purpose::Escrow(JobId(2))), Amount(50)),
            (key(Purpose::StakeFree), Amount(7)),
            (key(Purpose::StakeReserved), Amount(8)),
            (key(Purpose::Pending), Amount(9)),
            (AccountKey::Owner(other, Purpose::Available), Amount(1_000)),
            (AccountKey::Fees, Amount(1_000)),
        ];
        let money = Money::of(me, &balances).unwrap();
        assert_eq!((money.available, money.in_jobs, money.pending), (Amount(5), Amount(63), Amount(9)));
        assert_eq!(money.stake().unwrap(), Amount(15));
        assert_eq!(money.largest_jobs(), (vec![(JobId(2), Amount(50)), (JobId(1), Amount(13))], 0));
    }

    #[test]
    fn money_on_its_way_has_a_first_and_a_last_moment() {
        assert_eq!(due([]), None);
        let one = due([(Millis(5_000), Amount::tatau(1)), (Millis(9_000), Amount::tatau(2))]).unwrap();
        assert_eq!((one.first.as_str(), one.last_at.as_str()), ("3.00 TATAU", ""));
        let two = due([(Millis(600_000), Amount::tatau(1)), (Millis(0), Amount::tatau(2))]).unwrap();
        assert_eq!((two.first.as_str(), two.first_at.as_str()), ("2.00 TATAU", "1970-01-01T00:00:00Z"));
        assert_eq!(two.last_at, "1970-01-01T00:10:00Z");
    }
}
