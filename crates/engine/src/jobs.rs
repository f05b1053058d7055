//! Jobs: escrow, tasks by the planner, pause, resume, cancel, end.

use crate::{Draft, Effect, NewJob, Refusal, Reply, Terms, accounts, lease_ends, reuse};
use tatau_model::{
    AccountKey, Address, Amount, AttemptId, AttemptState, Device, EntryKind, Job, JobId, JobKind, JobState,
    Machines, Millis, Preview, Purpose, Strategy, TaskId, TaskState, Who, Work,
};
use tatau_workload::planner;

const MAX_NAME: usize = 200;
/// Why a job paused that its buyer paused.
const PAUSED_BY_BUYER: &str =
    "you paused it; what was running is finished, nothing new starts until you resume it";
/// Why a job paused whose buyer wanted to look first.
const PREVIEW_READY: &str = "preview: the first, the middle and the last frame are ready; look at them, then resume to render the rest, or cancel";

pub(crate) fn submit(draft: &mut Draft<'_>, new: NewJob) -> Result<Reply, Refusal> {
    accounts::open(draft, new.owner)?;
    if let Some(known) = draft.state.job_of_request(new.owner, &new.request_key) {
        return Ok(Reply::Job(known));
    }
    let bad = |sentence: &str| Err(Refusal::new("invalid", sentence));
    if new.name.is_empty() || new.name.len() > MAX_NAME {
        return bad("a job's name has 1 to 200 bytes");
    }
    if new.request_key.is_empty() || new.request_key.len() > 100 {
        return bad("a request key has 1 to 100 bytes");
    }
    let own = new.machines.who == Who::Own;
    let free = own && new.cap == Amount::ZERO;
    if !(free || new.cap.is_positive()) {
        return bad("the cap must be more than zero");
    }
    if new.machines.own_first_ms > Machines::MOST_OWN_FIRST_MS {
        return bad("the market waits at most a week for your own machines");
    }
    match &new.kind {
        JobKind::Benchmark { .. } => return bad("benchmarks are made by the platform"),
        JobKind::Render(spec) if spec.frames.is_empty() => return bad("the job has no frames"),
        JobKind::Render(_) if new.reference_ms == 0 => {
            return bad("the job has no price: inspect the scene first");
        }
        JobKind::Bundle(spec) if spec.tasks() == 0 || new.reference_ms == 0 => {
            return bad("the bundle has no tasks, or its tasks no time");
        }
        JobKind::Bundle(spec) if !spec.reproducible && new.machines.who == Who::Any => {
            return bad(
                "work that nobody can check is only for those whom you trust: choose trusted, or own",
            );
        }
        JobKind::Render(_) | JobKind::Bundle(_) | JobKind::Inspect => {}
    }
    let open = draft.state.jobs.values().filter(|j| j.owner == new.owner && !j.state.is_ended()).count();
    let most = draft.state.config.jobs_per_owner;
    if open >= most {
        let sentence = format!("{most} of your jobs are open; wait for one to end, or cancel one");
        return Err(Refusal::new("too_many", sentence));
    }
    let id = draft.next_job();
    let escrow = AccountKey::Owner(new.owner, Purpose::Escrow(id));
    draft.pay(EntryKind::Escrow { job: id }, &[(AccountKey::available(new.owner), escrow, new.cap)])?;
    let job = Job {
        id,
        owner: new.owner,
        name: new.name,
        kind: new.kind,
        state: JobState::Running,
        inputs: new.inputs,
        bundle: new.bundle,
        scene: new.scene,
        environment: new.environment,
        class: new.class,
        strategy: new.strategy,
        machines: new.machines,
        priority: 0,
        memory_mib: new.memory_mib,
        deadline: None,
        cap: new.cap,
        spent: Amount::ZERO,
        reference_ms: new.reference_ms,
        created: draft.now,
        ended: None,
        request_key: new.request_key,
    };
    let tasks = planner::total_tasks(&job).saturating_sub(new.known.len());
    let tasks = u64::try_from(tasks).unwrap_or(u64::MAX);
    let least = draft.state.config.least_price.scale(tasks, 1)?;
    if !own && job.cap < least {
        return Err(Refusal::new(
            "invalid",
            format!("the cap is below {least} TATAU, the least price of so many tasks"),
        ));
    }
    if job.machines.who == Who::Trusted && !job.is_unchecked() && !draft.state.has_validator(&job, draft.now)
    {
        let sentence = "nobody whom you trust checks work now, and nothing is paid unchecked: mark an account that validates, \
                        or let others see the scene";
        return Err(Refusal::new("conflict", sentence));
    }
    if !draft.state.has_checkers(&job, draft.now) {
        let device = job.device().words();
        let sentence = format!(
            "nobody checks work on {device} now, which needs two validators of different owners, and nothing is paid unchecked: choose \
             another device, or try again later"
        );
        return Err(Refusal::new("conflict", sentence));
    }
    start(draft, job);
    reuse::take_over(draft, id, new.known)?;
    Ok(Reply::Job(id))
}

