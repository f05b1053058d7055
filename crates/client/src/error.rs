//! Why a call did not succeed.

use tatau_api::ErrorBody;

/// Why a call did not succeed. Its text is one sentence for a person.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ClientError {
    /// The server understood and said no.
    #[error("{}", .body.sentence)]
    Refused {
        /// HTTP status.
        status: u16,
        /// Code for programs, sentence for people.
        body: ErrorBody,
    },
    /// The server could not be reached within the patience given, or the address is none.
    #[error("{0}")]
    Unreachable(String),
    /// An answer that cannot be read, or bytes that are not the ones expected.
    #[error("{0}")]
    Malformed(String),
    /// A file on this machine could not be read or written.
    #[error("{0}")]
    File(String),
}

impl ClientError {
    /// The server's code, where it refused.
    pub fn code(&self) -> Option<&str> {
        match self {
            Self::Refused { body, .. } => Some(&body.code),
            _ => None,
        }
    }

    /// The HTTP status, where the server refused.
    pub fn status(&self) -> Option<u16> {
        match self {
            Self::Refused { status, .. } => Some(*status),
            _ => None,
        }
    }

    /// Nobody answered: worth waiting for.
    pub fn is_unreachable(&self) -> bool {
        matches!(self, Self::Unreachable(_))
    }

    /// For messages such as `… could not be written: …`.
    pub(crate) fn file(what: &str, path: &std::path::Path, e: &std::io::Error) -> Self {
        Self::File(format!("{} could not be {what}: {e}", path.display()))
    }
}
