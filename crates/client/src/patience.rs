//! How long a call keeps trying while the server cannot be reached or is busy.

use rand::RngExt;
use std::time::Duration;

const FIRST: Duration = Duration::from_millis(100);
const LONGEST: Duration = Duration::from_secs(5);

/// How long a call keeps trying, from its first failure on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patience {
    limit: Duration,
}

impl Patience {
    /// One try.
    pub const NONE: Self = Self { limit: Duration::ZERO };
    /// Ten seconds: a hiccup, a quick restart. The default.
    pub const BRIEF: Self = Self { limit: Duration::from_secs(10) };
    /// A day: nodes wait out restarts and lost networks.
    pub const LONG: Self = Self { limit: Duration::from_hours(24) };

    /// Keeps trying for `limit` (at most a day).
    pub fn of(limit: Duration) -> Self {
        Self { limit: limit.min(Self::LONG.limit) }
    }

    /// How long to wait before try number `tries` + 1, or `None` when `waited` has used the patience up. Doubles from
    /// 100 ms to 5 s, with jitter so that a restarted server is not met by all its nodes at once.
    pub(crate) fn pause(self, tries: u32, waited: Duration) -> Option<Duration> {
        if waited >= self.limit {
            return None;
        }
        let full = FIRST.saturating_mul(1 << tries.saturating_sub(1).min(16)).min(LONGEST);
        let jittered = full.mul_f64(rand::rng().random_range(0.5..1.0));
        Some(jittered.min(self.limit.saturating_sub(waited)))
    }
}

impl Default for Patience {
    fn default() -> Self {
        Self::BRIEF
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_a_limit_and_end() {
        assert_eq!(Patience::NONE.pause(1, Duration::ZERO), None);
        let first = Patience::BRIEF.pause(1, Duration::ZERO).unwrap();
        assert!(first >= FIRST / 2 && first <= FIRST, "{first:?}");
        let late = Patience::LONG.pause(4_000_000, Duration::from_mins(1)).unwrap();
        assert!(late >= LONGEST / 2 && late <= LONGEST, "{late:?}");
        assert_eq!(Patience::BRIEF.pause(9, Duration::from_secs(10)), None);
    }
}
