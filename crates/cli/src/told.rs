//! Progress of a job: a bar on a terminal, plain lines elsewhere, JSON lines for programs.

use crate::{deliver::plural, out};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::time::{Duration, Instant};
use tatau_submit::{Event, Watch};

/// Between two plain lines that say how far something is.
const PLAIN_EVERY: Duration = Duration::from_secs(5);

/// Tells a person or a program what happens.
pub struct Told {
    json: bool,
    bar: Option<ProgressBar>,
    last_line: Option<Instant>,
    last_done: u32,
    waiting: bool,
}

impl Told {
    pub fn new(json: bool) -> Self {
        let bar = (out::watched() && !json).then(|| {
            let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr_with_hz(8));
            bar.set_style(style("{spinner} {wide_msg}"));
            bar.enable_steady_tick(Duration::from_millis(150));
            bar
        });
        Self { json, bar, last_line: None, last_done: 0, waiting: false }
    }

    /// Takes the bar away, so that something else can be printed.
    pub fn done(&mut self) {
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
    }

    fn say(&self, text: &str) {
        match &self.bar {
            Some(bar) => bar.suspend(|| out::say(text)),
            None => out::say(text),
        }
    }

    /// How far something is: on the bar, or a line now and then (`last`: certainly).
    fn step(&mut self, text: &str, last: bool) {
        if let Some(bar) = &self.bar {
            bar.set_message(text.to_owned());
            return;
        }
        let due = self.last_line.is_none_or(|at| at.elapsed() >= PLAIN_EVERY);
        if due || last {
            self.last_line = Some(Instant::now());
            out::say(text);
        }
    }

    fn human(&mut self, event: &Event) {
        if !matches!(event, Event::Waiting { .. }) {
            self.waiting = false;
        }
        match event {
            Event::Uploading { bytes, total, files, files_total } => {
                let text = format!(
                    "uploading: {files} of {files_total} files, {} of {}",
                    out::bytes(*bytes),
                    out::bytes(*total)
                );
                self.step(&text, files == files_total);
            }
            Event::Inspecting { job, round, files } => {
                let files = if *files == 1 { "the scene alone".to_owned() } else { format!("{files} files") };
                self.step(&format!("inspecting {files} ({job}, round {round})"), true);
            }
            Event::Waiting { job, reason } => {
                let text = format!("{job}: waiting: {}", out::clean_line(reason));
                let first = !std::mem::replace(&mut self.waiting, true);
                self.step(&text, first);
            }
            Event::Outside { path, placed } => {
                self.say(&format!(
                    "  with {} (from outside the scene's folder, as {})",
                    path.display(),
                    out::clean_line(placed)
                ));
            }
            Event::Missing(missing) => {
                let what = out::colour("33", "missing");
                self.say(&format!(
                    "  {what} {} {}: {}",
                    missing.kind,
                    out::clean_line(&missing.path),
                    out::clean_line(&missing.reason)
                ));
            }
            Event::Closed { files, bytes } => {
                self.step(&format!("complete: {}, {}", plural(*files, "file"), out::bytes(*bytes)), true);
            }
            Event::Paid { job, cap, again } => {
                let text = if *again {
                    format!("{job} exists already; nothing more was paid")
                } else {
                    format!("{job} started; {cap} TATAU are in escrow, what is not spent comes back")
                };
                self.say(&text);
            }
            Event::Job { .. } => self.job(event),
            Event::Story { routine: true, .. } => {}
            Event::Story { task, text, .. } => self.say(&format!("  {task}: {}", out::clean_line(text))),
            Event::Saved { file, kept, .. } => {
                if !kept && self.bar.is_none() {
                    out::say(&format!("  saved {file}"));
                }
            }
            Event::NotSaved { file, reason } => {
                self.say(&format!(
                    "  {} {file}: {}",
                    out::colour("33", "not saved"),
                    out::clean_line(reason)
                ));
            }
        }
    }

    fn job(&mut self, event: &Event) {
        let Event::Job { job, state, reason, unit, frames_done, frames_total, spent, cap, eta } = event
        else {
            return;
        };
        let eta = eta.map_or(String::new(), |then| format!(", about {} left", out::until(then)));
        let text = format!(
            "{job} {state}: {frames_done} of {frames_total} {unit}, {spent} of {cap} TATAU spent{eta}"
        );
        let moved = *frames_done != std::mem::replace(&mut self.last_done, *frames_done);
        if let Some(bar) = &self.bar {
            if bar.length() != Some(u64::from(*frames_total)) {
                bar.set_length(u64::from(*frames_total));
                bar.set_style(style("{spinner} [{bar:30}] {wide_msg}"));
            }
            bar.set_position(u64::from(*frames_done));
        }
        self.step(&text, moved || state != "running");
        if let Some(reason) = reason {
            self.say(&format!("  {}", out::clean_line(reason)));
        }
    }
}

impl Watch for Told {
    fn tell(&mut self, event: Event) {
        if self.json {
            out::json(&event);
        } else {
            self.human(&event);
        }
    }
}

impl Drop for Told {
    fn drop(&mut self) {
        self.done();
    }
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template)
        .unwrap_or_else(|_| ProgressStyle::default_bar())
        .progress_chars("=> ")
}
