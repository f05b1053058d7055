//! The ways in which a lease ends without a receipt: given back, failed, stopped, lost; and whose fault that is.

use crate::{Draft, Effect, Refusal, Reply, jobs, leases::fits_any};
use tatau_market::{Blame, blame, expected_ms, may_be_buyers};
use tatau_model::{
    AccountKey, Address, Amount, Attempt, AttemptId, AttemptState, Change, EntryKind, Failure, Job, JobId,
    JobKind, JobState, Purpose, TaskState, Work,
};
use tatau_workload::units;

/// A node gives up. `returned` is nobody's fault; anything else is remembered and may turn out to be the buyer's.
pub(crate) fn fail(
    draft: &mut Draft<'_>,
    node: Address,
    id: AttemptId,
    code: &str,
    sentence: &str,
) -> Result<Reply, Refusal> {
    let Ok(attempt) = draft.attempt(id) else { return Ok(Reply::Done) };
    own(attempt, node)?;
    if attempt.state != AttemptState::Leased {
        return Err(Refusal::new(
            "conflict",
            format!("{id} is {}; it cannot be given back", attempt.state.name()),
        ));
    }
    if code == "returned" {
        void(draft, id, code, sentence)?;
        return Ok(Reply::Done);
    }
    failed(draft, id, code, sentence)?;
    Ok(Reply::Done)
}

/// A try failed: void the lease, remember it, judge whose fault it is.
pub(crate) fn failed(
    draft: &mut Draft<'_>,
    id: AttemptId,
    code: &str,
    sentence: &str,
) -> Result<(), Refusal> {
    let attempt = draft.attempt(id)?.clone();
    let owed = spent_price(draft, &attempt)?;
    void(draft, id, code, sentence)?;
    remember_failure(draft, &attempt, code, sentence, owed)
}

/// Adds the failure to its task, and pauses or fails the job where it is the buyer's fault or tries are used up.
pub(crate) fn remember_failure(
    draft: &mut Draft<'_>,
    attempt: &Attempt,
    code: &str,
    sentence: &str,
    owed: Amount,
) -> Result<(), Refusal> {
    let job = draft.job(attempt.job)?.clone();
    let benchmark = matches!(job.kind, JobKind::Benchmark { .. });
    let mut tried: Vec<Address> = draft.task(attempt.task)?.excluded.clone();
    tried.push(attempt.provider);
    let nobody_left = !benchmark && !others_online(draft, &job, &draft.task(attempt.task)?.work, &tried);
    let alone = matches!(job.kind, JobKind::Inspect) && nobody_left;
    let most = draft.state.config.max_attempts;
    let task = draft.task_mut(attempt.task)?;
    task.failures.push(Failure {
        provider: attempt.provider,
        attempt: attempt.id,
        code: code.to_owned(),
        sentence: sentence.to_owned(),
        owed,
    });
    if !benchmark && !task.excluded.contains(&attempt.provider) {
        task.excluded.push(attempt.provider);
    }
    if task.state.is_ended() || job.state.is_ended() {
        return Ok(());
    }
    let (failures, label) = (task.failures.clone(), task.work.label());
    let tries = u32::try_from(failures.len()).unwrap_or(u32::MAX);
    match blame(&failures, alone) {
        Blame::Buyer(which) if !benchmark => {
            for failure in which.iter().filter_map(|i| failures.get(*i)) {
                compensate(draft, &job, failure)?;
            }
            let count = which.len();
            let reason = if count > 1 {
                format!("{label} failed the same way on {count} providers: {sentence}")
            } else {
                sentence.to_owned()
            };
            give_up(draft, &job, reason)
        }
        _ if tries >= most => give_up(draft, &job, format!("{label} failed {tries} times, last: {sentence}")),
        _ if nobody_left && may_be_buyers(code) => give_up(
            draft,
            &job,
            format!("{label} failed, and no other provider is online to try it: {sentence}"),
        ),
        _ if nobody_left => {
            // Nobody else could: let those who failed without the scene's doing try again.
            draft.task_mut(attempt.task)?.excluded.clear();
            Ok(())
        }
        _ => Ok(()),
    }
}

/// A render job pauses and keeps what is done; an inspection or a benchmark has nothing to keep.
pub(crate) fn give_up(draft: &mut Draft<'_>, job: &Job, reason: String) -> Result<(), Refusal> {
    if matches!(job.kind, JobKind::Render(_) | JobKind::Bundle(_)) {
        return jobs::pause(draft, job.id, reason);
    }
    jobs::stop_work(draft, job.id, "job_failed", &reason)?;
    jobs::end(draft, job.id, JobState::Failed { reason })
}

/// Is anybody online who fits the job, takes this work of it, and has not been excluded?
fn others_online(draft: &Draft<'_>, job: &Job, work: &Work, tried: &[Address]) -> bool {
    let (state, now) = (draft.state, draft.now);
    state.nodes.values().any(|n| {
        !tried.contains(&n.owner)
            && state.is_open_for_work(n, now)
            && n.offer.takes(&job.owner, work)
            && state.may_see(job, &n.owner)
            && fits_any(job, n, work.is_on_device())
    })
}

