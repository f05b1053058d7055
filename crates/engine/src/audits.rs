//! Audits: handing them out blind, commitments, reveals.

use crate::{Draft, Effect, Refusal, Reply};
use rand::{Rng, RngExt};
use std::collections::BTreeSet;
use tatau_model::{
    Address, Audit, AuditId, AuditState, Card, Change, Digest, Job, JobId, Node, OutputFile, Purpose,
};

const MAX_FILES: usize = 128;
/// How many open audits of one job one request looks at.
const AUDITS_LOOKED_AT: usize = 4_096;
/// What goes unanswered within this time is one outage, ms.
const OUTAGE_MS: u64 = 30_000;

/// How an audit that was taken went unanswered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// With all that its validator held: a lost network, a lost power, an orderly stop. Six audits in hand are one fault.
    OfAnOutage,
    /// On its own, while the validator takes others: it may be picking.
    Each,
}

/// Gives up to `max` audits of one job to a validating node, in random order so that nobody can wait for a friend's.
pub(crate) fn take(
    draft: &mut Draft<'_>,
    id: Address,
    max: u16,
    warm: &[JobId],
    rng: &mut impl Rng,
) -> Result<Reply, Refusal> {
    let state = draft.state;
    let node = state.node(&id).ok_or_else(|| Refusal::new("not_found", format!("there is no node {id}")))?;
    draft.last(Change::Seen { node: id, at: draft.now });
    if !node.offer.validates || node.draining || max == 0 {
        return Ok(Reply::Audits(Vec::new()));
    }
    let least = draft.state.config.validator_stake;
    let stake = draft.balance(node.owner, Purpose::StakeFree);
    if stake < least {
        let sentence = format!("a validator needs {least} TATAU of free stake, this account has {stake}");
        return Err(Refusal::new("too_little", sentence));
    }
    let account = draft.account(node.owner)?;
    if account.audit_faults > account.audits_done / 4 + 5 {
        let sentence = "this account left too many audits unanswered or contradicted; it gets no more here";
        return Err(Refusal::new("barred", sentence));
    }
    let held = state.node_audits.get(&id).map_or(0, std::collections::BTreeSet::len);
    let max = usize::from(max).min(state.config.audits_per_node.saturating_sub(held));
    let mut order: Vec<JobId> =
        warm.iter().take(16).filter(|j| state.open_audits.contains_key(j)).copied().collect();
    order.extend(state.open_audits.keys().filter(|j| !warm.contains(j)));
    for job in order {
        let Some(found) = state.open_audits.get(&job) else { continue };
        let mut open = window(found, rng);
        let mut given: Vec<AuditId> = Vec::new();
        while given.len() < max && !open.is_empty() {
            let audit = open.swap_remove(rng.random_range(..open.len()));
            let candidate = draft.audit(audit)?;
            // One owner audits one attempt once, also within this answer.
            let attempt = candidate.attempt;
            let twice = given.iter().any(|g| draft.audit(*g).is_ok_and(|a| a.attempt == attempt));
            if !twice && eligible(draft, candidate, node) {
                assign(draft, audit, node)?;
                given.push(audit);
            }
        }
        if !given.is_empty() {
            given.sort_unstable();
            return Ok(Reply::Audits(given));
        }
    }
    Ok(Reply::Audits(Vec::new()))
}

/// Open audits that one request looks at, from a random place on: all of them where there are not too many.
fn window(open: &BTreeSet<AuditId>, rng: &mut impl Rng) -> Vec<AuditId> {
    let (Some(first), Some(last)) = (open.first(), open.last()) else { return Vec::new() };
    let from = AuditId(rng.random_range(first.0..=last.0));
    open.range(from..).chain(open.range(..from)).take(AUDITS_LOOKED_AT).copied().collect()
}

/// Never the provider's own account, never the buyer's, never its network block, never twice by one owner.
fn eligible(draft: &Draft<'_>, audit: &Audit, node: &Node) -> bool {
    let (Ok(attempt), Ok(job)) = (draft.attempt(audit.attempt), draft.job(audit.job)) else { return false };
    let apart = draft.state.config.same_block_allowed
        || draft.node(attempt.node).is_ok_and(|provider| provider.block != node.block);
    // Who let it lie once gets it again only after nobody else took it for a while: a small market must not get stuck.
    let nobody_else_came = draft.now.since(audit.due) > draft.state.config.audit_ms;
    audit.state == AuditState::Open
        && attempt.provider != node.owner
        && job.owner != node.owner
        && draft.state.may_see(job, &node.owner)
        && apart
        && node.offer.has(&job.environment)
        && (!on_device(draft, audit) || can_repeat(job, node))
        && (!audit.excluded.contains(&node.owner) || nobody_else_came)
        && !draft.state.audits_of(audit.attempt).any(|other| other.validator == Some(node.owner))
}

