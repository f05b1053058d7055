//! Receipts, deliveries, and the epochs that turn receipts into challenges.

use crate::{Draft, Effect, Refusal, Reply, lease_ends, verdicts};
use tatau_evidence::{beacon, merkle, typed};
use tatau_model::{
    Address, AttemptId, AttemptState, Change, Digest, Epoch, EpochId, OutputFile, Receipt, TaskState,
};
use tatau_workload::{trace, units};

/// Receipts one epoch takes at most; the rest wait for the next.
const RECEIPTS_AN_EPOCH: usize = 50_000;

pub(crate) fn commit(
    draft: &mut Draft<'_>,
    node: Address,
    id: AttemptId,
    receipt: Receipt,
) -> Result<Reply, Refusal> {
    let gone =
        || Refusal::new("conflict", format!("the lease of {id} is over; its task went to another provider"));
    let attempt = draft.attempt(id).map_err(|_| gone())?;
    lease_ends::own(attempt, node)?;
    if attempt.receipt.as_ref() == Some(&receipt) {
        return Ok(Reply::Done);
    }
    if attempt.receipt.is_some() {
        return Err(Refusal::new(
            "conflict",
            format!("{id} has another receipt already; one attempt, one receipt"),
        ));
    }
    let (task, job) = (attempt.task, attempt.job);
    let expected = units::units(&draft.task(task)?.work, draft.job(job)?);
    if receipt.units != expected {
        let sentence = format!("the receipt claims {} work units, the task has {expected}", receipt.units);
        return Err(Refusal::new("invalid", sentence));
    }
    let (now, delivery) = (draft.now, draft.state.config.delivery_ms);
    let attempt = draft.attempt_mut(id)?;
    attempt.become_state(AttemptState::Committed)?;
    attempt.receipt = Some(receipt);
    attempt.committed = Some(now);
    attempt.due = now.plus(delivery);
    draft.task_mut(task)?.become_state(TaskState::Auditing)?;
    draft.last(Change::Seen { node, at: now });
    draft.effect(Effect::WakeJob(job));
    Ok(Reply::Done)
}

pub(crate) fn deliver(
    draft: &mut Draft<'_>,
    node: Address,
    id: AttemptId,
    files: Vec<OutputFile>,
) -> Result<Reply, Refusal> {
    let attempt = draft.attempt(id)?;
    lease_ends::own(attempt, node)?;
    if attempt.state == AttemptState::Delivered || attempt.state == AttemptState::Accepted {
        return if attempt.outputs == files {
            Ok(Reply::Done)
        } else {
            Err(Refusal::new("conflict", format!("{id} was delivered already, with other files")))
        };
    }
    let (job, challenge) = (attempt.job, attempt.challenge);
    let task = attempt.task;
    trace::check_sizes(&draft.task(task)?.work, draft.job(job)?, &files)
        .map_err(|s| Refusal::new("invalid", s.to_string()))?;
    let until = draft.now.plus(draft.state.config.verdict_ms);
    let attempt = draft.attempt_mut(id)?;
    attempt.become_state(AttemptState::Delivered)?;
    attempt.outputs = files;
    attempt.due = until;
    // Followers of the task look again: an inspection's report is there.
    draft.task_mut(task)?;
    if let Some(challenge) = challenge {
        verdicts::begin(draft, id, challenge)?;
    }
    draft.effect(Effect::WakeJob(job));
    Ok(Reply::Done)
}

/// Closes the receipt log: root first, then the beacon, then every receipt's challenge.
pub(crate) fn close_epoch(draft: &mut Draft<'_>, beacon: Digest) -> Result<Reply, Refusal> {
    let state = draft.state;
    let sealed: Vec<AttemptId> = state.unsealed.iter().take(RECEIPTS_AN_EPOCH).copied().collect();
    if sealed.is_empty() {
        return Ok(Reply::Done);
    }
    let mut digests = Vec::with_capacity(sealed.len());
    for id in &sealed {
        let attempt = draft.attempt(*id)?;
        let receipt =
            attempt.receipt.as_ref().ok_or_else(|| Refusal::new("internal", "a receipt is missing"))?;
        let domain = typed::Domain::default();
        digests.push(typed::receipt_digest(&domain, *id, attempt.task, attempt.job, attempt.node, receipt));
    }
    let id = EpochId(state.last_epoch.as_ref().map_or(0, |e| e.id.0) + 1);
    let now = draft.now;
    draft.put_epoch(Epoch {
        id,
        receipts_root: merkle::receipts_root(&digests),
        receipts: digests.len() as u64,
        beacon,
        closed: now,
    });
    for attempt_id in sealed {
        let attempt = draft.attempt_mut(attempt_id)?;
        let trace_root = attempt.receipt.as_ref().map(|r| r.trace_root).unwrap_or_default();
        let challenge = beacon::challenge(&beacon, attempt_id, &trace_root);
        attempt.epoch = Some(id);
        attempt.challenge = Some(challenge);
        if attempt.state == AttemptState::Delivered {
            verdicts::begin(draft, attempt_id, challenge)?;
        }
    }
    Ok(Reply::Done)
}
