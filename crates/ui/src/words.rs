//! Money, time and sizes as people read them. Money is exact to the last nano-TATAU.

use tatau_model::{Amount, Millis};

/// `12.50 TATAU`, exact.
pub fn money(amount: Amount) -> String {
    format!("{amount} TATAU")
}

/// About how long: `45 s`, `3 min 20 s`, `2 h 5 min`, `4 days 3 h`.
pub fn duration(ms: u64) -> String {
    let s = ms.div_ceil(1_000);
    let (m, h, d) = (s / 60, s / 3_600, s / 86_400);
    let days = if d == 1 { "day" } else { "days" };
    match (d, h, m) {
        (0, 0, 0) => format!("{s} s"),
        (0, 0, m) if m >= 10 || s.is_multiple_of(60) => format!("{m} min"),
        (0, 0, m) => format!("{m} min {} s", s % 60),
        (0, h, m) if m.is_multiple_of(60) => format!("{h} h"),
        (0, h, m) => format!("{h} h {} min", m % 60),
        (d, h, _) if h.is_multiple_of(24) => format!("{d} {days}"),
        (d, h, _) => format!("{d} {days} {} h", h % 24),
    }
}

/// How long ago, or `just now`.
pub fn ago(then: Millis, now: Millis) -> String {
    match now.since(then) {
        ms if ms < 5_000 => "just now".into(),
        ms => format!("{} ago", duration(ms)),
    }
}

/// `1.4 GB`: powers of ten, as disks are sold.
pub fn bytes(n: u64) -> String {
    const UNITS: [&str; 6] = ["B", "kB", "MB", "GB", "TB", "PB"];
    let mut unit = 0;
    let mut scaled = n as f64;
    while scaled >= 999.5 && unit + 1 < UNITS.len() {
        scaled /= 1_000.0;
        unit += 1;
    }
    let places = usize::from(unit > 0 && scaled < 99.95);
    format!("{scaled:.places$} {}", UNITS[unit])
}

/// `1 frame`, `24 frames`.
pub fn count(n: u64, noun: &str) -> String {
    format!("{n} {noun}{}", if n == 1 { "" } else { "s" })
}

/// The moment for a `<time datetime>`: RFC 3339 in UTC, to the second. The page's script shows it in the reader's own zone.
pub fn utc(at: Millis) -> String {
    let seconds = at.0.div_euclid(1_000);
    let (days, rest) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
    let (y, m, d) = civil(days);
    format!("{y:04}-{m:02}-{d:02}T{:02}:{:02}:{:02}Z", rest / 3_600, rest / 60 % 60, rest % 60)
}

/// Year, month, day of a day count since 1970-01-01 in the proleptic Gregorian calendar
/// (Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms", `civil_from_days`).
pub fn civil(days: i64) -> (i64, i64, i64) {
    let z = days + 719_468;
    let era = z.div_euclid(146_097);
    let doe = z.rem_euclid(146_097);
    let yoe = (doe - doe / 1_460 + doe / 36_524 - doe / 146_096) / 365;
    let doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    let mp = (5 * doy + 2) / 153;
    let month = if mp < 10 { mp + 3 } else { mp - 9 };
    (yoe + era * 400 + i64::from(month <= 2), month, doy - (153 * mp + 2) / 5 + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_short_and_right() {
        let told: Vec<String> =
            [0, 900, 61_000, 600_000, 7_500_000, 90_000_000, 172_800_000].map(duration).into();
        assert_eq!(told, ["0 s", "1 s", "1 min 1 s", "10 min", "2 h 5 min", "1 day 1 h", "2 days"]);
        assert_eq!(
            [0, 999, 1_000, 99_950_000, 1_400_000_000].map(bytes),
            ["0 B", "999 B", "1.0 kB", "100 MB", "1.4 GB"]
        );
        assert_eq!(money(Amount(1_500_000_001)), "1.500000001 TATAU");
        assert_eq!((count(1, "frame"), count(0, "frame")), ("1 frame".into(), "0 frames".into()));
        assert_eq!(ago(Millis(1_000), Millis(2_000)), "just now");
    }

    #[test]
    fn moments_are_utc() {
        for (ms, text) in [
            (0, "1970-01-01T00:00:00Z"),
            (951_782_400_000, "2000-02-29T00:00:00Z"),
            (1_764_107_935_999, "2025-11-25T21:58:55Z"),
            (-1, "1969-12-31T23:59:59Z"),
        ] {
            assert_eq!(utc(Millis(ms)), text);
        }
    }
}
