//! The server's clock, as far as it is known here: requests are signed by it where one's own clock is wrong.
//!
//! Learnt only from a refusal that says so. A server (or, without TLS, somebody on the way) that lies about it could have requests
//! dated ahead, to send them again then; so it is followed at most a day.

use reqwest::header::{self, HeaderMap};
use std::{
    sync::atomic::{AtomicI64, Ordering},
    time::UNIX_EPOCH,
};
use tatau_model::{Clock as _, Millis, SystemClock};

/// The furthest that a server's clock is followed, ms.
const FURTHEST_MS: i64 = 24 * 3_600_000;
/// Closer than this a refusal has another reason, ms: the `Date` of an answer counts whole seconds.
const SAME_MS: i64 = 5_000;

/// How far the server's clock is ahead of this machine's, ms.
#[derive(Debug, Default)]
pub(crate) struct ServerClock(AtomicI64);

impl ServerClock {
    pub(crate) fn now(&self) -> Millis {
        Millis(SystemClock.now().0.saturating_add(self.0.load(Ordering::Relaxed)))
    }

    /// Learns from the `Date` of an answer; true where that changed something.
    pub(crate) fn learn(&self, headers: &HeaderMap) -> bool {
        let Some(there) = headers.get(header::DATE).and_then(|date| date.to_str().ok()) else { return false };
        let Ok(there) = httpdate::parse_http_date(there) else { return false };
        let Ok(there) = there.duration_since(UNIX_EPOCH) else { return false };
        let Ok(there) = i64::try_from(there.as_millis()) else { return false };
        let ahead = there.saturating_sub(SystemClock.now().0);
        let known = self.0.load(Ordering::Relaxed);
        if ahead.abs() > FURTHEST_MS || ahead.abs_diff(known) < SAME_MS.unsigned_abs() {
            return false;
        }
        self.0.store(ahead, Ordering::Relaxed);
        true
    }
}
