//! Join codes: who may add machines to an account's fleet, how many, until when.

use crate::{Reader, Store, StoreError, TokenHash, rows};
use rusqlite::{OptionalExtension, params};
use tatau_model::{Address, Millis};

/// Codes of one account that are kept at once; the oldest make room.
const MAX_CODES: i64 = 50;
/// Machines that one code may add.
pub const MAX_JOINS: u32 = 1_000;
/// Codes that ended so long ago are forgotten, ms: a week.
const FORGOTTEN_AFTER_MS: u64 = 7 * 24 * 3_600_000;

/// A code as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JoinCode {
    /// Digest of the code.
    pub hash: TokenHash,
    /// Whose fleet it adds to; the account must exist.
    pub owner: Address,
    /// When it was made.
    pub created: Millis,
    /// It counts before this moment.
    pub expires: Millis,
    /// How many machines it may add.
    pub uses: u32,
    /// How many it has added.
    pub used: u32,
}

impl Store {
    /// Keeps a code; `used` is not looked at.
    pub fn put_join_code(&mut self, code: &JoinCode) -> Result<(), StoreError> {
        if code.uses == 0 || code.uses > MAX_JOINS {
            return Err(StoreError::Refused(format!("a join code adds 1 to {MAX_JOINS} machines")));
        }
        self.keep(|tx| {
            let owner = &code.owner.0[..];
            let long_ago = code.created.0.saturating_sub(FORGOTTEN_AFTER_MS as i64);
            tx.execute("DELETE FROM join_codes WHERE expires < ?1", [long_ago])?;
            tx.execute(
                "DELETE FROM join_codes WHERE hash IN (SELECT hash FROM join_codes WHERE owner = ?1
                 ORDER BY created DESC LIMIT -1 OFFSET ?2)",
                params![owner, MAX_CODES - 1],
            )?;
            tx.execute(
                "INSERT INTO join_codes (hash, owner, created, expires, uses) VALUES (?1, ?2, ?3, ?4, ?5)",
                params![&code.hash[..], owner, code.created.0, code.expires.0, code.uses],
            )?;
            Ok(())
        })
    }

    /// Whose fleet this node joins by the code, now noted; `None` where the code is unknown, over or used up. The same node
    /// again uses nothing up.
    pub fn use_join_code(
        &mut self,
        hash: &TokenHash,
        node: Address,
        now: Millis,
    ) -> Result<Option<Address>, StoreError> {
        self.keep(|tx| {
            let sql = "SELECT owner, uses, (SELECT count(*) FROM joins WHERE code = hash),
                              EXISTS (SELECT 1 FROM joins WHERE code = hash AND node = ?2)
                       FROM join_codes WHERE hash = ?1 AND expires > ?3";
            let found: Option<(Vec<u8>, i64, i64, bool)> = tx
                .query_row(sql, params![&hash[..], &node.0[..], now.0], |r| {
                    Ok((r.get(0)?, r.get(1)?, r.get(2)?, r.get(3)?))
                })
                .optional()?;
            let Some((owner, uses, used, before)) = found else { return Ok(None) };
            if !before {
                if used >= uses {
                    return Ok(None);
                }
                tx.execute(
                    "INSERT INTO joins (code, node, at) VALUES (?1, ?2, ?3)",
                    params![&hash[..], &node.0[..], now.0],
                )?;
            }
            rows::address("a join code's owner", &owner).map(Some)
        })
    }

    /// Ends a code of that owner; false if there was none.
    pub fn remove_join_code(&mut self, owner: Address, hash: &TokenHash) -> Result<bool, StoreError> {
        self.keep(|tx| {
            let sql = "DELETE FROM join_codes WHERE hash = ?1 AND owner = ?2";
            Ok(tx.execute(sql, params![&hash[..], &owner.0[..]])? == 1)
        })
    }
}

impl Reader {
    /// Codes of an owner that still count, newest first.
    pub fn join_codes_of(&self, owner: Address, now: Millis) -> Result<Vec<JoinCode>, StoreError> {
        self.with(|conn| {
            let mut statement = conn.prepare_cached(
                "SELECT hash, created, expires, uses, (SELECT count(*) FROM joins WHERE code = hash)
                 FROM join_codes WHERE owner = ?1 AND expires > ?2 ORDER BY created DESC",
            )?;
            let mut found = statement.query(params![&owner.0[..], now.0])?;
            let mut codes = Vec::new();
            while let Some(row) = found.next()? {
                codes.push(JoinCode {
                    hash: row.get(0)?,
                    owner,
                    created: Millis(row.get(1)?),
                    expires: Millis(row.get(2)?),
                    uses: row.get(3)?,
                    used: row.get(4)?,
                });
            }
            Ok(codes)
        })
    }
}
