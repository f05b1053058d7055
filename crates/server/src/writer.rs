//! The one writer: a thread that owns the market's state, and one that makes its decisions durable.
//!
//! The desk takes what happened from a bounded queue, decides by the engine, and applies each event's changes before the
//! next event; the press commits the batch, and only then answers and performs effects. Nothing that is not durable is
//! ever answered: also reads wait for the commit of what they saw. When a commit fails, memory and disk no longer agree:
//! the press logs why, drops every waiting answer and ends, and with it the server: closed, not wrong.

use crate::{
    error::ApiError,
    pulse::{Beat, Pulse},
    wakes::Wakes,
};
use rand::SeedableRng;
use rand_chacha::ChaCha20Rng;
use std::{
    sync::{Arc, mpsc::TrySendError},
    time::{Duration, Instant},
};
use tatau_engine::{Effect, Event, Refusal, Reply, State, step};
use tatau_model::{Change, Clock, Millis, SystemClock};
use tatau_store::Store;
use tokio::sync::{mpsc, oneshot};

/// Messages that may wait; more are refused as busy.
const QUEUE: usize = 16_384;
/// Events of one batch.
const BATCH_EVENTS: usize = 4_000;
/// A batch is offered for its commit after this, full or not.
const BATCH_TIME: Duration = Duration::from_millis(20);

type Deliver = Box<dyn FnOnce() + Send>;
type Read = Box<dyn FnOnce(&State) -> Deliver + Send>;
type Keep = Box<dyn FnOnce(&mut Store) -> Deliver + Send>;

enum Message {
    Event(Box<Event>, oneshot::Sender<Result<Reply, Refusal>>),
    Read(Read),
    Keep(Keep),
    Stop,
}

/// How the thread ended.
#[derive(Debug, thiserror::Error)]
pub enum WriterError {
    /// The store refused or lost a batch.
    #[error(
        "changes could not be made durable ({0}); the server stopped so that nothing false is answered; repair the disk and start it again"
    )]
    Commit(String),
    /// A change that the engine decided on does not fit the state.
    #[error("a decision does not fit the books ({0}); the server stopped; report this with the log")]
    Apply(String),
}

/// Speaks to the writer. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Writer {
    queue: mpsc::Sender<Message>,
    pulse: Arc<Pulse>,
}

impl Writer {
    /// Starts the thread. The receiver tells how it ended.
    pub(crate) fn start(
        state: State,
        store: Store,
        wakes: Arc<Wakes>,
    ) -> std::io::Result<(Self, oneshot::Receiver<Result<(), WriterError>>)> {
        let (queue, messages) = mpsc::channel(QUEUE);
        let (ended, end) = oneshot::channel();
        let (press, batches) = std::sync::mpsc::sync_channel(1);
        let pulse = Arc::new(Pulse::default());
        let desk = Desk {
            state,
            rng: ChaCha20Rng::from_rng(&mut rand::rng()),
            now: SystemClock.now(),
            batch: Batch::default(),
            press,
            pulse: Arc::clone(&pulse),
        };
        let press = Press { store, wakes, pulse: Arc::clone(&pulse) };
        let desk = std::thread::Builder::new().name("desk".into()).spawn(move || desk.run(messages))?;
        std::thread::Builder::new().name("press".into()).spawn(move || {
            let pressed = press.run(&batches);
            // The desk notices at its next batch that nobody takes it.
            drop(batches);
            let result = match desk.join() {
                Ok(decided) => pressed.and(decided),
                Err(_) => Err(WriterError::Apply("the deciding thread panicked".into())),
            };
            if let Err(error) = &result {
                tracing::error!(%error, "the writer stopped");
            }
            // Nobody listens only when the whole server is gone.
            let _ = ended.send(result);
        })?;
        Ok((Self { queue, pulse }, end))
    }

    /// How it is doing, and how many messages wait of how many that may.
    pub(crate) fn health(&self) -> (Beat, usize, usize) {
        (self.pulse.read(), QUEUE.saturating_sub(self.queue.capacity()), QUEUE)
    }

    /// Something happened. Answers after the commit.
    pub(crate) async fn event(&self, event: Event) -> Result<Reply, ApiError> {
        let (answer, answered) = oneshot::channel();
        self.post(Message::Event(Box::new(event), answer))?;
        Ok(answered.await.map_err(|_| stopping())??)
    }

    /// Several at once, in order; they share a batch.
    pub(crate) async fn events(&self, events: Vec<Event>) -> Result<Vec<Result<Reply, Refusal>>, ApiError> {
        let mut waiting = Vec::with_capacity(events.len());
        for event in events {
            let (answer, answered) = oneshot::channel();
            self.queue.send(Message::Event(Box::new(event), answer)).await.map_err(|_| stopping())?;
            waiting.push(answered);
        }
        let mut answers = Vec::with_capacity(waiting.len());
        for answered in waiting {
            answers.push(answered.await.map_err(|_| stopping())?);
        }
        Ok(answers)
    }

