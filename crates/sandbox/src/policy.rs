//! What a stranger's code may reach: every mount, limit and refused system call of the sandbox.

use std::path::PathBuf;

/// What one session is shown and allowed.
#[derive(Debug, Clone)]
pub struct Policy {
    /// The provisioned environment, read-only at `/env`.
    pub env_dir: PathBuf,
    /// Our runtime programs, read-only at `/runtime`.
    pub runtime_dir: PathBuf,
    /// Inputs, read-only at `/in`; the agent may add files while the session runs.
    pub input_dir: PathBuf,
    /// Its limits.
    pub limits: Limits,
    /// Device nodes of the cards it may use (`/dev/nvidia0`, …).
    pub devices: Vec<PathBuf>,
    /// The binary that holds [`crate::runner::main`], read-only at `/tatau`.
    pub runner: PathBuf,
    /// Its arguments, `["session"]` for the `tatau` binary.
    pub runner_args: Vec<String>,
}

/// Limits of one session. All are enforced by the kernel or by both ends of the pipe.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Memory of all its processes and of its scratch together, in bytes.
    pub memory_bytes: u64,
    /// Processes and threads at one time.
    pub processes: u32,
    /// Scratch (`/work`) in bytes; it lies in memory and counts towards `memory_bytes`.
    pub scratch_bytes: u64,
    /// CPU threads it may keep busy.
    pub threads: u32,
    /// Bytes of outputs of one task.
    pub output_bytes: u64,
    /// Files of outputs of one task.
    pub output_files: u32,
    /// Bytes of log of one task; the rest is dropped with a word.
    pub log_bytes: u64,
    /// Seconds one task may take.
    pub task_seconds: u64,
    /// Seconds that starting (entering the environments) may take.
    pub start_seconds: u64,
}