/// The platform's own job that places one card: no money moves.
pub(crate) fn start_benchmark(
    draft: &mut Draft<'_>,
    owner: Address,
    (node, card, device): (Address, u16, Device),
    seed: u32,
) {
    let id = draft.next_job();
    let environment = "blender-5.0".to_owned();
    let job = Job {
        id,
        owner,
        name: format!("benchmark of card {card}"),
        kind: JobKind::Benchmark { node, card, seed: seed & 0x7fff_ffff, device },
        state: JobState::Running,
        inputs: None,
        bundle: None,
        scene: String::new(),
        environment,
        class: None,
        strategy: Strategy::Fastest,
        machines: Machines::default(),
        priority: 0,
        memory_mib: 0,
        deadline: None,
        cap: Amount::ZERO,
        spent: Amount::ZERO,
        reference_ms: 0,
        created: draft.now,
        ended: None,
        request_key: String::new(),
    };
    start(draft, job);
}

fn start(draft: &mut Draft<'_>, job: Job) {
    let id = job.id;
    let works = planner::next(&job, &planner::Progress { tasks: &[] });
    draft.put_job(job);
    draft.add_tasks(id, works);
    draft.effect(Effect::WakeJob(id));
}

/// After a task was accepted: the tasks that follow from it, or the end of the job.
pub(crate) fn advance(draft: &mut Draft<'_>, id: JobId, task: TaskId) -> Result<(), Refusal> {
    let work = draft.task(task)?.work.clone();
    let so_far = draft.count_accepted(id, &work);
    let accepted = draft.counts(id).accepted;
    let job = draft.job(id)?;
    if job.state.is_ended() {
        return Ok(());
    }
    let total = planner::total_tasks(job);
    let more = planner::after_accept(job, &work, &so_far);
    draft.add_tasks(id, more);
    if accepted >= total {
        end(draft, id, JobState::Finished)?;
    } else if planner::preview_is_ready(draft.job(id)?, accepted) {
        pause(draft, id, PREVIEW_READY.into())?;
    }
    Ok(())
}

/// Ends a job: no new leases, the escrow goes back. What is held for attempts under audit stays held.
pub(crate) fn end(draft: &mut Draft<'_>, id: JobId, state: JobState) -> Result<(), Refusal> {
    let now = draft.now;
    let job = draft.job_mut(id)?;
    job.become_state(state)?;
    job.ended = Some(now);
    let owner = job.owner;
    let escrow = AccountKey::Owner(owner, Purpose::Escrow(id));
    let rest = draft.money.balance(&escrow);
    draft.pay(EntryKind::Refund { job: id }, &[(escrow, AccountKey::available(owner), rest)])?;
    draft.effect(Effect::WakeJob(id));
    Ok(())
}

pub(crate) fn pause(draft: &mut Draft<'_>, id: JobId, reason: String) -> Result<(), Refusal> {
    if draft.job(id)?.state == JobState::Running {
        draft.job_mut(id)?.become_state(JobState::Paused { reason })?;
        draft.effect(Effect::WakeJob(id));
    }
    Ok(())
}

/// The buyer pauses: no new leases. Repeating it changes nothing.
pub(crate) fn pause_by(draft: &mut Draft<'_>, id: JobId, by: Address) -> Result<Reply, Refusal> {
    own(draft, id, by)?;
    let job = draft.job(id)?;
    if !matches!(job.kind, JobKind::Render(_) | JobKind::Bundle(_)) {
        return Err(Refusal::new("invalid", format!("{id} renders nothing; only render jobs can be paused")));
    }
    if job.state.is_ended() {
        return Err(Refusal::new(
            "conflict",
            format!("{id} is {}; there is nothing to pause", job.state.name()),
        ));
    }
    pause(draft, id, PAUSED_BY_BUYER.into())?;
    Ok(Reply::Done)
}

/// Whoever resumes a job whose preview is there has seen it: the rest of its frames become tasks.
fn approve(draft: &mut Draft<'_>, id: JobId) -> Result<(), Refusal> {
    if !planner::preview_is_ready(draft.job(id)?, draft.counts(id).accepted) {
        return Ok(());
    }
    let job = draft.job_mut(id)?;
    if let JobKind::Render(spec) = &mut job.kind {
        spec.preview = Preview::Approved;
    }
    let job = job.clone();
    let tasks: Vec<(Work, TaskState)> =
        draft.state.tasks_of(id).map(|task| (task.work.clone(), task.state)).collect();
    draft.add_tasks(id, planner::next(&job, &planner::Progress { tasks: &tasks }));
    Ok(())
}

