//! Questions about what is kept, answered beside the writer: each call sees one committed moment.

mod earned;
mod epochs;
mod jobs;
mod money;

pub use earned::{CardEarned, OwnerEarned, Spans, Totals};
pub use jobs::{ChangedTask, Held, InUse};
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

    /// Copies the database, as of one moment, to a new file; works beside a running server. The file must not exist; after an
    /// error it does not.
    pub fn backup(&self, to: impl AsRef<Path>) -> Result<(), StoreError> {
        let to = to.as_ref();
        let io = |source| StoreError::Io { path: to.to_owned(), source };
        let claimed = file::private(std::fs::File::options().create_new(true)).open(to).map_err(io)?;
        self.copy_to(to).and_then(|()| claimed.sync_all().map_err(io)).inspect_err(|_| {
            if let Err(error) = std::fs::remove_file(to) {
                tracing::warn!(%error, path = %to.display(), "half a copy could not be removed");
            }
        })
    }

    fn copy_to(&self, to: &Path) -> Result<(), StoreError> {
        let name =
            to.to_str().ok_or_else(|| StoreError::Refused("the path of the copy is no text".into()))?;
        let conn = file::open_reader(&self.pool.path)?;
        conn.pragma_update(None, "query_only", false)?;
        // One read transaction, however much is written meanwhile.
        conn.execute("VACUUM INTO ?1", [name])?;
        Ok(())
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
