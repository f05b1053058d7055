//! Time passed: leases, deliveries and audits that are overdue, dispute windows, unbonding, jobs that are over.

use crate::{Draft, Effect, Refusal, Reply, accounts, audits, lease_ends, verdicts};
use tatau_model::{AttemptId, AttemptState, AuditId, Change, JobId};

/// Records handled in one tick; the next tick comes soon.
const LIMIT: usize = 1_000;

pub(crate) fn tick(draft: &mut Draft<'_>) -> Result<Reply, Refusal> {
    let now = draft.now;
    let due: Vec<AttemptId> =
        draft.state.due.iter().take_while(|(at, _)| *at <= now).take(LIMIT).map(|(_, id)| *id).collect();
    for id in due {
        overdue(draft, id)?;
    }
    silent_nodes(draft)?;
    let late: Vec<AuditId> = draft
        .state
        .audit_due
        .iter()
        .take_while(|(at, _)| *at <= now)
        .take(LIMIT)
        .map(|(_, id)| *id)
        .collect();
    for id in late {
        // A verdict earlier in this tick may have voided it.
        if !draft.audit(id)?.state.is_ended() {
            audits::reopen(draft, id)?;
        }
    }
    accounts::release_unbonded(draft, LIMIT)?;
    close_jobs(draft);
    Ok(Reply::Done)
}

fn overdue(draft: &mut Draft<'_>, id: AttemptId) -> Result<(), Refusal> {
    let attempt = draft.attempt(id)?;
    match attempt.state {
        AttemptState::Leased => {
            draft.effect(Effect::StopAttempt(id));
            lease_ends::failed(draft, id, "expired", "the lease ran out before a receipt came")
        }
        AttemptState::Committed => {
            let sentence = "a receipt was signed, but the outputs did not arrive before the deadline";
            verdicts::reject(draft, id, "silent", sentence, &[])
        }
        // A slash earlier in this tick may have ended the window.
        AttemptState::Accepted if attempt.dispute_until.is_some() => verdicts::settle(draft, id),
        _ => Ok(()),
    }
}

/// A node that is not heard from loses its leases; work that it has a receipt for stays its own.
fn silent_nodes(draft: &mut Draft<'_>) -> Result<(), Refusal> {
    let (state, now) = (draft.state, draft.now);
    let lost: Vec<AttemptId> = state
        .node_leases
        .iter()
        .filter(|(node, _)| !state.is_online(node, now))
        .flat_map(|(_, leases)| leases.iter().copied())
        .take(LIMIT)
        .collect();
    for id in lost {
        if draft.attempt(id)?.state == AttemptState::Leased {
            lease_ends::void(draft, id, "vanished", "the node was not heard from")?;
        }
    }
    Ok(())
}

/// Jobs that ended and hold nothing open are archived.
fn close_jobs(draft: &mut Draft<'_>) {
    let state = draft.state;
    let over: Vec<JobId> = state
        .jobs
        .values()
        .filter(|job| job.state.is_ended() && !state.job_open.contains_key(&job.id))
        .map(|job| job.id)
        .take(LIMIT)
        .collect();
    for id in over {
        if draft.drafted_attempts().any(|a| a.job == id) {
            continue;
        }
        for attempt in state.job_attempts.get(&id).into_iter().flatten() {
            draft.last(Change::CloseAttempt(*attempt));
        }
        draft.last(Change::CloseJob(id));
    }
}
