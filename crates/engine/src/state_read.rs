//! Looking at the open state: for the server's answers, for tests, for start-up.

use crate::{Counts, State};
use tatau_model::{
    Account, Address, Amount, Attempt, AttemptId, Audit, AuditId, AuditState, Job, JobId, Millis, Node, Task,
    TaskId,
};

/// Reading.
impl State {
    /// The account of this owner.
    pub fn account(&self, owner: &Address) -> Option<&Account> {
        self.accounts.get(owner)
    }
    /// The node with this key.
    pub fn node(&self, id: &Address) -> Option<&Node> {
        self.nodes.get(id)
    }
    /// All nodes.
    pub fn nodes(&self) -> impl Iterator<Item = &Node> {
        self.nodes.values()
    }
    /// Heard from within the silence limit?
    pub fn is_online(&self, node: &Address, now: Millis) -> bool {
        self.seen.get(node).is_some_and(|at| now.since(*at) <= self.config.node_silence_ms)
    }
    /// When a node was last heard from; nodes count as heard at the server's start.
    pub fn last_heard(&self, node: &Address) -> Option<Millis> {
        self.seen.get(node).copied()
    }
    /// All accounts.
    pub fn accounts(&self) -> impl Iterator<Item = &Account> {
        self.accounts.values()
    }
    /// Accepted attempts of an owner whose dispute window is open.
    pub fn disputes_of(&self, owner: &Address) -> impl Iterator<Item = &Attempt> {
        self.disputes.get(owner).into_iter().flatten().filter_map(|id| self.attempts.get(id))
    }
    /// Stake of an owner on its way out: when it becomes free, and how much; soonest first.
    pub fn unbonding_of(&self, owner: Address) -> impl Iterator<Item = (Millis, Amount)> {
        self.unbonding.iter().filter(move |(_, of, _)| *of == owner).map(|(at, _, amount)| (*at, *amount))
    }
    /// An open job.
    pub fn job(&self, id: JobId) -> Option<&Job> {
        self.jobs.get(&id)
    }
    /// All open jobs.
    pub fn jobs(&self) -> impl Iterator<Item = &Job> {
        self.jobs.values()
    }
    /// The open job that this request made.
    pub fn job_of_request(&self, owner: Address, key: &str) -> Option<JobId> {
        self.requests.get(&(owner, key.to_owned())).copied()
    }
    /// A task of an open job.
    pub fn task(&self, id: TaskId) -> Option<&Task> {
        self.tasks.get(&id)
    }
    /// Tasks of an open job, in order.
    pub fn tasks_of(&self, job: JobId) -> impl Iterator<Item = &Task> {
        self.job_tasks.get(&job).into_iter().flatten().filter_map(|id| self.tasks.get(id))
    }
    /// Is this node there now and open for work? Barred accounts get none, whatever their nodes offer.
    pub fn is_open_for_work(&self, node: &Node, now: Millis) -> bool {
        node.offer.provides
            && !node.draining
            && self.is_online(&node.id, now)
            && !self.accounts.get(&node.owner).is_some_and(|account| account.barred)
    }
    /// How far an open job is.
    pub fn counts(&self, job: JobId) -> Counts {
        self.counts.get(&job).copied().unwrap_or_default()
    }
    /// An attempt of an open job; void and rejected ones are forgotten at once.
    pub fn attempt(&self, id: AttemptId) -> Option<&Attempt> {
        self.attempts.get(&id)
    }
    /// Leases that this node holds.
    pub fn leases_of(&self, node: &Address) -> impl Iterator<Item = AttemptId> {
        self.node_leases.get(node).into_iter().flatten().copied()
    }
    /// How many audits this node works on.
    pub fn audits_at(&self, node: &Address) -> usize {
        self.node_audits.get(node).map_or(0, std::collections::BTreeSet::len)
    }
    /// An audit of a remembered attempt.
    pub fn audit(&self, id: AuditId) -> Option<&Audit> {
        self.audits.get(&id)
    }
    /// Audits of a remembered attempt, in order.
    pub fn audits_of(&self, attempt: AttemptId) -> impl Iterator<Item = &Audit> {
        self.attempt_audits.get(&attempt).into_iter().flatten().filter_map(|id| self.audits.get(id))
    }
    /// Audits that wait for the comparator: what start-up performs again.
    pub fn revealed_audits(&self) -> impl Iterator<Item = AuditId> {
        self.audits.values().filter(|a| a.state == AuditState::Revealed).map(|a| a.id)
    }
    /// Receipts not yet in a closed epoch.
    pub fn has_unsealed_receipts(&self) -> bool {
        !self.unsealed.is_empty()
    }
    /// Is any job running that a provider could work for?
    pub fn has_ready_tasks(&self) -> bool {
        !self.on_market.is_empty() || !self.benchmarks.is_empty()
    }
}
