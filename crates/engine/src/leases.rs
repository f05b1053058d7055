//! Leases: matching, price, stake, and the ways in which a lease ends without a receipt.

use crate::{Draft, Effect, Refusal, Reply, jobs};
use std::collections::HashMap;
use tatau_market::{Blame, LeaseTerms, blame, expected_ms, unit_price_limit};
use tatau_model::{
    AccountKey, Address, Amount, Attempt, AttemptId, AttemptState, Change, EntryKind, Failure, Job, JobId,
    JobKind, JobState, Node, Purpose, TaskId, TaskState, Work,
};
use tatau_workload::units;

/// How many tasks of one job, and how many jobs, one request looks at.
const TASKS_LOOKED_AT: usize = 64;
const JOBS_LOOKED_AT: usize = 256;

type Asks = HashMap<(String, Option<String>), Vec<Amount>>;

pub(crate) fn lease(
    draft: &mut Draft<'_>,
    id: Address,
    cards: &[u16],
    warm: &[JobId],
) -> Result<Reply, Refusal> {
    let node = draft.node(id)?.clone();
    draft.last(Change::Seen { node: id, at: draft.now });
    let mut given = Vec::new();
    if draft.account(node.owner)?.barred {
        return Err(Refusal::new("barred", "this account was slashed too often; it takes no more work here"));
    }
    if node.draining || !node.offer.provides {
        return Ok(Reply::Leases(given));
    }
    let mut asks = Asks::new();
    for &card in cards.iter().take(128) {
        if leases_on(draft, id, card) >= draft.state.config.leases_per_card as usize {
            continue;
        }
        if let Some(task) = pick(draft, &node, card, warm, &mut asks)? {
            given.push(grant(draft, &node, card, task)?);
        }
    }
    Ok(Reply::Leases(given))
}

fn leases_on(draft: &Draft<'_>, id: Address, card: u16) -> usize {
    let open = |a: &Attempt| a.state == AttemptState::Leased && a.card == card && a.node == id;
    let stored = draft.state.leases_of(&id).filter(|a| draft.attempt(*a).is_ok_and(open)).count();
    let drafted = draft.drafted_attempts().filter(|a| open(a) && draft.state.attempt(a.id).is_none()).count();
    stored + drafted
}

/// The first task that this card may have: warm jobs first, then the oldest.
fn pick(
    draft: &mut Draft<'_>,
    node: &Node,
    card: u16,
    warm: &[JobId],
    asks: &mut Asks,
) -> Result<Option<TaskId>, Refusal> {
    let state = draft.state;
    let mut order: Vec<JobId> =
        warm.iter().take(16).filter(|j| state.ready.contains_key(j)).copied().collect();
    order.extend(state.ready.keys().filter(|j| !warm.contains(j)).take(JOBS_LOOKED_AT));
    for id in order {
        let job = draft.job(id)?;
        if job.state != JobState::Running || !fits(job, node, card) {
            continue;
        }
        let found = state.ready.get(&id).into_iter().flatten().take(TASKS_LOOKED_AT).find(|(_, task)| {
            draft.task(*task).is_ok_and(|t| t.state == TaskState::Ready && !t.excluded.contains(&node.owner))
        });
        let Some((_, task)) = found.copied() else { continue };
        if affordable(draft, id, task, node, asks)? {
            return Ok(Some(task));
        }
    }
    Ok(None)
}

fn fits(job: &Job, node: &Node, card: u16) -> bool {
    let Some(own) = node.cards.get(usize::from(card)) else { return false };
    match &job.kind {
        JobKind::Benchmark { node: target, card: wanted, .. } => *target == node.id && *wanted == card,
        JobKind::Inspect | JobKind::Render(_) => {
            let class = own.class().map(|c| c.name);
            own.score_milli.is_some()
                && node.offer.environments.contains(&job.environment)
                && job.class.as_deref().is_none_or(|wanted| class == Some(wanted))
        }
    }
}

/// Within the job's strategy and money? A job whose escrow covers no offer, with nothing under way, is paused.
fn affordable(
    draft: &mut Draft<'_>,
    id: JobId,
    task: TaskId,
    node: &Node,
    asks: &mut Asks,
) -> Result<bool, Refusal> {
    let job = draft.job(id)?.clone();
    if matches!(job.kind, JobKind::Benchmark { .. }) {
        return Ok(true);
    }
    let key = (job.environment.clone(), job.class.clone());
    let state = draft.state;
    let now = draft.now;
    let market = asks.entry(key).or_insert_with(|| open_asks(state, &job, now));
    let ask = node.offer.ask_per_reference_hour;
    if unit_price_limit(job.strategy, market).is_none_or(|limit| ask > limit) {
        return Ok(false);
    }
    let work = draft.task(task)?.work.clone();
    let escrow = draft.balance(job.owner, Purpose::Escrow(id));
    if price(draft, &job, &work, ask)? <= escrow {
        return Ok(true);
    }
    let lowest = market.iter().min().copied().unwrap_or(ask);
    let busy = state
        .job_open
        .get(&id)
        .is_some_and(|open| open.iter().any(|a| draft.attempt(*a).is_ok_and(|a| !a.state.is_ended())));
    let drafted = draft.drafted_attempts().any(|a| a.job == id && !a.state.is_ended());
    if !busy && !drafted && price(draft, &job, &work, lowest)? > escrow {
        let reason = format!(
            "the cap of {} TATAU is reached; what is done is kept. Resume the job with more money, or cancel it",
            job.cap
        );
        jobs::pause(draft, id, reason)?;
    }
    Ok(false)
}

