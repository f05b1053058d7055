//! The market as it was: a sample a minute, thinned with age. Totals grow, so that a sample that is thinned away takes no
//! work with it.

use crate::{Reader, Store, StoreError, rows};
use rusqlite::{Connection, OptionalExtension, params};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use tatau_model::{Amount, Millis};

const HOUR_MS: i64 = 3_600_000;
const DAY_MS: i64 = 24 * HOUR_MS;
/// Every sample is kept so long, then the last of each hour, then the last of each day, then none.
const WHOLE_MS: i64 = 2 * DAY_MS;
const HOURLY_MS: i64 = 60 * DAY_MS;
const DAILY_MS: i64 = 366 * DAY_MS;

/// One class of cards in a sample.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClassSample {
    /// Cards on offer.
    pub online: u32,
    /// Of them at work.
    pub working: u32,
    /// Lowest ask for a reference hour; `None` where nobody offers.
    pub low: Option<Amount>,
    /// Middle ask.
    pub middle: Option<Amount>,
}

/// Work that was verified, since the platform's beginning.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verified {
    /// Frames accepted.
    pub frames: u64,
    /// Tasks accepted, frames among them.
    pub tasks: u64,
    /// Audits judged.
    pub audits: u64,
    /// Results that were proven wrong.
    pub caught: u64,
    /// Paid to providers.
    pub paid: Amount,
    /// Paid to validators.
    pub audit_pay: Amount,
}

/// The market at one moment.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sample {
    /// When.
    pub at: Millis,
    /// Last journal entry that `verified` counts.
    pub entry: u64,
    /// Supply by class.
    pub classes: BTreeMap<String, ClassSample>,
    /// Tasks that wait.
    pub waiting: u64,
    /// Their reference milliseconds.
    pub waiting_ms: u64,
    /// Work verified so far.
    pub verified: Verified,
}

impl Store {
    /// Keeps a sample, in place of one of the same moment, and thins older ones.
    pub fn put_sample(&mut self, sample: &Sample) -> Result<(), StoreError> {
        let (entry, body) = (rows::int(sample.entry)?, rows::body(sample)?);
        self.keep(|tx| {
            tx.execute(
                "INSERT INTO samples (at, entry, body) VALUES (?1, ?2, ?3)
                 ON CONFLICT (at) DO UPDATE SET entry = excluded.entry, body = excluded.body",
                params![sample.at.0, entry, body],
            )?;
            tx.execute("DELETE FROM samples WHERE at < ?1", [sample.at.0 - DAILY_MS])?;
            for (age, span) in [(WHOLE_MS, HOUR_MS), (HOURLY_MS, DAY_MS)] {
                tx.execute(
                    "DELETE FROM samples WHERE at < ?1 AND EXISTS (SELECT 1 FROM samples later
                     WHERE later.at > samples.at AND later.at < (samples.at / ?2 + 1) * ?2)",
                    [sample.at.0 - age, span],
                )?;
            }
            Ok(())
        })
    }
}

impl Reader {
    /// Samples from that moment on, oldest first.
    pub fn samples(&self, since: Millis) -> Result<Vec<Sample>, StoreError> {
        self.with(|conn| {
            crate::reader::all(
                conn,
                "a sample",
                "SELECT body FROM samples WHERE at >= ?1 ORDER BY at",
                [since.0],
            )
        })
    }

    /// The last sample before that moment.
    pub fn sample_before(&self, at: Millis) -> Result<Option<Sample>, StoreError> {
        let sql = "SELECT body FROM samples WHERE at < ?1 ORDER BY at DESC LIMIT 1";
        self.with(|conn| crate::reader::one(conn, "a sample", sql, [at.0]))
    }

    /// Work verified by entries after `after`, and the last entry that it counts. Linear in the entries since then.
    pub fn verified_since(&self, after: u64) -> Result<(Verified, u64), StoreError> {
        let after = rows::key(after);
        self.with(|conn| {
            let last: i64 = conn.query_row("SELECT coalesce(max(id), 0) FROM journal", [], |r| r.get(0))?;
            let (frames, tasks, paid) = posted(conn, after, last)?;
            let (audits, caught) = judged(conn, after, last)?;
            let audit_pay = audit_pay(conn, after, last)?;
            let verified = Verified { frames, tasks, audits, caught, paid, audit_pay };
            Ok((verified, rows::number("the last journal entry", last)?))
        })
    }
}

/// Frames and tasks accepted, and what their providers got, work that its buyer cut short included.
fn posted(conn: &Connection, after: i64, last: i64) -> Result<(u64, u64, Amount), StoreError> {
    let sql = "SELECT count(DISTINCT CASE WHEN a.state = 'accepted' AND json_extract(t.body, '$.work') = 'render' THEN a.id END),
                      count(DISTINCT CASE WHEN a.state = 'accepted' THEN a.id END),
                      coalesce(sum(CASE WHEN l.amount > 0 AND (b.account = h.name || '/pending'
                          OR (b.account = h.name || '/available' AND a.state <> 'accepted')) THEN l.amount END), 0)
               FROM journal j
               JOIN attempts a ON a.id = json_extract(j.why, '$.attempt')
               JOIN tasks t ON t.id = a.task
               JOIN holders h ON h.name = '0x' || lower(hex(a.provider))
               LEFT JOIN legs l ON l.holder = h.id AND l.entry = j.id
               LEFT JOIN balances b ON b.id = l.account
               WHERE j.id > ?1 AND j.id <= ?2 AND json_extract(j.why, '$.why') = 'post'";
    let row = conn.prepare_cached(sql)?.query_row([after, last], |r| Ok((r.get(0)?, r.get(1)?, r.get(2)?)));
    let (frames, tasks, paid): (i64, i64, i64) = row?;
    Ok((rows::number("a count of frames", frames)?, rows::number("a count of tasks", tasks)?, Amount(paid)))
}

/// Audits of attempts that were decided, and attempts that were proven wrong.
fn judged(conn: &Connection, after: i64, last: i64) -> Result<(u64, u64), StoreError> {
    let sql = "SELECT coalesce(sum((SELECT count(*) FROM audits WHERE audits.attempt = a.id AND audits.state = 'judged')), 0),
                      coalesce(sum(a.state = 'rejected' AND json_extract(a.body, '$.code') = 'wrong_result'), 0)
               FROM attempts a
               WHERE a.id IN (SELECT json_extract(j.why, '$.attempt') FROM journal j
                              WHERE j.id > ?1 AND j.id <= ?2 AND json_extract(j.why, '$.why') IN ('post', 'release'))
                 AND a.state IN ('accepted', 'rejected')";
    let (audits, caught): (i64, i64) =
        conn.prepare_cached(sql)?.query_row([after, last], |r| Ok((r.get(0)?, r.get(1)?)))?;
    Ok((rows::number("a count of audits", audits)?, rows::number("a count of faults", caught)?))
}

fn audit_pay(conn: &Connection, after: i64, last: i64) -> Result<Amount, StoreError> {
    let sql = "SELECT -coalesce(sum(l.amount), 0) FROM legs l JOIN journal j ON j.id = l.entry
               WHERE l.holder = (SELECT id FROM holders WHERE name = 'platform/fees') AND l.entry > ?1 AND l.entry <= ?2
                 AND l.amount < 0 AND json_extract(j.why, '$.why') = 'audit_fee'";
    let paid = conn.prepare_cached(sql)?.query_row([after, last], |r| r.get(0)).optional()?;
    Ok(Amount(paid.unwrap_or(0)))
}
