//! The one conversation with the platform: heartbeat, new leases, leases taken back; and this side's own changes of mind.

use crate::{
    AgentEvent, ProvideError,
    control::{Control, changed},
    courier::Letter,
    decide::Ruling,
    desk::Desk,
};
use std::{
    collections::BTreeMap,
    future::Future,
    sync::atomic::Ordering,
    time::{Duration, Instant},
};
use tatau_api::{PollAnswer, RegisterNode};
use tatau_client::ClientError;
use tatau_worker::{Assignment, Backoff, Platform, Stop, StopSignal, told, unwelcome, worth_waiting};
use tokio::sync::mpsc;

/// The platform is told of a change of mind within this, or at the next occasion.
const TELL_LIMIT: Duration = Duration::from_secs(3);
/// An empty answer that came sooner than this was not waited for.
const HASTE: Duration = Duration::from_secs(1);

/// Each card's line of work.
pub(crate) type Lines = BTreeMap<u16, mpsc::UnboundedSender<Assignment>>;

/// One conversation.
pub(crate) struct Attendance<'a, P> {
    pub platform: &'a P,
    pub desk: &'a Desk,
    pub lines: &'a Lines,
    pub control: Control,
    /// As the platform knows this node.
    pub registration: RegisterNode,
    /// The platform was told to give no leases.
    pub draining: bool,
}

impl<P: Platform> Attendance<'_, P> {
    /// Goes on until the node was told to finish and nothing is left to do.
    pub async fn run(mut self, mut stop: StopSignal) -> Result<(), ProvideError> {
        let cards: Vec<u16> = self.lines.keys().copied().collect();
        let mut backoff = Backoff::default();
        let mut drained = false;
        loop {
            let finishing = *stop.borrow() >= Stop::Finish;
            if finishing && !drained {
                // Leases that cross this word on their way are given back when they arrive.
                drained = true;
                self.drain(true).await;
            }
            if finishing && !self.desk.busy() && self.desk.under_way.load(Ordering::Acquire) == 0 {
                return Ok(());
            }
            // One look: what changes after it is heard at once below, and obeyed before the next poll.
            let rulings = self.control.rulings.borrow_and_update().clone();
            if !finishing {
                self.obey(&cards, &rulings).await;
                self.renew_offer().await;
            }
            let may = |card| !finishing && may_work(&rulings, card);
            let (poll, later) = self.desk.poll(&cards, may);
            let began = Instant::now();
            let answer = tokio::select! {
                biased;
                () = told(&mut stop, Stop::Finish), if !finishing => continue,
                // What the platform may have answered to the old poll it says again.
                () = self.desk.changed.notified() => continue,
                () = changed(&mut self.control.rulings), if !finishing => continue,
                () = changed(&mut self.control.wishes), if !finishing => { self.control.wishes.mark_changed(); continue }
                () = until(later) => continue,
                answer = self.platform.poll(&poll) => answer,
            };
            match answer {
                Ok(answer) => {
                    self.desk.answered();
                    if answer == PollAnswer::default() && began.elapsed() < HASTE {
                        // A platform that does not hold polls open is asked less often.
                        backoff.wait().await;
                    } else {
                        backoff.reset();
                    }
                    self.take(answer).await;
                }
                Err(error) if matches!(error.status(), Some(401 | 404)) => {
                    // A platform that lost this node learns of it again; a refusal of that is the last word.
                    self.desk.away(&error.to_string());
                    backoff.wait().await;
                    self.register().await?;
                }
                Err(error) if !unwelcome(&error) => {
                    self.desk.away(&error.to_string());
                    tokio::select! {
                        () = backoff.wait() => {}
                        () = told(&mut stop, Stop::Finish), if !finishing => {}
                    }
                }
                Err(error) => return Err(error.into()),
            }
        }
    }

    async fn register(&mut self) -> Result<(), ProvideError> {
        match self.platform.register_node(&self.registration).await {
            Ok(_) => {
                self.draining = false;
                Ok(())
            }
            Err(error) if !worth_waiting(&error) || error.status() == Some(401) => Err(error.into()),
            Err(_) => Ok(()),
        }
    }

    /// Gives up what the rulings forbid. While no card may work, the platform does not count on this node.
    async fn obey(&mut self, cards: &[u16], rulings: &BTreeMap<u16, Ruling>) {
        for (card, ruling) in rulings {
            match ruling {
                Ruling::Work => {}
                Ruling::Wait(reason) => self.desk.give_up(*card, false, &reason.sentence()),
                Ruling::Stop(reason) => self.desk.give_up(*card, true, &reason.sentence()),
            }
        }
        let resting = !cards.iter().any(|card| may_work(rulings, *card));
        if resting != self.draining {
            self.drain(resting).await;
        }
    }

    async fn drain(&mut self, draining: bool) {
        if let Some(Ok(_)) = within(self.platform.drain(draining)).await {
            self.draining = draining;
        } else {
            tracing::debug!(draining, "the platform was not told whether this node takes leases");
        }
    }

    /// Tells the platform what changed of the offer. What it did not hear is said again; what it refuses is said to the person.
    async fn renew_offer(&mut self) {
        if !self.control.wishes.has_changed().unwrap_or(false) {
            return;
        }
        let wishes = self.control.wishes.borrow_and_update().clone();
        let mut offer = self.registration.offer.clone();
        offer.ask_per_reference_hour = wishes.ask;
        offer.blocked = wishes.blocked;
        offer.refused = wishes.refused;
        if offer == self.registration.offer {
            return;
        }
        match within(self.platform.set_offer(&offer, None)).await {
            Some(Ok(_)) => self.registration.offer = offer,
            Some(Err(error)) if !worth_waiting(&error) => {
                self.desk.tell(AgentEvent::Warning {
                    sentence: format!("the platform does not take the changed offer: {error}"),
                });
            }
            _ => self.control.wishes.mark_changed(),
        }
    }

    async fn take(&self, answer: PollAnswer) {
        self.desk.stop(&answer.stop);
        if let Some(settings) = answer.settings {
            self.desk.hear(settings);
        }
        let mut assignments = Vec::new();
        for lease in answer.leases {
            let Some(cancelled) = self.desk.take(&lease) else { continue };
            let assignment = Assignment { holder: lease.attempt.to_string(), order: lease.order, cancelled };
            assignments.push((lease.attempt, lease.card, assignment));
        }
        if let Some(idle) = self.control.idle.as_ref().filter(|_| !assignments.is_empty()) {
            // The owner's command leaves the machine before work comes to it.
            idle.quiet().await;
        }
        for (attempt, card, assignment) in assignments {
            let line = self.lines.get(&card);
            if line.is_none_or(|line| line.send(assignment).is_err()) {
                let report = tatau_api::FailReport {
                    code: "no_card".into(),
                    sentence: format!("card {card} of this node takes no work"),
                    log: String::new(),
                };
                self.desk.send(Letter::Failed { attempt, report });
            }
        }
    }
}

fn may_work(rulings: &BTreeMap<u16, Ruling>, card: u16) -> bool {
    rulings.get(&card).is_none_or(|ruling| *ruling == Ruling::Work)
}

async fn within<T>(ask: impl Future<Output = Result<T, ClientError>>) -> Option<Result<T, ClientError>> {
    tokio::time::timeout(TELL_LIMIT, ask).await.ok()
}

/// That moment; never, where there is none.
async fn until(moment: Option<Instant>) {
    match moment {
        Some(moment) => tokio::time::sleep_until(moment.into()).await,
        None => std::future::pending().await,
    }
}
