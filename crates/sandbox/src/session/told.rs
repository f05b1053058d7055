//! The words of a session: what it runs, what it says, how a task ended.

use std::collections::BTreeMap;

/// What a session runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionSpec {
    /// The Open Job Description job template, YAML or JSON, already checked by [`crate::bundle::parse_template`].
    pub template: String,
    /// Job parameter values by name.
    pub parameters: BTreeMap<String, String>,
    /// The step whose tasks will run.
    pub step: String,
}

/// What a running task says.
#[derive(Debug, Clone, PartialEq)]
pub enum TaskEvent {
    /// One line of its output, cleaned of control characters, at most 4096 bytes.
    Log(String),
    /// Percent done, 0 to 100.
    Progress(f32),
}

/// How a task ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It exited with zero and its outputs were taken out whole.
    Success,
    /// It failed by itself.
    Failed {
        /// The code of its last `tatau_error: CODE sentence` line.
        code: Option<String>,
        /// That line's sentence, or what is known of the exit.
        sentence: String,
    },
    /// It ran longer than `task_seconds` and was killed.
    TimedOut,
    /// The session's memory limit was reached and a process of it was killed.
    OutOfMemory,
    /// It left more or larger files than the limits allow.
    OutputTooLarge {
        /// Which limit, in one sentence.
        sentence: String,
    },
    /// It left something that is no plain file with a plain name.
    OutputRefused {
        /// What, in one sentence.
        sentence: String,
    },
}

/// A file taken out of the sandbox.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutputFile {
    /// Its name relative to the outputs folder, `/` between folders.
    pub name: String,
    /// Its length in bytes.
    pub bytes: u64,
}

/// What a task did and used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TaskOutcome {
    /// How it ended.
    pub exit: Outcome,
    /// What it left; complete only on [`Outcome::Success`], else empty.
    pub files: Vec<OutputFile>,
    /// The last lines of its log, at most 8 KiB.
    pub log_tail: String,
    /// CPU milliseconds of the whole session while it ran, `None` where the cgroup does not count them.
    pub cpu_ms: Option<u64>,
    /// Milliseconds from request to answer, transfer of outputs included.
    pub wall_ms: u64,
    /// The session's highest memory use so far in bytes, where the cgroup tells.
    pub peak_memory: Option<u64>,
    /// Whether the session can run another task.
    pub session_alive: bool,
}
