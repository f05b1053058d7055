//! One event in, one outcome out.

use crate::{
    Draft, Event, Outcome, Refusal, State, accounts, audits, jobs, lease_ends, leases, nodes, receipts, tick,
    verdicts,
};
use rand::Rng;
use tatau_model::Millis;

/// Decides one event. Nothing is applied: the caller applies the changes, makes them durable, then answers.
/// A refusal means that nothing changed.
pub fn step(state: &State, event: Event, now: Millis, rng: &mut impl Rng) -> Result<Outcome, Refusal> {
    let mut draft = Draft::new(state, now);
    let d = &mut draft;
    let reply = match event {
        Event::OpenAccount { owner } => accounts::open(d, owner),
        Event::RegisterNode { node, proof } => nodes::register(d, node, proof, rng),
        Event::SetOffer { node, offer, cards } => nodes::set_offer(d, node, offer, cards, rng),
        Event::Heard { node, revision } => nodes::heard(d, node, revision),
        Event::SetNode { node, by, change } => nodes::set(d, node, by, change),
        Event::Bar { owner, barred } => accounts::bar(d, owner, barred),
        Event::Trust { owner, account, trusted } => accounts::trust(d, owner, account, trusted),
        Event::Drain { node, draining } => nodes::drain(d, node, draining),
        Event::SubmitJob(new) => jobs::submit(d, new),
        Event::CancelJob { job, by } => jobs::cancel(d, job, by),
        Event::PauseJob { job, by } => jobs::pause_by(d, job, by),
        Event::ResumeJob { job, by, more } => jobs::resume(d, job, by, more),
        Event::EditJob { job, by, terms } => jobs::edit(d, job, by, terms),
        Event::Stake { owner, amount } => accounts::stake(d, owner, amount),
        Event::Unstake { owner, amount } => accounts::unstake(d, owner, amount),
        Event::Seen { node } => nodes::seen(d, node, rng),
        Event::Lease { node, cards, warm } => leases::lease(d, node, &cards, &warm, rng),
        Event::FailAttempt { node, attempt, code, sentence } => {
            lease_ends::fail(d, node, attempt, &code, &sentence)
        }
        Event::CommitReceipt { node, attempt, receipt } => receipts::commit(d, node, attempt, receipt),
        Event::Deliver { node, attempt, files } => receipts::deliver(d, node, attempt, files),
        Event::CloseEpoch { beacon } => receipts::close_epoch(d, beacon),
        Event::TakeAudits { node, max, warm } => audits::take(d, node, max, &warm, rng),
        Event::CommitAudit { node, audit, commitment } => audits::commit(d, node, audit, commitment),
        Event::RevealAudit { node, audit, files, work_ms } => audits::reveal(d, node, audit, files, work_ms),
        Event::FailAudit { node, audit, .. } => audits::fail(d, node, audit),
        Event::Judge { audit, measurement, agrees_with } => {
            verdicts::judge(d, audit, measurement, agrees_with)
        }
        Event::Tick => tick::tick(d),
    }?;
    Ok(draft.finish(reply))
}
