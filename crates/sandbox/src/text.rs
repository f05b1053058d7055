//! A stranger's lines: cleaned, cut, remembered at the tail, and two of them understood.

use std::collections::VecDeque;

use crate::wire::LINE_BYTES;

/// Bytes of log kept for a report.
const TAIL_BYTES: usize = 8 * 1024;

/// A line that no terminal, page or log file can misread: control and direction-changing characters dropped except tab, at most
/// [`LINE_BYTES`] long.
pub(crate) fn clean(line: &str) -> String {
    let mut out = String::with_capacity(line.len().min(LINE_BYTES));
    for c in line.chars().filter(|&c| c == '\t' || !(c.is_control() || turns_text(c))) {
        if out.len() + c.len_utf8() > LINE_BYTES - '…'.len_utf8() {
            out.push('…');
            break;
        }
        out.push(c);
    }
    out
}

/// Unicode's direction marks, overrides and isolates, separators and the byte order mark.
fn turns_text(c: char) -> bool {
    matches!(c, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

/// What a line says to us.
#[derive(Debug, PartialEq)]
pub(crate) enum Word {
    /// `openjd_progress: x`, 0 to 100.
    Progress(f32),
    /// `tatau_error: CODE sentence`.
    Error { code: String, sentence: String },
}

/// Understands the two lines that are addressed to us.
pub(crate) fn word(line: &str) -> Option<Word> {
    if let Some(rest) = line.strip_prefix("openjd_progress:") {
        let percent: f32 = rest.trim().parse().ok()?;
        return (percent.is_finite() && (0.0..=100.0).contains(&percent)).then_some(Word::Progress(percent));
    }
    let rest = line.strip_prefix("tatau_error:")?.trim();
    let (code, sentence) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-' || c == '.';
    if code.is_empty() || code.len() > 64 || !code.chars().all(plain) {
        return None;
    }
    let sentence: String = sentence.trim().chars().take(500).collect();
    Some(Word::Error { code: code.to_owned(), sentence })
}

/// The last lines of a log and the last error in it.
#[derive(Debug, Default)]
pub(crate) struct Tail {
    lines: VecDeque<String>,
    bytes: usize,
    /// Code and sentence of the last `tatau_error` line.
    pub(crate) error: Option<(String, String)>,
}

impl Tail {
    pub(crate) fn push(&mut self, line: String) {
        self.bytes += line.len() + 1;
        self.lines.push_back(line);
        while self.bytes > TAIL_BYTES {
            match self.lines.pop_front() {
                Some(old) => self.bytes -= old.len() + 1,
                None => break,
            }
        }
    }

    pub(crate) fn text(&self) -> String {
        self.lines.iter().map(String::as_str).collect::<Vec<_>>().join("\n")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_and_direction_characters_go() {
        assert_eq!(clean("a\x1b[31mb\tc\r\u{202e}d\u{9b}e\0"), "a[31mb\tcde");
    }

    #[test]
    fn long_lines_are_cut_on_a_character() {
        let cut = clean(&"é".repeat(LINE_BYTES));
        assert!(cut.len() <= LINE_BYTES && cut.ends_with('…'));
    }

    #[test]
    fn two_words_are_understood() {
        assert_eq!(word("openjd_progress: 12.5"), Some(Word::Progress(12.5)));
        for no in [
            "openjd_progress: NaN",
            "openjd_progress: 101",
            "openjd_progress: -1",
            "x tatau_error: A b",
            "tatau_error:",
        ] {
            assert_eq!(word(no), None, "{no}");
        }
        let told = Word::Error { code: "NO_CAMERA".into(), sentence: "the scene has no camera".into() };
        assert_eq!(word("tatau_error: NO_CAMERA the scene has no camera"), Some(told));
    }

    #[test]
    fn the_tail_is_bounded() {
        let mut tail = Tail::default();
        for n in 0..10_000 {
            tail.push(format!("line {n}"));
        }
        assert!(tail.text().len() <= TAIL_BYTES && tail.text().ends_with("line 9999"));
    }
}
