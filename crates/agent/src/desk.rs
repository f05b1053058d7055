//! What the node holds, shared between its parts: leases, what is under way to the platform, how the platform answers.

use crate::{
    AgentEvent, Entry,
    courier::{DELIVERIES, Letter},
    options::Outputs,
    outlet::disk,
};
use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};
use tatau_api::{Lease, Poll};
use tatau_evidence::{Domain, SigningKey};
use tatau_model::{AttemptId, JobId, NodeSettings, Work};
use tatau_worker::{Fault, Outbox, Ran, check_names, collect};
use tokio::sync::{Notify, mpsc, watch};

/// Leases of one card at a time: one that runs and one whose inputs are fetched meanwhile.
const LEASES_A_CARD: usize = 2;
/// The next lease is asked for so long before the running task is expected to end, or at its half if that is sooner.
const LEAD: Duration = Duration::from_secs(2);
/// Longest wait of one poll, ms.
const POLL_MS: u64 = 20_000;

/// A lease from its arrival until the platform has its receipt (or its end).
struct Held {
    lease: Option<Lease>,
    card: u16,
    /// Runs or waits to run; its card's place is taken.
    open: bool,
    /// Runs.
    begun: bool,
    /// Ends it: the platform took it back, or this side gives it up.
    cancel: watch::Sender<bool>,
    /// This side gives it up, for this reason.
    given_up: Option<String>,
}

impl Held {
    fn new(lease: Option<Lease>, card: u16, open: bool) -> Self {
        Self { lease, card, open, begun: false, cancel: watch::Sender::new(false), given_up: None }
    }
}

/// How a card's work goes: when its task began, and how long its last one took.
#[derive(Debug, Clone, Copy, Default)]
struct Pace {
    began: Option<(AttemptId, Instant)>,
    last: Option<Duration>,
}

impl Pace {
    /// When to ask for the next lease: late enough not to hold one that another card could begin, early enough that its inputs
    /// are there in time.
    fn ask_at(self) -> Option<Instant> {
        let last = self.last.unwrap_or_default();
        Some(self.began?.1 + last.saturating_sub(LEAD.max(last / 2)))
    }
}

