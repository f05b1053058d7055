//! Jobs, their tasks, attempts and audits; nodes.

use super::{MAX_ROWS, Reader};
use crate::{StoreError, load::job_of, rows};
use rusqlite::{Connection, OptionalExtension, Params, params};
use serde::de::DeserializeOwned;
use std::collections::{HashMap, HashSet};
use tatau_model::{
    Account, Address, Attempt, AttemptId, Audit, AuditId, BlobId, Job, JobId, Millis, Node, Task, TaskId,
};

/// A task, and when it last changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChangedTask {
    /// The task.
    pub task: Task,
    /// Number of the batch that last wrote it; grows with every batch.
    pub changed: u64,
}

/// Blobs that jobs still need.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct InUse {
    /// Manifests of inputs; what they name is needed as well.
    pub manifests: HashSet<BlobId>,
    /// Everything else.
    pub blobs: HashSet<BlobId>,
    /// What each owner's jobs hold.
    pub held: HashMap<Address, Held>,
}

/// What the jobs of one owner hold, each file once.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Held {
    /// Manifests of their inputs.
    pub manifests: HashSet<BlobId>,
    /// What was delivered for them, and its size in bytes.
    pub outputs: HashMap<BlobId, u64>,
}

impl Reader {
    /// The account, if it was opened.
    pub fn account(&self, owner: Address) -> Result<Option<Account>, StoreError> {
        self.with(|c| one(c, "an account", "SELECT body FROM accounts WHERE owner = ?1", [&owner.0[..]]))
    }

    /// The node, if it registered.
    pub fn node(&self, id: Address) -> Result<Option<Node>, StoreError> {
        self.with(|c| one(c, "a node", "SELECT body FROM nodes WHERE id = ?1", [&id.0[..]]))
    }

    /// Nodes of an owner.
    pub fn nodes_of(&self, owner: Address) -> Result<Vec<Node>, StoreError> {
        let sql = "SELECT body FROM nodes WHERE owner = ?1 ORDER BY id";
        self.with(|c| all(c, "a node", sql, [&owner.0[..]]))
    }

    /// The job, open or not.
    pub fn job(&self, id: JobId) -> Result<Option<Job>, StoreError> {
        let id = rows::key(id.0);
        self.with(|c| Ok(jobs(c, "WHERE id = ?1", [id])?.pop()))
    }

    /// Jobs of an owner, newest first.
    pub fn jobs_of(&self, owner: Address, limit: usize) -> Result<Vec<Job>, StoreError> {
        let limit = rows::limit(limit.min(MAX_ROWS));
        self.with(|c| jobs(c, "WHERE owner = ?1 ORDER BY id DESC LIMIT ?2", params![&owner.0[..], limit]))
    }

    /// What an owner bought or had inspected, newest first, older than `before`; benchmarks of own machines are left out.
    pub fn buyers_jobs(
        &self,
        owner: Address,
        before: Option<JobId>,
        limit: usize,
    ) -> Result<Vec<Job>, StoreError> {
        let before = before.map_or(i64::MAX, |id| rows::key(id.0));
        let limit = rows::limit(limit.min(MAX_ROWS));
        let filter = "WHERE owner = ?1 AND id < ?2 AND json_extract(body, '$.kind') <> 'benchmark'
                      ORDER BY id DESC LIMIT ?3";
        self.with(|c| jobs(c, filter, params![&owner.0[..], before, limit]))
    }

    /// The newest finished inspection of these inputs.
    pub fn inspection_of(&self, owner: Address, inputs: BlobId) -> Result<Option<Job>, StoreError> {
        let filter = "WHERE owner = ?1 AND state = 'finished' AND json_extract(body, '$.kind') = 'inspect'
                      AND json_extract(body, '$.inputs') = ?2 ORDER BY id DESC LIMIT 1";
        self.with(|c| Ok(jobs(c, filter, params![&owner.0[..], inputs.to_string()])?.pop()))
    }

