//! What goes on beside the work: meters are read and rulings follow, the platform is asked for prices and money.

use crate::{
    Wishes,
    board::{CardStatus, Phase, Status},
    cockpit::Cockpit,
    decide::{CardFacts, Moment, Past, Ruling, decide},
    idle_command,
    settings::{Day, LocalTime, Minute, Settings},
};
use std::{
    sync::Arc,
    time::{Duration, Instant},
};
use tatau_model::{Amount, Card, CardKind, Clock, SystemClock};
use tatau_worker::{Meters, Platform, Reading, Readings};

/// Between two looks at the meters while somebody watches, while it works unwatched, and while it rests.
const LOOK_WATCHED: Duration = Duration::from_secs(2);
const LOOK_WORKING: Duration = Duration::from_secs(5);
const LOOK_RESTING: Duration = Duration::from_secs(30);
/// Whether somebody uses the machine is asked of another program: not more often than this.
const HANDS: Duration = Duration::from_secs(10);
/// Between two questions about prices and money.
const ASK_WATCHED: Duration = Duration::from_secs(5);
const ASK_UNWATCHED: Duration = Duration::from_mins(1);
/// A running mean forgets this much of its past with every look: one part of so many.
const MEAN_OF: u32 = 8;
const MILLION: u64 = 1_000_000;

/// What the offer says, given the middle of what is asked now.
pub(crate) fn wishes(settings: &Settings, middle: Option<Amount>) -> Wishes {
    Wishes {
        ask: settings.price.ask(middle),
        blocked: settings.blocked.clone(),
        refused: settings.refused.iter().cloned().collect(),
    }
}

/// Reads the meters and rules, for ever.
pub(crate) async fn rule(cockpit: Arc<Cockpit>) {
    let mut meters = Some(Meters::new(&cockpit.cache));
    let mut past = Past::default();
    let mut hands: (Option<Instant>, Reading<u64>) = (None, Reading::NotHere("nobody asked"));
    loop {
        let settings = cockpit.settings.now();
        let ask_hands = settings.idle.hands_off_minutes.is_some()
            && hands.0.is_none_or(|at: Instant| at.elapsed() >= HANDS);
        // The meters go to a thread that may block, and come back.
        let Some(mut held) = meters.take() else { return };
        let Ok((back, mut readings)) = tokio::task::spawn_blocking(move || {
            let readings = held.read(ask_hands);
            (held, readings)
        })
        .await
        else {
            return;
        };
        meters = Some(back);
        if ask_hands {
            hands = (Some(Instant::now()), readings.hands_off_seconds.clone());
        }
        readings.hands_off_seconds = hands.1.clone();
        past = cockpit.rule_once(&settings, readings, past);
        let working = cockpit.board.look(|s| s.phase == Phase::Running);
        let pause = match (cockpit.watched(), working) {
            (true, _) => LOOK_WATCHED,
            (false, true) => LOOK_WORKING,
            (false, false) => LOOK_RESTING,
        };
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = cockpit.nudge.notified() => {}
        }
    }
}

impl Cockpit {
    /// One look: rulings, what cards draw, the owner's command.
    fn rule_once(&self, settings: &Settings, readings: Readings, past: Past) -> Past {
        let status = self.board.now();
        let moment = Moment {
            now: SystemClock.now(),
            local: local_time(),
            idle_command: self.idle.state() != idle_command::IdleState::Off,
        };
        let facts = facts(&status, self.wishes.borrow().ask);
        let (rulings, past) = decide(settings, &facts, &readings, moment, past);
        let slots = facts.iter().filter(|card| card.kind == CardKind::Cpu).count();
        let idle = idle_words(settings, &status, rulings.values());
        self.idle.want(idle);
        self.board.change(|s| {
            for (number, card) in &mut s.cards {
                card.ruling = rulings.get(number).cloned();
                if card.running().is_some()
                    && let Some(watts) = watts_of(card, &readings, slots)
                {
                    let mean = card.watts_at_work.map(|mean| (mean * (MEAN_OF - 1) + watts) / MEAN_OF);
                    card.watts_at_work = Some(mean.unwrap_or(watts));
                }
            }
            s.readings = Some(readings);
            s.idle = self.idle.state();
        });
        self.rulings.send_if_modified(|now| {
            let differs = *now != rulings;
            *now = rulings;
            differs
        });
        past
    }
}

/// The command's words while it should run: the agent is on, no card has work, and at least one would take some.
fn idle_words<'a>(
    settings: &Settings,
    status: &Status,
    mut rulings: impl Iterator<Item = &'a Ruling>,
) -> Vec<String> {
    let wanted = status.phase == Phase::Running && !status.busy() && rulings.any(|r| *r == Ruling::Work);
    if !wanted {
        return Vec::new();
    }
    // What cannot be split was refused when it was set.
    idle_command::words(&settings.idle_command).unwrap_or_default()
}