/// Asks of all online offers that could do this job's work.
fn open_asks(state: &crate::State, job: &Job, now: tatau_model::Millis) -> Vec<Amount> {
    state
        .nodes
        .values()
        .filter(|n| n.offer.provides && !n.draining && state.is_online(&n.id, now))
        .filter(|n| (0..n.cards.len()).any(|card| fits(job, n, card as u16)))
        .map(|n| n.offer.ask_per_reference_hour)
        .collect()
}

/// The most that a lease of this work costs at this ask; zero for a benchmark.
fn price(draft: &Draft<'_>, job: &Job, work: &Work, ask: Amount) -> Result<Amount, Refusal> {
    if matches!(work, Work::Benchmark) {
        return Ok(Amount::ZERO);
    }
    let price = units::price(ask, units::reference_ms(work, job))?;
    Ok(price.max(draft.state.config.least_price))
}

fn grant(draft: &mut Draft<'_>, node: &Node, card: u16, task_id: TaskId) -> Result<AttemptId, Refusal> {
    let task = draft.task(task_id)?;
    let (job_id, work) = (task.job, task.work.clone());
    let job = draft.job(job_id)?.clone();
    let config = draft.state.config.clone();
    let price = price(draft, &job, &work, node.offer.ask_per_reference_hour)?;
    let id = draft.next_attempt();

    let free = draft.balance(node.owner, Purpose::StakeFree);
    let pay = price.sub(price.scale(config.fee_ppm, 1_000_000)?)?;
    let wanted = pay.times(i64::try_from(config.stake_factor).unwrap_or(i64::MAX))?;
    // Without cover by stake, an established provider is audited like a newcomer.
    let newcomer = !draft.account(node.owner)?.established || free < wanted;
    let reserved = wanted.min(free);
    let stake = |purpose| AccountKey::Owner(node.owner, purpose);
    let purse = |purpose| AccountKey::Owner(job.owner, purpose);
    draft.pay(
        EntryKind::Hold { attempt: id },
        &[
            (purse(Purpose::Escrow(job_id)), purse(Purpose::Held(job_id)), price),
            (stake(Purpose::StakeFree), stake(Purpose::StakeReserved), reserved),
        ],
    )?;

    let score = node.cards.get(usize::from(card)).and_then(|c| c.score_milli);
    let class_score = node.cards.get(usize::from(card)).and_then(|c| c.class()).map_or(1, |c| c.score_milli);
    let expected = expected_ms(units::reference_ms(&work, &job), score.unwrap_or(class_score));
    let terms = LeaseTerms { factor: config.lease_factor, grace_ms: config.lease_grace_ms };
    let now = draft.now;
    draft.put_attempt(Attempt {
        id,
        task: task_id,
        job: job_id,
        node: node.id,
        provider: node.owner,
        card,
        state: AttemptState::Leased,
        price,
        reserved,
        pay: Amount::ZERO,
        leased: now,
        due: now.plus(terms.length_ms(expected)),
        committed: None,
        receipt: None,
        outputs: Vec::new(),
        epoch: None,
        challenge: None,
        newcomer,
        dispute_until: None,
    });
    let task = draft.task_mut(task_id)?;
    task.become_state(TaskState::Leased)?;
    task.attempts += 1;
    task.current = Some(id);
    draft.effect(Effect::WakeJob(job_id));
    Ok(id)
}

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
    let alone = matches!(job.kind, JobKind::Inspect) && !others_online(draft, &job, attempt.provider);
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
    let (failures, tries, label) = (task.failures.clone(), task.attempts, task.work.label());
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
        _ => Ok(()),
    }
}

/// A render job pauses and keeps what is done; an inspection or a benchmark has nothing to keep.
fn give_up(draft: &mut Draft<'_>, job: &Job, reason: String) -> Result<(), Refusal> {
    if matches!(job.kind, JobKind::Render(_)) {
        return jobs::pause(draft, job.id, reason);
    }
    jobs::stop_work(draft, job.id, "job_failed", &reason)?;
    jobs::end(draft, job.id, JobState::Failed { reason })
}

fn others_online(draft: &Draft<'_>, job: &Job, provider: Address) -> bool {
    let (state, now) = (draft.state, draft.now);
    state.nodes.values().any(|n| {
        n.owner != provider
            && n.offer.provides
            && !n.draining
            && state.is_online(&n.id, now)
            && (0..n.cards.len()).any(|card| fits(job, n, card as u16))
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
    if code != "returned" && code != "cancelled" && code != "job_failed" {
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
