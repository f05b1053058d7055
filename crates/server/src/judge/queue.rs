//! Which audit is compared next. One that fails goes to the back with a growing pause of its own: it never holds up others.

use std::{
    collections::{BTreeSet, HashMap, VecDeque},
    time::{Duration, Instant},
};
use tatau_model::AuditId;

/// Pause after a first failure; doubled with each further one.
const FIRST_PAUSE: Duration = Duration::from_millis(500);
const LONGEST_PAUSE: Duration = Duration::from_mins(5);
/// So often the market may refuse a judgement before its audit is left until the next start.
pub(super) const MOST_REFUSALS: u32 = 8;

/// What went wrong with an audit so far.
#[derive(Debug, Clone, Copy, Default)]
struct Trouble {
    failures: u32,
    /// Of them, times that its files could not be read.
    unreadable: u32,
    /// Of them, refusals by the market.
    refusals: u32,
}

/// Why an audit was put back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum PutBack {
    /// The market is busy; nothing of this audit's own.
    Busy,
    /// Its files could not be read.
    Unreadable,
    /// The market refused the judgement.
    Refused,
}

/// What to do now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Next {
    /// Compare this one.
    Audit(AuditId),
    /// Nothing is due before.
    Wait(Instant),
    /// Nothing is to be done.
    Empty,
}

/// Revealed audits that are not judged yet.
#[derive(Debug, Default)]
pub(super) struct Queue {
    ready: VecDeque<AuditId>,
    paused: BTreeSet<(Instant, AuditId)>,
    /// In the queue, under comparison, or given up; with what went wrong.
    known: HashMap<AuditId, Trouble>,
}

impl Queue {
    /// A revealed audit; once is enough.
    pub(super) fn push(&mut self, audit: AuditId) {
        if let std::collections::hash_map::Entry::Vacant(place) = self.known.entry(audit) {
            place.insert(Trouble::default());
            self.ready.push_back(audit);
        }
    }

    pub(super) fn next(&mut self, now: Instant) -> Next {
        while let Some((due, audit)) = self.paused.first().copied().filter(|(due, _)| *due <= now) {
            self.paused.remove(&(due, audit));
            self.ready.push_back(audit);
        }
        match (self.ready.pop_front(), self.paused.first()) {
            (Some(audit), _) => Next::Audit(audit),
            (None, Some((due, _))) => Next::Wait(*due),
            (None, None) => Next::Empty,
        }
    }

    /// So often the audit's files could not be read.
    pub(super) fn unreadable(&self, audit: AuditId) -> u32 {
        self.known.get(&audit).map_or(0, |trouble| trouble.unreadable)
    }

    /// It is judged.
    pub(super) fn done(&mut self, audit: AuditId) {
        self.known.remove(&audit);
    }

    /// It was not its turn: another moment, without blame.
    pub(super) fn again(&mut self, audit: AuditId) {
        self.ready.push_back(audit);
    }

    /// To the back, after a pause; false where it is given up until the next start.
    pub(super) fn put_back(&mut self, audit: AuditId, why: PutBack, now: Instant) -> bool {
        let trouble = self.known.entry(audit).or_default();
        match why {
            PutBack::Busy => {}
            PutBack::Unreadable => trouble.unreadable += 1,
            PutBack::Refused => trouble.refusals += 1,
        }
        if trouble.refusals >= MOST_REFUSALS {
            return false;
        }
        let pause = FIRST_PAUSE.saturating_mul(1 << trouble.failures.min(16)).min(LONGEST_PAUSE);
        trouble.failures = trouble.failures.saturating_add(1);
        self.paused.insert((now + pause, audit));
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: AuditId = AuditId(1);
    const B: AuditId = AuditId(2);

    #[test]
    fn one_that_fails_waits_longer_each_time_and_holds_up_nobody() {
        let (mut queue, start) = (Queue::default(), Instant::now());
        queue.push(A);
        queue.push(B);
        queue.push(A);
        assert_eq!(queue.next(start), Next::Audit(A));
        assert!(queue.put_back(A, PutBack::Refused, start));
        queue.push(A);
        assert_eq!(queue.next(start), Next::Audit(B));
        queue.done(B);
        let mut now = start;
        let mut pauses = Vec::new();
        for n in 1..MOST_REFUSALS {
            let Next::Wait(due) = queue.next(now) else { panic!("{n}: it pauses") };
            pauses.push(due.duration_since(now));
            now = due;
            assert_eq!(queue.next(now), Next::Audit(A));
            assert_eq!(queue.put_back(A, PutBack::Refused, now), n + 1 < MOST_REFUSALS);
        }
        assert!(pauses.is_sorted() && pauses[0] == FIRST_PAUSE && pauses[3] == FIRST_PAUSE * 8, "{pauses:?}");
        assert_eq!(queue.next(now), Next::Empty, "given up");
        queue.push(A);
        assert_eq!(queue.next(now), Next::Empty, "until the next start");
        queue.push(B);
        assert_eq!(queue.next(now), Next::Audit(B), "which was judged, and may come again");
    }

    #[test]
    fn a_busy_market_is_waited_for_without_end_and_unreadable_files_are_counted() {
        let (mut queue, mut now) = (Queue::default(), Instant::now());
        queue.push(A);
        for n in 0..100 {
            let Next::Audit(A) = queue.next(now) else { panic!("{n}: it is its turn") };
            assert!(queue.put_back(A, if n < 2 { PutBack::Unreadable } else { PutBack::Busy }, now));
            let Next::Wait(due) = queue.next(now) else { panic!("{n}: it pauses") };
            assert!(due.duration_since(now) <= LONGEST_PAUSE);
            now = due;
        }
        assert_eq!(queue.unreadable(A), 2);
        assert_eq!(queue.next(now), Next::Audit(A));
        queue.again(A);
        assert_eq!(queue.next(now), Next::Audit(A));
    }
}
