//! Money that takes another way than accepted work's.

use super::{Event, Market};
use tatau_model::{AccountKey, Amount, Attempt, AttemptState, Change, EntryKind, Purpose, Task};

impl Market {
    /// Stake and all unsettled pay of the provider burn; its disputed attempts end without pay.
    pub(super) fn slash(&self, event: &mut Event<'_>, mut attempt: Attempt, task: Task) {
        let purse = |purpose| AccountKey::Owner(attempt.provider, purpose);
        let unsettled = event.money.balance(&purse(Purpose::Pending));
        let slashed = Amount(attempt.reserved.0 + unsettled.0);
        event.pay(
            EntryKind::Slash { attempt: attempt.id },
            &[
                (purse(Purpose::Pending), purse(Purpose::StakeReserved), unsettled),
                (purse(Purpose::StakeReserved), AccountKey::Burned, slashed),
            ],
        );
        let disputed = |a: &&Attempt| a.provider == attempt.provider && a.dispute_until.is_some();
        for other in self.attempts.values().filter(disputed) {
            let mut other = other.clone();
            event.pay(
                EntryKind::Settle { attempt: other.id },
                &[(purse(Purpose::StakeReserved), purse(Purpose::StakeFree), other.reserved)],
            );
            (other.pay, other.reserved, other.dispute_until) = (Amount::ZERO, Amount::ZERO, None);
            event.changes.push(Change::Attempt(Box::new(other)));
        }
        let sentence = "two audits contradicted it".into();
        attempt.state = AttemptState::Rejected { code: "wrong".into(), sentence, slashed };
        attempt.reserved = Amount::ZERO;
        self.give_back(event, attempt, task);
    }

    /// Half the price of a lease that its buyer cut short, without a dispute window.
    pub(super) fn pay_at_once(&self, event: &mut Event<'_>, attempt: &mut Attempt) {
        let half = Amount(attempt.price.0 / 2);
        let held = AccountKey::Owner(self.jobs[&attempt.job].owner, Purpose::Held(attempt.job));
        event.pay(
            EntryKind::Post { attempt: attempt.id },
            &[
                (held, AccountKey::available(attempt.provider), Amount(half.0 - 7)),
                (held, AccountKey::Fees, Amount(7)),
            ],
        );
        attempt.price = Amount(attempt.price.0 - half.0);
    }
}
