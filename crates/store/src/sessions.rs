//! Browsers that are signed in.

use crate::{Reader, Store, StoreError, TokenHash, rows};
use rusqlite::params;
use tatau_model::{Address, Millis};

/// Sessions of one account; the oldest make room.
const MAX_SESSIONS: i64 = 50;

/// Whose a browser is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SessionRecord {
    /// The account; `None` is the operator.
    pub owner: Option<Address>,
    /// When it was made.
    pub created: Millis,
    /// It counts before this moment.
    pub expires: Millis,
    /// A token let it in: it may do what the token may, and no more.
    pub limited: bool,
}

impl Store {
    /// Keeps a session, forgets those that ended, and the oldest of an account that has too many.
    pub fn put_session(&mut self, hash: &TokenHash, session: &SessionRecord) -> Result<(), StoreError> {
        self.keep(|tx| {
            let owner = session.owner.as_ref().map(|o| &o.0[..]);
            tx.execute("DELETE FROM sessions WHERE expires <= ?1", [session.created.0])?;
            tx.execute(
                "DELETE FROM sessions WHERE hash IN (SELECT hash FROM sessions WHERE owner IS ?1
                 ORDER BY created DESC LIMIT -1 OFFSET ?2)",
                params![owner, MAX_SESSIONS - 1],
            )?;
            tx.execute(
                "INSERT INTO sessions (hash, owner, created, expires, limited) VALUES (?1, ?2, ?3, ?4, ?5)",
                params![&hash[..], owner, session.created.0, session.expires.0, session.limited],
            )?;
            Ok(())
        })
    }

    /// Signs one browser out; false if it was not signed in.
    pub fn end_session(&mut self, hash: &TokenHash) -> Result<bool, StoreError> {
        self.keep(|tx| Ok(tx.execute("DELETE FROM sessions WHERE hash = ?1", [&hash[..]])? == 1))
    }

    /// Signs every browser of an account out (`None`: of the operator), all but `but`.
    pub fn end_sessions(
        &mut self,
        owner: Option<Address>,
        but: Option<&TokenHash>,
    ) -> Result<(), StoreError> {
        self.keep(|tx| {
            let owner = owner.as_ref().map(|o| &o.0[..]);
            let but = but.map(|hash| &hash[..]);
            tx.execute("DELETE FROM sessions WHERE owner IS ?1 AND hash IS NOT ?2", params![owner, but])?;
            Ok(())
        })
    }
}

impl Reader {
    /// The session with this digest, ended ones included.
    pub fn session(&self, hash: &TokenHash) -> Result<Option<SessionRecord>, StoreError> {
        self.with(|conn| {
            let mut statement =
                conn.prepare_cached("SELECT owner, created, expires, limited FROM sessions WHERE hash = ?1")?;
            let mut found = statement.query([&hash[..]])?;
            let Some(row) = found.next()? else { return Ok(None) };
            let owner: Option<Vec<u8>> = row.get(0)?;
            let owner = owner.map(|bytes| rows::address("a session's owner", &bytes)).transpose()?;
            Ok(Some(SessionRecord {
                owner,
                created: Millis(row.get(1)?),
                expires: Millis(row.get(2)?),
                limited: row.get(3)?,
            }))
        })
    }

    /// Browsers of an account that are signed in at that moment: when they signed in, newest first, with the digest.
    pub fn sessions_of(&self, owner: Address, now: Millis) -> Result<Vec<(TokenHash, Millis)>, StoreError> {
        self.with(|conn| {
            let mut statement = conn.prepare_cached(
                "SELECT hash, created FROM sessions WHERE owner = ?1 AND expires > ?2 ORDER BY created DESC, hash",
            )?;
            let found = statement.query_map(params![&owner.0[..], now.0], |row| Ok((row.get(0)?, Millis(row.get(1)?))))?;
            Ok(found.collect::<Result<_, _>>()?)
        })
    }
}
