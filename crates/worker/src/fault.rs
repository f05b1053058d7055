//! Why a piece of work yielded nothing, in the terms of the platform.

use tatau_api::FailReport;
use tatau_sandbox::{Outcome, SandboxError};

/// Longest sentence and longest log of a report, bytes.
const SENTENCE_BYTES: usize = 1_000;
/// Trailing log that travels with a report, bytes.
pub const LOG_BYTES: usize = 64 << 10;

/// A task that failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{sentence}")]
pub struct Fault {
    /// For programs, `[a-z_]{1,40}`: the task's own word, or `out_of_memory`, `timed_out`, `output_refused`, `output_too_large`,
    /// `task_failed`, `session_died`, `sandbox`, `bad_order`, `bad_inputs`, `bad_output`, `disk`.
    pub code: String,
    /// For people.
    pub sentence: String,
    /// Trailing log.
    pub log: String,
}

impl Fault {
    /// With a code that is made to fit.
    pub fn new(code: &str, sentence: impl Into<String>) -> Self {
        let mut sentence = sentence.into();
        cut(&mut sentence, SENTENCE_BYTES);
        Self { code: plain_code(code), sentence, log: String::new() }
    }

    /// With the log of the task.
    pub fn with_log(mut self, log: impl Into<String>) -> Self {
        self.log = tail(log.into(), LOG_BYTES);
        self
    }

    /// As it is reported.
    pub fn report(&self) -> FailReport {
        FailReport { code: self.code.clone(), sentence: self.sentence.clone(), log: self.log.clone() }
    }

    /// What an unsuccessful end of a task means; `None` for a successful one.
    pub(crate) fn of_outcome(outcome: &Outcome) -> Option<Self> {
        Some(match outcome {
            Outcome::Success => return None,
            Outcome::Failed { code: Some(code), sentence } => Self::new(code, sentence),
            Outcome::Failed { code: None, sentence } => Self::new("task_failed", sentence),
            Outcome::TimedOut => Self::timed_out(),
            Outcome::OutOfMemory => Self::new(
                "out_of_memory",
                "the task needs more memory than this card has; it goes to a larger one",
            ),
            Outcome::OutputTooLarge { sentence } => Self::new("output_too_large", sentence),
            Outcome::OutputRefused { sentence } => Self::new("output_refused", sentence),
        })
    }

    pub(crate) fn timed_out() -> Self {
        Self::new("timed_out", "the task took longer than its limit and was ended")
    }
}

impl From<SandboxError> for Fault {
    fn from(error: SandboxError) -> Self {
        match error {
            SandboxError::Start { code, sentence, log_tail } => {
                Self::new(code.as_deref().unwrap_or("session_start"), sentence).with_log(log_tail)
            }
            SandboxError::Dead { sentence, log_tail } => {
                Self::new("session_died", format!("the session ended: {sentence}")).with_log(log_tail)
            }
            other => Self::new("sandbox", other.to_string()),
        }
    }
}

/// Lower case letters and underscores only; anything else was no code.
fn plain_code(code: &str) -> String {
    let code: String = code
        .chars()
        .map(|c| c.to_ascii_lowercase())
        .map(|c| if c.is_ascii_lowercase() { c } else { '_' })
        .take(40)
        .collect();
    if code.bytes().any(|b| b.is_ascii_lowercase()) { code } else { "task_failed".into() }
}

fn cut(text: &mut String, bytes: usize) {
    if text.len() > bytes {
        text.truncate(text.floor_char_boundary(bytes));
    }
}

/// The last `bytes` of a text, from a whole line on where there is one.
pub(crate) fn tail(text: String, bytes: usize) -> String {
    if text.len() <= bytes {
        return text;
    }
    let kept = &text[text.ceil_char_boundary(text.len() - bytes)..];
    kept.split_once('\n').map_or(kept, |(_, rest)| rest).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_fit_whatever_a_task_says() {
        assert_eq!(plain_code("no_camera"), "no_camera");
        assert_eq!(plain_code("OUT_OF_MEMORY"), "out_of_memory");
        assert_eq!(plain_code("../../x"), "______x");
        assert_eq!(plain_code("💥1"), "task_failed");
        assert_eq!(plain_code(&"a".repeat(99)).len(), 40);
    }

    #[test]
    fn a_log_keeps_its_last_whole_lines() {
        assert_eq!(tail("one\ntwo\nthree".into(), 8), "three");
        assert_eq!(tail("ééé".into(), 3), "é");
        assert_eq!(tail("short".into(), 64), "short");
    }
}