fn facts(status: &Status, ask: Amount) -> Vec<CardFacts> {
    let fee_ppm = status.platform.as_ref().map_or(0, |p| p.fee_ppm);
    let cards = status.node.as_ref().map(|node| node.cards.as_slice()).unwrap_or_default();
    let fact = |(number, card): (u16, &CardStatus)| {
        let offered = cards.get(usize::from(number))?;
        Some(CardFacts {
            number,
            kind: offered.kind,
            graphics: card.graphics,
            usable: card.usable,
            busy: card.busy(),
            earns_an_hour: earns_an_hour(offered, ask, fee_ppm),
            watts: card.watts_at_work,
        })
    };
    status.cards.iter().filter_map(|(number, card)| fact((*number, card))).collect()
}

/// What an hour of a card's work brings at this price, the platform's fee taken off; unknown until the card is measured.
pub fn earns_an_hour(card: &Card, ask: Amount, fee_ppm: u64) -> Option<Amount> {
    let gross = ask.scale(card.score_milli?, 1_000).ok()?;
    gross.sub(gross.scale(fee_ppm.min(MILLION), MILLION).ok()?).ok()
}

/// What a card draws now; slots share the processor's.
fn watts_of(card: &CardStatus, readings: &Readings, slots: usize) -> Option<u32> {
    match card.graphics {
        Some(number) => readings.graphics.iter().find(|g| g.number == number)?.watts.value().copied(),
        None => readings.watts.value()?.checked_div(u32::try_from(slots).ok()?),
    }
}

/// Asks for prices and money, for ever. What cannot be asked keeps its last answer, and the reason beside it.
pub(crate) async fn ask_around<P: Platform>(cockpit: Arc<Cockpit>, platform: P) {
    loop {
        if let Ok(about) = platform.platform().await {
            let middle = about.middle_ask;
            cockpit.board.change(|s| s.platform = Some(about));
            cockpit.wish(&cockpit.settings.now(), middle);
        }
        if cockpit.board.look(|s| s.node.is_some()) {
            if let Ok(node) = platform.node().await {
                cockpit.board.change(|s| s.node = Some(node));
            }
            let earnings = platform.earnings(utc_offset_minutes()).await;
            cockpit.board.change(|s| match earnings {
                Ok(earnings) => (s.earnings, s.earnings_away) = (Some(earnings), None),
                Err(error) => s.earnings_away = Some(error.to_string()),
            });
        }
        // Somebody who begins to watch does not wait out a long pause, nor hastens a short one.
        let long = if cockpit.watched() { ASK_WATCHED } else { ASK_UNWATCHED };
        let since = Instant::now();
        while since.elapsed() < long && !(cockpit.watched() && since.elapsed() >= ASK_WATCHED) {
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    }
}

/// The machine's own clock and zone.
fn local_time() -> LocalTime {
    let now = jiff::ZonedDateTime::now();
    let day = usize::try_from(now.weekday().to_monday_zero_offset()).unwrap_or(0);
    let minute = u32::try_from(i32::from(now.hour()) * 60 + i32::from(now.minute())).unwrap_or(0);
    LocalTime { day: Day::ALL[day % Day::ALL.len()], minute: Minute(minute) }
}

/// How far the machine's clock is ahead of UTC, in whole quarters of an hour.
fn utc_offset_minutes() -> i32 {
    jiff::ZonedDateTime::now().offset().seconds().div_euclid(900) * 15
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::board::TaskStatus;
    use tatau_model::{AttemptId, JobId, Work};

    #[test]
    fn an_hours_pay_is_price_times_score_less_the_fee() {
        let mut card = Card {
            kind: CardKind::Cpu,
            name: "x".into(),
            memory_mib: 1,
            threads: 1,
            devices: vec![],
            score_milli: Some(40),
        };
        assert_eq!(earns_an_hour(&card, Amount::tatau(1), 50_000), Some(Amount(38_000_000)));
        card.score_milli = None;
        assert_eq!(earns_an_hour(&card, Amount::tatau(1), 50_000), None, "not measured is not zero");
    }

    #[test]
    fn the_owners_command_runs_only_where_a_card_would_work_and_has_none() {
        let settings = Settings { idle_command: "miner --go".into(), ..Settings::default() };
        let mut status = Status { phase: Phase::Running, ..Status::default() };
        let work = [Ruling::Work];
        let wait = [Ruling::Wait(crate::decide::Reason::Off)];
        assert_eq!(idle_words(&settings, &status, work.iter()), ["miner", "--go"]);
        assert!(idle_words(&settings, &status, wait.iter()).is_empty(), "the person needs the machine");
        let task = TaskStatus {
            attempt: AttemptId(1),
            job: JobId(1),
            work: Work::Video,
            price: Amount(1),
            begun: None,
            percent: None,
            sending: true,
        };
        status.cards.entry(0).or_default().tasks.push(task);
        assert_eq!(idle_words(&settings, &status, work.iter()).len(), 2, "only the sending is left");
        status.cards.entry(0).or_default().tasks[0].sending = false;
        assert!(idle_words(&settings, &status, work.iter()).is_empty());
        status.cards.clear();
        status.phase = Phase::Stopped;
        assert!(idle_words(&settings, &status, work.iter()).is_empty());
    }

    #[test]
    fn the_clock_can_be_read() {
        assert!(local_time().minute.0 < 24 * 60);
        assert_eq!(utc_offset_minutes() % 15, 0);
    }
}