pub(crate) fn resume(draft: &mut Draft<'_>, id: JobId, by: Address, more: Amount) -> Result<Reply, Refusal> {
    own(draft, id, by)?;
    if more.0 < 0 {
        return Err(Refusal::new("invalid", "the added amount cannot be negative"));
    }
    let escrow = AccountKey::Owner(by, Purpose::Escrow(id));
    draft.pay(EntryKind::Escrow { job: id }, &[(AccountKey::available(by), escrow, more)])?;
    let job = draft.job_mut(id)?;
    job.cap = job.cap.add(more)?;
    job.become_state(JobState::Running)?;
    // A new start: what failed before the buyer mended something does not count any more.
    let tasks: Vec<TaskId> = draft
        .state
        .tasks_of(id)
        .filter(|t| t.state == TaskState::Ready && (!t.failures.is_empty() || t.attempts > 0))
        .map(|t| t.id)
        .collect();
    for task in tasks {
        let task = draft.task_mut(task)?;
        task.failures.clear();
        task.excluded.clear();
        task.attempts = 0;
    }
    approve(draft, id)?;
    draft.effect(Effect::WakeProviders);
    draft.effect(Effect::WakeJob(id));
    Ok(Reply::Done)
}

/// Other terms for a job that is not over. A lower cap gives back what is neither spent nor held for work under way.
pub(crate) fn edit(draft: &mut Draft<'_>, id: JobId, by: Address, terms: Terms) -> Result<Reply, Refusal> {
    own(draft, id, by)?;
    let job = draft.job(id)?;
    if job.state.is_ended() {
        let sentence = format!("{id} is {}; its terms cannot be changed any more", job.state.name());
        return Err(Refusal::new("conflict", sentence));
    }
    let before = job.cap;
    let cap = terms.cap.unwrap_or(before);
    let (escrow, purse) = (AccountKey::Owner(by, Purpose::Escrow(id)), AccountKey::available(by));
    if cap > before {
        draft.pay(EntryKind::Escrow { job: id }, &[(purse, escrow, cap.sub(before)?)])?;
    } else if cap < before {
        let bound = before.sub(draft.money.balance(&escrow))?;
        if cap < bound || !cap.is_positive() {
            let sentence = format!(
                "{bound} TATAU of this job are spent or set aside for what runs; it cannot cost less than that"
            );
            return Err(Refusal::new("invalid", sentence));
        }
        draft.pay(EntryKind::Refund { job: id }, &[(escrow, purse, before.sub(cap)?)])?;
    }
    let job = draft.job_mut(id)?;
    job.cap = cap;
    job.priority = terms.priority.unwrap_or(job.priority);
    job.deadline = match terms.deadline {
        None => job.deadline,
        Some(Millis(0)) => None,
        Some(deadline) => Some(deadline),
    };
    draft.effect(Effect::WakeProviders);
    draft.effect(Effect::WakeJob(id));
    Ok(Reply::Done)
}

pub(crate) fn cancel(draft: &mut Draft<'_>, id: JobId, by: Address) -> Result<Reply, Refusal> {
    own(draft, id, by)?;
    if draft.job(id)?.state == JobState::Cancelled {
        return Ok(Reply::Done);
    }
    stop_work(draft, id, "cancelled", "the buyer cancelled the job")?;
    end(draft, id, JobState::Cancelled)?;
    Ok(Reply::Done)
}

/// Ends every task that no verdict is awaited for; running leases are paid pro rata.
pub(crate) fn stop_work(draft: &mut Draft<'_>, id: JobId, code: &str, sentence: &str) -> Result<(), Refusal> {
    let leased: Vec<AttemptId> = draft
        .state
        .job_open
        .get(&id)
        .into_iter()
        .flatten()
        .filter(|a| draft.attempt(**a).is_ok_and(|a| a.state == AttemptState::Leased))
        .copied()
        .collect();
    for attempt in leased {
        lease_ends::stop_paid(draft, attempt, code, sentence)?;
    }
    let tasks: Vec<TaskId> = draft.state.tasks_of(id).map(|t| t.id).collect();
    for task in tasks {
        if draft.task(task)?.state == TaskState::Ready {
            draft.task_mut(task)?.become_state(TaskState::Cancelled)?;
        }
    }
    Ok(())
}

/// Where the unused part of a held price goes: back to escrow, or to the buyer once the job has ended.
pub(crate) fn change_account(draft: &Draft<'_>, id: JobId) -> Result<AccountKey, Refusal> {
    let job = draft.job(id)?;
    let purpose = if job.state.is_ended() { Purpose::Available } else { Purpose::Escrow(id) };
    Ok(AccountKey::Owner(job.owner, purpose))
}

fn own(draft: &Draft<'_>, id: JobId, by: Address) -> Result<(), Refusal> {
    if draft.job(id)?.owner == by {
        Ok(())
    } else {
        Err(Refusal::new("not_yours", format!("{id} belongs to another account")))
    }
}
