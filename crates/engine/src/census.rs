//! The market in numbers, for pages and metrics: who is here, what waits, since when. Pure; a walk over nodes and queues.

use crate::State;
use std::collections::{BTreeMap, HashMap};
use tatau_model::{Address, Amount, AttemptState, AuditState, JobKind, JobState, Millis};
use tatau_workload::units;

/// Ready tasks of one job that are weighed one by one; beyond them the rest is taken to weigh as much on average.
const WEIGHED: usize = 256;

/// One class of cards.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ClassCensus {
    /// Placed cards of nodes that are online, provide and are not draining.
    pub online: u32,
    /// Of them, with a lease.
    pub working: u32,
    /// Asks for a reference hour, the lowest of each owner, in order.
    pub asks: Vec<Amount>,
    /// Tasks that wait for exactly this class.
    pub waiting: u64,
    /// Their reference milliseconds.
    pub waiting_ms: u64,
}

impl ClassCensus {
    /// The middle ask; `None` where nobody offers.
    pub fn middle_ask(&self) -> Option<Amount> {
        self.asks.get(self.asks.len().saturating_sub(1) / 2).copied()
    }
}

/// The market at one moment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Census {
    /// By class name. A class is here while a card of it is online or a task waits for it.
    pub classes: BTreeMap<String, ClassCensus>,
    /// Tasks that any class may take, and their reference milliseconds.
    pub waiting_any: (u64, u64),
    /// Nodes in fleets.
    pub nodes: u32,
    /// Of them heard from lately.
    pub nodes_online: u32,
    /// Of those, draining.
    pub nodes_draining: u32,
    /// Online nodes that validate.
    pub validators_online: u32,
    /// Owners of those.
    pub validator_owners: u32,
    /// Versions of nodes online.
    pub versions: BTreeMap<String, u32>,
    /// Jobs that run, benchmarks aside.
    pub jobs_running: u32,
    /// Jobs that wait for their buyer.
    pub jobs_paused: u32,
    /// Tasks that may be leased.
    pub tasks_ready: u64,
    /// Tasks that are leased or await their verdict.
    pub tasks_under_way: u64,
    /// Leases that run.
    pub leased: u64,
    /// Receipts whose outputs are awaited.
    pub committed: u64,
    /// Results that await their verdict.
    pub delivered: u64,
    /// Audits that nobody has taken.
    pub audits_open: u64,
    /// Audits that a validator works on.
    pub audits_assigned: u64,
    /// Audits that wait for the comparator.
    pub audits_revealed: u64,
    /// Since when the longest waiting task has been ready.
    pub oldest_ready: Option<Millis>,
    /// Making of the oldest audit that has no verdict.
    pub oldest_audit: Option<Millis>,
    /// Making of the oldest audit that waits for the comparator.
    pub oldest_revealed: Option<Millis>,
    /// Accounts.
    pub accounts: u64,
    /// Of them barred.
    pub barred: u64,
}

impl State {
    /// Counts everything. Walks all nodes, open attempts and audits: ask every few seconds, not for every visitor.
    pub fn census(&self, now: Millis) -> Census {
        let mut census = Census {
            accounts: self.accounts.len() as u64,
            barred: self.accounts.values().filter(|a| a.barred).count() as u64,
            ..Census::default()
        };
        self.count_nodes(now, &mut census);
        self.count_work(&mut census);
        self.count_audits(&mut census);
        census
    }

    fn count_nodes(&self, now: Millis, census: &mut Census) {
        let mut asks: HashMap<(&'static str, Address), Amount> = HashMap::new();
        let mut validators: Vec<Address> = Vec::new();
        for node in self.nodes.values().filter(|n| !n.settings.removed) {
            census.nodes += 1;
            if !self.is_online(&node.id, now) {
                continue;
            }
            census.nodes_online += 1;
            census.nodes_draining += u32::from(node.draining);
            *census.versions.entry(node.version.clone()).or_default() += 1;
            if node.offer.validates && !node.draining {
                census.validators_online += 1;
                validators.push(node.owner);
            }
            if !node.offer.provides || node.draining {
                continue;
            }
            let busy: Vec<u16> =
                self.leases_of(&node.id).filter_map(|id| Some(self.attempt(id)?.card)).collect();
            for (index, card) in node.cards.iter().enumerate() {
                let (Some(class), Some(_)) = (card.class(), card.score_milli) else { continue };
                let count = census.classes.entry(class.name.to_owned()).or_default();
                count.online += 1;
                count.working += u32::from(busy.iter().any(|b| usize::from(*b) == index));
                let ask = node.offer.ask_per_reference_hour;
                asks.entry((class.name, node.owner)).and_modify(|a| *a = ask.min(*a)).or_insert(ask);
            }
        }
        validators.sort_unstable();
        validators.dedup();
        census.validator_owners = validators.len() as u32;
        for ((class, _), ask) in asks {
            census.classes.entry(class.to_owned()).or_default().asks.push(ask);
        }
        census.classes.values_mut().for_each(|class| class.asks.sort_unstable());
    }

    fn count_work(&self, census: &mut Census) {
        for job in self.jobs.values() {
            let benchmark = matches!(job.kind, JobKind::Benchmark { .. });
            match job.state {
                JobState::Running if !benchmark => census.jobs_running += 1,
                JobState::Paused { .. } => census.jobs_paused += 1,
                _ => {}
            }
            let counts = self.counts(job.id);
            census.tasks_under_way += counts.under_way() as u64;
            let Some(ready) = self.ready.get(&job.id).filter(|_| job.state == JobState::Running) else {
                continue;
            };
            let waiting = ready.len() as u64;
            census.tasks_ready += waiting;
            if benchmark {
                continue;
            }
            let tasks: Vec<_> = ready.iter().take(WEIGHED).filter_map(|(_, id)| self.task(*id)).collect();
            let oldest = tasks.iter().map(|t| t.since).min();
            census.oldest_ready = earlier(census.oldest_ready, oldest);
            let weighed: u64 = tasks.iter().map(|t| units::reference_ms(&t.work, job)).sum();
            let ms = weighed.saturating_mul(waiting) / (tasks.len() as u64).max(1);
            if let Some(class) = &job.class {
                let count = census.classes.entry(class.clone()).or_default();
                count.waiting += waiting;
                count.waiting_ms = count.waiting_ms.saturating_add(ms);
            } else {
                census.waiting_any.0 += waiting;
                census.waiting_any.1 = census.waiting_any.1.saturating_add(ms);
            }
        }
        for attempt in self.due.iter().filter_map(|(_, id)| self.attempt(*id)) {
            match attempt.state {
                AttemptState::Leased => census.leased += 1,
                AttemptState::Committed => census.committed += 1,
                AttemptState::Delivered => census.delivered += 1,
                _ => {}
            }
        }
    }

    fn count_audits(&self, census: &mut Census) {
        for audit in self.audits.values().filter(|a| !a.state.is_ended()) {
            census.oldest_audit = earlier(census.oldest_audit, Some(audit.created));
            match audit.state {
                AuditState::Open => census.audits_open += 1,
                AuditState::Revealed => {
                    census.audits_revealed += 1;
                    census.oldest_revealed = earlier(census.oldest_revealed, Some(audit.created));
                }
                _ => census.audits_assigned += 1,
            }
        }
    }
}

fn earlier(a: Option<Millis>, b: Option<Millis>) -> Option<Millis> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (a, b) => a.or(b),
    }
}
