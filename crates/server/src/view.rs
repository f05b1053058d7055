//! A job as its buyer sees it.

use crate::{app::App, archive::History, error::ApiError, words};
use tatau_api::{JobView, TaskView};
use tatau_engine::{Waiting, completes_frame};
use tatau_model::{
    Address, Amount, AttemptState, Clock, Job, JobId, JobKind, JobState, Millis, SystemClock, TaskState, Who,
    environment::HOST,
};

/// The job, if it is this owner's. Another's looks as if there were none.
pub(crate) async fn own_job(app: &App, id: JobId, owner: Address) -> Result<Job, ApiError> {
    let job = app.archive.job(id).await?;
    job.filter(|j| j.owner == owner)
        .ok_or_else(|| ApiError::not_found(format!("you have no {id}; `tatau jobs` lists yours")))
}

/// The job, and its tasks changed since `after`.
pub(crate) async fn job(app: &App, id: JobId, owner: Address, after: u64) -> Result<JobView, ApiError> {
    let changed = app.archive.history(id, after).await?;
    // Read after its tasks: it is never older than they are.
    let job = own_job(app, id, owner).await?;
    let change = changed.iter().map(|h| h.changed).max().unwrap_or(after);
    let mut tasks = Vec::with_capacity(changed.len());
    for history in changed {
        tasks.push(task_view(app, &job, history)?);
    }
    let frames_total = match &job.kind {
        JobKind::Render(spec) => u32::try_from(spec.frames.len()).unwrap_or(u32::MAX),
        JobKind::Bundle(spec) => u32::try_from(spec.tasks()).unwrap_or(u32::MAX),
        JobKind::Inspect | JobKind::Benchmark { .. } => 1,
    };
    let frames_done = done(app, &job, frames_total).await?;
    let eta = eta(&job, frames_done, frames_total, SystemClock.now());
    let waiting = waiting(app, &job).await?;
    Ok(JobView { job, frames_total, frames_done, eta, waiting, tasks, change })
}

/// Why nobody works on a running job, in its buyer's words.
pub(crate) async fn waiting(app: &App, job: &Job) -> Result<Option<String>, ApiError> {
    if job.state != JobState::Running {
        return Ok(None);
    }
    let (id, now) = (job.id, SystemClock.now());
    let why = app.writer.read(move |s| s.why_waiting(id, now)).await?;
    Ok(why.map(|why| match why {
        Waiting::NoMachine => format!(
            "no machine that is online has what it needs ({}); it goes on when one comes, and costs nothing until then",
            needs(job)
        ),
        Waiting::NobodyChecks => format!(
            "nobody who is online could check what is rendered on {}, which needs two validators of different owners: it goes on when they \
             come, and costs nothing until then",
            job.device().words()
        ),
        Waiting::NoneWilling => {
            "the machines that could do it failed at what is left, or do not take such work; it goes on when another one comes, or \
             cancel it: what is done is kept"
                .to_owned()
        }
        Waiting::NotTaken => {
            "machines that could do it are online and have not taken it: they are busy, or ask more than it pays; wait, or raise its cap \
             or its priority"
                .to_owned()
        }
    }))
}

fn needs(job: &Job) -> String {
    let mut needs = vec![job.environment.strip_prefix(HOST).unwrap_or(&job.environment).to_owned()];
    needs.extend(job.class.as_ref().map(|class| format!("a card of the class {class}")));
    if !job.device().is_cpu() {
        needs.push(job.device().words().to_owned());
    }
    if job.memory_mib > 0 {
        needs.push(format!("{} of memory", tatau_ui::words::bytes(job.memory_mib << 20)));
    }
    match job.machines.who {
        Who::Any => {}
        Who::Trusted => needs.push("your trust".to_owned()),
        Who::Own => needs.push("a machine of your own".to_owned()),
    }
    needs.join(", ")
}

/// Raw frames that are whole and accepted.
async fn done(app: &App, job: &Job, total: u32) -> Result<u32, ApiError> {
    if job.state == JobState::Finished {
        return Ok(total);
    }
    let id = job.id;
    let open = app.writer.read(move |s| s.job(id).map(|_| s.counts(id))).await?;
    let done = if let Some(counts) = open {
        counts.frames
    } else {
        let tasks = app.archive.tasks_of(id).await?;
        tasks.iter().filter(|t| t.state == TaskState::Accepted && completes_frame(&t.work)).count()
    };
    Ok(u32::try_from(done).unwrap_or(u32::MAX).min(total))
}

/// The rest takes as long for each frame as those seen.
pub(crate) fn eta(job: &Job, done: u32, total: u32, now: Millis) -> Option<Millis> {
    if job.state != JobState::Running || done == 0 || done >= total {
        return None;
    }
    let left = now.since(job.created).saturating_mul(u64::from(total - done)) / u64::from(done);
    Some(now.plus(left))
}

fn task_view(app: &App, job: &Job, history: History) -> Result<TaskView, ApiError> {
    let History { task, changed, attempts, audits } = history;
    let story = words::story(&attempts, &audits);
    // An inspection's report is its buyer's as soon as it is here; its pay waits for the audits.
    let early = matches!(job.kind, JobKind::Inspect);
    let usable = |state: &AttemptState| match state {
        AttemptState::Accepted => true,
        AttemptState::Delivered => early,
        _ => false,
    };
    let (paid, outputs) = match attempts.into_iter().rev().find(|a| usable(&a.state)) {
        Some(attempt) => {
            // The fee is a share of the whole: what the provider got is the rest of it.
            let rest = 1_000_000u64.saturating_sub(app.config.fee_ppm).max(1);
            let paid = attempt.pay.scale(1_000_000, rest).map_err(|e| ApiError::internal(&e))?;
            (paid.min(attempt.price), attempt.outputs)
        }
        None => (Amount::ZERO, Vec::new()),
    };
    Ok(TaskView {
        id: task.id,
        work: task.work,
        state: task.state.name().into(),
        attempts: task.attempts,
        paid,
        outputs,
        story,
        changed,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_is_expected_from_what_was_seen() {
        let job: Job = serde_json::from_value(serde_json::json!({
            "id": 1, "owner": Address::default(), "name": "n", "kind": "inspect", "state": "running", "inputs": null,
            "bundle": null, "scene": "a.blend", "environment": "e", "class": null, "strategy": "balanced", "cap": 1,
            "spent": 0, "reference_ms": 1, "created": 1000, "ended": null, "request_key": "k"
        }))
        .unwrap();
        assert_eq!(eta(&job, 0, 10, Millis(2_000)), None);
        assert_eq!(eta(&job, 2, 10, Millis(3_000)), Some(Millis(3_000 + 8_000)));
        assert_eq!(eta(&job, 10, 10, Millis(3_000)), None);
    }
}
