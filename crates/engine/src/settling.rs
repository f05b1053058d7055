//! Money that follows a verdict: stake and unsettled pay taken, dispute windows closed, validators paid.

use crate::{Draft, Refusal, accounts};
use tatau_model::{AccountKey, Address, Amount, Attempt, AttemptId, AuditId, EntryKind, Purpose};
use tatau_workload::units;

/// Takes the attempt's reserved stake and all unsettled pay: at least half is burned, the rest goes to insurance and
/// to those who proved it, never to the buyer.
pub(crate) fn slash(
    draft: &mut Draft<'_>,
    attempt: &Attempt,
    provers: &[AuditId],
) -> Result<Amount, Refusal> {
    let provider = attempt.provider;
    let reserved = AccountKey::Owner(provider, Purpose::StakeReserved);
    let pending = AccountKey::Owner(provider, Purpose::Pending);
    let unsettled = draft.money.balance(&pending);
    let taken = attempt.reserved.add(unsettled)?;
    if !taken.is_positive() {
        return Ok(Amount::ZERO);
    }
    let config = &draft.state.config;
    let insurance = taken.scale(config.insurance_ppm, 1_000_000)?;
    let burned = taken.scale(config.burn_ppm, 1_000_000)?;
    let share = taken.sub(burned)?.sub(insurance)?;
    let mut takers: Vec<Address> = Vec::new();
    for audit in provers {
        takers.extend(draft.audit(*audit)?.validator);
    }
    let mut parts: Vec<(AccountKey, Amount)> = Vec::new();
    let mut left = taken;
    for taker in &takers {
        let part = share.scale(1, takers.len() as u64)?;
        parts.push((AccountKey::available(*taker), part));
        left = left.sub(part)?;
    }
    parts.push((AccountKey::Insurance, insurance));
    left = left.sub(insurance)?;
    // What nobody proved, and what rounding leaves, burns as well.
    parts.push((AccountKey::Burned, left));
    // Money has no colour: collect both sources into the first, then hand out, in one entry.
    let mut moves = vec![(pending, reserved, unsettled)];
    moves.extend(parts.into_iter().map(|(to, amount)| (reserved, to, amount)));
    draft.pay(EntryKind::Slash { attempt: attempt.id }, &moves)?;
    forfeit_disputed(draft, provider)?;
    Ok(taken)
}

/// Accepted attempts whose pay was just taken: their stake is free, their pay is gone.
fn forfeit_disputed(draft: &mut Draft<'_>, provider: Address) -> Result<(), Refusal> {
    let disputed: Vec<AttemptId> =
        draft.state.disputes.get(&provider).into_iter().flatten().copied().collect();
    for id in disputed {
        let other = draft.attempt_mut(id)?;
        if other.dispute_until.take().is_none() {
            continue;
        }
        let reserved = other.reserved;
        other.pay = Amount::ZERO;
        other.reserved = Amount::ZERO;
        let stake = |purpose| AccountKey::Owner(provider, purpose);
        let moves = [(stake(Purpose::StakeReserved), stake(Purpose::StakeFree), reserved)];
        draft.pay(EntryKind::Settle { attempt: id }, &moves)?;
    }
    Ok(())
}

/// The dispute window closed: stake is free, pay is available, or becomes a newcomer's stake.
pub(crate) fn settle(draft: &mut Draft<'_>, id: AttemptId) -> Result<(), Refusal> {
    let attempt = draft.attempt(id)?.clone();
    let provider = attempt.provider;
    let stake = |purpose| AccountKey::Owner(provider, purpose);
    let short = draft.state.config.earn_in_stake.sub(accounts::bonded(draft, provider)?)?;
    let kept = attempt.pay.min(short).max(Amount::ZERO);
    draft.pay(
        EntryKind::Settle { attempt: id },
        &[
            (stake(Purpose::Pending), stake(Purpose::StakeFree), kept),
            (stake(Purpose::Pending), AccountKey::available(provider), attempt.pay.sub(kept)?),
            (stake(Purpose::StakeReserved), stake(Purpose::StakeFree), attempt.reserved),
        ],
    )?;
    let drafted = draft.attempt_mut(id)?;
    drafted.dispute_until = None;
    drafted.reserved = Amount::ZERO;
    accounts::update_standing(draft, provider)
}

/// Cost of the re-computed part at the validator's own ask, at most at the audited work's, plus the margin, from the
/// platform's fees. A fee that cannot be computed is no fee: a verdict never waits for one.
pub(crate) fn pay_audit(draft: &mut Draft<'_>, id: AuditId, validator: Address) -> Result<(), Refusal> {
    let fee = audit_fee(draft, id).unwrap_or(Amount::ZERO).min(draft.money.balance(&AccountKey::Fees));
    draft.audit_mut(id)?.fee = fee;
    draft.pay(EntryKind::AuditFee { audit: id }, &[(AccountKey::Fees, AccountKey::available(validator), fee)])
}

fn audit_fee(draft: &Draft<'_>, id: AuditId) -> Option<Amount> {
    let audit = draft.audit(id).ok()?;
    let job = draft.job(audit.job).ok()?;
    let work = &draft.task(audit.task).ok()?.work;
    let attempt = draft.attempt(audit.attempt).ok()?;
    let reference = units::audit_reference_ms(&audit.work, work, job);
    let ask = |node: Address| draft.node(node).ok().map(|n| n.offer.ask_per_reference_hour);
    // What the buyer's strategy admitted for the work itself bounds what its audit may cost.
    let ask = ask(audit.node?)?.min(ask(attempt.node)?);
    let margin = 1_000_000 + draft.state.config.audit_margin_ppm;
    units::price(ask, reference).ok()?.scale(margin, 1_000_000).ok()
}
