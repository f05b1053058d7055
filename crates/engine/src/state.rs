//! Open state in memory: every record that can still change, and the indexes that make decisions cheap.
//!
//! Only `apply` changes it; recovery applies the stored records again and ends in the same state.

use crate::{Config, Counts, asks::Remembered};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use tatau_ledger::{Books, LedgerError};
use tatau_model::{
    Account, Address, Amount, Attempt, AttemptId, AttemptState, Audit, AuditId, AuditState, Change, Epoch,
    Job, JobId, JobKind, JobState, Millis, Node, Task, TaskId, TaskState, Work,
};

/// The highest numbers given out so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counters {
    /// Jobs.
    pub job: u64,
    /// Tasks.
    pub task: u64,
    /// Attempts.
    pub attempt: u64,
    /// Audits.
    pub audit: u64,
}

/// The platform itself, as `Change::Seen` names it: when it last ticked.
pub(crate) const PLATFORM: Address = Address([0; 20]);

/// The market.
#[derive(Debug, Clone, Default)]
pub struct State {
    /// The rules.
    pub config: Config,
    /// Balances.
    pub books: Books,
    /// The last closed epoch.
    pub last_epoch: Option<Epoch>,
    pub(crate) accounts: HashMap<Address, Account>,
    pub(crate) nodes: HashMap<Address, Node>,
    pub(crate) seen: HashMap<Address, Millis>,
    pub(crate) jobs: BTreeMap<JobId, Job>,
    pub(crate) tasks: HashMap<TaskId, Task>,
    pub(crate) attempts: HashMap<AttemptId, Attempt>,
    pub(crate) audits: HashMap<AuditId, Audit>,
    pub(crate) unbonding: BTreeSet<(Millis, Address, Amount)>,
    pub(crate) counters: Counters,
    // indexes, all derived
    pub(crate) ready: BTreeMap<JobId, BTreeSet<(u8, TaskId)>>,
    pub(crate) job_tasks: HashMap<JobId, BTreeSet<TaskId>>,
    pub(crate) counts: HashMap<JobId, Counts>,
    /// Accepted tiles of frames that are rendered in tiles, and accepted tasks of a bundle's steps.
    pub(crate) parts: HashMap<JobId, HashMap<i32, usize>>,
    pub(crate) node_leases: HashMap<Address, BTreeSet<AttemptId>>,
    pub(crate) job_open: HashMap<JobId, BTreeSet<AttemptId>>,
    pub(crate) job_attempts: HashMap<JobId, BTreeSet<AttemptId>>,
    pub(crate) attempt_audits: HashMap<AttemptId, BTreeSet<AuditId>>,
    pub(crate) open_audits: BTreeMap<JobId, BTreeSet<AuditId>>,
    pub(crate) due: BTreeSet<(Millis, AttemptId)>,
    pub(crate) audit_due: BTreeSet<(Millis, AuditId)>,
    pub(crate) unsealed: BTreeSet<AttemptId>,
    pub(crate) requests: HashMap<(Address, String), JobId>,
    pub(crate) disputes: HashMap<Address, BTreeSet<AttemptId>>,
    /// Running jobs with ready tasks that any fitting provider may take.
    pub(crate) on_market: BTreeSet<JobId>,
    /// Running benchmark jobs, by the node they measure.
    pub(crate) benchmarks: HashMap<Address, BTreeSet<JobId>>,
    /// Audits that a node works on.
    pub(crate) node_audits: HashMap<Address, BTreeSet<AuditId>>,
    /// Entries of an owner in `unbonding`.
    pub(crate) unbonding_count: HashMap<Address, usize>,
    /// Buyers whom nodes block, and how many do.
    pub(crate) blocked: HashMap<Address, usize>,
    /// What was looked up lately; no part of the records.
    pub(crate) asks: Remembered,
}

impl State {
    /// An empty market with these rules.
    pub fn new(config: Config) -> Self {
        Self { config, ..Self::default() }
    }

    /// The state that was durable: balances, then every open record applied in any order, then the counters.
    pub fn recover(
        config: Config,
        books: Books,
        last_epoch: Option<Epoch>,
        records: impl IntoIterator<Item = Change>,
        counters: Counters,
        now: Millis,
    ) -> Result<Self, LedgerError> {
        let mut state = Self { config, books, last_epoch, ..Self::default() };
        for record in records {
            state.apply(&record)?;
        }
        state.counters = counters;
        // Nobody could be heard, and nobody could deliver, while the server was down: everything counts from now.
        state.seen = state.nodes.keys().map(|node| (*node, now)).collect();
        state.give_time(now);
        Ok(state)
    }

