//! When somebody's day and month began.

use tatau_model::Millis;

const MINUTE_MS: i64 = 60_000;
const DAY_MS: i64 = 24 * 60 * MINUTE_MS;
/// Time zones lie within this many minutes of UTC, and are whole quarters of an hour.
const MOST_MINUTES: i64 = 14 * 60;

/// The begin of the day and of the month, at a clock so many minutes ahead of UTC. `None` where no clock is.
pub(crate) fn begins(now: Millis, utc_offset_minutes: i64) -> Option<(Millis, Millis)> {
    if utc_offset_minutes.abs() > MOST_MINUTES || utc_offset_minutes % 15 != 0 {
        return None;
    }
    let shift = utc_offset_minutes * MINUTE_MS;
    let days = (now.0 + shift).div_euclid(DAY_MS);
    let begin = |days: i64| Millis(days * DAY_MS - shift);
    let (.., day_of_month) = tatau_ui::words::civil(days);
    Some((begin(days), begin(days - day_of_month + 1)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_and_months_begin_where_the_caller_lives() {
        // 2026-03-01 00:30 UTC: in New York it is still the evening of 28 February, in India 06:00.
        let now = Millis(1_772_325_000_000);
        let utc = |day, month| Some((Millis(day), Millis(month)));
        assert_eq!(begins(now, 0), utc(1_772_323_200_000, 1_772_323_200_000));
        assert_eq!(begins(now, -300), utc(1_772_254_800_000, 1_769_922_000_000));
        assert_eq!(begins(now, 330), utc(1_772_303_400_000, 1_772_303_400_000));
        assert_eq!(begins(now, 7), None);
        assert_eq!(begins(now, 15 * 60), None);
    }

    #[test]
    fn every_month_begins_on_its_first() {
        let mut firsts = 0;
        for day in 0..=365 * 4 {
            let (begin, month) = begins(Millis(day * DAY_MS + 5), 0).unwrap();
            assert_eq!(begin.0, day * DAY_MS);
            firsts += i64::from(month == begin);
        }
        assert_eq!(firsts, 48, "1970 to 1973");
    }
}
