//! Leases: matching, price, stake.

use crate::{Draft, Effect, Refusal, Reply, asks::asks_for, jobs, nodes};
use rand::{Rng, RngExt};
use tatau_audit::is_measured;
use tatau_market::{LeaseTerms, by_priority, expected_ms, in_time, limit_of_sorted};
use tatau_model::{
    AccountKey, Address, Amount, Attempt, AttemptId, AttemptState, CardKind, EntryKind, Job, JobId, JobKind,
    JobState, Node, Purpose, TaskId, TaskState, Work,
};
use tatau_workload::units;

/// How many tasks of one job, and how many jobs, one request looks at.
const TASKS_LOOKED_AT: usize = 64;
const JOBS_LOOKED_AT: usize = 256;

/// A task that waited so long takes any ask within its fair price, ms.
const STRATEGY_MS: u64 = 30_000;

pub(crate) fn lease(
    draft: &mut Draft<'_>,
    id: Address,
    cards: &[u16],
    warm: &[JobId],
    rng: &mut impl Rng,
) -> Result<Reply, Refusal> {
    nodes::seen(draft, id, rng)?;
    let state = draft.state;
    let node = state.node(&id).ok_or_else(|| Refusal::new("not_found", format!("there is no node {id}")))?;
    let mut given = Vec::new();
    if draft.account(node.owner)?.barred {
        return Err(Refusal::new("barred", "this account was slashed too often; it takes no more work here"));
    }
    if node.draining || !node.offer.provides {
        return Ok(Reply::Leases(given));
    }
    for &card in cards.iter().take(128) {
        if leases_on(draft, id, Some(card)) >= draft.state.config.leases_per_card as usize {
            continue;
        }
        // A newcomer may not sit on much work of others: two leases, and one more for each that it did well.
        let account = draft.account(node.owner)?;
        let most = usize::try_from(account.accepted).unwrap_or(usize::MAX).saturating_add(2);
        let own_alone = !account.established && leases_on(draft, id, None) >= most;
        if let Some(task) = pick(draft, node, card, warm, own_alone)? {
            given.push(grant(draft, node, card, task, rng)?);
        }
    }
    Ok(Reply::Leases(given))
}

/// Leases that a node holds, on one card or on all.
fn leases_on(draft: &Draft<'_>, id: Address, card: Option<u16>) -> usize {
    let open = |a: &Attempt| {
        a.state == AttemptState::Leased && card.is_none_or(|card| a.card == card) && a.node == id
    };
    let stored = draft.state.leases_of(&id).filter(|a| draft.attempt(*a).is_ok_and(open)).count();
    let drafted = draft.drafted_attempts().filter(|a| open(a) && draft.state.attempt(a.id).is_none()).count();
    stored + drafted
}

/// The first task that this card may have: warm jobs first, then the oldest. `own_alone`: only of its owner's jobs.
fn pick(
    draft: &mut Draft<'_>,
    node: &Node,
    card: u16,
    warm: &[JobId],
    own_alone: bool,
) -> Result<Option<TaskId>, Refusal> {
    let state = draft.state;
    let mut order: Vec<JobId> =
        warm.iter().take(16).filter(|j| state.ready.contains_key(j)).copied().collect();
    order.extend(state.benchmarks.get(&node.id).into_iter().flatten());
    order.extend(state.on_market.iter().filter(|j| !warm.contains(j)).take(JOBS_LOOKED_AT));
    // What matters more to one owner comes before what is loaded.
    by_priority(&mut order, |id| {
        state
            .jobs
            .get(id)
            .filter(|j| !matches!(j.kind, JobKind::Benchmark { .. }))
            .map(|j| (j.owner, j.priority))
    });
    for id in order {
        let job = draft.job(id)?;
        let own = job.owner == node.owner;
        let seen = own || (!own_alone && state.may_see(job, &node.owner));
        // By whether a task is done on the job's device.
        let mut able = [false, true].map(|on_device| fits(job, node, card, on_device));
        // What nobody could check is not begun.
        able[1] = able[1] && state.can_be_checked(job, node, draft.now);
        if job.state != JobState::Running || !seen || able == [false; 2] {
            continue;
        }
        let now = draft.now;
        let (first, created, free) = (job.machines.own_first_ms, job.created, job.is_own_work(&node.owner));
        // What comes first in the queue, pictures and the like, is never done on a graphics card: there may be many of them.
        let from = (u8::from(!able[0]), TaskId(0));
        let ready = state.ready.get(&id).into_iter().flat_map(|ready| ready.range(from..));
        let found = ready.take(TASKS_LOOKED_AT).find(|(_, task)| {
            draft.task(*task).is_ok_and(|t| {
                t.state == TaskState::Ready
                    && able[usize::from(t.work.is_on_device())]
                    && !t.excluded.contains(&node.owner)
                    && node.offer.takes(&job.owner, &t.work)
                    && (own || now.since(t.since.max(created)) >= first)
            })
        });
        let Some((_, task)) = found.copied() else { continue };
        if free || affordable(draft, id, task, node)? {
            return Ok(Some(task));
        }
    }
    Ok(None)
}