    /// Applies one change. Fails only on a journal entry that the books refuse.
    pub fn apply(&mut self, change: &Change) -> Result<(), LedgerError> {
        match change {
            Change::Account(account) => {
                self.accounts.insert(account.owner, account.clone());
            }
            Change::Node(node) => self.put_node(node),
            Change::Job(job) => self.put_job(job),
            Change::JobMeter { job, spent, reference_ms } => {
                if let Some(job) = self.jobs.get_mut(job) {
                    job.spent = *spent;
                    job.reference_ms = *reference_ms;
                }
            }
            Change::Task(task) => self.put_task(task),
            Change::Attempt(attempt) => self.put_attempt(attempt),
            Change::Audit(audit) => self.put_audit(audit),
            Change::Epoch(epoch) => self.last_epoch = Some(epoch.clone()),
            Change::Entry(entry) => self.books.apply(entry)?,
            Change::Unbonding { owner, amount, at } => {
                if self.unbonding.insert((*at, *owner, *amount)) {
                    *self.unbonding_count.entry(*owner).or_default() += 1;
                }
            }
            Change::Unbonded { owner, at } => {
                let range = (*at, *owner, Amount(i64::MIN))..=(*at, *owner, Amount(i64::MAX));
                let found = self.unbonding.range(range).next().copied();
                if let Some(found) = found {
                    self.unbonding.remove(&found);
                    if let Some(count) = self.unbonding_count.get_mut(owner) {
                        *count = count.saturating_sub(1);
                    }
                }
            }
            Change::CloseAttempt(id) => self.forget_attempt(*id),
            Change::CloseJob(id) => self.forget_job(*id),
            Change::Seen { node, at } => {
                self.seen.insert(*node, *at);
            }
        }
        Ok(())
    }

    fn put_job(&mut self, job: &Job) {
        self.counters.job = self.counters.job.max(job.id.0);
        if !job.request_key.is_empty() {
            self.requests.insert((job.owner, job.request_key.clone()), job.id);
        }
        self.counts.entry(job.id).or_default();
        if let JobKind::Benchmark { node, .. } = &job.kind {
            if job.state == JobState::Running {
                self.benchmarks.entry(*node).or_default().insert(job.id);
            } else {
                remove_from_map(&mut self.benchmarks, node, &job.id);
            }
        }
        self.jobs.insert(job.id, job.clone());
        self.place_on_market(job.id);
    }

    /// Keeps `on_market` true after a change of the job or of its ready tasks.
    fn place_on_market(&mut self, id: JobId) {
        let open = self.ready.contains_key(&id)
            && self.jobs.get(&id).is_some_and(|j| {
                j.state == JobState::Running && !matches!(j.kind, JobKind::Benchmark { .. })
            });
        if open {
            self.on_market.insert(id);
        } else {
            self.on_market.remove(&id);
        }
    }

    /// Deadlines that passed while the platform was away, or that a jump of the clock would bring, move.
    fn give_time(&mut self, now: Millis) {
        let open: Vec<Attempt> = self
            .attempts
            .values()
            .filter(|a| matches!(a.state, AttemptState::Leased | AttemptState::Committed))
            .cloned()
            .collect();
        for mut attempt in open {
            let least = match attempt.state {
                AttemptState::Leased => self.config.lease_grace_ms,
                _ => self.config.delivery_ms,
            };
            attempt.due = attempt.due.max(now.plus(least));
            self.put_attempt(&attempt);
        }
        let open: Vec<Audit> =
            self.audit_due.iter().filter_map(|(_, id)| self.audits.get(id)).cloned().collect();
        for mut audit in open {
            audit.due = audit.due.max(now.plus(self.config.audit_ms));
            self.put_audit(&audit);
        }
    }

    fn put_task(&mut self, task: &Task) {
        self.counters.task = self.counters.task.max(task.id.0);
        let before = self.tasks.insert(task.id, task.clone());
        let counts = self.counts.entry(task.job).or_default();
        let was_accepted = before.as_ref().is_some_and(|t| t.state == TaskState::Accepted);
        if before.is_none() {
            counts.tasks += 1;
            self.job_tasks.entry(task.job).or_default().insert(task.id);
        }
        if task.state == TaskState::Accepted && !was_accepted {
            counts.accept(&task.work);
            if let Some(part) = part_of(&task.work) {
                *self.parts.entry(task.job).or_default().entry(part).or_default() += 1;
            }
        }
        counts.follow(before.as_ref(), task);
        let place = (rank(&task.work), task.id);
        if task.state == TaskState::Ready {
            self.ready.entry(task.job).or_default().insert(place);
        } else {
            remove_from(&mut self.ready, &task.job, &place);
        }
        self.place_on_market(task.job);
    }

