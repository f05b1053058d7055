//! What the server keeps beside the market: settings, tokens, logs of attempts.

use crate::{Reader, Store, StoreError, rows};
use rusqlite::{Connection, OptionalExtension, params};
use tatau_model::{Address, AttemptId, Millis};

/// Largest log of one attempt.
pub const MAX_LOG_BYTES: usize = 64 << 10;
/// Largest value of a setting.
pub const MAX_SETTING_BYTES: usize = 64 << 10;
const MAX_NAME_BYTES: usize = 200;
/// Tokens of one account.
const MAX_TOKENS: i64 = 1_000;

/// Digest of a token; the token itself is never kept.
pub type TokenHash = [u8; 32];

/// An API token as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenRecord {
    /// Digest of the token.
    pub hash: TokenHash,
    /// Whose it is; the account must exist.
    pub owner: Address,
    /// A name for people.
    pub name: String,
    /// When it was made.
    pub created: Millis,
}

impl Store {
    /// Keeps a token. The same hash a second time is refused.
    pub fn put_token(&mut self, token: &TokenRecord) -> Result<(), StoreError> {
        at_most("a token's name", &token.name, MAX_NAME_BYTES)?;
        self.keep(|tx| {
            let owner = &token.owner.0[..];
            let count: i64 = tx.query_row("SELECT count(*) FROM tokens WHERE owner = ?1", [owner], |r| r.get(0))?;
            if count >= MAX_TOKENS {
                let sentence = format!("an account has {MAX_TOKENS} tokens at most; remove one first");
                return Err(StoreError::Refused(sentence));
            }
            let added = tx.execute(
                "INSERT INTO tokens (hash, owner, name, created) VALUES (?1, ?2, ?3, ?4) ON CONFLICT (hash) DO NOTHING",
                params![&token.hash[..], owner, token.name, token.created.0],
            )?;
            if added == 1 { Ok(()) } else { Err(StoreError::Refused("this token exists already".into())) }
        })
    }

    /// Forgets a token of that owner; false if there was none.
    pub fn remove_token(&mut self, owner: Address, hash: &TokenHash) -> Result<bool, StoreError> {
        self.keep(|tx| {
            let removed = tx.execute(
                "DELETE FROM tokens WHERE hash = ?1 AND owner = ?2",
                params![&hash[..], &owner.0[..]],
            )?;
            Ok(removed == 1)
        })
    }

    /// Insert or replace.
    pub fn put_setting(&mut self, key: &str, value: &str) -> Result<(), StoreError> {
        at_most("a setting's key", key, MAX_NAME_BYTES)?;
        at_most("a setting", value, MAX_SETTING_BYTES)?;
        self.keep(|tx| {
            tx.execute(
                "INSERT INTO settings (key, value) VALUES (?1, ?2)
                 ON CONFLICT (key) DO UPDATE SET value = excluded.value",
                [key, value],
            )?;
            Ok(())
        })
    }

    /// The setting's value, if it was ever set.
    pub fn setting(&self, key: &str) -> Result<Option<String>, StoreError> {
        setting(&self.conn, key)
    }

    /// Keeps an attempt's log, at most [`MAX_LOG_BYTES`]; replaces an earlier one.
    pub fn put_log(&mut self, attempt: AttemptId, text: &str) -> Result<(), StoreError> {
        at_most("a log", text, MAX_LOG_BYTES)?;
        let id = rows::int(attempt.0)?;
        self.keep(|tx| {
            let known: bool =
                tx.query_row("SELECT EXISTS (SELECT 1 FROM attempts WHERE id = ?1)", [id], |r| r.get(0))?;
            if !known {
                return Err(StoreError::Refused(format!("there is no {attempt} to keep a log of")));
            }
            tx.execute(
                "INSERT INTO logs (attempt, text) VALUES (?1, ?2)
                 ON CONFLICT (attempt) DO UPDATE SET text = excluded.text",
                params![id, text],
            )?;
            Ok(())
        })
    }
}

impl Reader {
    /// The token with this digest.
    pub fn token(&self, hash: &TokenHash) -> Result<Option<TokenRecord>, StoreError> {
        self.with(|conn| {
            let mut statement =
                conn.prepare_cached("SELECT owner, name, created FROM tokens WHERE hash = ?1")?;
            let mut found = statement.query([&hash[..]])?;
            let Some(row) = found.next()? else { return Ok(None) };
            let owner =
                rows::address("a token's owner", row.get_ref(0)?.as_blob().map_err(rusqlite::Error::from)?)?;
            Ok(Some(TokenRecord { hash: *hash, owner, name: row.get(1)?, created: Millis(row.get(2)?) }))
        })
    }

    /// Tokens of an account, newest first.
    pub fn tokens_of(&self, owner: Address) -> Result<Vec<TokenRecord>, StoreError> {
        self.with(|conn| {
            let mut statement = conn.prepare_cached(
                "SELECT hash, name, created FROM tokens WHERE owner = ?1 ORDER BY created DESC, hash",
            )?;
            let mut found = statement.query([&owner.0[..]])?;
            let mut tokens = Vec::new();
            while let Some(row) = found.next()? {
                tokens.push(TokenRecord {
                    hash: row.get(0)?,
                    owner,
                    name: row.get(1)?,
                    created: Millis(row.get(2)?),
                });
            }
            Ok(tokens)
        })
    }

    /// The setting's value, if it was ever set.
    pub fn setting(&self, key: &str) -> Result<Option<String>, StoreError> {
        self.with(|conn| setting(conn, key))
    }

    /// The attempt's log, if it sent one. Text of strangers: escape it where it is shown.
    pub fn log(&self, attempt: AttemptId) -> Result<Option<String>, StoreError> {
        let id = rows::key(attempt.0);
        self.with(|conn| {
            let mut statement = conn.prepare_cached("SELECT text FROM logs WHERE attempt = ?1")?;
            Ok(statement.query_row([id], |r| r.get(0)).optional()?)
        })
    }
}

fn setting(conn: &Connection, key: &str) -> Result<Option<String>, StoreError> {
    let mut statement = conn.prepare_cached("SELECT value FROM settings WHERE key = ?1")?;
    Ok(statement.query_row([key], |r| r.get(0)).optional()?)
}

pub(crate) fn at_most(what: &'static str, text: &str, limit: usize) -> Result<(), StoreError> {
    if text.len() <= limit { Ok(()) } else { Err(StoreError::TooLarge { what, limit }) }
}
