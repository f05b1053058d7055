//! Why something could not be kept or read, each with what to do.

use std::path::PathBuf;

/// Everything that can go wrong at rest.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// A second writer on the same file.
    #[error("{path} is in use by another server ({holder}); stop that one, or choose another data directory")]
    InUse {
        /// The database.
        path: PathBuf,
        /// What the lock file says of its holder.
        holder: String,
    },
    /// No database there.
    #[error("there is no database at {path}; start `tatau serve` once, or check the data directory")]
    Absent {
        /// Where it was looked for.
        path: PathBuf,
    },
    /// A file of something else.
    #[error("{path} is not a Tatau database; choose another data directory, or move the file away")]
    Foreign {
        /// The file.
        path: PathBuf,
    },
    /// Written by a later program.
    #[error(
        "{path} was written by a newer Tatau (schema {found}, this one knows {known}); install that version"
    )]
    Newer {
        /// The database.
        path: PathBuf,
        /// Its schema.
        found: i64,
        /// This program's.
        known: i64,
    },
    /// A reader came before the writer's migration.
    #[error("{path} has schema {found}, {known} is needed; start `tatau serve` once to bring it up to date")]
    Older {
        /// The database.
        path: PathBuf,
        /// Its schema.
        found: i64,
        /// This program's.
        known: i64,
    },
    /// Pages or rows that cannot be read.
    #[error("the database is damaged ({0}); stop the server and restore the last backup")]
    Damaged(String),
    /// The disk has no room.
    #[error("the disk is full; free some space and start the server again")]
    DiskFull,
    /// The write contradicts what is kept. Nothing of it was written.
    #[error("the write was refused and nothing of it is kept: {0}")]
    Refused(String),
    /// An earlier commit failed in a way that leaves its outcome open.
    #[error(
        "an earlier write failed, so nothing more is written; repair the disk and start the server again"
    )]
    Broken,
    /// Another writer took over.
    #[error("another server has taken over this database; this one must stop")]
    Fenced,
    /// A limit.
    #[error("{what} may have {limit} bytes at most")]
    TooLarge {
        /// What.
        what: &'static str,
        /// The limit.
        limit: usize,
    },
    /// An answer that would not end. Cutting it silently would make it false.
    #[error("the answer has more than {limit} rows of {what}; ask for less at once")]
    TooMany {
        /// Of what.
        what: String,
        /// The limit.
        limit: usize,
    },
    /// The operating system.
    #[error("{path} cannot be used ({source}); check that the folder exists and may be written")]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Anything else that SQLite says.
    #[error("the database could not be used ({0}); check the disk and start the server again")]
    Sql(rusqlite::Error),
}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        use rusqlite::ErrorCode::{ConstraintViolation, DatabaseCorrupt, DiskFull, NotADatabase};
        match error.sqlite_error_code() {
            Some(DatabaseCorrupt | NotADatabase) => Self::Damaged(error.to_string()),
            Some(DiskFull) => Self::DiskFull,
            Some(ConstraintViolation) => Self::Refused(error.to_string()),
            _ => match error {
                // A column of another type than the schema's: STRICT tables never hold one.
                rusqlite::Error::InvalidColumnType(..)
                | rusqlite::Error::FromSqlConversionFailure(..)
                | rusqlite::Error::IntegralValueOutOfRange(..) => Self::Damaged(error.to_string()),
                _ => Self::Sql(error),
            },
        }
    }
}
