//! The audit of the books: everything recomputed from the journal, and compared with what is kept beside it.

use crate::{StoreError, earned, load, rows};
use rusqlite::Connection;
use std::collections::{BTreeMap, HashMap};
use tatau_model::{AccountKey, Address, Amount, Attempt, JobId, Purpose};

/// Problems one report names; the rest are counted.
const MAX_PROBLEMS: usize = 100;

/// What an audit of the books found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BooksReport {
    /// Journal entries read.
    pub entries: u64,
    /// Sum over all balances, the outside included; 0 in sound books.
    pub sum: Amount,
    /// Every balance that is not zero.
    pub accounts: Vec<(AccountKey, Amount)>,
    /// One sentence each; empty in sound books.
    pub problems: Vec<String>,
}

impl BooksReport {
    /// Nothing was found?
    pub fn balanced(&self) -> bool {
        self.problems.is_empty()
    }
}

#[derive(Default)]
struct Problems {
    named: Vec<String>,
    more: usize,
}

impl Problems {
    fn add(&mut self, problem: String) {
        if self.named.len() < MAX_PROBLEMS {
            self.named.push(problem);
        } else {
            self.more += 1;
        }
    }
}

/// Recomputes everything. An error means that it could not be read, not that it is wrong.
pub(crate) fn audit(conn: &Connection) -> Result<BooksReport, StoreError> {
    let mut problems = Problems::default();
    let entries = journal(conn, &mut problems)?;
    let accounts = balances(conn, &mut problems)?;
    attempts(conn, &accounts, &mut problems)?;
    earned::check(conn)?.into_iter().for_each(|problem| problems.add(problem));
    let sum: i128 = accounts.iter().map(|(_, a)| i128::from(a.0)).sum();
    if sum != 0 {
        problems.add(format!("all balances sum to {sum} nano-TATAU instead of zero"));
    }
    let sum = Amount(i64::try_from(sum).unwrap_or(if sum < 0 { i64::MIN } else { i64::MAX }));
    let Problems { named: mut problems, more } = problems;
    if more > 0 {
        problems.push(format!("and {more} more"));
    }
    Ok(BooksReport { entries, sum, accounts, problems })
}

/// Entries have no gaps, two legs at least, and sum to zero.
fn journal(conn: &Connection, problems: &mut Problems) -> Result<u64, StoreError> {
    let (count, first, last): (i64, i64, i64) = conn.query_row(
        "SELECT count(*), coalesce(min(id), 1), coalesce(max(id), 0) FROM journal",
        [],
        |r| Ok((r.get(0)?, r.get(1)?, r.get(2)?)),
    )?;
    if first != 1 || last != count {
        problems.add(format!("the journal has {count} entries, but they are numbered {first} to {last}"));
    }
    let mut statement = conn.prepare("SELECT entry, amount FROM legs ORDER BY entry")?;
    let mut found = statement.query([])?;
    let mut open: Option<EntrySum> = None;
    let mut expected = 1;
    while let Some(row) = found.next()? {
        let (entry, amount): (i64, i64) = (row.get(0)?, row.get(1)?);
        if let Some(sum) = open.as_mut().filter(|sum| sum.entry == entry) {
            sum.legs += 1;
            sum.sum += i128::from(amount);
            continue;
        }
        if entry > expected {
            problems.add(format!("journal entries {expected} to {} have no legs", entry - 1));
        }
        if entry > last {
            problems.add(format!("legs belong to journal entry {entry}, which does not exist"));
        }
        expected = entry + 1;
        if let Some(done) = open.replace(EntrySum { entry, legs: 1, sum: i128::from(amount) }) {
            done.check(problems);
        }
    }
    if let Some(done) = open {
        done.check(problems);
    }
    if expected <= last {
        problems.add(format!("journal entries {expected} to {last} have no legs"));
    }
    rows::number("the number of journal entries", count)
}

/// What the legs of one entry come to.
struct EntrySum {
    entry: i64,
    legs: u32,
    sum: i128,
}

impl EntrySum {
    fn check(&self, problems: &mut Problems) {
        let Self { entry, legs, sum } = self;
        if *legs < 2 || *sum != 0 {
            problems.add(format!("journal entry {entry} has {legs} legs that sum to {sum} nano-TATAU"));
        }
    }
}

