//! Time passed: leases, deliveries and audits that are overdue, dispute windows, unbonding, jobs that are over.

use crate::{
    Draft, Effect, Refusal, Reply, accounts,
    audits::{self, Fault},
    jobs, lease_ends, settling,
    state::PLATFORM,
    verdicts,
};
use tatau_model::{AttemptId, AttemptState, AuditId, Change, JobId, JobState};

/// Ticks come every quarter of a second; a longer pause than this is the platform's own, ms.
const LONGEST_PAUSE_MS: u64 = 30_000;
/// Records handled in one tick; the next tick comes soon.
const LIMIT: usize = 1_000;

pub(crate) fn tick(draft: &mut Draft<'_>) -> Result<Reply, Refusal> {
    let now = draft.now;
    let before = draft.state.seen.get(&PLATFORM).copied();
    draft.last(Change::Seen { node: PLATFORM, at: now });
    if let Some(gap) = before.map(|at| now.since(at)).filter(|gap| *gap > LONGEST_PAUSE_MS) {
        // The machine slept or its clock jumped: nobody could answer in that time, so nobody is late by it.
        return forgive(draft, gap);
    }
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
            audits::reopen(draft, id, Fault::OfAnOutage)?;
        }
    }
    lonely_benchmarks(draft)?;
    accounts::release_unbonded(draft, LIMIT)?;
    close_jobs(draft);
    Ok(Reply::Done)
}

/// Moves every open deadline by the time that the platform was away.
fn forgive(draft: &mut Draft<'_>, gap: u64) -> Result<Reply, Refusal> {
    let attempts: Vec<AttemptId> = draft.state.due.iter().map(|(_, id)| *id).collect();
    for id in attempts {
        let attempt = draft.attempt(id)?;
        if !attempt.state.is_ended() {
            let due = attempt.due.plus(gap);
            draft.attempt_mut(id)?.due = due;
        }
    }
    let audits: Vec<AuditId> = draft.state.audit_due.iter().map(|(_, id)| *id).collect();
    for id in audits {
        let due = draft.audit(id)?.due.plus(gap);
        draft.audit_mut(id)?.due = due;
    }
    let nodes: Vec<_> = draft.state.seen.iter().map(|(node, at)| (*node, *at)).collect();
    for (node, at) in nodes {
        if node != PLATFORM {
            draft.last(Change::Seen { node, at: at.plus(gap) });
        }
    }
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
        AttemptState::Delivered => {
            let sentence = "no verdict could be reached in time; nobody is paid, nobody loses anything";
            verdicts::give_up(draft, id, "no_verdict", sentence)
        }
        // A slash earlier in this tick may have ended the window.
        AttemptState::Accepted if attempt.dispute_until.is_some() => settling::settle(draft, id),
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

/// Benchmarks of nodes that left are ended; the node gets new ones when it registers again.
fn lonely_benchmarks(draft: &mut Draft<'_>) -> Result<(), Refusal> {
    let (state, now) = (draft.state, draft.now);
    let lonely: Vec<JobId> = state
        .benchmarks
        .iter()
        .filter(|(node, _)| !state.is_online(node, now))
        .flat_map(|(_, jobs)| jobs.iter().copied())
        .filter(|job| !state.job_open.contains_key(job))
        .take(LIMIT)
        .collect();
    for job in lonely {
        // A lease that vanished in this very tick is dealt with in the next.
        if draft.drafted_attempts().all(|a| a.job != job) {
            jobs::stop_work(draft, job, "vanished", "the node was not heard from")?;
            jobs::end(draft, job, JobState::Cancelled)?;
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
