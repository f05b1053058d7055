//! The one way out: frames to the agent, and the `log` sink that turns the tasks' lines into frames within a budget.

use std::fs::File;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use openjd_sessions::LogContent;

use crate::wire::{self, FromRunner, LINE_BYTES};

/// Bytes of lines addressed to us (`tatau_error`, `openjd_progress`) that pass after the log's budget is spent.
const WORDS_BYTES: u64 = 64 * 1024;

struct State {
    pipe: File,
    budget: u64,
    words: u64,
    cut: bool,
}

/// A handle to the pipe; clones share it.
#[derive(Clone)]
pub(super) struct Relay(Arc<Mutex<State>>);

impl Relay {
    pub(super) fn new(pipe: File) -> Self {
        Self(Arc::new(Mutex::new(State { pipe, budget: 0, words: 0, cut: false })))
    }

    /// Sends one frame; an error means that the agent is gone.
    pub(super) fn send(&self, message: &FromRunner, body: &[u8]) -> io::Result<()> {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        wire::write(&mut state.pipe, message, body)
    }

    /// Allows this many bytes of log until the next call.
    pub(super) fn allow(&self, bytes: u64) {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        (state.budget, state.words, state.cut) = (bytes, WORDS_BYTES, false);
    }

    fn line(&self, line: &str) {
        let line = &line[..line.floor_char_boundary(LINE_BYTES)];
        let cost = line.len() as u64 + 1;
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let told = if state.budget >= cost {
            state.budget -= cost;
            line.to_owned()
        } else if crate::text::word(line).is_some() && state.words >= cost {
            state.words -= cost;
            line.to_owned()
        } else if state.cut {
            return;
        } else {
            (state.budget, state.cut) = (0, true);
            "the log is cut here: it reached its limit".to_owned()
        };
        // A gone agent is noticed where frames are read.
        let _ = wire::write(&mut state.pipe, &FromRunner::Log(told), &[]);
    }

    /// Becomes the process's log sink.
    pub(super) fn install(&self) -> io::Result<()> {
        log::set_boxed_logger(Box::new(self.clone())).map_err(io::Error::other)?;
        log::set_max_level(log::LevelFilter::Info);
        Ok(())
    }
}

impl log::Log for Relay {
    fn enabled(&self, metadata: &log::Metadata<'_>) -> bool {
        metadata.target() == "openjd.sessions"
    }

    fn log(&self, record: &log::Record<'_>) {
        let content = record
            .key_values()
            .get("openjd_log_content".into())
            .and_then(|bits| bits.to_u64())
            .and_then(|bits| LogContent::from_bits(bits as u32));
        let Some(content) = content.filter(|_| self.enabled(record.metadata())) else { return };
        let wanted = content.intersects(LogContent::COMMAND_OUTPUT | LogContent::EXCEPTION_INFO);
        if wanted && !content.contains(LogContent::BANNER) {
            self.line(&record.args().to_string());
        }
    }

    fn flush(&self) {}
}
