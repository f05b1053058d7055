//! Jobs whose files their owners want gone: the records stay, the bytes are no job's any more.

use crate::{Reader, Store, StoreError, rows};
use rusqlite::OptionalExtension;
use tatau_model::JobId;

impl Store {
    /// From now on nothing is kept for this job, once it is over. Repeating it changes nothing.
    pub fn forget_files(&mut self, job: JobId) -> Result<(), StoreError> {
        let id = rows::int(job.0)?;
        self.keep(|tx| {
            tx.execute("INSERT INTO forgotten (job) VALUES (?1) ON CONFLICT DO NOTHING", [id])?;
            Ok(())
        })
    }
}

impl Reader {
    /// Did its owner want its files gone?
    pub fn is_forgotten(&self, job: JobId) -> Result<bool, StoreError> {
        let id = rows::int(job.0)?;
        self.with(|conn| {
            let found: Option<i64> = conn
                .prepare_cached("SELECT job FROM forgotten WHERE job = ?1")?
                .query_row([id], |row| row.get(0))
                .optional()?;
            Ok(found.is_some())
        })
    }
}
