//! What happens, told to whoever called: a terminal, a page, a program.

use crate::error::Missing;
use serde::Serialize;
use std::path::PathBuf;
use tatau_model::{Amount, JobId, Millis};

/// One thing that happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "event")]
pub enum Event {
    /// Bytes of the asset set are on their way; those that the server had already count as sent.
    Uploading {
        /// Sent.
        bytes: u64,
        /// In all.
        total: u64,
        /// Files complete.
        files: usize,
        /// Files in all.
        files_total: usize,
    },
    /// The scene is being inspected.
    Inspecting {
        /// The inspection's job.
        job: JobId,
        /// From 1; each adds files that the one before found.
        round: u32,
        /// Files in the set so far, the scene included.
        files: usize,
    },
    /// Nothing has happened to the job for a while.
    Waiting {
        /// Which job.
        job: JobId,
        /// Why, as far as it is known.
        reason: String,
    },
    /// A file outside the scene's folder joins the upload.
    Outside {
        /// Where it lies on this machine.
        path: PathBuf,
        /// Where it will lie in the inputs.
        placed: String,
    },
    /// A file that is not there.
    Missing(Missing),
    /// The set is closed.
    Closed {
        /// Files.
        files: usize,
        /// Their sizes together.
        bytes: u64,
    },
    /// The job exists and its cap is in escrow.
    Paid {
        /// The job.
        job: JobId,
        /// Escrow.
        cap: Amount,
        /// The job existed already; nothing more was paid.
        again: bool,
    },
    /// Where the job stands.
    Job {
        /// The job.
        job: JobId,
        /// State name.
        state: String,
        /// Why, where it is paused or failed.
        reason: Option<String>,
        /// What is counted: `frames`, or `tasks` of a bundle.
        unit: &'static str,
        /// Of them, accepted.
        frames_done: u32,
        /// Of so many.
        frames_total: u32,
        /// Paid for accepted work so far.
        spent: Amount,
        /// It never costs more.
        cap: Amount,
        /// Expected end.
        eta: Option<Millis>,
    },
    /// What happened to a task, in plain words.
    Story {
        /// `frame 7`.
        task: String,
        /// One sentence.
        text: String,
        /// It went well at the first try.
        routine: bool,
    },
    /// A verified file is in the folder.
    Saved {
        /// Its path below the folder, with `/`.
        file: String,
        /// Its size.
        bytes: u64,
        /// It was there already.
        kept: bool,
    },
    /// A file could not be fetched; it is tried again at the next sync.
    NotSaved {
        /// Its path below the folder.
        file: String,
        /// Why.
        reason: String,
    },
}

/// Who is told. Calls come from one task, in order, and should return at once.
pub trait Watch: Send {
    /// Something happened.
    fn tell(&mut self, event: Event);
}

impl<F: FnMut(Event) + Send> Watch for F {
    fn tell(&mut self, event: Event) {
        self(event);
    }
}

/// Tells nobody.
#[derive(Debug, Clone, Copy, Default)]
pub struct Quiet;

impl Watch for Quiet {
    fn tell(&mut self, _: Event) {}
}