    fn put_attempt(&mut self, attempt: &Attempt) {
        let id = attempt.id;
        self.counters.attempt = self.counters.attempt.max(id.0);
        if let Some(before) = self.attempts.get(&id) {
            self.due.remove(&(due_of(before), id));
        }
        let leased = matches!(attempt.state, AttemptState::Leased);
        if leased {
            self.node_leases.entry(attempt.node).or_default().insert(id);
        } else {
            remove_from_map(&mut self.node_leases, &attempt.node, &id);
        }
        if attempt.is_open() {
            self.due.insert((due_of(attempt), id));
            self.job_open.entry(attempt.job).or_default().insert(id);
        } else {
            remove_from_map(&mut self.job_open, &attempt.job, &id);
        }
        if attempt.dispute_until.is_some() {
            self.disputes.entry(attempt.provider).or_default().insert(id);
        } else {
            remove_from_map(&mut self.disputes, &attempt.provider, &id);
        }
        let unsealed = attempt.receipt.is_some() && attempt.epoch.is_none() && !attempt.state.is_ended();
        if unsealed {
            self.unsealed.insert(id);
        } else {
            self.unsealed.remove(&id);
        }
        self.job_attempts.entry(attempt.job).or_default().insert(id);
        self.attempts.insert(id, attempt.clone());
    }

    fn put_audit(&mut self, audit: &Audit) {
        let id = audit.id;
        self.counters.audit = self.counters.audit.max(id.0);
        if let Some(before) = self.audits.get(&id) {
            self.audit_due.remove(&(before.due, id));
        }
        if let Some(node) = self.audits.get(&id).and_then(|before| before.node) {
            remove_from_map(&mut self.node_audits, &node, &id);
        }
        if matches!(audit.state, AuditState::Assigned | AuditState::Committed) {
            self.audit_due.insert((audit.due, id));
            if let Some(node) = audit.node {
                self.node_audits.entry(node).or_default().insert(id);
            }
        }
        if audit.state == AuditState::Open {
            self.open_audits.entry(audit.job).or_default().insert(id);
        } else {
            remove_from(&mut self.open_audits, &audit.job, &id);
        }
        self.attempt_audits.entry(audit.attempt).or_default().insert(id);
        self.audits.insert(id, audit.clone());
    }

    fn forget_attempt(&mut self, id: AttemptId) {
        let Some(attempt) = self.attempts.remove(&id) else { return };
        self.due.remove(&(due_of(&attempt), id));
        self.unsealed.remove(&id);
        remove_from_map(&mut self.node_leases, &attempt.node, &id);
        remove_from_map(&mut self.job_open, &attempt.job, &id);
        remove_from_map(&mut self.job_attempts, &attempt.job, &id);
        remove_from_map(&mut self.disputes, &attempt.provider, &id);
        for audit in self.attempt_audits.remove(&id).unwrap_or_default() {
            if let Some(audit) = self.audits.remove(&audit) {
                self.audit_due.remove(&(audit.due, audit.id));
                if let Some(node) = audit.node {
                    remove_from_map(&mut self.node_audits, &node, &audit.id);
                }
                remove_from(&mut self.open_audits, &audit.job, &audit.id);
            }
        }
    }

    fn forget_job(&mut self, id: JobId) {
        let Some(job) = self.jobs.remove(&id) else { return };
        self.requests.remove(&(job.owner, job.request_key.clone()));
        self.ready.remove(&id);
        self.on_market.remove(&id);
        if let JobKind::Benchmark { node, .. } = &job.kind {
            remove_from_map(&mut self.benchmarks, node, &id);
        }
        self.counts.remove(&id);
        self.parts.remove(&id);
        for task in self.job_tasks.remove(&id).unwrap_or_default() {
            self.tasks.remove(&task);
        }
        for attempt in self.job_attempts.remove(&id).unwrap_or_default() {
            self.forget_attempt(attempt);
        }
    }
}

/// What others are counted with: the frame of a tile, the step of a bundle's task.
pub(crate) fn part_of(work: &Work) -> Option<i32> {
    match work {
        Work::Render { frame, tile: Some(_) } => Some(*frame),
        Work::Task { step, .. } => Some(i32::from(*step)),
        _ => None,
    }
}

/// What a buyer waits for comes first: pictures of frames that are verified before further frames.
pub(crate) fn rank(work: &Work) -> u8 {
    match work {
        Work::Stitch { .. } | Work::Finish { .. } | Work::Video => 0,
        Work::Inspect | Work::Benchmark | Work::Render { .. } | Work::Task { .. } => 1,
    }
}

/// When something must happen to an open attempt: end of dispute, or its due time.
fn due_of(attempt: &Attempt) -> Millis {
    match (attempt.dispute_until, &attempt.state) {
        (Some(until), _) => until,
        (None, _) => attempt.due,
    }
}

fn remove_from<K: Ord, V: Ord>(map: &mut BTreeMap<K, BTreeSet<V>>, key: &K, value: &V) {
    if let Some(set) = map.get_mut(key) {
        set.remove(value);
        if set.is_empty() {
            map.remove(key);
        }
    }
}

fn remove_from_map<K: std::hash::Hash + Eq, V: Ord>(map: &mut HashMap<K, BTreeSet<V>>, key: &K, value: &V) {
    if let Some(set) = map.get_mut(key) {
        set.remove(value);
        if set.is_empty() {
            map.remove(key);
        }
    }
}
