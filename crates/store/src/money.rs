//! Journal entries: checked a second time, numbered, and the balances that follow from them.
//!
//! The cache holds accounts in use; a miss is read from the file. Staged values reach the cache after the commit only.

use crate::{StoreError, rows};
use rusqlite::{Connection, OptionalExtension, Transaction, params};
use std::collections::HashMap;
use tatau_model::{AccountKey, Address, Entry, Purpose};

/// Legs one entry may have.
pub(crate) const MAX_LEGS: usize = 256;

/// One row of `balances`.
#[derive(Debug, Clone, Copy)]
struct Purse {
    id: i64,
    holder: i64,
    amount: i64,
}

/// What the writer remembers of the books.
#[derive(Debug, Default)]
pub(crate) struct Money {
    purses: HashMap<AccountKey, Purse>,
    holders: HashMap<String, i64>,
    last_entry: u64,
    last_purse: i64,
    last_holder: i64,
}

/// What one batch does to the books; merged after its commit.
#[derive(Debug, Default)]
pub(crate) struct Staged {
    purses: HashMap<AccountKey, Purse>,
    holders: HashMap<String, i64>,
    last_entry: u64,
    last_purse: i64,
    last_holder: i64,
}

struct LegRow {
    holder: i64,
    entry: i64,
    account: i64,
    amount: i64,
    balance: i64,
}

/// Who holds an account: its owner, or the account itself.
pub(crate) fn holder_name(owner: Option<Address>, account: &AccountKey) -> String {
    owner.map_or_else(|| account.to_string(), |owner| owner.to_string())
}

impl Money {
    pub(crate) fn load(conn: &Connection) -> Result<Self, StoreError> {
        let max = |sql: &str| conn.query_row(sql, [], |r| r.get::<_, i64>(0));
        Ok(Self {
            last_entry: rows::number(
                "the last journal entry",
                max("SELECT coalesce(max(id), 0) FROM journal")?,
            )?,
            last_purse: max("SELECT coalesce(max(id), 0) FROM balances")?,
            last_holder: max("SELECT coalesce(max(id), 0) FROM holders")?,
            ..Self::default()
        })
    }

    /// Checks and writes the entries in order. An illegal one refuses the whole batch.
    pub(crate) fn write(&self, tx: &Transaction<'_>, entries: &[&Entry]) -> Result<Staged, StoreError> {
        let mut staged = Staged {
            last_entry: self.last_entry,
            last_purse: self.last_purse,
            last_holder: self.last_holder,
            ..Staged::default()
        };
        if entries.is_empty() {
            return Ok(staged);
        }
        let mut legs = Vec::with_capacity(entries.len() * 4);
        for entry in entries {
            self.check(tx, &mut staged, entry, &mut legs)?;
        }
        staged.write_balances(tx)?;
        let mut journal = tx.prepare_cached("INSERT INTO journal (id, at, why) VALUES (?1, ?2, ?3)")?;
        for entry in entries {
            journal.execute(params![rows::int(entry.id)?, entry.at.0, rows::body(&entry.kind)?])?;
        }
        let mut leg = tx.prepare_cached(
            "INSERT INTO legs (holder, entry, account, amount, balance) VALUES (?1, ?2, ?3, ?4, ?5)",
        )?;
        for row in legs {
            leg.execute(params![row.holder, row.entry, row.account, row.amount, row.balance])?;
        }
        Ok(staged)
    }

