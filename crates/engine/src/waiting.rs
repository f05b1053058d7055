//! Why nobody works on a job that runs: said to its buyer, because waiting without a word looks like work.

use crate::{State, leases::fits_any};
use tatau_model::{Job, JobId, JobKind, JobState, Millis, Node, Task, TaskState};

/// A task that nobody has taken for so long makes its buyer wonder, ms.
const AFTER_MS: u64 = 45_000;
/// Ready tasks of a job that are looked at.
const LOOKED_AT: usize = 64;

/// Why nothing of a running job is under way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Waiting {
    /// No machine that is online and may see the job has what it needs.
    NoMachine,
    /// Nobody is online who could check what is rendered.
    NobodyChecks,
    /// Those that have it failed at what is left, or do not take such work.
    NoneWilling,
    /// Those that could have not: they are busy, or ask more than the job pays.
    NotTaken,
}

impl State {
    /// Why nobody works on this job, where nobody has for 45 seconds; `None` where somebody does, it is not running, or it waits for its
    /// owner's own machines first.
    pub fn why_waiting(&self, id: JobId, now: Millis) -> Option<Waiting> {
        let job = self.job(id)?;
        if job.state != JobState::Running || matches!(job.kind, JobKind::Benchmark { .. }) {
            return None;
        }
        let ready: Vec<&Task> = self.ready_tasks(id).take(LOOKED_AT).collect();
        let after = job.machines.own_first_ms.saturating_add(AFTER_MS);
        let long = |task: &&Task| now.since(task.since.max(job.created)) >= after;
        if self.counts(id).under_way() > 0 || ready.is_empty() || !ready.iter().all(long) {
            return None;
        }
        let on_device: Vec<bool> = [false, true]
            .into_iter()
            .filter(|on| ready.iter().any(|t| t.work.is_on_device() == *on))
            .collect();
        let fits = |node: &Node, on: bool| self.has_what(job, node, on, now);
        let mut fitting =
            self.nodes.values().filter(|node| on_device.iter().any(|on| fits(node, *on))).peekable();
        if fitting.peek().is_none() {
            return Some(Waiting::NoMachine);
        }
        if on_device == [true] && !fitting.clone().any(|node| self.can_be_checked(job, node, now)) {
            return Some(Waiting::NobodyChecks);
        }
        let willing = |node: &Node| {
            ready.iter().any(|t| {
                !t.excluded.contains(&node.owner)
                    && node.offer.takes(&job.owner, &t.work)
                    && fits(node, t.work.is_on_device())
            })
        };
        Some(if fitting.any(willing) { Waiting::NotTaken } else { Waiting::NoneWilling })
    }

    fn ready_tasks(&self, id: JobId) -> impl Iterator<Item = &Task> {
        let ready = self.ready.get(&id).into_iter().flatten();
        ready.filter_map(|(_, task)| self.task(*task)).filter(|task| task.state == TaskState::Ready)
    }

    fn has_what(&self, job: &Job, node: &Node, on_device: bool, now: Millis) -> bool {
        node.offer.provides
            && !node.draining
            && self.is_online(&node.id, now)
            && self.account(&node.owner).is_some_and(|account| !account.barred)
            && (job.owner == node.owner || self.may_see(job, &node.owner))
            && fits_any(job, node, on_device)
    }
}
