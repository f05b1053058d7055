//! Where accounts want to be told of their jobs, and what is still to be told: written in one transaction with what it tells of.

use crate::{Reader, Store, StoreError, keep::at_most, rows};
use rusqlite::{Connection, OptionalExtension, Transaction, params};
use serde::{Deserialize, Serialize};
use tatau_model::{Address, Job, JobId, JobKind, JobState, Millis};

/// Longest address that is told.
const MAX_NOTIFY_ADDRESS: usize = 500;

/// Where one account wants to be told.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct NotifyRecord {
    /// An address of the owner's that is called.
    pub webhook: Option<Webhook>,
    /// Mail.
    pub mail: Option<Mailbox>,
    /// Codes that were sent, also to addresses that are gone again.
    #[serde(default)]
    pub codes: Codes,
}

impl NotifyRecord {
    /// Where something is told now.
    fn channels(&self) -> impl Iterator<Item = Channel> {
        let mail = self.mail.as_ref().is_some_and(|mailbox| mailbox.confirmed);
        self.webhook.as_ref().map(|_| Channel::Webhook).into_iter().chain(mail.then_some(Channel::Mail))
    }
}

/// Codes of one day.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Codes {
    /// How many.
    pub sent: u32,
    /// Begin of the day.
    pub since: Millis,
}

/// One way to tell: each is tried until it worked, whatever the other does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Channel {
    /// A call.
    Webhook,
    /// Mail.
    Mail,
}

/// What is called.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Webhook {
    /// Its URL.
    pub url: String,
    /// The key under which calls are signed, 64 hex digits.
    pub secret: String,
}

/// A mail address, and whether its owner said that it is theirs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mailbox {
    /// The address.
    pub address: String,
    /// Its owner gave the code back that was sent there.
    pub confirmed: bool,
    /// BLAKE3 of the code, hex; empty once confirmed.
    pub code: String,
    /// The code counts until then.
    pub code_until: Millis,
    /// Wrong codes given.
    pub wrong: u32,
}

/// What happened to a job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Happened {
    /// Which.
    pub job: JobId,
    /// Its name.
    pub name: String,
    /// Its new state.
    pub state: String,
    /// Why, where there is a reason.
    pub reason: Option<String>,
}

/// One thing still to be told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    /// Its number: the same each time it is tried.
    pub id: u64,
    /// Who is to be told.
    pub owner: Address,
    /// How.
    pub channel: Channel,
    /// Tries that failed.
    pub tries: u32,
    /// What.
    pub what: Happened,
}

/// Notes what its owner wants to hear of a job's change; to be called before the job is written.
pub(crate) fn note(tx: &Transaction<'_>, job: &Job) -> Result<(), StoreError> {
    let reason = match &job.state {
        JobState::Paused { reason } | JobState::Failed { reason } => Some(reason.clone()),
        JobState::Finished => None,
        JobState::Running | JobState::Cancelled => return Ok(()),
    };
    if !matches!(job.kind, JobKind::Render(_) | JobKind::Bundle(_)) {
        return Ok(());
    }
    let owner = &job.owner.0[..];
    let Some(record) = record_of(tx, owner)? else { return Ok(()) };
    let mut known = tx.prepare_cached("SELECT state FROM jobs WHERE id = ?1")?;
    let before: Option<String> = known.query_row([rows::int(job.id.0)?], |r| r.get(0)).optional()?;
    let state = job.state.name();
    if before.as_deref() == Some(state) {
        return Ok(());
    }
    let body = rows::body(&Happened { job: job.id, name: job.name.clone(), state: state.into(), reason })?;
    let mut put = tx.prepare_cached(
        "INSERT INTO notices (owner, channel, tries, next_at, body) VALUES (?1, ?2, 0, 0, ?3)",
    )?;
    for channel in record.channels() {
        put.execute(params![owner, rows::body(&channel)?, body])?;
    }
    Ok(())
}

fn record_of(conn: &Connection, owner: &[u8]) -> Result<Option<NotifyRecord>, StoreError> {
    let mut found = conn.prepare_cached("SELECT body FROM notify WHERE owner = ?1")?;
    let body: Option<String> = found.query_row([owner], |r| r.get(0)).optional()?;
    body.map(|text| rows::parse("where an account is told", &text)).transpose()
}

impl Store {
    /// Sets where an account is told; with nothing set it is told nowhere, and what waits is dropped when it is due.
    pub fn put_notify(&mut self, owner: Address, record: &NotifyRecord) -> Result<(), StoreError> {
        if let Some(hook) = &record.webhook {
            at_most("an address to call", &hook.url, MAX_NOTIFY_ADDRESS)?;
        }
        if let Some(mail) = &record.mail {
            at_most("a mail address", &mail.address, MAX_NOTIFY_ADDRESS)?;
        }
        let body = rows::body(record)?;
        self.keep(|tx| {
            tx.execute(
                "INSERT INTO notify (owner, body) VALUES (?1, ?2)
                 ON CONFLICT (owner) DO UPDATE SET body = excluded.body",
                params![&owner.0[..], body],
            )?;
            Ok(())
        })
    }

    /// Somebody was told, or never will be.
    pub fn end_notice(&mut self, id: u64) -> Result<(), StoreError> {
        let id = rows::int(id)?;
        self.keep(|tx| Ok(tx.execute("DELETE FROM notices WHERE id = ?1", [id]).map(|_| ())?))
    }

    /// It failed; once more at `next_at`.
    pub fn put_off_notice(&mut self, id: u64, next_at: Millis) -> Result<(), StoreError> {
        let id = rows::int(id)?;
        self.keep(|tx| {
            tx.execute(
                "UPDATE notices SET tries = tries + 1, next_at = ?2 WHERE id = ?1",
                params![id, next_at.0],
            )?;
            Ok(())
        })
    }
}

impl Reader {
    /// Where an account wants to be told; nothing set where it never said.
    pub fn notify_of(&self, owner: Address) -> Result<NotifyRecord, StoreError> {
        self.with(|conn| Ok(record_of(conn, &owner.0[..])?.unwrap_or_default()))
    }

    /// What is to be told now, the longest due first.
    pub fn notices_due(&self, now: Millis, limit: usize) -> Result<Vec<Notice>, StoreError> {
        let limit = rows::limit(limit);
        self.with(|conn| {
            let mut statement = conn.prepare_cached(
                "SELECT id, owner, channel, tries, body FROM notices WHERE next_at <= ?1 ORDER BY next_at, id LIMIT ?2",
            )?;
            let mut found = statement.query([now.0, limit])?;
            let mut due = Vec::new();
            while let Some(row) = found.next()? {
                let owner = row.get_ref(1)?.as_blob().map_err(rusqlite::Error::from)?;
                let body = row.get_ref(4)?.as_str().map_err(rusqlite::Error::from)?;
                due.push(Notice {
                    id: rows::number("a notice's number", row.get(0)?)?,
                    owner: rows::address("a notice's owner", owner)?,
                    channel: rows::parse("a channel", row.get_ref(2)?.as_str().map_err(rusqlite::Error::from)?)?,
                    tries: row.get(3)?,
                    what: rows::parse("a notice", body)?,
                });
            }
            Ok(due)
        })
    }
}