    fn check(
        &self,
        tx: &Transaction<'_>,
        staged: &mut Staged,
        entry: &Entry,
        legs: &mut Vec<LegRow>,
    ) -> Result<(), StoreError> {
        let refuse = |why: String| Err(StoreError::Refused(format!("journal entry {} {why}", entry.id)));
        if entry.id != staged.last_entry + 1 {
            return refuse(format!("does not follow {}", staged.last_entry));
        }
        let sum: i128 = entry.legs.iter().map(|l| i128::from(l.amount.0)).sum();
        if sum != 0 {
            return refuse(format!("is not balanced: its legs sum to {sum} nano-TATAU"));
        }
        if entry.legs.len() < 2 || entry.legs.len() > MAX_LEGS || entry.legs.iter().any(|l| l.amount.0 == 0) {
            return refuse(format!("needs 2 to {MAX_LEGS} legs, none of them zero"));
        }
        let first = legs.len();
        let number = rows::int(entry.id)?;
        for leg in &entry.legs {
            let mut purse = self.purse(tx, staged, &leg.account)?;
            let Some(amount) = purse.amount.checked_add(leg.amount.0) else {
                return refuse(format!("takes {} beyond what an amount can hold", leg.account));
            };
            if legs[first..].iter().any(|l| l.account == purse.id) {
                return refuse(format!("names {} twice", leg.account));
            }
            if amount < 0 && !leg.account.may_be_negative() {
                return refuse(format!("takes {} below zero", leg.account));
            }
            purse.amount = amount;
            staged.purses.insert(leg.account, purse);
            legs.push(LegRow {
                holder: purse.holder,
                entry: number,
                account: purse.id,
                amount: leg.amount.0,
                balance: amount,
            });
        }
        staged.last_entry = entry.id;
        Ok(())
    }

    /// The account's row: staged, remembered, stored, or new.
    fn purse(
        &self,
        tx: &Transaction<'_>,
        staged: &mut Staged,
        key: &AccountKey,
    ) -> Result<Purse, StoreError> {
        if let Some(purse) = staged.purses.get(key).or_else(|| self.purses.get(key)) {
            return Ok(*purse);
        }
        let stored = tx
            .prepare_cached("SELECT id, holder, amount FROM balances WHERE account = ?1")?
            .query_row([key.to_string()], |r| {
                Ok(Purse { id: r.get(0)?, holder: r.get(1)?, amount: r.get(2)? })
            })
            .optional()?;
        if let Some(purse) = stored {
            return Ok(purse);
        }
        let holder = self.holder(tx, staged, holder_name(key.owner(), key))?;
        staged.last_purse += 1;
        Ok(Purse { id: staged.last_purse, holder, amount: 0 })
    }

    fn holder(&self, tx: &Transaction<'_>, staged: &mut Staged, name: String) -> Result<i64, StoreError> {
        if let Some(id) = staged.holders.get(&name).or_else(|| self.holders.get(&name)) {
            return Ok(*id);
        }
        let stored = tx
            .prepare_cached("SELECT id FROM holders WHERE name = ?1")?
            .query_row([&name], |r| r.get(0))
            .optional()?;
        let id = if let Some(id) = stored {
            id
        } else {
            staged.last_holder += 1;
            tx.prepare_cached("INSERT INTO holders (id, name) VALUES (?1, ?2)")?
                .execute(params![staged.last_holder, name])?;
            staged.last_holder
        };
        staged.holders.insert(name, id);
        Ok(id)
    }

    /// The batch is durable: remember it. An emptied escrow is forgotten; its row stays.
    pub(crate) fn merge(&mut self, staged: Staged) {
        for (key, purse) in staged.purses {
            let over = matches!(key, AccountKey::Owner(_, Purpose::Escrow(_) | Purpose::Held(_)));
            if over && purse.amount == 0 {
                self.purses.remove(&key);
            } else {
                self.purses.insert(key, purse);
            }
        }
        self.holders.extend(staged.holders);
        self.last_entry = staged.last_entry;
        self.last_purse = staged.last_purse;
        self.last_holder = staged.last_holder;
    }
}

impl Staged {
    /// Each touched balance once.
    fn write_balances(&self, tx: &Transaction<'_>) -> Result<(), StoreError> {
        let mut put = tx.prepare_cached(
            "INSERT INTO balances (id, account, holder, amount) VALUES (?1, ?2, ?3, ?4)
             ON CONFLICT (id) DO UPDATE SET amount = excluded.amount",
        )?;
        let mut purses: Vec<_> = self.purses.iter().collect();
        purses.sort_unstable_by_key(|(_, purse)| purse.id);
        for (key, purse) in purses {
            put.execute(params![purse.id, key.to_string(), purse.holder, purse.amount])?;
        }
        Ok(())
    }
}