/// Pays a provider for a try that was the buyer's fault: what it owed, within what the escrow holds.
fn compensate(draft: &mut Draft<'_>, job: &Job, failure: &Failure) -> Result<(), Refusal> {
    let escrow = AccountKey::Owner(job.owner, Purpose::Escrow(job.id));
    let paid = failure.owed.min(draft.money.balance(&escrow));
    pay_out(draft, job.id, failure.attempt, escrow, failure.provider, paid)
}

/// Posts `paid` from `from`: fee to the platform, the rest to the provider, at once (no result, no dispute window).
fn pay_out(
    draft: &mut Draft<'_>,
    job: JobId,
    attempt: AttemptId,
    from: AccountKey,
    provider: Address,
    paid: Amount,
) -> Result<(), Refusal> {
    let fee = paid.scale(draft.state.config.fee_ppm, 1_000_000)?;
    let moves = [(from, AccountKey::available(provider), paid.sub(fee)?), (from, AccountKey::Fees, fee)];
    draft.pay(EntryKind::Post { attempt }, &moves)?;
    let (spent, reference_ms) = draft.meter(job)?;
    draft.set_meter(job, spent.add(paid)?, reference_ms);
    Ok(())
}

/// The part of the price that the elapsed time of a lease has earned, at most all of it.
fn spent_price(draft: &Draft<'_>, attempt: &Attempt) -> Result<Amount, Refusal> {
    let job = draft.job(attempt.job)?;
    let work = &draft.task(attempt.task)?.work;
    let score = draft.node(attempt.node)?.cards.get(usize::from(attempt.card)).and_then(|c| c.score_milli);
    let expected = expected_ms(units::reference_ms(work, job), score.unwrap_or(1_000)).max(1);
    let elapsed = draft.now.since(attempt.leased).min(expected);
    Ok(attempt.price.scale(elapsed, expected)?)
}

/// Ends a running lease from outside and pays its time: the buyer changed their mind.
pub(crate) fn stop_paid(
    draft: &mut Draft<'_>,
    id: AttemptId,
    code: &str,
    sentence: &str,
) -> Result<(), Refusal> {
    let attempt = draft.attempt(id)?.clone();
    let paid = spent_price(draft, &attempt)?;
    let owner = draft.job(attempt.job)?.owner;
    let held = AccountKey::Owner(owner, Purpose::Held(attempt.job));
    pay_out(draft, attempt.job, id, held, attempt.provider, paid)?;
    draft.attempt_mut(id)?.price = attempt.price.sub(paid)?;
    void(draft, id, code, sentence)?;
    draft.effect(Effect::StopAttempt(id));
    Ok(())
}

/// Ends a lease without a receipt: its price and stake go back, its task is ready again.
pub(crate) fn void(draft: &mut Draft<'_>, id: AttemptId, code: &str, sentence: &str) -> Result<(), Refusal> {
    let attempt = draft.attempt_mut(id)?;
    attempt.become_state(AttemptState::Void { code: code.to_owned(), sentence: sentence.to_owned() })?;
    let attempt = attempt.clone();
    let own = draft.job(attempt.job)?.is_own_work(&attempt.provider);
    if !own && code != "returned" && code != "cancelled" && code != "job_failed" {
        draft.account_mut(attempt.provider)?.lost_leases += 1;
    }
    release(draft, &attempt)?;
    ready_again(draft, &attempt)?;
    draft.last(Change::CloseAttempt(id));
    Ok(())
}

/// Gives back what a lease holds: price to the job (or its buyer), stake to its owner.
pub(crate) fn release(draft: &mut Draft<'_>, attempt: &Attempt) -> Result<(), Refusal> {
    let owner = draft.job(attempt.job)?.owner;
    let held = AccountKey::Owner(owner, Purpose::Held(attempt.job));
    let back = jobs::change_account(draft, attempt.job)?;
    let stake = |purpose| AccountKey::Owner(attempt.provider, purpose);
    draft.pay(
        EntryKind::Release { attempt: attempt.id },
        &[
            (held, back, attempt.price),
            (stake(Purpose::StakeReserved), stake(Purpose::StakeFree), attempt.reserved),
        ],
    )
}

/// The task of a lost or rejected attempt goes back to the queue, or ends with its job.
pub(crate) fn ready_again(draft: &mut Draft<'_>, attempt: &Attempt) -> Result<(), Refusal> {
    let ended = draft.job(attempt.job)?.state.is_ended();
    let now = draft.now;
    let task = draft.task_mut(attempt.task)?;
    task.current = None;
    task.since = now;
    task.become_state(if ended { TaskState::Cancelled } else { TaskState::Ready })?;
    draft.effect(Effect::WakeProviders);
    draft.effect(Effect::WakeJob(attempt.job));
    Ok(())
}

/// Is this attempt the node's?
pub(crate) fn own(attempt: &Attempt, node: Address) -> Result<(), Refusal> {
    if attempt.node == node {
        Ok(())
    } else {
        Err(Refusal::new("not_yours", format!("{} is leased to another node", attempt.id)))
    }
}
