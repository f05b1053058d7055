//! A draft: what one event changes, on top of the state it saw. Nothing is applied until the whole event is decided.

use crate::{Asks, Counts, Effect, Outcome, Refusal, Reply, State, state::part_of};
use std::collections::{BTreeMap, HashMap};
use tatau_ledger::{LedgerError, Overlay};
use tatau_model::{
    Account, AccountKey, Address, Amount, AmountError, Attempt, AttemptId, Audit, AuditId, Change, Entry,
    EntryKind, Epoch, IllegalTransition, Job, JobId, JobKind, Millis, Node, Purpose, Task, TaskId, TaskState,
    Work,
};
use tatau_workload::planner::Accepted;

pub(crate) struct Draft<'a> {
    pub state: &'a State,
    pub now: Millis,
    pub money: Overlay<'a>,
    entries: Vec<Entry>,
    accounts: BTreeMap<Address, Account>,
    nodes: BTreeMap<Address, Node>,
    jobs: BTreeMap<JobId, Job>,
    meters: BTreeMap<JobId, (Amount, u64)>,
    tasks: BTreeMap<TaskId, Task>,
    attempts: BTreeMap<AttemptId, Attempt>,
    audits: BTreeMap<AuditId, Audit>,
    counts: BTreeMap<JobId, Counts>,
    parts: BTreeMap<(JobId, i32), usize>,
    epochs: Vec<Epoch>,
    tail: Vec<Change>,
    effects: Vec<Effect>,
    asks: Vec<Asks>,
    counters: crate::state::Counters,
}

/// Copy on write: the drafted record, else a copy of the state's.
macro_rules! drafted {
    ($read:ident, $write:ident, $map:ident, $key:ty, $value:ty, $what:literal) => {
        pub fn $read(&self, id: $key) -> Result<&$value, Refusal> {
            self.$map.get(&id).or_else(|| self.state.$map.get(&id)).ok_or_else(|| {
                Refusal::new("not_found", format!(concat!("there is no open ", $what, " {}"), id))
            })
        }
        pub fn $write(&mut self, id: $key) -> Result<&mut $value, Refusal> {
            if !self.$map.contains_key(&id) {
                let copy = self.$read(id)?.clone();
                self.$map.insert(id, copy);
            }
            self.$map.get_mut(&id).ok_or_else(|| Refusal::new("internal", "a drafted record is missing"))
        }
    };
}

impl<'a> Draft<'a> {
    pub fn new(state: &'a State, now: Millis) -> Self {
        Self {
            state,
            now,
            money: Overlay::new(&state.books),
            entries: Vec::new(),
            accounts: BTreeMap::new(),
            nodes: BTreeMap::new(),
            jobs: BTreeMap::new(),
            meters: BTreeMap::new(),
            tasks: BTreeMap::new(),
            attempts: BTreeMap::new(),
            audits: BTreeMap::new(),
            counts: BTreeMap::new(),
            parts: BTreeMap::new(),
            epochs: Vec::new(),
            tail: Vec::new(),
            effects: Vec::new(),
            asks: Vec::new(),
            counters: state.counters,
        }
    }

    drafted!(account, account_mut, accounts, Address, Account, "account");
    drafted!(node, node_mut, nodes, Address, Node, "node");
    drafted!(job, job_mut, jobs, JobId, Job, "job");
    drafted!(task, task_mut, tasks, TaskId, Task, "task");
    drafted!(attempt, attempt_mut, attempts, AttemptId, Attempt, "attempt");
    drafted!(audit, audit_mut, audits, AuditId, Audit, "audit");

    pub fn put_account(&mut self, account: Account) {
        self.accounts.insert(account.owner, account);
    }
    pub fn put_node(&mut self, node: Node) {
        self.nodes.insert(node.id, node);
    }
    pub fn put_epoch(&mut self, epoch: Epoch) {
        self.epochs.push(epoch);
    }

    pub fn next_job(&mut self) -> JobId {
        self.counters.job += 1;
        JobId(self.counters.job)
    }
    pub fn next_attempt(&mut self) -> AttemptId {
        self.counters.attempt += 1;
        AttemptId(self.counters.attempt)
    }
    pub fn next_audit(&mut self) -> AuditId {
        self.counters.audit += 1;
        AuditId(self.counters.audit)
    }
    pub fn put_job(&mut self, job: Job) {
        self.jobs.insert(job.id, job);
    }
    pub fn put_attempt(&mut self, attempt: Attempt) {
        self.attempts.insert(attempt.id, attempt);
    }
    pub fn put_audit(&mut self, audit: Audit) {
        self.audits.insert(audit.id, audit);
    }

    /// New ready tasks of a job.
    pub fn add_tasks(&mut self, job: JobId, works: Vec<Work>) {
        if !works.is_empty() {
            self.effect(Effect::WakeProviders);
        }
        for work in works {
            self.counters.task += 1;
            let id = TaskId(self.counters.task);
            let task = Task {
                id,
                job,
                work,
                state: TaskState::Ready,
                attempts: 0,
                current: None,
                excluded: Vec::new(),
                failures: Vec::new(),
                since: self.now,
            };
            self.tasks.insert(id, task);
        }
    }

    /// Tasks of a job that this event made and nobody has yet.
    pub fn new_tasks(&self, job: JobId) -> HashMap<Work, TaskId> {
        let ready = self.tasks.values().filter(|t| t.job == job && t.state == TaskState::Ready);
        ready.map(|t| (t.work.clone(), t.id)).collect()
    }

