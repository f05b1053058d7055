//! Names and passwords. What is kept of a password is a string that only tells whether a given one is right.

use crate::{Reader, Store, StoreError, TokenHash, keep::at_most, rows};
use rusqlite::{Connection, OptionalExtension, params};
use tatau_model::{Address, Millis};

/// Longest name.
pub const MAX_SIGN_IN_NAME: usize = 32;
const MAX_HASH_BYTES: usize = 512;

/// How an account signs in with a password.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PasswordRecord {
    /// The account; it must exist.
    pub owner: Address,
    /// Its name for signing in.
    pub name: String,
    /// PHC string.
    pub hash: String,
    /// When it was set.
    pub changed: Millis,
}

impl Store {
    /// Sets or replaces an account's name and password, and signs out every browser of it but `but`. A name that another
    /// account has is refused.
    pub fn put_password(
        &mut self,
        record: &PasswordRecord,
        but: Option<&TokenHash>,
    ) -> Result<(), StoreError> {
        at_most("a name for signing in", &record.name, MAX_SIGN_IN_NAME)?;
        at_most("a password's record", &record.hash, MAX_HASH_BYTES)?;
        self.keep(|tx| {
            let owner = &record.owner.0[..];
            let taken: Option<Vec<u8>> = tx
                .query_row("SELECT owner FROM passwords WHERE name = ?1 AND owner <> ?2", params![record.name, owner], |r| {
                    r.get(0)
                })
                .optional()?;
            if taken.is_some() {
                return Err(StoreError::Refused(format!("the name '{}' is taken; choose another", record.name)));
            }
            tx.execute(
                "INSERT INTO passwords (owner, name, hash, changed) VALUES (?1, ?2, ?3, ?4)
                 ON CONFLICT (owner) DO UPDATE SET name = excluded.name, hash = excluded.hash, changed = excluded.changed",
                params![owner, record.name, record.hash, record.changed.0],
            )?;
            let but = but.map(|hash| &hash[..]);
            tx.execute("DELETE FROM sessions WHERE owner = ?1 AND hash IS NOT ?2", params![owner, but])?;
            Ok(())
        })
    }
}

impl Reader {
    /// Whose name this is.
    pub fn password_by_name(&self, name: &str) -> Result<Option<PasswordRecord>, StoreError> {
        self.with(|conn| {
            one(conn, "SELECT owner, name, hash, changed FROM passwords WHERE name = ?1", [name])
        })
    }

    /// How this account signs in with a password, if it does.
    pub fn password_of(&self, owner: Address) -> Result<Option<PasswordRecord>, StoreError> {
        let sql = "SELECT owner, name, hash, changed FROM passwords WHERE owner = ?1";
        self.with(|conn| one(conn, sql, [&owner.0[..]]))
    }
}

fn one(
    conn: &Connection,
    sql: &str,
    of: impl rusqlite::Params,
) -> Result<Option<PasswordRecord>, StoreError> {
    let mut statement = conn.prepare_cached(sql)?;
    let mut found = statement.query(of)?;
    let Some(row) = found.next()? else { return Ok(None) };
    let owner =
        rows::address("a password's owner", row.get_ref(0)?.as_blob().map_err(rusqlite::Error::from)?)?;
    Ok(Some(PasswordRecord { owner, name: row.get(1)?, hash: row.get(2)?, changed: Millis(row.get(3)?) }))
}
