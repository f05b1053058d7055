//! A bar for something that is counted: on a terminal only, with the time that is left.

use crate::out;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// Counts towards a total.
pub struct Meter(Option<ProgressBar>);

impl Meter {
    /// `doing` such as `copying`, `what` such as `blobs`.
    pub fn new(doing: &str, what: &str, json: bool) -> Self {
        Self((out::watched() && !json).then(|| {
            let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr_with_hz(8));
            let text = format!("{doing} {{bar:30}} {{pos}} of {{len}} {what}, {{eta}} left");
            bar.set_style(
                ProgressStyle::with_template(&text).unwrap_or_else(|_| ProgressStyle::default_bar()),
            );
            bar
        }))
    }

    pub fn at(&mut self, done: u64, total: u64) {
        if let Some(bar) = &self.0 {
            bar.set_length(total);
            bar.set_position(done);
        }
    }

    pub fn done(&mut self) {
        if let Some(bar) = self.0.take() {
            bar.finish_and_clear();
        }
    }
}