/// Has this card what such work of the job needs? `on_device`: work that is done on the job's device; all else is done on processors,
/// whatever class the buyer chose for the rendering. A bundle's tasks are done on processors, too: orders of them name no device.
pub(crate) fn fits(job: &Job, node: &Node, card: u16, on_device: bool) -> bool {
    let Some(own) = node.cards.get(usize::from(card)) else { return false };
    let chosen = || job.class.as_deref().is_none_or(|wanted| own.class().is_some_and(|c| c.name == wanted));
    let suits = match &job.kind {
        JobKind::Benchmark { node: target, card: wanted, .. } => {
            return *target == node.id && *wanted == card && own.works();
        }
        JobKind::Render(_) if on_device => own.renders_on(job.device()) && chosen(),
        JobKind::Bundle(_) => own.kind == CardKind::Cpu && chosen(),
        JobKind::Inspect | JobKind::Render(_) => own.kind == CardKind::Cpu,
    };
    // What one's own card does for oneself needs no place on the market.
    let placed = own.score_milli.is_some() || (own.kind == CardKind::Gpu && job.is_own_work(&node.owner));
    suits && placed && own.memory_mib >= job.memory_mib && node.offer.has(&job.environment)
}

/// Has any card of the node?
pub(crate) fn fits_any(job: &Job, node: &Node, on_device: bool) -> bool {
    (0..node.cards.len()).any(|card| fits(job, node, card as u16, on_device))
}

/// Renders of a job: its frames or their tiles; or its one task.
fn first_wave(job: &Job) -> usize {
    match &job.kind {
        JobKind::Render(spec) => spec.frames.len() * spec.renders_a_frame(),
        JobKind::Bundle(spec) => spec.tasks(),
        JobKind::Inspect | JobKind::Benchmark { .. } => 1,
    }
}

/// Within the job's strategy and money? A job whose escrow covers no offer, with nothing under way, is paused.
fn affordable(draft: &mut Draft<'_>, id: JobId, task: TaskId, node: &Node) -> Result<bool, Refusal> {
    let (job, waiting) = (draft.job(id)?, draft.task(task)?);
    if matches!(job.kind, JobKind::Benchmark { .. }) {
        return Ok(true);
    }
    let ask = node.offer.ask_per_reference_hour;
    let (asks, fresh) = asks_for(draft.state, job, &waiting.work, draft.now);
    let limit = limit_of_sorted(job.strategy, asks.lowest_first());
    // Offers that ask little and take nothing must not hold a job up: after a while any ask within the money does.
    let patient =
        draft.now.since(waiting.since.max(job.created).plus(job.machines.own_first_ms)) < STRATEGY_MS;
    // Neither may a low price make a job late.
    let late = job.deadline.is_some_and(|by| {
        let (counts, total) = (draft.counts(id), first_wave(job));
        !in_time(job.created, by, draft.now, counts.renders, total)
    });
    let wanted = !patient || late || limit.is_some_and(|limit| ask <= limit);
    let taken = wanted && covered(draft, job, &waiting.work, ask)?;
    let lowest = asks.lowest_first().first().copied().unwrap_or(ask);
    let hopeless = wanted
        && !taken
        && draft.under_way(id).under_way() == 0
        && !covered(draft, job, &waiting.work, lowest)?;
    let cap = job.cap;
    if fresh {
        draft.remember(asks);
    }
    if hopeless {
        let reason = format!(
            "what is left of the cap of {cap} TATAU does not cover what providers ask now; what is done is kept. \
             Resume the job with more money, or cancel it"
        );
        jobs::pause(draft, id, reason)?;
    }
    Ok(taken)
}

