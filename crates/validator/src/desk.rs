//! What the validator holds, shared between its parts: audits, what is under way to the platform, how the platform answers.

use crate::{Entry, ValidatorEvent, courier::Letter};
use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};
use tatau_api::{AuditCommit, AuditOrder, AuditReveal, FailReport, Poll};
use tatau_evidence::{AuditCommitment, Domain, SigningKey};
use tatau_model::{AuditId, Card, JobId, Work};
use tatau_worker::{Fault, Outbox, OutboxError, Outlet, Ran, collect_audit};
use tokio::sync::{Notify, mpsc, watch};

/// Audits of one card at a time: several, so that those of one scene can follow each other in one session.
const AUDITS_A_CARD: usize = 6;
/// Longest wait of one poll, ms.
const POLL_MS: u64 = 20_000;

/// An audit from its arrival until it is revealed (or its end).
struct Held {
    card: u16,
    job: JobId,
    /// What it audits; `None` of a promise of an earlier run.
    work: Option<Work>,
    /// Runs or waits to run; its card's place is taken.
    open: bool,
    cancel: watch::Sender<bool>,
}

pub(crate) struct Desk {
    held: Mutex<BTreeMap<AuditId, Held>>,
    warm: Mutex<BTreeMap<u16, Vec<JobId>>>,
    /// Something changed that the next poll should say.
    pub changed: Notify,
    pub letters: mpsc::UnboundedSender<Letter>,
    /// Letters whose end the courier has not reported.
    pub under_way: AtomicU64,
    pub revealed: AtomicU64,
    away: AtomicBool,
    key: SigningKey,
    domain: Domain,
    pub outbox: Outbox<Entry>,
    on: Arc<dyn Fn(ValidatorEvent) + Send + Sync>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Desk {
    pub fn new(
        key: SigningKey,
        domain: Domain,
        outbox: Outbox<Entry>,
        letters: mpsc::UnboundedSender<Letter>,
        on: Arc<dyn Fn(ValidatorEvent) + Send + Sync>,
    ) -> Self {
        Self {
            held: Mutex::default(),
            warm: Mutex::default(),
            changed: Notify::new(),
            letters,
            under_way: AtomicU64::new(0),
            revealed: AtomicU64::new(0),
            away: AtomicBool::new(false),
            key,
            domain,
            outbox,
            on,
        }
    }

    pub fn tell(&self, event: ValidatorEvent) {
        (self.on)(event);
    }

    /// The platform did not answer.
    pub fn away(&self, reason: &str) {
        if !self.away.swap(true, Ordering::Relaxed) {
            self.tell(ValidatorEvent::Waiting { reason: reason.to_owned() });
        }
    }

    /// It did.
    pub fn answered(&self) {
        if self.away.swap(false, Ordering::Relaxed) {
            self.tell(ValidatorEvent::Resumed);
        }
    }

    pub fn send(&self, letter: Letter) {
        self.under_way.fetch_add(1, Ordering::AcqRel);
        if self.letters.send(letter).is_err() {
            // The courier is gone: the node stops at once, and what was finished is on disk.
            self.sent();
        }
    }

    /// A letter has arrived, or nobody wants it.
    pub fn sent(&self) {
        self.under_way.fetch_sub(1, Ordering::AcqRel);
        self.changed.notify_one();
    }

    /// Notes a commitment of an earlier run that is not revealed yet.
    pub fn promised(&self, audit: AuditId) {
        let held =
            Held { card: 0, job: JobId(0), work: None, open: false, cancel: watch::Sender::new(false) };
        lock(&self.held).insert(audit, held);
    }

    /// Takes an audit for the card that has its scene open, or has the least to do, of those that render on its device; `None` where
    /// it is held already, or none does.
    pub fn take(&self, order: &AuditOrder, cards: &[(u16, Card)]) -> Option<(u16, watch::Receiver<bool>)> {
        let mut held = lock(&self.held);
        if held.contains_key(&order.audit) {
            return None;
        }
        let job = order.order.job;
        let warm = lock(&self.warm);
        let near = |card: &u16| {
            warm.get(card).is_some_and(|jobs| jobs.contains(&job))
                || held.values().any(|h| h.open && h.card == *card && h.job == job)
        };
        let load = |card: &u16| held.values().filter(|h| h.open && h.card == *card).count();
        let able = cards.iter().filter(|(_, own)| own.renders_on(order.order.device)).map(|(card, _)| card);
        let card = *able.min_by_key(|card| (load(card) >= AUDITS_A_CARD, !near(card), load(card)))?;
        drop(warm);
        let cancel = watch::Sender::new(false);
        let cancelled = cancel.subscribe();
        held.insert(
            order.audit,
            Held { card, job, work: Some(order.order.work.clone()), open: true, cancel },
        );
        drop(held);
        self.tell(ValidatorEvent::Taken { audit: order.audit, work: order.order.work.clone() });
        Some((card, cancelled))
    }

    /// The platform takes these back. One whose commitment is signed goes on: the answer to that decides.
    pub fn stop(&self, audits: &[AuditId]) {
        let held = lock(&self.held);
        for audit in audits {
            if let Some(held) = held.get(audit).filter(|h| h.open) {
                held.cancel.send_replace(true);
            }
        }
    }

    /// Forgets an audit: it is revealed, or the platform knows of its end.
    pub fn release(&self, audit: AuditId) {
        lock(&self.held).remove(&audit);
        self.changed.notify_one();
    }

    /// Is any audit still to be run?
    pub fn busy(&self) -> bool {
        lock(&self.held).values().any(|h| h.open)
    }

    pub fn poll(&self, cards: usize, taking: bool) -> Poll {
        let held = lock(&self.held);
        let open = held.values().filter(|h| h.open).count();
        let free = if taking { (cards * AUDITS_A_CARD).saturating_sub(open) } else { 0 };
        let mut warm: Vec<JobId> = lock(&self.warm).values().flatten().copied().collect();
        warm.sort_unstable();
        warm.dedup();
        Poll {
            cards: Vec::new(),
            audits: u16::try_from(free).unwrap_or(u16::MAX),
            warm,
            running: Vec::new(),
            auditing: held.iter().filter(|(_, h)| !*h.cancel.borrow()).map(|(id, _)| *id).collect(),
            // A validator has nothing to take up: the platform holds to its owner's word.
            heard: u64::MAX,
            wait_ms: POLL_MS,
        }
    }

    /// Its card is free for the next one.
    fn close(&self, audit: AuditId) {
        if let Some(held) = lock(&self.held).get_mut(&audit) {
            held.open = false;
        }
        self.changed.notify_one();
    }

    /// Hashes, signs and keeps; from then on it is a promise.
    async fn sign(&self, audit: AuditId, ran: &Ran, folder: &Path) -> Result<Entry, Fault> {
        let work = lock(&self.held).get(&audit).and_then(|held| held.work.clone());
        let work = work.ok_or_else(|| Fault::new("disk", "the audit is not known any more"))?;
        let collected = collect_audit(&work, folder).await?;
        let claim = AuditCommitment::to_files(audit, self.key.address(), &collected.files);
        let signature = claim.sign(&self.domain, &self.key).to_string();
        let entry = Entry {
            commit: AuditCommit { audit, commitment: claim.files_root, signature },
            reveal: AuditReveal {
                files: collected.files,
                work_ms: collected.render_ms.unwrap_or(ran.wall_ms),
            },
            committed: false,
        };
        self.outbox.keep(&audit.to_string(), &entry).map_err(|e| disk(&e))?;
        Ok(entry)
    }
}

fn disk(e: &OutboxError) -> Fault {
    Fault::new("disk", e.to_string())
}

/// One card's way back to the desk.
pub(crate) struct CardOutlet {
    pub desk: Arc<Desk>,
    pub card: u16,
}

/// The audit that a holder's name stands for; the names are made from audits here, so it is there.
fn audit_of(holder: &str) -> AuditId {
    holder.parse().unwrap_or_default()
}

impl Outlet for CardOutlet {
    fn begin(&self, holder: &str) -> Result<PathBuf, Fault> {
        self.desk.outbox.begin(holder).map_err(|e| disk(&e))
    }

