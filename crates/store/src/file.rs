//! The file: whose it is, which schema it has, whether it is sound, and who may write it.

use crate::StoreError;
use rusqlite::{Connection, OpenFlags, TransactionBehavior};
use std::{
    ffi::OsString,
    fs::{File, TryLockError},
    io::{Read, Seek, Write},
    path::{Path, PathBuf},
    time::Duration,
};

/// "Tatu" in the file's header.
const APPLICATION_ID: i64 = 0x5461_7475;
/// One step each, from schema n to n+1.
const MIGRATIONS: &[&str] = &[
    include_str!("../migrations/0001_market.sql"),
    include_str!("../migrations/0002_sessions.sql"),
    include_str!("../migrations/0003_passwords.sql"),
    include_str!("../migrations/0004_earned.sql"),
    include_str!("../migrations/0005_notices.sql"),
    include_str!("../migrations/0006_forgotten.sql"),
];
/// Larger files are not read through at start; SQLite still notices damage where it reads.
const CHECKED_AT_START_BYTES: u64 = 1 << 30;
/// Pages a connection may keep in memory, KiB.
const WRITER_CACHE_KIB: i64 = 65_536;
const READER_CACHE_KIB: i64 = 8_192;
/// How long a statement waits for SQLite's own short locks (recovery, checkpoint).
const PATIENCE: Duration = Duration::from_secs(10);

/// Held as long as this process may write; the system lets go of it when the process ends, however it ends.
#[derive(Debug)]
pub(crate) struct WriteLock {
    _file: File,
}

impl WriteLock {
    pub(crate) fn take(path: &Path) -> Result<Self, StoreError> {
        let mut name: OsString = path.as_os_str().to_owned();
        name.push(".lock");
        let lock = PathBuf::from(name);
        let io = |source| StoreError::Io { path: lock.clone(), source };
        let mut file =
            File::options().read(true).write(true).create(true).truncate(false).open(&lock).map_err(io)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut holder = String::new();
                let read = (&file).take(100).read_to_string(&mut holder);
                let known = read.is_ok() && !holder.trim().is_empty();
                let holder = if known { holder.trim().to_owned() } else { "process unknown".to_owned() };
                return Err(StoreError::InUse { path: path.to_owned(), holder });
            }
            Err(TryLockError::Error(source)) => return Err(io(source)),
        }
        file.set_len(0).map_err(io)?;
        file.rewind().map_err(io)?;
        writeln!(file, "process {}", std::process::id()).map_err(io)?;
        Ok(Self { _file: file })
    }
}

/// Reading and writing, by this user only: the database holds secrets of the platform (seeds, digests of tokens).
pub(crate) fn private(options: &mut std::fs::OpenOptions) -> &mut std::fs::OpenOptions {
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(options, 0o600);
    options.read(true).write(true).truncate(false)
}

/// Opens or creates the file for its one writer and brings it to this program's schema.
pub(crate) fn open_writer(path: &Path) -> Result<Connection, StoreError> {
    // Made here for its permissions, which SQLite copies to the files beside it.
    let io = |source| StoreError::Io { path: path.to_owned(), source };
    private(File::options().create(true)).open(path).map_err(io)?;
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
        | OpenFlags::SQLITE_OPEN_NO_MUTEX
        | OpenFlags::SQLITE_OPEN_PRIVATE_CACHE;
    let mut conn = Connection::open_with_flags(path, flags)?;
    conn.busy_timeout(PATIENCE)?;
    let schema = schema_of(&conn, path)?;
    check_sound(&conn, path)?;
    conn.pragma_update(None, "journal_mode", "wal")?;
    conn.pragma_update(None, "synchronous", "full")?;
    conn.pragma_update(None, "foreign_keys", true)?;
    conn.pragma_update(None, "cache_size", -WRITER_CACHE_KIB)?;
    conn.pragma_update(None, "temp_store", "memory")?;
    // Rarer, larger checkpoints: each costs two more syncs inside a commit.
    conn.pragma_update(None, "wal_autocheckpoint", 16_000)?;
    conn.pragma_update(None, "journal_size_limit", 256 << 20)?;
    conn.set_prepared_statement_cache_capacity(64);
    migrate(&mut conn, schema)?;
    let mode: String = conn.pragma_query_value(None, "journal_mode", |r| r.get(0))?;
    let sync: i64 = conn.pragma_query_value(None, "synchronous", |r| r.get(0))?;
    if mode != "wal" || sync != 2 {
        let why =
            format!("journal mode {mode}, synchronous {sync}: the file system cannot keep commits safe");
        return Err(StoreError::Io { path: path.to_owned(), source: std::io::Error::other(why) });
    }
    Ok(conn)
}

/// Opens the file for reading only.
pub(crate) fn open_reader(path: &Path) -> Result<Connection, StoreError> {
    if !path.is_file() {
        return Err(StoreError::Absent { path: path.to_owned() });
    }
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY
        | OpenFlags::SQLITE_OPEN_NO_MUTEX
        | OpenFlags::SQLITE_OPEN_PRIVATE_CACHE;
    let conn = Connection::open_with_flags(path, flags)?;
    conn.busy_timeout(PATIENCE)?;
    conn.pragma_update(None, "query_only", true)?;
    conn.pragma_update(None, "cache_size", -READER_CACHE_KIB)?;
    conn.set_prepared_statement_cache_capacity(64);
    let found = schema_of(&conn, path)?;
    let known = known_schema();
    if found < known {
        return Err(StoreError::Older { path: path.to_owned(), found, known });
    }
    Ok(conn)
}

fn known_schema() -> i64 {
    MIGRATIONS.len() as i64
}

/// The file's schema; 0 for a new file. Refuses files of others and of later versions.
fn schema_of(conn: &Connection, path: &Path) -> Result<i64, StoreError> {
    let application: i64 = conn.pragma_query_value(None, "application_id", |r| r.get(0))?;
    let schema: i64 = conn.pragma_query_value(None, "user_version", |r| r.get(0))?;
    let tables: i64 = conn.query_row("SELECT count(*) FROM sqlite_schema", [], |r| r.get(0))?;
    let fresh = application == 0 && schema == 0 && tables == 0;
    if !fresh && application != APPLICATION_ID {
        return Err(StoreError::Foreign { path: path.to_owned() });
    }
    let known = known_schema();
    if schema > known {
        return Err(StoreError::Newer { path: path.to_owned(), found: schema, known });
    }
    Ok(schema)
}

fn check_sound(conn: &Connection, path: &Path) -> Result<(), StoreError> {
    let bytes =
        std::fs::metadata(path).map_err(|source| StoreError::Io { path: path.to_owned(), source })?.len();
    if bytes > CHECKED_AT_START_BYTES {
        tracing::info!(bytes, "the database is large; it is not read through at start");
        return Ok(());
    }
    let verdict: String = conn.query_row("PRAGMA quick_check(1)", [], |r| r.get(0))?;
    if verdict == "ok" { Ok(()) } else { Err(StoreError::Damaged(verdict)) }
}

/// Every missing step in one transaction: a crash leaves the old schema or the new one.
fn migrate(conn: &mut Connection, schema: i64) -> Result<(), StoreError> {
    let missing = usize::try_from(schema).ok().and_then(|done| MIGRATIONS.get(done..)).unwrap_or_default();
    if missing.is_empty() {
        return Ok(());
    }
    let tx = conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
    for step in missing {
        tx.execute_batch(step)?;
    }
    tx.pragma_update(None, "application_id", APPLICATION_ID)?;
    tx.pragma_update(None, "user_version", known_schema())?;
    tx.commit()?;
    Ok(())
}
