//! Recovery: everything that can still change, as it was last committed.

use crate::{Store, StoreError, rows};
use rusqlite::Connection;
use serde::de::DeserializeOwned;
use tatau_ledger::{Books, LedgerError};
use tatau_model::{
    Account, AccountKey, Address, Amount, Attempt, Audit, Change, Epoch, Job, Millis, Node, Task,
};

/// Stake on its way out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unbonding {
    /// Whose.
    pub owner: Address,
    /// How much.
    pub amount: Amount,
    /// When it becomes free.
    pub at: Millis,
}

/// The open state. Vectors are in order of their numbers (addresses).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Loaded {
    /// All accounts.
    pub accounts: Vec<Account>,
    /// All nodes.
    pub nodes: Vec<Node>,
    /// Jobs not closed for good, with their current meters.
    pub jobs: Vec<Job>,
    /// All tasks of these jobs.
    pub tasks: Vec<Task>,
    /// Attempts not closed for good.
    pub attempts: Vec<Attempt>,
    /// All audits of these attempts.
    pub audits: Vec<Audit>,
    /// Stake on its way out.
    pub unbonding: Vec<Unbonding>,
    /// Every balance that is not zero.
    pub balances: Vec<(AccountKey, Amount)>,
    /// Number of the last journal entry, 0 before the first.
    pub last_entry: u64,
    /// Highest job number ever given, closed ones included; so for the next three.
    pub last_job: u64,
    /// Highest task number.
    pub last_task: u64,
    /// Highest attempt number.
    pub last_attempt: u64,
    /// Highest audit number.
    pub last_audit: u64,
    /// The last closed epoch.
    pub last_epoch: Option<Epoch>,
}

impl Loaded {
    /// The balances as books; fails if they are not conserved.
    pub fn books(&self) -> Result<Books, LedgerError> {
        Books::load(self.balances.iter().copied(), self.last_entry)
    }

    /// The open records as changes, parents first: what `State::recover` applies. Balances, the last epoch and the
    /// last numbers are not among them.
    pub fn into_records(self) -> impl Iterator<Item = Change> {
        let unbonding = |u: Unbonding| Change::Unbonding { owner: u.owner, amount: u.amount, at: u.at };
        self.accounts
            .into_iter()
            .map(Change::Account)
            .chain(self.nodes.into_iter().map(|n| Change::Node(Box::new(n))))
            .chain(self.jobs.into_iter().map(|j| Change::Job(Box::new(j))))
            .chain(self.tasks.into_iter().map(|t| Change::Task(Box::new(t))))
            .chain(self.attempts.into_iter().map(|a| Change::Attempt(Box::new(a))))
            .chain(self.audits.into_iter().map(|a| Change::Audit(Box::new(a))))
            .chain(self.unbonding.into_iter().map(unbonding))
    }
}

impl Store {
    /// Reads the open state. Anything that cannot be read is an error; nothing is left out.
    pub fn load(&self) -> Result<Loaded, StoreError> {
        // One snapshot for all queries.
        let tx = self.conn.unchecked_transaction()?;
        let loaded = Loaded {
            accounts: bodies(&tx, "an account", "SELECT body FROM accounts ORDER BY owner")?,
            nodes: bodies(&tx, "a node", "SELECT body FROM nodes ORDER BY id")?,
            jobs: jobs(&tx)?,
            tasks: bodies(
                &tx,
                "a task",
                "SELECT body FROM tasks WHERE job IN (SELECT id FROM jobs WHERE open = 1) ORDER BY id",
            )?,
            attempts: bodies(&tx, "an attempt", "SELECT body FROM attempts WHERE open = 1 ORDER BY id")?,
            audits: bodies(
                &tx,
                "an audit",
                "SELECT body FROM audits WHERE attempt IN (SELECT id FROM attempts WHERE open = 1) ORDER BY id",
            )?,
            unbonding: unbonding(&tx)?,
            balances: balances(&tx)?,
            last_entry: last(&tx, "journal")?,
            last_job: last(&tx, "jobs")?,
            last_task: last(&tx, "tasks")?,
            last_attempt: last(&tx, "attempts")?,
            last_audit: last(&tx, "audits")?,
            last_epoch: bodies(&tx, "an epoch", "SELECT body FROM epochs ORDER BY id DESC LIMIT 1")?.pop(),
        };
        Ok(loaded)
    }
}

fn bodies<T: DeserializeOwned>(conn: &Connection, what: &str, sql: &str) -> Result<Vec<T>, StoreError> {
    let mut statement = conn.prepare(sql)?;
    let mut found = statement.query([])?;
    let mut records = Vec::new();
    while let Some(row) = found.next()? {
        records.push(rows::parse(what, row.get_ref(0)?.as_str().map_err(rusqlite::Error::from)?)?);
    }
    Ok(records)
}

fn jobs(conn: &Connection) -> Result<Vec<Job>, StoreError> {
    let mut statement =
        conn.prepare("SELECT body, spent, reference_ms FROM jobs WHERE open = 1 ORDER BY id")?;
    let mut found = statement.query([])?;
    let mut jobs = Vec::new();
    while let Some(row) = found.next()? {
        jobs.push(job_of(row)?);
    }
    Ok(jobs)
}

/// A job from `body, spent, reference_ms`: the columns are newer than the body.
pub(crate) fn job_of(row: &rusqlite::Row<'_>) -> Result<Job, StoreError> {
    let mut job: Job = rows::parse("a job", row.get_ref(0)?.as_str().map_err(rusqlite::Error::from)?)?;
    job.spent = Amount(row.get(1)?);
    job.reference_ms = rows::number("a job's reference time", row.get(2)?)?;
    Ok(job)
}

fn unbonding(conn: &Connection) -> Result<Vec<Unbonding>, StoreError> {
    let mut statement = conn.prepare("SELECT owner, at, amount FROM unbonding ORDER BY owner, at")?;
    let mut found = statement.query([])?;
    let mut all = Vec::new();
    while let Some(row) = found.next()? {
        let owner: [u8; 20] = row.get(0)?;
        all.push(Unbonding { owner: Address(owner), at: Millis(row.get(1)?), amount: Amount(row.get(2)?) });
    }
    Ok(all)
}

/// Every balance that is not zero.
pub(crate) fn balances(conn: &Connection) -> Result<Vec<(AccountKey, Amount)>, StoreError> {
    let mut statement =
        conn.prepare("SELECT account, amount FROM balances WHERE amount <> 0 ORDER BY account")?;
    let mut found = statement.query([])?;
    let mut all = Vec::new();
    while let Some(row) = found.next()? {
        let text = row.get_ref(0)?.as_str().map_err(rusqlite::Error::from)?;
        let key = text.parse().map_err(|e| StoreError::Damaged(format!("a balance cannot be read: {e}")))?;
        all.push((key, Amount(row.get(1)?)));
    }
    Ok(all)
}

fn last(conn: &Connection, table: &'static str) -> Result<u64, StoreError> {
    let max = conn.query_row(&format!("SELECT coalesce(max(id), 0) FROM {table}"), [], |r| r.get(0))?;
    rows::number(table, max)
}