    fn progress(&self, holder: &str, percent: f32) {
        self.desk.tell(ValidatorEvent::Progress { audit: audit_of(holder), percent });
    }

    fn waiting(&self, reason: &str) {
        self.desk.away(reason);
    }

    fn warm(&self, jobs: Vec<JobId>) {
        lock(&self.desk.warm).insert(self.card, jobs);
    }

    async fn finished(&self, holder: &str, ran: Ran, folder: PathBuf) {
        let audit = audit_of(holder);
        match self.desk.sign(audit, &ran, &folder).await {
            Ok(entry) => {
                self.desk.send(Letter::Finished(Box::new(entry)));
                self.desk.close(audit);
            }
            Err(fault) => self.failed(holder, fault.with_log(ran.log)),
        }
    }

    fn failed(&self, holder: &str, fault: Fault) {
        let audit = audit_of(holder);
        self.discard(holder);
        self.desk.tell(ValidatorEvent::Failed {
            audit,
            code: fault.code.clone(),
            sentence: fault.sentence.clone(),
        });
        self.desk.send(Letter::Failed { audit, report: fault.report() });
        self.desk.close(audit);
    }

    fn returned(&self, holder: &str, cancelled: bool) {
        let audit = audit_of(holder);
        self.discard(holder);
        if cancelled {
            let sentence = "the platform took it back".into();
            self.desk.tell(ValidatorEvent::Lost { audit, sentence });
            return self.desk.release(audit);
        }
        self.desk.tell(ValidatorEvent::Returned { audit });
        let report = FailReport {
            code: "returned".into(),
            sentence: "the validator stopped before it had begun".into(),
            log: String::new(),
        };
        self.desk.send(Letter::Failed { audit, report });
        self.desk.close(audit);
    }
}

impl CardOutlet {
    fn discard(&self, holder: &str) {
        if let Err(error) = self.desk.outbox.remove(holder) {
            tracing::warn!(%error, "outputs of an audit that failed stay until the next start");
        }
    }
}
