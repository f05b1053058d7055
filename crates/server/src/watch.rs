//! What the server noticed about itself: the comparator, the clock, the last audit of the books. In memory; for people only.

use serde::{Deserialize, Serialize};
use std::sync::{Mutex, MutexGuard, PoisonError};
use tatau_model::{Amount, Clock, Millis, SystemClock};

/// A clock that moves by more than this against the machine's own time has jumped, ms.
pub(crate) const JUMP_MS: i64 = 5_000;

/// What the comparator is doing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) enum Comparator {
    /// Nothing was to be compared since the start.
    #[default]
    Idle,
    /// It answers.
    Working,
    /// The server was started without one.
    Absent,
    /// It cannot work; every audit waits.
    Away {
        /// Since when.
        since: Millis,
        /// Why.
        sentence: String,
    },
}

/// A jump of the system's clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Jump {
    /// When it was noticed.
    pub at: Millis,
    /// By how much, ms; below zero: backwards.
    pub by_ms: i64,
}

/// What an audit of the books found; kept among the settings.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct BooksRun {
    /// When it ended.
    pub at: Millis,
    /// How long it took, ms.
    pub took_ms: u64,
    /// Nothing was found.
    pub sound: bool,
    /// Entries read.
    pub entries: u64,
    /// Sum of all balances.
    pub sum: Amount,
    /// The first problems.
    pub problems: Vec<String>,
}

#[derive(Debug, Default)]
struct Seen {
    comparator: Comparator,
    judged: u64,
    fault: Option<(Millis, String)>,
    jump: Option<Jump>,
    auditing: Option<Millis>,
}

/// One server's own notes.
#[derive(Debug, Default)]
pub(crate) struct Watch(Mutex<Seen>);

impl Watch {
    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// There is no comparator.
    pub(crate) fn absent(&self) {
        self.seen().comparator = Comparator::Absent;
    }

    /// The comparator did one.
    pub(crate) fn compared(&self) {
        let mut seen = self.seen();
        seen.comparator = Comparator::Working;
        seen.judged += 1;
    }

    /// The comparator cannot work.
    pub(crate) fn away(&self, sentence: &str) {
        let mut seen = self.seen();
        if let Comparator::Away { sentence: said, .. } = &mut seen.comparator {
            sentence.clone_into(said);
        } else {
            seen.comparator = Comparator::Away { since: SystemClock.now(), sentence: sentence.to_owned() };
        }
    }

    /// One audit could not be compared.
    pub(crate) fn fault(&self, sentence: &str) {
        self.seen().fault = Some((SystemClock.now(), sentence.to_owned()));
    }

    /// State of the comparator, how many audits it measured, and its last trouble with one.
    pub(crate) fn comparator(&self) -> (Comparator, u64, Option<(Millis, String)>) {
        let seen = self.seen();
        (seen.comparator.clone(), seen.judged, seen.fault.clone())
    }

    /// The system's clock moved `wall_ms` while the machine's own time moved `own_ms`.
    pub(crate) fn clock(&self, at: Millis, wall_ms: i64, own_ms: i64) {
        let by_ms = wall_ms.saturating_sub(own_ms);
        if by_ms.abs() > JUMP_MS {
            tracing::warn!(by_ms, "the system's clock jumped");
            self.seen().jump = Some(Jump { at, by_ms });
        }
    }

    /// The last jump.
    pub(crate) fn jump(&self) -> Option<Jump> {
        self.seen().jump
    }

    /// True where an audit of the books may begin now; it is noted.
    pub(crate) fn begin_books(&self) -> bool {
        let mut seen = self.seen();
        if seen.auditing.is_some() {
            return false;
        }
        seen.auditing = Some(SystemClock.now());
        true
    }

    /// It ended, one way or the other.
    pub(crate) fn end_books(&self) {
        self.seen().auditing = None;
    }

    /// Since when the books are being audited.
    pub(crate) fn auditing_books(&self) -> Option<Millis> {
        self.seen().auditing
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_comparator_is_away_since_it_first_failed() {
        let watch = Watch::default();
        watch.away("no sandbox");
        let Comparator::Away { since, .. } = watch.comparator().0 else { panic!() };
        watch.away("still none");
        assert_eq!(watch.comparator().0, Comparator::Away { since, sentence: "still none".into() });
        watch.compared();
        assert_eq!((watch.comparator().0, watch.comparator().1), (Comparator::Working, 1));
    }

    #[test]
    fn only_jumps_of_the_clock_are_noted_and_books_are_audited_once_at_a_time() {
        let watch = Watch::default();
        watch.clock(Millis(9), 300, 250);
        assert_eq!(watch.jump(), None);
        watch.clock(Millis(9), -60_000, 250);
        assert_eq!(watch.jump(), Some(Jump { at: Millis(9), by_ms: -60_250 }));
        assert!(watch.begin_books() && !watch.begin_books());
        watch.end_books();
        assert!(watch.begin_books());
    }
}