pub(crate) struct Desk {
    held: Mutex<BTreeMap<AttemptId, Held>>,
    warm: Mutex<BTreeMap<u16, Vec<JobId>>>,
    pace: Mutex<BTreeMap<u16, Pace>>,
    /// Something changed that the next poll should say.
    pub changed: Notify,
    pub letters: mpsc::UnboundedSender<Letter>,
    /// Letters whose end the courier has not reported.
    pub under_way: AtomicU64,
    pub delivered: AtomicU64,
    away: AtomicBool,
    /// Revision of the owner's settings that were told.
    heard: AtomicU64,
    pub key: SigningKey,
    pub domain: Domain,
    pub outbox: Outbox<Entry>,
    outputs: Arc<dyn Outputs>,
    /// Where the last picture of each card is kept.
    pictures: PathBuf,
    on: Arc<dyn Fn(AgentEvent) + Send + Sync>,
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
        outputs: Arc<dyn Outputs>,
        pictures: PathBuf,
        on: Arc<dyn Fn(AgentEvent) + Send + Sync>,
    ) -> Self {
        Self {
            held: Mutex::default(),
            warm: Mutex::default(),
            pace: Mutex::default(),
            changed: Notify::new(),
            letters,
            under_way: AtomicU64::new(0),
            delivered: AtomicU64::new(0),
            away: AtomicBool::new(false),
            heard: AtomicU64::new(0),
            key,
            domain,
            outbox,
            outputs,
            pictures,
            on,
        }
    }

    pub fn tell(&self, event: AgentEvent) {
        (self.on)(event);
    }

    /// The platform did not answer.
    pub fn away(&self, reason: &str) {
        if !self.away.swap(true, Ordering::Relaxed) {
            self.tell(AgentEvent::Waiting { reason: reason.to_owned() });
        }
    }

    /// It did.
    pub fn answered(&self) {
        if self.away.swap(false, Ordering::Relaxed) {
            self.tell(AgentEvent::Resumed);
        }
    }

    /// The owner said something on the fleet page. The platform holds to it already; the person here is told.
    pub fn hear(&self, settings: NodeSettings) {
        if self.heard.swap(settings.revision, Ordering::Relaxed) != settings.revision {
            self.tell(AgentEvent::Settings { settings: Box::new(settings) });
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

    /// Notes a receipt of an earlier run that the platform may not have.
    pub fn promised(&self, attempt: AttemptId) {
        lock(&self.held).insert(attempt, Held::new(None, 0, false));
    }

    /// Takes a lease; `None` where it is held already.
    pub fn take(&self, lease: &Lease) -> Option<watch::Receiver<bool>> {
        let mut held = lock(&self.held);
        if held.contains_key(&lease.attempt) {
            return None;
        }
        let new = Held::new(Some(lease.clone()), lease.card, true);
        let cancelled = new.cancel.subscribe();
        held.insert(lease.attempt, new);
        drop(held);
        self.tell(AgentEvent::Leased {
            attempt: lease.attempt,
            job: lease.order.job,
            work: lease.order.work.clone(),
            card: lease.card,
            price: lease.price,
        });
        Some(cancelled)
    }

    /// The platform takes these back. One whose receipt is signed goes on: the answer to the receipt decides.
    pub fn stop(&self, attempts: &[AttemptId]) {
        let held = lock(&self.held);
        for attempt in attempts {
            if let Some(held) = held.get(attempt).filter(|h| h.open) {
                held.cancel.send_replace(true);
            }
        }
    }

    /// Gives up what a card holds: all of it, or what has not begun. Receipts that are signed go out.
    pub fn give_up(&self, card: u16, all: bool, sentence: &str) {
        for held in lock(&self.held).values_mut() {
            if held.open && held.card == card && (all || !held.begun) && held.given_up.is_none() {
                held.given_up = Some(sentence.to_owned());
                held.cancel.send_replace(true);
            }
        }
    }

    /// Why this side gave it up, if it did.
    pub fn given_up(&self, attempt: AttemptId) -> Option<String> {
        lock(&self.held).get(&attempt)?.given_up.clone()
    }

    /// Forgets a lease: the platform has its receipt, or knows of its end.
    pub fn release(&self, attempt: AttemptId) {
        lock(&self.held).remove(&attempt);
        self.changed.notify_one();
    }

    /// Jobs whose sessions a card holds open.
    pub fn warm(&self, card: u16, jobs: Vec<JobId>) {
        lock(&self.warm).insert(card, jobs.clone());
        self.tell(AgentEvent::Warm { card, jobs });
    }

    /// Is any lease still to be run?
    pub fn busy(&self) -> bool {
        lock(&self.held).values().any(|h| h.open)
    }

    /// What to say next, and when to say something else because a card will want its next lease.
    pub fn poll(&self, cards: &[u16], may: impl Fn(u16) -> bool) -> (Poll, Option<Instant>) {
        // More than its line carries away is not taken on: leases that wait for the line would only run out.
        let backlog = usize::try_from(self.under_way.load(Ordering::Acquire)).unwrap_or(usize::MAX);
        let taking = backlog < DELIVERIES.max(cards.len());
        let held = lock(&self.held);
        let pace = lock(&self.pace);
        let now = Instant::now();
        let mut free = Vec::new();
        let mut later: Option<Instant> = None;
        for card in cards.iter().copied().filter(|card| taking && may(*card)) {
            let open = held.values().filter(|h| h.open && h.card == card).count();
            // One that is not running yet is fetching its inputs; the next would wait for those.
            let at = match open {
                0 => Some(now),
                n if n < LEASES_A_CARD => pace.get(&card).and_then(|pace| pace.ask_at()),
                _ => None,
            };
            match at {
                Some(at) if at <= now => free.push(card),
                Some(at) => later = Some(later.map_or(at, |other| other.min(at))),
                None => {}
            }
        }
        drop(pace);
        let mut warm: Vec<JobId> = lock(&self.warm).values().flatten().copied().collect();
        warm.sort_unstable();
        warm.dedup();
        // One that is given up is held until the platform knows: unnamed, it would be handed out again as lost on its way.
        let here = |h: &Held| h.given_up.is_some() || !*h.cancel.borrow();
        let running = held.iter().filter(|(_, h)| here(h)).map(|(id, _)| *id).collect();
        let heard = self.heard.load(Ordering::Relaxed);
        let poll =
            Poll { cards: free, audits: 0, warm, running, auditing: Vec::new(), heard, wait_ms: POLL_MS };
        (poll, later)
    }

    /// A card begins a task.
    pub fn begins(&self, card: u16, attempt: AttemptId) {
        lock(&self.pace).entry(card).or_default().began = Some((attempt, Instant::now()));
        if let Some(held) = lock(&self.held).get_mut(&attempt) {
            held.begun = true;
        }
        self.tell(AgentEvent::Begun { attempt });
        self.changed.notify_one();
    }

    /// A card has ended one; `took` where it worked out.
    pub fn ends(&self, card: u16, attempt: AttemptId, took: Option<Duration>) {
        let mut pace = lock(&self.pace);
        let pace = pace.entry(card).or_default();
        pace.began = pace.began.filter(|(running, _)| *running != attempt);
        pace.last = took.or(pace.last);
    }

    pub fn lease(&self, attempt: AttemptId) -> Option<Lease> {
        lock(&self.held).get(&attempt)?.lease.clone()
    }

    /// Its card is free for the next one.
    pub fn close(&self, attempt: AttemptId) {
        if let Some(held) = lock(&self.held).get_mut(&attempt) {
            held.open = false;
        }
        self.changed.notify_one();
    }

    /// Hashes, signs and keeps; from then on it is a promise.
    pub async fn sign(&self, lease: &Lease, ran: &Ran, folder: PathBuf) -> Result<Entry, Fault> {
        let work = lease.order.work.clone();
        check_names(&work, &ran.names)?;
        self.hand_over(work.clone(), folder.clone()).await?;
        self.keep_picture(lease, &folder).await;
        let collected = collect(&work, &folder).await?;
        let job = lease.order.job;
        let receipt = collected.receipt(&self.domain, &self.key, lease.attempt, lease.task, job, ran.wall_ms);
        let entry = Entry {
            attempt: lease.attempt,
            receipt,
            files: collected.files,
            log: ran.log.clone(),
            committed: false,
        };
        self.outbox.keep(&lease.attempt.to_string(), &entry).map_err(|e| disk(&e))?;
        Ok(entry)
    }

    /// The picture that a card just made stays when its delivery has left the disk, for its owner's eyes.
    async fn keep_picture(&self, lease: &Lease, folder: &Path) {
        let Work::Finish { frame } = lease.order.work else { return };
        let from = folder.join(format!("frame_{frame:04}.png"));
        let to = self.pictures.join(format!("card-{}.png", lease.card));
        match tokio::task::spawn_blocking(move || place(&from, &to).map(|()| to)).await {
            Ok(Ok(file)) => self.tell(AgentEvent::Picture { attempt: lease.attempt, card: lease.card, file }),
            Ok(Err(error)) => tracing::debug!(%error, "a picture was not kept"),
            Err(_) => {}
        }
    }

    async fn hand_over(&self, work: Work, folder: PathBuf) -> Result<(), Fault> {
        let outputs = Arc::clone(&self.outputs);
        tokio::task::spawn_blocking(move || outputs.collected(&work, &folder))
            .await
            .map_err(|_| Fault::new("bad_output", "handing the outputs over was broken off"))
    }
}

/// Links the file under a second name, which may be taken.
fn place(from: &Path, to: &Path) -> std::io::Result<()> {
    let draft = to.with_extension("draft");
    if let Some(folder) = to.parent() {
        std::fs::create_dir_all(folder)?;
    }
    let _ = std::fs::remove_file(&draft);
    std::fs::hard_link(from, &draft).or_else(|_| std::fs::copy(from, &draft).map(drop))?;
    std::fs::rename(&draft, to)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_lease_is_asked_for_in_time_and_not_long_before() {
        let now = Instant::now();
        let after = |last_ms: u64| {
            let pace = Pace { began: Some((AttemptId(1), now)), last: Some(Duration::from_millis(last_ms)) };
            pace.ask_at().map(|at| at.duration_since(now).as_millis())
        };
        assert_eq!([after(0), after(1_500), after(3_500), after(60_000)], [0, 0, 1_500, 30_000].map(Some));
        assert_eq!(Pace { began: None, last: Some(LEAD) }.ask_at(), None, "nothing runs yet");
    }
}
