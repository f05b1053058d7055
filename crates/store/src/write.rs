//! A condensed batch as rows. Parents come before children, so that every foreign key holds at once.

use crate::{
    StoreError,
    batch::{Batch, Row, UnbondingStep},
    notices, rows,
};
use rusqlite::{Transaction, params};
use tatau_model::{Attempt, Job};

/// Writes everything but the money. `number`: of this batch.
pub(crate) fn records(tx: &Transaction<'_>, batch: &Batch<'_>, number: i64) -> Result<(), StoreError> {
    accounts_and_nodes(tx, batch)?;
    jobs(tx, batch)?;
    let mut put = tx.prepare_cached(
        "INSERT INTO tasks (id, job, state, changed, body) VALUES (?1, ?2, ?3, ?4, ?5)
         ON CONFLICT (id) DO UPDATE SET state = excluded.state, changed = excluded.changed, body = excluded.body",
    )?;
    for task in batch.tasks.values() {
        let (id, job) = (rows::int(task.id.0)?, rows::int(task.job.0)?);
        put.execute(params![id, job, task.state.name(), number, rows::body(task)?])?;
    }
    let mut put = tx.prepare_cached("INSERT INTO epochs (id, body) VALUES (?1, ?2)")?;
    for epoch in &batch.epochs {
        put.execute(params![rows::int(epoch.id.0)?, rows::body(epoch)?])?;
    }
    attempts(tx, batch)?;
    let mut put = tx.prepare_cached(
        "INSERT INTO audits (id, attempt, job, validator, state, body) VALUES (?1, ?2, ?3, ?4, ?5, ?6)
         ON CONFLICT (id) DO UPDATE SET
             validator = excluded.validator, state = excluded.state, body = excluded.body",
    )?;
    for audit in batch.audits.values() {
        let validator = audit.validator.as_ref().map(|a| &a.0[..]);
        let (id, attempt, job) =
            (rows::int(audit.id.0)?, rows::int(audit.attempt.0)?, rows::int(audit.job.0)?);
        put.execute(params![id, attempt, job, validator, audit.state.name(), rows::body(audit)?])?;
    }
    unbonding(tx, &batch.unbonding)
}

fn accounts_and_nodes(tx: &Transaction<'_>, batch: &Batch<'_>) -> Result<(), StoreError> {
    let mut put = tx.prepare_cached(
        "INSERT INTO accounts (owner, body) VALUES (?1, ?2) ON CONFLICT (owner) DO UPDATE SET body = excluded.body",
    )?;
    for account in batch.accounts.values() {
        put.execute(params![&account.owner.0[..], rows::body(account)?])?;
    }
    let mut put = tx.prepare_cached(
        "INSERT INTO nodes (id, owner, body) VALUES (?1, ?2, ?3)
         ON CONFLICT (id) DO UPDATE SET owner = excluded.owner, body = excluded.body",
    )?;
    for node in batch.nodes.values() {
        put.execute(params![&node.id.0[..], &node.owner.0[..], rows::body(node)?])?;
    }
    Ok(())
}

fn jobs(tx: &Transaction<'_>, batch: &Batch<'_>) -> Result<(), StoreError> {
    let mut put = tx.prepare_cached(
        "INSERT INTO jobs (id, owner, state, open, created, ended, spent, reference_ms, request_key, body)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)
         ON CONFLICT (id) DO UPDATE SET state = excluded.state, open = excluded.open, ended = excluded.ended,
             spent = excluded.spent, reference_ms = excluded.reference_ms, body = excluded.body",
    )?;
    let mut close = tx.prepare_cached("UPDATE jobs SET open = 0 WHERE id = ?1")?;
    for (id, Row { record, closed }) in &batch.jobs {
        let number = rows::int(id.0)?;
        let Some(job) = record else {
            known(close.execute([number])?, id)?;
            continue;
        };
        let Job { owner, state, created, ended, spent, request_key, .. } = *job;
        let reference = rows::int(job.reference_ms)?;
        let body = rows::body(job)?;
        notices::note(tx, job)?;
        put.execute(params![
            number,
            &owner.0[..],
            state.name(),
            !closed,
            created.0,
            ended.map(|t| t.0),
            spent.0,
            reference,
            request_key,
            body
        ])?;
    }
    let mut meter = tx.prepare_cached("UPDATE jobs SET spent = ?2, reference_ms = ?3 WHERE id = ?1")?;
    for (id, (spent, reference_ms)) in &batch.meters {
        let changed = meter.execute(params![rows::int(id.0)?, spent.0, rows::int(*reference_ms)?])?;
        known(changed, id)?;
    }
    Ok(())
}

fn attempts(tx: &Transaction<'_>, batch: &Batch<'_>) -> Result<(), StoreError> {
    let mut put = tx.prepare_cached(
        "INSERT INTO attempts (id, job, task, node, provider, state, open, epoch, body)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)
         ON CONFLICT (id) DO UPDATE SET
             state = excluded.state, open = excluded.open, epoch = excluded.epoch, body = excluded.body",
    )?;
    // Most changes of an attempt leave alone what is indexed; naming it would write the indexes again.
    let mut change = tx.prepare_cached(
        "UPDATE attempts SET state = ?2, body = ?3 WHERE id = ?1 AND open = 1 AND epoch IS ?4",
    )?;
    let mut close = tx.prepare_cached("UPDATE attempts SET open = 0 WHERE id = ?1")?;
    for (id, Row { record, closed }) in &batch.attempts {
        let number = rows::int(id.0)?;
        let Some(attempt) = record else {
            known(close.execute([number])?, id)?;
            continue;
        };
        let Attempt { job, task, node, provider, state, epoch, .. } = *attempt;
        let epoch = epoch.map(|e| rows::int(e.0)).transpose()?;
        let (job, task, body) = (rows::int(job.0)?, rows::int(task.0)?, rows::body(attempt)?);
        if !closed && change.execute(params![number, state.name(), body, epoch])? == 1 {
            continue;
        }
        put.execute(params![
            number,
            job,
            task,
            &node.0[..],
            &provider.0[..],
            state.name(),
            !closed,
            epoch,
            body
        ])?;
    }
    let mut close = tx.prepare_cached("UPDATE attempts SET open = 0 WHERE job = ?1 AND open = 1")?;
    for id in &batch.closed_jobs {
        close.execute([rows::int(id.0)?])?;
    }
    Ok(())
}

fn unbonding(tx: &Transaction<'_>, steps: &[UnbondingStep]) -> Result<(), StoreError> {
    for step in steps {
        match step {
            UnbondingStep::Begun { owner, amount, at } => {
                tx.prepare_cached("INSERT INTO unbonding (owner, at, amount) VALUES (?1, ?2, ?3)")?
                    .execute(params![&owner.0[..], at.0, amount.0])?;
            }
            UnbondingStep::Done { owner, at } => {
                let removed = tx
                    .prepare_cached("DELETE FROM unbonding WHERE owner = ?1 AND at = ?2")?
                    .execute(params![&owner.0[..], at.0])?;
                known(removed, format_args!("stake of {owner} that unbonds at {}", at.0))?;
            }
        }
    }
    Ok(())
}

/// A change of something that was never kept is a contradiction, not nothing.
fn known(rows: usize, what: impl std::fmt::Display) -> Result<(), StoreError> {
    if rows == 1 { Ok(()) } else { Err(StoreError::Refused(format!("there is no {what} to change"))) }
}