/// Running balances of every account follow from its legs, and end at the balance kept for it.
fn balances(conn: &Connection, problems: &mut Problems) -> Result<Vec<(AccountKey, Amount)>, StoreError> {
    // Accounts by their row, with what is kept for them.
    let mut kept: HashMap<i64, (String, i64, i64)> = HashMap::new();
    let mut statement = conn.prepare("SELECT id, account, amount FROM balances")?;
    let mut found = statement.query([])?;
    while let Some(row) = found.next()? {
        kept.insert(row.get(0)?, (row.get(1)?, row.get(2)?, 0));
    }
    // Within one holder legs come in order of entries, which is the order of each of its accounts.
    let mut statement =
        conn.prepare("SELECT account, entry, amount, balance FROM legs ORDER BY holder, entry, account")?;
    let mut found = statement.query([])?;
    while let Some(row) = found.next()? {
        let (account, entry, amount, balance): (i64, i64, i64, i64) =
            (row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?);
        let Some((name, _, running)) = kept.get_mut(&account) else {
            problems.add(format!("journal entry {entry} has a leg of an account that does not exist"));
            continue;
        };
        let after = running.saturating_add(amount);
        if after != balance {
            problems
                .add(format!("after journal entry {entry}, {name} is said to hold {balance}, not {after}"));
        }
        if after < 0 && name != "outside" {
            problems.add(format!("after journal entry {entry}, {name} is below zero: {after}"));
        }
        *running = after;
    }
    for (name, amount, running) in kept.values() {
        if amount != running {
            problems.add(format!("{name} is kept as {amount} nano-TATAU, its journal sums to {running}"));
        }
    }
    load::balances(conn)
}

/// What is held, reserved, pending and unbonding is what open attempts and stakes account for.
fn attempts(
    conn: &Connection,
    accounts: &[(AccountKey, Amount)],
    problems: &mut Problems,
) -> Result<(), StoreError> {
    let mut wanted: BTreeMap<AccountKey, i128> = BTreeMap::new();
    let mut add = |key, amount: Amount| *wanted.entry(key).or_default() += i128::from(amount.0);
    let mut statement = conn.prepare(
        "SELECT attempts.body, jobs.owner, jobs.open FROM attempts JOIN jobs ON jobs.id = attempts.job
         WHERE attempts.open = 1 OR attempts.state IN ('leased', 'committed', 'delivered')",
    )?;
    let mut found = statement.query([])?;
    while let Some(row) = found.next()? {
        let attempt: Attempt =
            rows::parse("an attempt", row.get_ref(0)?.as_str().map_err(rusqlite::Error::from)?)?;
        let buyer: [u8; 20] = row.get(1)?;
        let provider = |purpose| AccountKey::Owner(attempt.provider, purpose);
        if !attempt.state.is_ended() {
            add(AccountKey::Owner(Address(buyer), Purpose::Held(attempt.job)), attempt.price);
            add(provider(Purpose::StakeReserved), attempt.reserved);
        }
        if attempt.dispute_until.is_some() {
            add(provider(Purpose::Pending), attempt.pay);
            add(provider(Purpose::StakeReserved), attempt.reserved);
        }
        if attempt.is_open() && !row.get::<_, bool>(2)? {
            problems.add(format!("{} is open, but its job is closed", attempt.id));
        }
    }
    let mut statement = conn.prepare("SELECT owner, amount FROM unbonding")?;
    let mut found = statement.query([])?;
    while let Some(row) = found.next()? {
        add(AccountKey::Owner(Address(row.get(0)?), Purpose::StakeUnbonding), Amount(row.get(1)?));
    }
    for (key, balance) in accounts {
        match key {
            AccountKey::Owner(
                _,
                Purpose::Held(_) | Purpose::StakeReserved | Purpose::Pending | Purpose::StakeUnbonding,
            ) => {
                let open = wanted.remove(key).unwrap_or(0);
                if open != i128::from(balance.0) {
                    problems
                        .add(format!("{key} holds {}, open work accounts for {open} nano-TATAU", balance.0));
                }
            }
            AccountKey::Owner(_, Purpose::Escrow(job)) if ended(conn, *job)? => {
                problems.add(format!("{key} still holds {balance} TATAU, but {job} has ended"));
            }
            _ => {}
        }
    }
    for (key, open) in wanted.into_iter().filter(|(_, open)| *open != 0) {
        problems.add(format!("{key} is empty, open work accounts for {open} nano-TATAU"));
    }
    Ok(())
}

/// Ended, or never kept at all: no money may be in its escrow.
fn ended(conn: &Connection, job: JobId) -> Result<bool, StoreError> {
    let mut going = conn.prepare_cached(
        "SELECT EXISTS (SELECT 1 FROM jobs WHERE id = ?1 AND state IN ('running', 'paused'))",
    )?;
    let going: bool = going.query_row([rows::int(job.0)?], |r| r.get(0))?;
    Ok(!going)
}
