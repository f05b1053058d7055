//! What a person sees of the agent: one snapshot, kept up to date by its events.

use crate::{AgentEvent, decide::Ruling, idle_command::IdleState};
use std::{
    collections::{BTreeMap, VecDeque},
    path::PathBuf,
    sync::{Mutex, MutexGuard, PoisonError},
};
use tatau_api::{Earnings, Platform};
use tatau_model::{Amount, AttemptId, JobId, Millis, Node, Work};
use tatau_worker::{Readings, Stage};
use tokio::sync::watch;

/// Sentences kept about what went wrong.
const NOTES: usize = 12;
/// Longest of them, characters: some carry strangers' words.
const LONGEST: usize = 300;

/// Where the agent stands.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Phase {
    /// It does nothing; the button says Start.
    #[default]
    Stopped,
    /// It gets ready: what is being done.
    Starting(String),
    /// It takes work.
    Running,
    /// It was told to stop and finishes what runs.
    Finishing,
    /// It could not start or go on; it is tried again.
    Failed(String),
}

/// One sentence about something that happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    /// When.
    pub at: Millis,
    /// What.
    pub text: String,
}

/// One task of a card.
#[derive(Debug, Clone, PartialEq)]
pub struct TaskStatus {
    /// Its lease.
    pub attempt: AttemptId,
    /// Its job.
    pub job: JobId,
    /// What it does.
    pub work: Work,
    /// Most that it pays, fee included.
    pub price: Amount,
    /// Since when it runs; `None` while its inputs are fetched.
    pub begun: Option<Millis>,
    /// How far it says it is, 0 to 100.
    pub percent: Option<f32>,
    /// It ran; receipt and files are on their way.
    pub sending: bool,
}

/// The last picture of a card.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Picture {
    /// Names this picture among the card's.
    pub attempt: AttemptId,
    /// Where it lies.
    pub file: PathBuf,
}

/// One card.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct CardStatus {
    /// This version works on it.
    pub usable: bool,
    /// The driver's number, where it is a graphics card.
    pub graphics: Option<u32>,
    /// May it work now? `None` until that was decided.
    pub ruling: Option<Ruling>,
    /// What it does, oldest first.
    pub tasks: Vec<TaskStatus>,
    /// What it made last.
    pub picture: Option<Picture>,
    /// Scenes that it holds open.
    pub warm: usize,
    /// What it drew at work, watts: a running mean.
    pub watts_at_work: Option<u32>,
}

impl CardStatus {
    /// The task that runs now.
    pub fn running(&self) -> Option<&TaskStatus> {
        self.tasks.iter().find(|task| task.begun.is_some() && !task.sending)
    }

    /// Holds it a lease that has not ended here?
    pub fn busy(&self) -> bool {
        self.tasks.iter().any(|task| !task.sending)
    }
}

/// Everything at one moment.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Status {
    /// Where the agent stands.
    pub phase: Phase,
    /// The platform does not answer, and why.
    pub away: Option<String>,
    /// As the platform has it.
    pub node: Option<Node>,
    /// Its cards, by number.
    pub cards: BTreeMap<u16, CardStatus>,
    /// The last look at the meters.
    pub readings: Option<Readings>,
    /// What the platform says of itself.
    pub platform: Option<Platform>,
    /// What it says was earned.
    pub earnings: Option<Earnings>,
    /// Why that could not be asked.
    pub earnings_away: Option<String>,
    /// The owner's command.
    pub idle: IdleState,
    /// What went wrong lately, newest first.
    pub notes: VecDeque<Note>,
    /// Tasks delivered since the start.
    pub delivered: u64,
}

/// The snapshot, and whoever waits for its next change.
#[derive(Debug, Default)]
pub struct Board {
    status: Mutex<Status>,
    version: watch::Sender<u64>,
}

impl Board {
    /// As it is now.
    pub fn now(&self) -> Status {
        self.lock().clone()
    }