fn on_device(draft: &Draft<'_>, audit: &Audit) -> bool {
    draft.task(audit.task).is_ok_and(|task| task.work.is_on_device())
}

/// Has this validator a card that can repeat what is rendered of the job? On processors all have: those of an old version name no cards.
pub(crate) fn can_repeat(job: &Job, node: &Node) -> bool {
    let able = |card: &Card| card.renders_on(job.device()) && card.memory_mib >= job.memory_mib;
    job.device().is_cpu() || node.cards.iter().any(able)
}

fn assign(draft: &mut Draft<'_>, id: AuditId, node: &Node) -> Result<(), Refusal> {
    let due = draft.now.plus(draft.state.config.audit_ms);
    let audit = draft.audit_mut(id)?;
    audit.become_state(AuditState::Assigned)?;
    audit.node = Some(node.id);
    audit.validator = Some(node.owner);
    audit.due = due;
    Ok(())
}

pub(crate) fn commit(
    draft: &mut Draft<'_>,
    node: Address,
    id: AuditId,
    commitment: Digest,
) -> Result<Reply, Refusal> {
    let Some(audit) = current(draft, node, id)? else { return Ok(Reply::Done) };
    if audit.commitment == Some(commitment) {
        return Ok(Reply::Done);
    }
    if audit.commitment.is_some() {
        return Err(Refusal::new("conflict", format!("{id} has another commitment already")));
    }
    let audit = draft.audit_mut(id)?;
    audit.become_state(AuditState::Committed)?;
    audit.commitment = Some(commitment);
    Ok(Reply::Done)
}

pub(crate) fn reveal(
    draft: &mut Draft<'_>,
    node: Address,
    id: AuditId,
    files: Vec<OutputFile>,
    work_ms: u64,
) -> Result<Reply, Refusal> {
    let Some(audit) = current(draft, node, id)? else { return Ok(Reply::Done) };
    if matches!(audit.state, AuditState::Revealed | AuditState::Judged { .. }) {
        return Ok(Reply::Done);
    }
    if files.is_empty() || files.len() > MAX_FILES {
        return Err(Refusal::new("invalid", format!("an audit reveals 1 to {MAX_FILES} files")));
    }
    let audit = draft.audit_mut(id)?;
    audit.become_state(AuditState::Revealed)?;
    audit.files = files;
    audit.work_ms = work_ms;
    draft.effect(Effect::Judge(id));
    Ok(Reply::Done)
}

/// A validator cannot do it: another one gets it.
pub(crate) fn fail(draft: &mut Draft<'_>, node: Address, id: AuditId) -> Result<Reply, Refusal> {
    let Some(audit) = current(draft, node, id)? else { return Ok(Reply::Done) };
    if matches!(audit.state, AuditState::Assigned | AuditState::Committed) {
        // A node that drains gets no others until it registers again.
        let fault = if draft.node(node)?.draining { Fault::OfAnOutage } else { Fault::Each };
        reopen(draft, id, fault)?;
    }
    Ok(Reply::Done)
}

/// Back to the queue, for another owner first.
pub(crate) fn reopen(draft: &mut Draft<'_>, id: AuditId, fault: Fault) -> Result<(), Refusal> {
    let now = draft.now;
    let audit = draft.audit_mut(id)?;
    audit.become_state(AuditState::Open)?;
    audit.due = now;
    audit.commitment = None;
    audit.node = None;
    if let Some(validator) = audit.validator.take() {
        if !audit.excluded.contains(&validator) {
            audit.excluded.push(validator);
        }
        let account = draft.account_mut(validator)?;
        let same = account.last_audit_fault.is_some_and(|at| now.since(at) < OUTAGE_MS);
        if fault == Fault::Each || !same {
            account.audit_faults += 1;
            account.last_audit_fault = Some(now);
        }
    }
    draft.effect(Effect::WakeValidators);
    Ok(())
}

/// The audit if it is this node's; `None` where it is settled without it.
fn current<'d>(draft: &'d Draft<'_>, node: Address, id: AuditId) -> Result<Option<&'d Audit>, Refusal> {
    let Ok(audit) = draft.audit(id) else { return Ok(None) };
    if audit.state == AuditState::Void {
        return Ok(None);
    }
    if audit.node != Some(node) {
        return Err(Refusal::new("not_yours", format!("{id} is not assigned to this node (any more)")));
    }
    Ok(Some(audit))
}
