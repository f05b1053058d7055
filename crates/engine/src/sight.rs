//! Whose machines may see a job's scene: to work on it, or to check work on it.

use crate::{State, audits::can_repeat};
use std::collections::BTreeSet;
use tatau_audit::is_measured;
use tatau_market::{Standing, may_see};
use tatau_model::{AccountKey, Address, Job, JobKind, Millis, Node, Purpose, Who};

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

    /// Is there, now, who could check what this node renders of the job? Always, where its device is measured or nobody has to check.
    pub(crate) fn can_be_checked(&self, job: &Job, by: &Node, now: Millis) -> bool {
        let few = if matches!(job.kind, JobKind::Benchmark { .. }) { 1 } else { 2 };
        let apart = |n: &Node| self.config.same_block_allowed || n.block != by.block;
        is_measured(job.device())
            || job.is_own_work(&by.owner)
            || self.checkers(job, now, |n| n.owner != by.owner && apart(n)) >= few
    }

    /// Could anybody's rendering of this job be checked by two, now?
    pub(crate) fn has_checkers(&self, job: &Job, now: Millis) -> bool {
        is_measured(job.device()) || job.machines.who == Who::Own || self.checkers(job, now, |_| true) >= 2
    }

    /// Owners of validators that are online and can repeat what is rendered of this job, at most two.
    fn checkers(&self, job: &Job, now: Millis, other: impl Fn(&Node) -> bool) -> usize {
        let able = |n: &&Node| {
            n.offer.validates
                && !n.draining
                && n.owner != job.owner
                && other(n)
                && n.offer.has(&job.environment)
                && can_repeat(job, n)
                && self.is_online(&n.id, now)
                && self.may_see(job, &n.owner)
        };
        let mut owners = BTreeSet::new();
        for node in self.nodes.values().filter(able) {
            owners.insert(node.owner);
            if owners.len() == 2 {
                break;
            }
        }
        owners.len()
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
