//! The agent's side of a session (API first, body follows).

use std::collections::BTreeMap;
use std::path::Path;

use crate::{Policy, SandboxError};

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

/// One running sandbox. Dropping it kills every process inside.
#[derive(Debug)]
pub struct Session {
    _private: (),
}

impl Session {
    /// Spawns the sandbox and enters the job's and the step's environments.
    ///
    /// # Errors
    /// Any [`SandboxError`]; nothing is left running.
    pub async fn start(_policy: &Policy, _spec: &SessionSpec) -> Result<Self, SandboxError> {
        std::future::ready(()).await;
        Err(SandboxError::Policy("not built yet".into()))
    }

    /// Runs one task and writes what it leaves in `/work/out` as new files under `outputs`.
    ///
    /// # Errors
    /// [`SandboxError`] when the session itself broke; a task that fails is an [`Outcome`].
    pub async fn run_task(
        &mut self,
        _parameters: &BTreeMap<String, String>,
        _outputs: &Path,
        _on: &mut (dyn FnMut(TaskEvent) + Send),
    ) -> Result<TaskOutcome, SandboxError> {
        std::future::ready(()).await;
        Err(SandboxError::Policy("not built yet".into()))
    }

    /// Exits the environments, then ends every process inside.
    pub async fn close(self) {
        std::future::ready(()).await;
    }
}
