//! Why a session could not start or go on. A task that fails is no error of the sandbox: see [`crate::Outcome`].

use std::path::PathBuf;

/// A fault of the session itself. After any of these the session is over.
#[derive(Debug, thiserror::Error)]
pub enum SandboxError {
    /// This machine cannot isolate a task.
    #[error("this machine cannot run the sandbox: {lack}; {mend}")]
    Unsupported {
        /// What is missing.
        lack: String,
        /// What the operator can do.
        mend: String,
    },
    /// A folder or file of the policy cannot be shown to the sandbox.
    #[error("the sandbox cannot read {path}: {reason}")]
    Unreadable {
        /// The path on this machine.
        path: PathBuf,
        /// What is wrong and what to do.
        reason: String,
    },
    /// The policy contradicts itself.
    #[error("the sandbox policy is not valid: {0}")]
    Policy(String),
    /// The template, its parameters or an `onEnter` action failed.
    #[error("{}", start_sentence(.code.as_deref(), .sentence))]
    Start {
        /// The code of a `tatau_error: CODE sentence` line, when the log had one.
        code: Option<String>,
        /// What happened, in one sentence.
        sentence: String,
        /// The last lines of the log, cleaned.
        log_tail: String,
    },
    /// The session died or broke its protocol.
    #[error("the session ended: {sentence}")]
    Dead {
        /// What is known about the end, in one sentence.
        sentence: String,
        /// The last lines of the log, cleaned.
        log_tail: String,
    },
    /// An operation of the operating system failed on this side of the sandbox.
    #[error("{what}: {source}; check this machine's disk and permissions")]
    Io {
        /// What was attempted.
        what: String,
        /// The system's answer.
        source: std::io::Error,
    },
}

impl SandboxError {
    pub(crate) fn io(what: impl Into<String>) -> impl FnOnce(std::io::Error) -> Self {
        let what = what.into();
        move |source| Self::Io { what, source }
    }

    /// The code of the buyer's or runtime's own error line, when there is one.
    pub fn code(&self) -> Option<&str> {
        match self {
            Self::Start { code, .. } => code.as_deref(),
            _ => None,
        }
    }
}

fn start_sentence(code: Option<&str>, sentence: &str) -> String {
    match code {
        Some(code) => format!("the session could not start: {code} {sentence}"),
        None => format!("the session could not start: {sentence}"),
    }
}
