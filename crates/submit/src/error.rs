//! Why something did not go through, in the words of a person, and how bad it is for a program.

use std::path::Path;
use tatau_client::ClientError;
use tatau_model::JobId;

/// A file that the scene needs and that is not part of the upload.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Missing {
    /// What it is: `image`, `library`, …
    pub kind: String,
    /// As the scene names it.
    pub path: String,
    /// Why it is not there, and what to do.
    pub reason: String,
}

/// What a caller makes of an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// It went wrong here.
    Failed,
    /// It was asked for in a wrong way; nothing was sent.
    Usage,
    /// The platform, the scene or the price forbid it.
    Refused,
    /// Nobody answers.
    Unreachable,
}

/// Why something did not go through. Its text is one sentence for a person.
#[derive(Debug, thiserror::Error)]
pub enum SubmitError {
    /// Wrongly asked for; nothing was sent.
    #[error("{0}")]
    Usage(String),
    /// Files that the scene needs are missing.
    #[error("{} that the scene needs {} missing: {}", count(.0.len()), if .0.len() == 1 { "is" } else { "are" }, listed(.0))]
    Missing(Vec<Missing>),
    /// The scene cannot be rendered as it is.
    #[error("the scene cannot be rendered as it is: {}", .0.join(" "))]
    Scene(Vec<String>),
    /// No offer, or none at the price allowed.
    #[error("{0}")]
    Price(String),
    /// A job stopped without its result.
    #[error("{job} {what}")]
    Job {
        /// Which.
        job: JobId,
        /// `was paused: …`, `failed: …`.
        what: String,
    },
    /// The server refused, cannot be reached, or answers what cannot be read.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// A file or folder on this machine.
    #[error("{0}")]
    Local(String),
    /// What the platform sent does not fit together.
    #[error("{0}")]
    Malformed(String),
}

impl SubmitError {
    /// What a caller makes of it.
    pub fn kind(&self) -> Kind {
        match self {
            Self::Usage(_) => Kind::Usage,
            Self::Missing(_)
            | Self::Scene(_)
            | Self::Price(_)
            | Self::Client(ClientError::Refused { .. }) => Kind::Refused,
            Self::Client(ClientError::Unreachable(_)) => Kind::Unreachable,
            Self::Job { .. } | Self::Client(_) | Self::Local(_) | Self::Malformed(_) => Kind::Failed,
        }
    }

    pub(crate) fn io(doing: &str, path: &Path, e: &std::io::Error) -> Self {
        Self::Local(format!("{} could not be {doing}: {e}", path.display()))
    }
}

fn count(files: usize) -> String {
    if files == 1 { "one file".into() } else { format!("{files} files") }
}

fn listed(files: &[Missing]) -> String {
    const SHOWN: usize = 5;
    let mut text: Vec<String> =
        files.iter().take(SHOWN).map(|file| format!("{} ({})", file.path, file.reason)).collect();
    if files.len() > SHOWN {
        text.push(format!("and {} more", files.len() - SHOWN));
    }
    text.join("; ")
}
