//! Where words and data go: data to standard output, words to standard error, colours only where somebody looks.

use serde::Serialize;
use std::io::{self, IsTerminal, Write};
use tatau_model::{Clock, Millis, SystemClock};

/// Prints one line of data. A reader that has gone away ends the program quietly.
pub fn line(text: &str) {
    let mut stdout = io::stdout().lock();
    if let Err(error) = writeln!(stdout, "{text}").and_then(|()| stdout.flush()) {
        let quiet = error.kind() == io::ErrorKind::BrokenPipe;
        if !quiet {
            let _ = writeln!(io::stderr(), "error: standard output cannot be written: {error}");
        }
        std::process::exit(i32::from(!quiet));
    }
}

/// Prints one JSON value on one line.
pub fn json(value: &impl Serialize) {
    match serde_json::to_string(value) {
        Ok(text) => line(&text),
        Err(error) => say(&format!("this answer cannot be written as JSON: {error}")),
    }
}

/// Words for a person.
pub fn say(text: &str) {
    let _ = writeln!(io::stderr(), "{text}");
}

/// Is somebody looking at standard error?
pub fn watched() -> bool {
    io::stderr().is_terminal()
}

/// Colours `text` for standard error where that is a terminal and nobody asked for none.
pub fn colour(code: &str, text: &str) -> String {
    let plain = std::env::var_os("NO_COLOR").is_some_and(|set| !set.is_empty())
        || std::env::var_os("TERM").is_some_and(|term| term == "dumb");
    if watched() && !plain { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
}

/// A stranger's text, harmless on a terminal: control characters are shown, not obeyed; line breaks stay.
pub fn clean(text: &str) -> String {
    text.chars()
        .map(|c| match c {
            '\n' | '\t' => c,
            c if c.is_control()
                || matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}') =>
            {
                '\u{fffd}'
            }
            c => c,
        })
        .collect()
}

/// As [`clean`], on one line.
pub fn clean_line(text: &str) -> String {
    clean(text).replace(['\n', '\t'], " ")
}

/// A table with a head; the columns named in `right` are aligned to the right.
pub fn table(head: &[&str], right: &[usize], rows: &[Vec<String>]) -> String {
    let mut widths: Vec<usize> = head.iter().map(|name| name.chars().count()).collect();
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let write = |cells: Vec<&str>| {
        let mut text = String::new();
        for (at, (cell, width)) in cells.iter().zip(&widths).enumerate() {
            let gap = " ".repeat(width.saturating_sub(cell.chars().count()));
            let (before, after) = if right.contains(&at) { (gap.as_str(), "") } else { ("", gap.as_str()) };
            text.extend([before, cell, after, "  "]);
        }
        text.trim_end().to_owned()
    };
    let mut lines = vec![write(head.to_vec())];
    lines.extend(rows.iter().map(|row| write(row.iter().map(String::as_str).collect())));
    lines.join("\n")
}

/// `45 s`, `12 min`, `3 h 20 min`, `2 d 4 h`.
pub fn duration(ms: u64) -> String {
    let s = ms.div_ceil(1_000);
    match s {
        0..=90 => format!("{s} s"),
        91..=5_400 => format!("{} min", s.div_ceil(60)),
        5_401..=172_800 => format!("{} h {} min", s / 3_600, s % 3_600 / 60),
        _ => format!("{} d {} h", s / 86_400, s % 86_400 / 3_600),
    }
}

/// How long from now until then.
pub fn until(then: Millis) -> String {
    duration(then.since(SystemClock.now()))
}

/// UTC, such as `2026-03-01 12:00:05`.
pub fn time(at: Millis) -> String {
    let s = at.0.div_euclid(1_000);
    let (days, rest) = (s.div_euclid(86_400), s.rem_euclid(86_400));
    // Days to a date of the proleptic Gregorian calendar (Howard Hinnant, chrono-compatible low-level date algorithms).
    let z = days + 719_468;
    let era = z.div_euclid(146_097);
    let doe = z.rem_euclid(146_097);
    let yoe = (doe - doe / 1_460 + doe / 36_524 - doe / 146_096) / 365;
    let doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    let mp = (5 * doy + 2) / 153;
    let day = doy - (153 * mp + 2) / 5 + 1;
    let month = if mp < 10 { mp + 3 } else { mp - 9 };
    let year = yoe + era * 400 + i64::from(month <= 2);
    format!("{year:04}-{month:02}-{day:02} {:02}:{:02}:{:02}", rest / 3_600, rest % 3_600 / 60, rest % 60)
}

/// `1.5 MB`.
pub fn bytes(count: u64) -> String {
    indicatif::DecimalBytes(count).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_and_durations_read_well() {
        assert_eq!(time(Millis(0)), "1970-01-01 00:00:00");
        assert_eq!(time(Millis(951_827_696_000)), "2000-02-29 12:34:56");
        assert_eq!(time(Millis(1_772_366_405_999)), "2026-03-01 12:00:05");
        for (ms, text) in [
            (1, "1 s"),
            (90_000, "90 s"),
            (91_000, "2 min"),
            (7_200_000, "2 h 0 min"),
            (200_000_000, "2 d 7 h"),
        ] {
            assert_eq!(duration(ms), text);
        }
    }

    #[test]
    fn strangers_words_do_not_steer_the_terminal() {
        assert_eq!(clean("a\x1b[2Jb\nc\u{202e}d"), "a\u{fffd}[2Jb\nc\u{fffd}d");
        assert_eq!(clean_line("a\nb"), "a b");
    }

    #[test]
    fn tables_line_up() {
        let rows =
            vec![vec!["job-1".to_owned(), "1.00".to_owned()], vec!["job-10".to_owned(), "12.00".to_owned()]];
        assert_eq!(table(&["job", "spent"], &[1], &rows), "job     spent\njob-1    1.00\njob-10  12.00");
    }
}