    /// Render jobs of an owner on these inputs, newest first.
    pub fn renders_of(&self, owner: Address, inputs: BlobId, limit: usize) -> Result<Vec<Job>, StoreError> {
        let filter = "WHERE owner = ?1 AND json_extract(body, '$.inputs') = ?2
                      AND json_extract(body, '$.kind') = 'render' ORDER BY id DESC LIMIT ?3";
        let limit = rows::limit(limit.min(MAX_ROWS));
        self.with(|c| jobs(c, filter, params![&owner.0[..], inputs.to_string(), limit]))
    }

    /// The newest job that this request made, open or not: a request repeated after the job's end finds it here.
    pub fn job_of_request(&self, owner: Address, key: &str) -> Result<Option<Job>, StoreError> {
        let filter = "WHERE owner = ?1 AND request_key = ?2 AND request_key <> '' ORDER BY id DESC LIMIT 1";
        self.with(|c| Ok(jobs(c, filter, params![&owner.0[..], key])?.pop()))
    }

    /// The task, if there is one.
    pub fn task(&self, id: TaskId) -> Result<Option<Task>, StoreError> {
        let id = rows::key(id.0);
        self.with(|c| one(c, "a task", "SELECT body FROM tasks WHERE id = ?1", [id]))
    }

    /// Tasks of a job that changed after that batch (0: all), in order of their numbers. The largest `changed` of the
    /// answer is what to pass next time.
    pub fn tasks_of(&self, job: JobId, changed_after: u64) -> Result<Vec<ChangedTask>, StoreError> {
        let (job, after) = (rows::key(job.0), rows::key(changed_after));
        self.with(|c| {
            let mut statement = c.prepare_cached(
                "SELECT body, changed FROM tasks WHERE job = ?1 AND changed > ?2 ORDER BY id",
            )?;
            let mut found = statement.query([job, after])?;
            let mut tasks = Vec::new();
            while let Some(row) = found.next()? {
                at_most(tasks.len(), "tasks")?;
                let task = rows::parse("a task", text(row)?)?;
                tasks.push(ChangedTask { task, changed: rows::number("a task's change", row.get(1)?)? });
            }
            Ok(tasks)
        })
    }

    /// The attempt, open or not.
    pub fn attempt(&self, id: AttemptId) -> Result<Option<Attempt>, StoreError> {
        let id = rows::key(id.0);
        self.with(|c| one(c, "an attempt", "SELECT body FROM attempts WHERE id = ?1", [id]))
    }

    /// All attempts at a task, in order.
    pub fn attempts_of_task(&self, task: TaskId) -> Result<Vec<Attempt>, StoreError> {
        let task = rows::key(task.0);
        let sql = "SELECT body FROM attempts
                   WHERE job = (SELECT job FROM tasks WHERE id = ?1) AND task = ?1 ORDER BY id";
        self.with(|c| all(c, "an attempt", sql, [task]))
    }

    /// All attempts at a job's tasks, in order.
    pub fn attempts_of_job(&self, job: JobId) -> Result<Vec<Attempt>, StoreError> {
        let sql = "SELECT body FROM attempts WHERE job = ?1 ORDER BY id";
        let job = rows::key(job.0);
        self.with(|c| all(c, "an attempt", sql, [job]))
    }

    /// The audit, open or not.
    pub fn audit(&self, id: AuditId) -> Result<Option<Audit>, StoreError> {
        let id = rows::key(id.0);
        self.with(|c| one(c, "an audit", "SELECT body FROM audits WHERE id = ?1", [id]))
    }

    /// All audits of an attempt, in order.
    pub fn audits_of_attempt(&self, attempt: AttemptId) -> Result<Vec<Audit>, StoreError> {
        let sql = "SELECT body FROM audits WHERE attempt = ?1 ORDER BY id";
        let attempt = rows::key(attempt.0);
        self.with(|c| all(c, "an audit", sql, [attempt]))
    }

    /// All audits of a job's attempts, in order.
    pub fn audits_of_job(&self, job: JobId) -> Result<Vec<Audit>, StoreError> {
        let sql = "SELECT audits.body FROM attempts JOIN audits ON audits.attempt = attempts.id
                   WHERE attempts.job = ?1 ORDER BY audits.id";
        let job = rows::key(job.0);
        self.with(|c| all(c, "an audit", sql, [job]))
    }

