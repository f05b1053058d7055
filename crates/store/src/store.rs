//! The one writer.

use crate::{Reader, StoreError, batch::Batch, books, earned, file, file::WriteLock, money::Money, write};
use rusqlite::{Connection, TransactionBehavior};
use std::path::{Path, PathBuf};
use tatau_model::Change;

/// The one connection that writes. While it lives, no other process can open the same file for writing; it is fenced
/// besides by a number that every transaction checks.
#[derive(Debug)]
pub struct Store {
    pub(crate) conn: Connection,
    path: PathBuf,
    fence: i64,
    money: Money,
    broken: bool,
    _lock: WriteLock,
}

impl Store {
    /// Opens or creates the database, brings its schema up to date, and takes it over. The folder must exist.
    /// Refuses a file that is in use, damaged, newer than this program, or not Tatau's.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, StoreError> {
        let path = path.as_ref();
        let lock = WriteLock::take(path)?;
        let conn = file::open_writer(path)?;
        let fence =
            conn.query_row("UPDATE writer SET fence = fence + 1 RETURNING fence", [], |r| r.get(0))?;
        let money = Money::load(&conn)?;
        Ok(Self { conn, path: path.to_owned(), fence, money, broken: false, _lock: lock })
    }

    /// Where the database lies.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// A reader of the same file.
    pub fn reader(&self) -> Result<Reader, StoreError> {
        Reader::open(&self.path)
    }

    /// Makes a batch durable in one transaction: on return it survives a crash, on error nothing of it is kept.
    /// After an error the caller's memory is ahead of the disk: it must stop and recover. After an error of the disk
    /// every further write answers [`StoreError::Broken`].
    pub fn commit(&mut self, changes: &[Change]) -> Result<(), StoreError> {
        let Some(batch) = Batch::collect(changes)? else { return Ok(()) };
        if self.broken {
            return Err(StoreError::Broken);
        }
        let done = self.transact(&batch);
        self.close_after(&done);
        done
    }

    /// A refusal leaves the file as it was; after anything else nobody knows, so nothing more is written.
    fn close_after<T>(&mut self, done: &Result<T, StoreError>) {
        use StoreError::{Refused, TooLarge};
        self.broken |= matches!(done, Err(e) if !matches!(e, Refused(_) | TooLarge { .. }));
    }

    fn transact(&mut self, batch: &Batch<'_>) -> Result<(), StoreError> {
        let tx = self.conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let number: Option<i64> = {
            let mut next =
                tx.prepare_cached("UPDATE writer SET batch = batch + 1 WHERE fence = ?1 RETURNING batch")?;
            let mut rows = next.query([self.fence])?;
            let number = rows.next()?.map(|r| r.get(0)).transpose()?;
            // To the end: a RETURNING statement that is not finished keeps the transaction open.
            while rows.next()?.is_some() {}
            number
        };
        let number = number.ok_or(StoreError::Fenced)?;
        write::records(&tx, batch, number)?;
        let staged = self.money.write(&tx, &batch.entries)?;
        earned::write(&tx, batch)?;
        tx.commit()?;
        self.money.merge(staged);
        Ok(())
    }

    /// Runs a small write that is no part of the market in a transaction of its own.
    pub(crate) fn keep<T>(
        &mut self,
        write: impl FnOnce(&rusqlite::Transaction<'_>) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        if self.broken {
            return Err(StoreError::Broken);
        }
        let done = self.transact_beside(write);
        self.close_after(&done);
        done
    }

    fn transact_beside<T>(
        &mut self,
        write: impl FnOnce(&rusqlite::Transaction<'_>) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let tx = self.conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let fence: i64 = tx.query_row("SELECT fence FROM writer", [], |r| r.get(0))?;
        if fence != self.fence {
            return Err(StoreError::Fenced);
        }
        let done = write(&tx)?;
        tx.commit()?;
        Ok(done)
    }

    /// Recomputes the books from the journal; see [`Reader::audit_books`].
    pub fn audit_books(&self) -> Result<books::BooksReport, StoreError> {
        books::audit(&self.conn)
    }
}
