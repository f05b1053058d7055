//! Whose machines may see a job's scene: to work on it, or to check work on it.

use crate::State;
use tatau_market::{Standing, may_see};
use tatau_model::{AccountKey, Address, Job, Millis, Purpose, Who};

impl State {
    /// May the machines of `owner` see the scene of this job?
    pub fn may_see(&self, job: &Job, owner: &Address) -> bool {
        self.may_be_seen(job.machines.who, &job.owner, owner)
    }

    /// May the machines of `owner` see what `buyer` shows to `who`?
    pub fn may_be_seen(&self, who: Who, buyer: &Address, owner: &Address) -> bool {
        // Most jobs are for anybody, and this is asked for every lease.
        who == Who::Any
            || may_see(
                who,
                Standing {
                    own: buyer == owner,
                    marked: self.account(buyer).is_some_and(|a| a.trusts.binary_search(owner).is_ok()),
                    proven: self.is_proven(owner),
                },
            )
    }

    /// A record without a stake fault, and stake, above the platform's line.
    pub fn is_proven(&self, owner: &Address) -> bool {
        let stake = |purpose| self.books.balance(&AccountKey::Owner(*owner, purpose)).0;
        self.account(owner)
            .is_some_and(|a| a.accepted >= self.config.trusted_accepted && a.stake_faults == 0 && !a.barred)
            && stake(Purpose::StakeFree).saturating_add(stake(Purpose::StakeReserved))
                >= self.config.trusted_stake.0
    }

    /// Is a validator online now that may check work on this job?
    pub(crate) fn has_validator(&self, job: &Job, now: Millis) -> bool {
        self.nodes.values().any(|n| {
            n.offer.validates
                && !n.draining
                && n.owner != job.owner
                && self.is_online(&n.id, now)
                && self.may_see(job, &n.owner)
        })
    }
}
