//! Questions about what is kept, answered beside the writer: each call sees one committed moment.

mod earned;
mod epochs;
mod jobs;
mod money;

pub use earned::{CardEarned, OwnerEarned, Spans, Totals};
pub use jobs::ChangedTask;
pub(crate) use jobs::{all, one};
pub use money::StatementRow;

use crate::{StoreError, books, file};
use rusqlite::Connection;
use std::{
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

/// Connections kept open between calls.
const IDLE: usize = 8;
/// Rows of one answer; a page is cut there, a whole is refused.
pub(crate) const MAX_ROWS: usize = 1_000_000;

/// Reads. Cheap to clone; every call blocks, so async code calls it from a blocking thread.
#[derive(Debug, Clone)]
pub struct Reader {
    pool: Arc<Pool>,
}

#[derive(Debug)]
struct Pool {
    path: PathBuf,
    idle: Mutex<Vec<Connection>>,
}

impl Reader {
    /// Opens an existing database. Works beside a running server.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, StoreError> {
        let path = path.as_ref().to_owned();
        let first = file::open_reader(&path)?;
        Ok(Self { pool: Arc::new(Pool { path, idle: Mutex::new(vec![first]) }) })
    }

    /// Recomputes the books from the journal, and compares them with balances and open attempts. Reads everything:
    /// seconds for millions of entries.
    pub fn audit_books(&self) -> Result<books::BooksReport, StoreError> {
        self.with(books::audit)
    }

    /// Runs `read` on a connection, inside one read transaction.
    pub(crate) fn with<T>(
        &self,
        read: impl FnOnce(&Connection) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let idle = self.pool.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let conn = match idle {
            Some(conn) => conn,
            None => file::open_reader(&self.pool.path)?,
        };
        let tx = conn.unchecked_transaction()?;
        let answer = read(&tx)?;
        drop(tx);
        let mut idle = self.pool.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if idle.len() < IDLE {
            idle.push(conn);
        }
        Ok(answer)
    }
}