    /// A look at a part of it, without copying the whole.
    pub fn look<T>(&self, look: impl FnOnce(&Status) -> T) -> T {
        look(&self.lock())
    }

    /// Hears of every change.
    pub fn watch(&self) -> watch::Receiver<u64> {
        self.version.subscribe()
    }

    /// Changes it; whoever waits hears of it if something is different afterwards.
    pub fn change(&self, change: impl FnOnce(&mut Status)) {
        let mut status = self.lock();
        let before = status.clone();
        change(&mut status);
        let changed = *status != before;
        drop(status);
        if changed {
            self.version.send_modify(|version| *version += 1);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Status> {
        self.status.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Follows what happens to the agent.
    pub fn hear(&self, event: &AgentEvent, now: Millis) {
        self.change(|status| hear(status, event, now));
    }
}

impl Status {
    /// Notes what a person should know.
    pub fn note(&mut self, now: Millis, text: &str) {
        let text: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(LONGEST).collect();
        if self.notes.front().is_some_and(|last| last.text == text) {
            self.notes.pop_front();
        }
        self.notes.push_front(Note { at: now, text });
        self.notes.truncate(NOTES);
    }

    /// Does any card hold work?
    pub fn busy(&self) -> bool {
        self.cards.values().any(CardStatus::busy)
    }

    fn task(&mut self, attempt: AttemptId) -> Option<&mut TaskStatus> {
        self.cards.values_mut().flat_map(|card| &mut card.tasks).find(|task| task.attempt == attempt)
    }

    /// Takes it off its card; its name for people.
    fn end(&mut self, attempt: AttemptId) -> String {
        for card in self.cards.values_mut() {
            if let Some(at) = card.tasks.iter().position(|task| task.attempt == attempt) {
                let task = card.tasks.remove(at);
                return format!("{} of {}", task.work.label(), task.job);
            }
        }
        attempt.to_string()
    }
}

fn hear(status: &mut Status, event: &AgentEvent, now: Millis) {
    match event {
        AgentEvent::Provisioning { environment, stage } => {
            status.phase = Phase::Starting(stage_in_words(environment, stage));
        }
        AgentEvent::Registered { node } => status.node = Some((**node).clone()),
        AgentEvent::Ready { cards, graphics } => {
            status.phase = Phase::Running;
            status.away = None;
            let known = std::mem::take(&mut status.cards);
            for (number, graphics) in (0..).zip(graphics) {
                // What was learned of a card outlives a stop.
                let mut card: CardStatus = known.get(&number).cloned().unwrap_or_default();
                card.tasks.clear();
                card.warm = 0;
                card.usable = cards.contains(&number);
                card.graphics = *graphics;
                status.cards.insert(number, card);
            }
        }
        AgentEvent::Warning { sentence } => status.note(now, sentence),
        AgentEvent::Waiting { reason } => status.away = Some(reason.clone()),
        AgentEvent::Resumed => status.away = None,
        AgentEvent::Settings { settings } => {
            status.note(now, &format!("The owner's fleet page says: {}", settings.sentence()));
        }
        AgentEvent::Leased { attempt, job, work, card, price } => {
            let (begun, percent) = (None, None);
            let task = TaskStatus {
                attempt: *attempt,
                job: *job,
                work: work.clone(),
                price: *price,
                begun,
                percent,
                sending: false,
            };
            status.cards.entry(*card).or_default().tasks.push(task);
        }
        AgentEvent::Begun { attempt } => {
            if let Some(task) = status.task(*attempt) {
                task.begun = Some(now);
            }
        }
        AgentEvent::Progress { attempt, percent } => {
            if let Some(task) = status.task(*attempt) {
                task.percent = Some(percent.clamp(0.0, 100.0));
            }
        }
        AgentEvent::Ran { attempt } => {
            if let Some(task) = status.task(*attempt) {
                task.sending = true;
            }
        }
        AgentEvent::Committed { .. } => {}
        AgentEvent::Delivered { attempt } => {
            status.end(*attempt);
            status.delivered += 1;
        }
        AgentEvent::Failed { attempt, sentence, .. } => {
            let what = status.end(*attempt);
            status.note(now, &format!("{what} did not work out: {sentence}"));
        }
        AgentEvent::Returned { attempt } => drop(status.end(*attempt)),
        AgentEvent::Lost { attempt, sentence } => {
            let what = status.end(*attempt);
            status.note(now, &format!("{what} is not ours any more: {sentence}"));
        }
        AgentEvent::Warm { card, jobs } => status.cards.entry(*card).or_default().warm = jobs.len(),
        AgentEvent::Picture { attempt, card, file } => {
            let picture = Picture { attempt: *attempt, file: file.clone() };
            status.cards.entry(*card).or_default().picture = Some(picture);
        }
        AgentEvent::Stopped { .. } => {
            for card in status.cards.values_mut() {
                card.tasks.clear();
                card.warm = 0;
            }
        }
    }
}

fn stage_in_words(environment: &str, stage: &Stage) -> String {
    match stage {
        Stage::Waiting => format!("Another program is preparing {environment} already; waiting for it."),
        Stage::Preparing | Stage::Installing(_) => format!(
            "Preparing {environment}: the program that renders. The first time this downloads about 900 MB."
        ),
        Stage::Checking => format!("Checking {environment}."),
        Stage::Ready => format!("{environment} is ready. Asking the platform for work."),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn leased(attempt: u64, card: u16) -> AgentEvent {
        AgentEvent::Leased {
            attempt: AttemptId(attempt),
            job: JobId(7),
            work: Work::Render { frame: 3, tile: None },
            card,
            price: Amount(9),
        }
    }

    #[test]
    fn a_tasks_way_is_followed_and_its_end_said() {
        let board = Board::default();
        let hear = |event: AgentEvent| board.hear(&event, Millis(5));
        hear(AgentEvent::Ready { cards: vec![0], graphics: vec![None, Some(2)] });
        hear(leased(1, 0));
        hear(leased(2, 0));
        hear(AgentEvent::Begun { attempt: AttemptId(1) });
        hear(AgentEvent::Progress { attempt: AttemptId(1), percent: 250.0 });
        let status = board.now();
        assert_eq!(status.phase, Phase::Running);
        assert!(status.cards[&0].usable && !status.cards[&1].usable);
        assert_eq!(status.cards[&1].graphics, Some(2));
        let running = status.cards[&0].running().unwrap();
        assert_eq!((running.attempt, running.percent), (AttemptId(1), Some(100.0)));
        hear(AgentEvent::Ran { attempt: AttemptId(1) });
        assert!(board.look(|s| s.cards[&0].running().is_none() && s.busy()), "the second waits");
        hear(AgentEvent::Delivered { attempt: AttemptId(1) });
        let sentence = "out\u{1b}[2J of memory".to_owned();
        hear(AgentEvent::Failed { attempt: AttemptId(2), code: "oom".into(), sentence });
        let status = board.now();
        assert!(!status.busy() && status.delivered == 1);
        assert_eq!(status.notes[0].text, "frame 3 of job-7 did not work out: out [2J of memory");
    }

    #[test]
    fn only_a_difference_is_told_and_notes_are_few() {
        let board = Board::default();
        let mut heard = board.watch();
        board.hear(&AgentEvent::Resumed, Millis(1));
        assert!(!heard.has_changed().unwrap());
        for n in 0..100 {
            let sentence = format!("{n}{}", "x".repeat(1_000));
            board.hear(&AgentEvent::Warning { sentence }, Millis(n));
        }
        assert!(heard.has_changed().unwrap());
        heard.mark_unchanged();
        let notes = board.now().notes;
        assert_eq!((notes.len(), notes[0].text.len()), (NOTES, LONGEST));
    }
}