    /// Blobs that jobs still need: inputs and bundles, delivered outputs and audit files of every job that is open or
    /// ended at or after `ended_since`.
    pub fn blobs_in_use(&self, ended_since: Millis) -> Result<InUse, StoreError> {
        self.with(|c| {
            let kept = "(SELECT id FROM jobs WHERE open = 1 OR ended IS NULL OR ended >= ?1 AND id NOT IN (SELECT job FROM forgotten))";
            let mut manifests = HashSet::new();
            let mut blobs = HashSet::new();
            let mut owners = HashMap::new();
            let mut held: HashMap<Address, Held> = HashMap::new();
            let job_filter = format!("WHERE id IN {kept}");
            for job in jobs(c, &job_filter, [ended_since.0])? {
                held.entry(job.owner).or_default().manifests.extend(job.inputs);
                owners.insert(job.id, job.owner);
                manifests.extend(job.inputs);
                blobs.extend(job.bundle);
            }
            let sql = format!("SELECT body FROM attempts WHERE job IN {kept}");
            each(c, "an attempt", &sql, [ended_since.0], |attempt: Attempt| {
                // What was refused is not its buyer's, and goes with the job.
                let refused = matches!(attempt.state, tatau_model::AttemptState::Rejected { .. });
                let of_owner =
                    owners.get(&attempt.job).filter(|_| !refused).and_then(|owner| held.get_mut(owner));
                if let Some(held) = of_owner {
                    held.outputs.extend(attempt.outputs.iter().map(|f| (f.blob, f.bytes)));
                }
                blobs.extend(attempt.outputs.iter().map(|f| f.blob));
                Ok(())
            })?;
            let sql = format!("SELECT body FROM audits WHERE job IN {kept}");
            each(c, "an audit", &sql, [ended_since.0], |audit: Audit| {
                blobs.extend(audit.files.iter().map(|f| f.blob));
                Ok(())
            })?;
            Ok(InUse { manifests, blobs, held })
        })
    }
}

fn jobs(conn: &Connection, filter: &str, params: impl Params) -> Result<Vec<Job>, StoreError> {
    let mut statement =
        conn.prepare_cached(&format!("SELECT body, spent, reference_ms FROM jobs {filter}"))?;
    let mut found = statement.query(params)?;
    let mut jobs = Vec::new();
    while let Some(row) = found.next()? {
        jobs.push(job_of(row)?);
    }
    Ok(jobs)
}

fn text<'r>(row: &'r rusqlite::Row<'_>) -> Result<&'r str, StoreError> {
    Ok(row.get_ref(0)?.as_str().map_err(rusqlite::Error::from)?)
}

/// The record, `None` where there is no such row.
pub(crate) fn one<T: DeserializeOwned>(
    conn: &Connection,
    what: &str,
    sql: &str,
    params: impl Params,
) -> Result<Option<T>, StoreError> {
    let body: Option<String> = conn.prepare_cached(sql)?.query_row(params, |r| r.get(0)).optional()?;
    body.map(|text| rows::parse(what, &text)).transpose()
}

/// All records of a query, in its order; an error where they are too many.
pub(crate) fn all<T: DeserializeOwned>(
    conn: &Connection,
    what: &str,
    sql: &str,
    params: impl Params,
) -> Result<Vec<T>, StoreError> {
    let mut records = Vec::new();
    each(conn, what, sql, params, |record| {
        at_most(records.len(), what)?;
        records.push(record);
        Ok(())
    })?;
    Ok(records)
}

/// Room for one more row?
fn at_most(rows: usize, what: &str) -> Result<(), StoreError> {
    if rows < MAX_ROWS { Ok(()) } else { Err(StoreError::TooMany { what: what.to_owned(), limit: MAX_ROWS }) }
}

fn each<T: DeserializeOwned>(
    conn: &Connection,
    what: &str,
    sql: &str,
    params: impl Params,
    mut take: impl FnMut(T) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    let mut statement = conn.prepare_cached(sql)?;
    let mut found = statement.query(params)?;
    while let Some(row) = found.next()? {
        take(rows::parse(what, text(row)?)?)?;
    }
    Ok(())
}