    /// Looks at the state between two events.
    pub(crate) async fn read<T: Send + 'static>(
        &self,
        look: impl FnOnce(&State) -> T + Send + 'static,
    ) -> Result<T, ApiError> {
        let (answer, answered) = oneshot::channel();
        self.post(Message::Read(Box::new(move |state| {
            let seen = look(state);
            Box::new(move || drop(answer.send(seen)))
        })))?;
        answered.await.map_err(|_| stopping())
    }

    /// Writes something that is no part of the market (a token, a setting, a log) through the one connection.
    pub(crate) async fn keep<T: Send + 'static>(
        &self,
        write: impl FnOnce(&mut Store) -> T + Send + 'static,
    ) -> Result<T, ApiError> {
        let (answer, answered) = oneshot::channel();
        self.post(Message::Keep(Box::new(move |store| {
            let done = write(store);
            Box::new(move || drop(answer.send(done)))
        })))?;
        answered.await.map_err(|_| stopping())
    }

    /// Commits what is queued before this and ends.
    pub(crate) async fn stop(&self) {
        let _ = self.queue.send(Message::Stop).await;
    }

    fn post(&self, message: Message) -> Result<(), ApiError> {
        self.queue.try_send(message).map_err(|e| match e {
            mpsc::error::TrySendError::Full(_) => {
                ApiError::unavailable("the server is busy; try again in a moment")
            }
            mpsc::error::TrySendError::Closed(_) => stopping(),
        })
    }
}

fn stopping() -> ApiError {
    ApiError::unavailable("the server is stopping; try again when it is back")
}

#[derive(Default)]
struct Batch {
    changes: Vec<Change>,
    effects: Vec<Effect>,
    answers: Vec<Deliver>,
    keeps: Vec<Keep>,
}

impl Batch {
    fn is_empty(&self) -> bool {
        self.answers.is_empty() && self.keeps.is_empty() && self.changes.is_empty()
    }
}

/// Decides. While one batch is made durable by the press, the desk decides the next.
struct Desk {
    state: State,
    rng: ChaCha20Rng,
    now: Millis,
    batch: Batch,
    press: std::sync::mpsc::SyncSender<Batch>,
    pulse: Arc<Pulse>,
}

/// Makes batches durable, in order, then answers.
struct Press {
    store: Store,
    wakes: Arc<Wakes>,
    pulse: Arc<Pulse>,
}

impl Desk {
    fn run(mut self, mut messages: mpsc::Receiver<Message>) -> Result<(), WriterError> {
        while let Some(first) = messages.blocking_recv() {
            let started = Instant::now();
            let mut going = self.take(first)?;
            let mut taken = 1;
            while going && taken < BATCH_EVENTS && started.elapsed() < BATCH_TIME {
                let Ok(next) = messages.try_recv() else { break };
                going = self.take(next)?;
                taken += 1;
            }
            // While the press works on the batch before, this one would only wait: it grows instead, within its limit.
            while going && taken < BATCH_EVENTS && !self.offer() {
                let Ok(next) = messages.try_recv() else { break };
                going = self.take(next)?;
                taken += 1;
            }
            // Waits where the press is still busy: memory is never more than two batches ahead.
            let batch = std::mem::take(&mut self.batch);
            if !batch.is_empty() && self.press.send(batch).is_err() {
                // The press ended with an error, and tells it.
                return Ok(());
            }
            if !going {
                break;
            }
        }
        Ok(())
    }

    /// Hands the batch over if the press has nothing waiting. True as well where there is nothing to hand over or the press
    /// has ended, which the next waiting `send` finds out.
    fn offer(&mut self) -> bool {
        if self.batch.is_empty() {
            return true;
        }
        match self.press.try_send(std::mem::take(&mut self.batch)) {
            Ok(()) => true,
            Err(TrySendError::Full(batch)) => {
                self.batch = batch;
                false
            }
            Err(TrySendError::Disconnected(batch)) => {
                self.batch = batch;
                true
            }
        }
    }

    /// False: stop after this batch.
    fn take(&mut self, message: Message) -> Result<bool, WriterError> {
        match message {
            Message::Event(event, answer) => {
                let reply = self.decide(*event)?;
                self.batch.answers.push(Box::new(move || drop(answer.send(reply))));
            }
            Message::Read(look) => {
                let deliver = look(&self.state);
                self.batch.answers.push(deliver);
            }
            Message::Keep(write) => self.batch.keeps.push(write),
            Message::Stop => return Ok(false),
        }
        Ok(true)
    }

    fn decide(&mut self, event: Event) -> Result<Result<Reply, Refusal>, WriterError> {
        // Never backwards, whatever the system's clock does.
        self.now = self.now.max(SystemClock.now());
        let outcome = match step(&self.state, event, self.now, &mut self.rng) {
            Ok(outcome) => outcome,
            Err(refusal) => {
                self.pulse.decided(false);
                return Ok(Err(refusal));
            }
        };
        self.pulse.decided(true);
        for change in &outcome.changes {
            self.state.apply(change).map_err(|e| WriterError::Apply(e.to_string()))?;
        }
        self.state.remember(outcome.asks);
        self.batch.changes.extend(outcome.changes);
        self.batch.effects.extend(outcome.effects);
        Ok(Ok(outcome.reply))
    }
}

impl Press {
    fn run(mut self, batches: &std::sync::mpsc::Receiver<Batch>) -> Result<(), WriterError> {
        while let Ok(batch) = batches.recv() {
            self.commit(batch)?;
        }
        Ok(())
    }

    fn commit(&mut self, batch: Batch) -> Result<(), WriterError> {
        let Batch { changes, effects, mut answers, keeps } = batch;
        if changes.iter().any(|c| !matches!(c, Change::Seen { .. })) {
            let begun = Instant::now();
            self.store.commit(&changes).map_err(|e| WriterError::Commit(e.to_string()))?;
            self.pulse.committed(changes.len(), begun.elapsed());
        }
        for write in keeps {
            answers.push(write(&mut self.store));
        }
        for deliver in answers {
            deliver();
        }
        self.wakes.perform(&effects);
        Ok(())
    }
}
