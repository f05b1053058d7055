//! Statements and balances.

use super::{MAX_ROWS, Reader};
use crate::{
    StoreError,
    money::{MAX_LEGS, holder_name},
    rows,
};
use rusqlite::params;
use tatau_model::{AccountKey, Address, Amount, EntryKind, Millis};

/// One leg of the journal as its holder sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StatementRow {
    /// Journal entry.
    pub entry: u64,
    /// When.
    pub at: Millis,
    /// Why.
    pub kind: EntryKind,
    /// Which of the holder's accounts.
    pub account: AccountKey,
    /// Gain or loss.
    pub amount: Amount,
    /// Balance of that account after it.
    pub balance: Amount,
}

impl Reader {
    /// An owner's movements after entry `after` (0: from the start), oldest first, about `limit` rows: entries are
    /// never cut, so pass the last row's entry next time. Empty: there is nothing more.
    pub fn statement(
        &self,
        owner: Address,
        after: u64,
        limit: usize,
    ) -> Result<Vec<StatementRow>, StoreError> {
        self.statement_of(&owner.to_string(), after, limit)
    }

    /// The same for one of the platform's own accounts (fees, insurance, burned, outside).
    pub fn platform_statement(
        &self,
        account: &AccountKey,
        after: u64,
        limit: usize,
    ) -> Result<Vec<StatementRow>, StoreError> {
        self.statement_of(&holder_name(account.owner(), account), after, limit)
    }

    /// An owner's latest movements before entry `before` (`None`: up to now), newest first, about `limit` rows: entries are
    /// never cut, so pass the last row's entry next time. Empty: there is nothing before.
    pub fn statement_before(
        &self,
        owner: Address,
        before: Option<u64>,
        limit: usize,
    ) -> Result<Vec<StatementRow>, StoreError> {
        let before = before.map_or(i64::MAX, rows::key);
        self.lines(
            "SELECT legs.entry, journal.at, journal.why, balances.account, legs.amount, legs.balance
             FROM legs JOIN journal ON journal.id = legs.entry JOIN balances ON balances.id = legs.account
             WHERE legs.holder = (SELECT id FROM holders WHERE name = ?1) AND legs.entry < ?2
             ORDER BY legs.entry DESC, legs.account LIMIT ?3",
            &owner.to_string(),
            before,
            limit,
        )
    }

    fn statement_of(&self, holder: &str, after: u64, limit: usize) -> Result<Vec<StatementRow>, StoreError> {
        self.lines(
            "SELECT legs.entry, journal.at, journal.why, balances.account, legs.amount, legs.balance
             FROM legs JOIN journal ON journal.id = legs.entry JOIN balances ON balances.id = legs.account
             WHERE legs.holder = (SELECT id FROM holders WHERE name = ?1) AND legs.entry > ?2
             ORDER BY legs.entry, legs.account LIMIT ?3",
            holder,
            rows::key(after),
            limit,
        )
    }

    /// About `limit` rows of a query by holder and entry; entries are never cut.
    fn lines(
        &self,
        sql: &str,
        holder: &str,
        entry: i64,
        limit: usize,
    ) -> Result<Vec<StatementRow>, StoreError> {
        let limit = limit.clamp(1, MAX_ROWS);
        self.with(|conn| {
            let mut statement = conn.prepare_cached(sql)?;
            let mut found = statement.query(params![holder, entry, rows::limit(limit + MAX_LEGS)])?;
            let mut lines: Vec<StatementRow> = Vec::new();
            while let Some(row) = found.next()? {
                let entry = rows::number("a journal entry's number", row.get(0)?)?;
                if lines.len() >= limit && lines.last().is_some_and(|l| l.entry != entry) {
                    break;
                }
                let text = |i| Ok::<_, StoreError>(row.get_ref(i)?.as_str().map_err(rusqlite::Error::from)?);
                let account = text(3)?
                    .parse()
                    .map_err(|e| StoreError::Damaged(format!("an account cannot be read: {e}")))?;
                lines.push(StatementRow {
                    entry,
                    at: Millis(row.get(1)?),
                    kind: rows::parse("a journal entry", text(2)?)?,
                    account,
                    amount: Amount(row.get(4)?),
                    balance: Amount(row.get(5)?),
                });
            }
            Ok(lines)
        })
    }

    /// Every balance of an owner that is not zero.
    pub fn balances_of(&self, owner: Address) -> Result<Vec<(AccountKey, Amount)>, StoreError> {
        self.with(|conn| {
            let mut statement = conn.prepare_cached(
                "SELECT account, amount FROM balances
                 WHERE holder = (SELECT id FROM holders WHERE name = ?1) AND amount <> 0 ORDER BY id",
            )?;
            let mut found = statement.query([owner.to_string()])?;
            let mut balances = Vec::new();
            while let Some(row) = found.next()? {
                let text = row.get_ref(0)?.as_str().map_err(rusqlite::Error::from)?;
                let key = text
                    .parse()
                    .map_err(|e| StoreError::Damaged(format!("an account cannot be read: {e}")))?;
                balances.push((key, Amount(row.get(1)?)));
            }
            Ok(balances)
        })
    }
}
