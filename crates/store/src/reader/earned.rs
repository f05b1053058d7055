//! What cards earned, by day and month: one committed moment.

use super::{Reader, jobs::one};
use crate::{StoreError, earned::QUARTER_MS, rows};
use rusqlite::{Connection, params};
use tatau_model::{Account, AccountKey, Address, Amount, Millis, Purpose};

/// Since a day's begin, since a month's, and ever.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Spans {
    /// Since the day's begin.
    pub today: Amount,
    /// Since the month's begin.
    pub month: Amount,
    /// Ever.
    pub all: Amount,
}

/// One card's earnings. `earned.all` is `paid.all`, `pending` and `forfeited` together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CardEarned {
    /// Its node.
    pub node: Address,
    /// Its number there.
    pub card: u16,
    /// For work that was accepted, or paid though its buyer cut it short.
    pub earned: Spans,
    /// Of it, what the dispute window has freed (a newcomer's becomes stake).
    pub paid: Spans,
    /// Of it, what waits for the dispute window.
    pub pending: Amount,
    /// Of it, what a slash took before it was paid.
    pub forfeited: Amount,
    /// Stake and unsettled pay taken for this card's work.
    pub slashed: Amount,
    /// Tasks accepted.
    pub accepted: u64,
    /// Tasks rejected after their receipt.
    pub rejected: u64,
    /// Leases lost before a receipt, by this side's doing.
    pub lost: u64,
}

/// What all cards of an owner ever earned.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Totals {
    /// `paid`, `pending` and `forfeited` together.
    pub earned: Amount,
    /// Paid out.
    pub paid: Amount,
    /// Waiting for dispute windows; the account's balance of that name.
    pub pending: Amount,
    /// Taken before it was paid out.
    pub forfeited: Amount,
    /// Stake and unsettled pay taken.
    pub slashed: Amount,
}

/// An owner's earnings, and what earn-in looks at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnerEarned {
    /// The record.
    pub account: Account,
    /// Stake that answers for work: free and reserved.
    pub stake: Amount,
    /// All its cards together.
    pub totals: Totals,
    /// Every card asked for that ever held a lease to its end, by node and number.
    pub cards: Vec<CardEarned>,
}

impl Reader {
    /// What an owner's cards earned (those of one node, if it is named), since these moments and ever. The moments are
    /// rounded down to whole quarters of an hour. `None`: no such account.
    pub fn earned(
        &self,
        owner: Address,
        node: Option<Address>,
        day: Millis,
        month: Millis,
    ) -> Result<Option<OwnerEarned>, StoreError> {
        self.with(|conn| {
            let sql = "SELECT body FROM accounts WHERE owner = ?1";
            let account: Option<Account> = one(conn, "an account", sql, [&owner.0[..]])?;
            let Some(account) = account else { return Ok(None) };
            let balance = |purpose| balance(conn, &AccountKey::Owner(owner, purpose));
            let stake = balance(Purpose::StakeFree)?.0.checked_add(balance(Purpose::StakeReserved)?.0);
            let stake = stake.ok_or_else(|| StoreError::Damaged("a stake cannot be added up".into()))?;
            Ok(Some(OwnerEarned {
                account,
                stake: Amount(stake),
                totals: totals(conn, owner)?,
                cards: cards(conn, owner, node, day, month)?,
            }))
        })
    }
}

fn balance(conn: &Connection, key: &AccountKey) -> Result<Amount, StoreError> {
    let mut statement = conn.prepare_cached("SELECT amount FROM balances WHERE account = ?1")?;
    let mut found = statement.query([key.to_string()])?;
    Ok(Amount(found.next()?.map_or(Ok(0), |row| row.get(0))?))
}

fn totals(conn: &Connection, owner: Address) -> Result<Totals, StoreError> {
    let mut statement = conn.prepare_cached(
        "SELECT coalesce(sum(earned), 0), coalesce(sum(paid), 0), coalesce(sum(pending), 0), coalesce(sum(forfeited), 0),
                coalesce(sum(slashed), 0)
         FROM earned WHERE owner = ?1",
    )?;
    Ok(statement.query_row([&owner.0[..]], |row| {
        let amount = |i| row.get(i).map(Amount);
        Ok(Totals {
            earned: amount(0)?,
            paid: amount(1)?,
            pending: amount(2)?,
            forfeited: amount(3)?,
            slashed: amount(4)?,
        })
    })?)
}

fn cards(
    conn: &Connection,
    owner: Address,
    node: Option<Address>,
    day: Millis,
    month: Millis,
) -> Result<Vec<CardEarned>, StoreError> {
    let mut statement = conn.prepare_cached(
        "SELECT c.node, c.card, c.earned, c.paid, c.pending, c.forfeited, c.slashed, c.accepted, c.rejected, c.lost,
                coalesce(sum(q.earned) FILTER (WHERE q.quarter >= ?3), 0), coalesce(sum(q.paid) FILTER (WHERE q.quarter >= ?3), 0),
                coalesce(sum(q.earned) FILTER (WHERE q.quarter >= ?4), 0), coalesce(sum(q.paid) FILTER (WHERE q.quarter >= ?4), 0)
         FROM earned c LEFT JOIN earned_quarters q
             ON q.node = c.node AND q.card = c.card AND q.quarter >= min(?3, ?4)
         WHERE c.owner = ?1 AND (?2 IS NULL OR c.node = ?2)
         GROUP BY c.node, c.card ORDER BY c.node, c.card",
    )?;
    let quarter = |at: Millis| at.0.div_euclid(QUARTER_MS);
    let node = node.as_ref().map(|node| &node.0[..]);
    let mut found = statement.query(params![&owner.0[..], node, quarter(day), quarter(month)])?;
    let mut cards = Vec::new();
    while let Some(row) = found.next()? {
        let amount = |i| Ok::<_, StoreError>(Amount(row.get(i)?));
        let count = |i| rows::number("a count of tasks", row.get(i)?);
        cards.push(CardEarned {
            node: rows::address("a card's node", row.get_ref(0)?.as_blob().map_err(rusqlite::Error::from)?)?,
            card: row.get(1)?,
            earned: Spans { today: amount(10)?, month: amount(12)?, all: amount(2)? },
            paid: Spans { today: amount(11)?, month: amount(13)?, all: amount(3)? },
            pending: amount(4)?,
            forfeited: amount(5)?,
            slashed: amount(6)?,
            accepted: count(7)?,
            rejected: count(8)?,
            lost: count(9)?,
        });
    }
    Ok(cards)
}