    /// How far the job is, with what this event accepted.
    pub fn counts(&self, job: JobId) -> Counts {
        self.counts.get(&job).copied().unwrap_or_else(|| self.state.counts(job))
    }
    /// The same, and how many tasks of each kind are leased or await their verdict as this event leaves them.
    pub fn under_way(&self, job: JobId) -> Counts {
        let mut counts = self.state.counts(job);
        for task in self.tasks.values().filter(|t| t.job == job) {
            counts.follow(self.state.tasks.get(&task.id), task);
        }
        Counts {
            renders_under_way: counts.renders_under_way,
            stitches_under_way: counts.stitches_under_way,
            others_under_way: counts.others_under_way,
            ..self.counts(job)
        }
    }

    /// Counts one more accepted task of a job, with what this event accepted before.
    pub fn count_accepted(&mut self, job: JobId, work: &Work) -> Accepted {
        let counts = self.counts.entry(job).or_insert_with(|| self.state.counts(job));
        counts.accept(work);
        let finishes = counts.finishes;
        let Some(part) = part_of(work) else { return Accepted { finishes, ..Accepted::default() } };
        let parts = self.parts(job, part) + 1;
        self.parts.insert((job, part), parts);
        let steps = match self.job(job).map(|job| &job.kind) {
            Ok(JobKind::Bundle(spec)) => {
                let of = |step| i32::try_from(step).map_or(0, |step| self.parts(job, step));
                let complete = usize::try_from(part).ok().and_then(|at| spec.steps.get(at));
                let complete = complete.is_some_and(|step| parts >= step.tasks as usize);
                if complete { (0..spec.steps.len()).map(of).collect() } else { Vec::new() }
            }
            _ => Vec::new(),
        };
        Accepted { finishes, tiles: parts, steps }
    }

    /// Accepted tiles of a frame, or tasks of a bundle's step, with what this event accepted.
    fn parts(&self, job: JobId, part: i32) -> usize {
        let before = || self.state.parts.get(&job)?.get(&part).copied();
        self.parts.get(&(job, part)).copied().or_else(before).unwrap_or_default()
    }

    /// The job's spent amount and reference time, with what this event drafted.
    pub fn meter(&self, job: JobId) -> Result<(Amount, u64), Refusal> {
        match self.meters.get(&job) {
            Some(meter) => Ok(*meter),
            None => self.job(job).map(|j| (j.spent, j.reference_ms)),
        }
    }
    pub fn set_meter(&mut self, job: JobId, spent: Amount, reference_ms: u64) {
        self.meters.insert(job, (spent, reference_ms));
    }

    /// Drafts one balanced movement.
    pub fn pay(
        &mut self,
        kind: EntryKind,
        moves: &[(AccountKey, AccountKey, Amount)],
    ) -> Result<(), Refusal> {
        if let Some(entry) = self.money.draft(self.now, kind, moves)? {
            self.entries.push(entry);
        }
        Ok(())
    }
    pub fn balance(&self, owner: Address, purpose: Purpose) -> Amount {
        self.money.balance(&AccountKey::Owner(owner, purpose))
    }

    pub fn effect(&mut self, effect: Effect) {
        if !self.effects.contains(&effect) {
            self.effects.push(effect);
        }
    }
    /// What was looked up in the whole market, for the events that follow.
    pub fn remember(&mut self, asks: Asks) {
        self.asks.push(asks);
    }
    /// A change that comes after all records (closings, unbonding, sightings).
    pub fn last(&mut self, change: Change) {
        self.tail.push(change);
    }

    /// Attempts that this event touched, as it leaves them.
    pub fn drafted_attempts(&self) -> impl Iterator<Item = &Attempt> {
        self.attempts.values()
    }

    pub fn finish(self, reply: Reply) -> Outcome {
        let mut changes = Vec::with_capacity(8 + self.tail.len());
        changes.extend(self.entries.into_iter().map(Change::Entry));
        changes.extend(self.accounts.into_values().map(Change::Account));
        changes.extend(self.nodes.into_values().map(|n| Change::Node(Box::new(n))));
        changes.extend(self.jobs.into_iter().map(|(id, mut job)| {
            if let Some((spent, reference_ms)) = self.meters.get(&id) {
                job.spent = *spent;
                job.reference_ms = *reference_ms;
            }
            Change::Job(Box::new(job))
        }));
        changes.extend(self.meters.into_iter().map(|(job, (spent, reference_ms))| Change::JobMeter {
            job,
            spent,
            reference_ms,
        }));
        changes.extend(self.tasks.into_values().map(|t| Change::Task(Box::new(t))));
        changes.extend(self.attempts.into_values().map(|a| Change::Attempt(Box::new(a))));
        changes.extend(self.audits.into_values().map(|a| Change::Audit(Box::new(a))));
        changes.extend(self.epochs.into_iter().map(Change::Epoch));
        changes.extend(self.tail);
        Outcome { changes, effects: self.effects, asks: self.asks, reply }
    }
}

impl From<LedgerError> for Refusal {
    fn from(error: LedgerError) -> Self {
        match &error {
            LedgerError::TooLittle { account, holds, needs } => {
                let what = match account {
                    AccountKey::Owner(_, Purpose::Available) => "your available balance holds",
                    AccountKey::Owner(_, Purpose::StakeFree) => "your free stake holds",
                    _ => return Self::new("internal", error.to_string()),
                };
                Self::new("too_little", format!("{what} {holds} TATAU, but {needs} are needed"))
            }
            _ => Self::new("internal", error.to_string()),
        }
    }
}
impl From<AmountError> for Refusal {
    fn from(error: AmountError) -> Self {
        Self::new("invalid", error.to_string())
    }
}
impl From<IllegalTransition> for Refusal {
    fn from(error: IllegalTransition) -> Self {
        Self::new("conflict", error.to_string())
    }
}