/// Does the escrow cover this work at this ask? What nobody has leased yet, all of it at this ask, may cost half as much again as is
/// left of the cap: so no task takes more than one and a half times its share.
fn covered(draft: &Draft<'_>, job: &Job, work: &Work, ask: Amount) -> Result<bool, Refusal> {
    let escrow = draft.balance(job.owner, Purpose::Escrow(job.id));
    let own = price(draft, job, work, ask)?;
    let counts = draft.under_way(job.id);
    let spec = match &job.kind {
        JobKind::Render(spec) => spec,
        JobKind::Bundle(_) => {
            let tasks = first_wave(job).saturating_sub(counts.renders + counts.renders_under_way);
            let left = i128::from(own.0) * tasks as i128;
            return Ok(own <= escrow && left * 2 <= i128::from(escrow.0) * 3);
        }
        JobKind::Inspect | JobKind::Benchmark { .. } => return Ok(own <= escrow),
    };
    let frames = spec.frames.len();
    let renders = first_wave(job).saturating_sub(counts.renders + counts.renders_under_way);
    let stitches = if spec.tiles.is_some() { frames } else { 0 };
    let stitches = stitches.saturating_sub(counts.frames + counts.stitches_under_way);
    let finishes = frames.saturating_sub(counts.finishes).saturating_sub(counts.others_under_way);
    let each = |work: &Work| price(draft, job, work, ask).map(|price| i128::from(price.0));
    // Tiles differ a little in size; the first stands for all.
    let tile = spec.tiles.map(|_| 0);
    let left = each(&Work::Render { frame: 0, tile })? * renders as i128
        + each(&Work::Stitch { frame: 0 })? * stitches as i128
        + each(&Work::Finish { frame: 0 })? * finishes as i128
        + if spec.video { each(&Work::Video)? } else { 0 };
    Ok(own <= escrow && left * 2 <= i128::from(escrow.0) * 3)
}

/// The most that a lease of this work costs at this ask; zero for a benchmark.
fn price(draft: &Draft<'_>, job: &Job, work: &Work, ask: Amount) -> Result<Amount, Refusal> {
    if matches!(work, Work::Benchmark) {
        return Ok(Amount::ZERO);
    }
    let price = units::price(ask, units::reference_ms(work, job))?;
    Ok(price.max(draft.state.config.least_price))
}

fn grant(
    draft: &mut Draft<'_>,
    node: &Node,
    card: u16,
    task_id: TaskId,
    rng: &mut impl Rng,
) -> Result<AttemptId, Refusal> {
    let task = draft.task(task_id)?;
    let (job_id, work) = (task.job, task.work.clone());
    if let JobKind::Benchmark { node: id, card, device, .. } = draft.job(job_id)?.kind {
        // A fresh seed with every lease: nothing can be rendered ahead of the clock. The card may be another one by now.
        let seed = rng.random_range(0..1 << 31);
        let device = node.cards.get(usize::from(card)).and_then(nodes::measured_on).unwrap_or(device);
        draft.job_mut(job_id)?.kind = JobKind::Benchmark { node: id, card, seed, device };
    }
    let config = &draft.state.config;
    let job = draft.job(job_id)?;
    let (buyer, reference_ms) = (job.owner, units::reference_ms(&work, job));
    let measured = !work.is_on_device() || is_measured(job.device());
    let own = job.is_own_work(&node.owner);
    let price = if own { Amount::ZERO } else { price(draft, job, &work, node.offer.ask_per_reference_hour)? };
    let id = draft.next_attempt();

    let free = draft.balance(node.owner, Purpose::StakeFree);
    let pay = price.sub(price.scale(config.fee_ppm, 1_000_000)?)?;
    let wanted = pay.times(i64::try_from(config.stake_factor).unwrap_or(i64::MAX))?;
    // Without cover by stake, an established provider is audited like a newcomer; so is work whose stake is not taken for being unlike.
    let covered = free >= wanted && measured;
    let newcomer = !own && (!draft.account(node.owner)?.established || !covered);
    let reserved = wanted.min(free);
    let stake = |purpose| AccountKey::Owner(node.owner, purpose);
    let purse = |purpose| AccountKey::Owner(buyer, purpose);
    draft.pay(
        EntryKind::Hold { attempt: id },
        &[
            (purse(Purpose::Escrow(job_id)), purse(Purpose::Held(job_id)), price),
            (stake(Purpose::StakeFree), stake(Purpose::StakeReserved), reserved),
        ],
    )?;

    let score = node.cards.get(usize::from(card)).and_then(|c| c.score_milli);
    let class_score =
        node.cards.get(usize::from(card)).and_then(tatau_model::Card::class).map_or(1, |c| c.score_milli);
    let expected = expected_ms(reference_ms, score.unwrap_or(class_score));
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
        copy_of: None,
    });
    let task = draft.task_mut(task_id)?;
    task.become_state(TaskState::Leased)?;
    task.attempts += 1;
    task.current = Some(id);
    draft.effect(Effect::WakeJob(job_id));
    Ok(id)
}
