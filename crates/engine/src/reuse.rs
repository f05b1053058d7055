//! Results of earlier jobs, taken over by a new one: the same work is not done, checked and paid twice.

use crate::{Draft, Known, Refusal, jobs};
use tatau_model::{Amount, Attempt, AttemptState, JobId, TaskState, Work};

/// Gives a new job's tasks the results that are known. What the job has no task for is passed over.
pub(crate) fn take_over(draft: &mut Draft<'_>, job: JobId, known: Vec<Known>) -> Result<(), Refusal> {
    // Frames make room for their pictures, tiles for their joining.
    let (frames, others): (Vec<Known>, Vec<Known>) =
        known.into_iter().partition(|known| matches!(known.work, Work::Render { .. }));
    let (joined, others): (Vec<Known>, Vec<Known>) =
        others.into_iter().partition(|known| matches!(known.work, Work::Stitch { .. }));
    give(draft, job, frames)?;
    give(draft, job, joined)?;
    give(draft, job, others)
}

fn give(draft: &mut Draft<'_>, job: JobId, known: Vec<Known>) -> Result<(), Refusal> {
    let mut waiting = draft.new_tasks(job);
    for Known { work, attempt } in known {
        let Some(task) = waiting.remove(&work) else { continue };
        let id = draft.next_attempt();
        let now = draft.now;
        draft.put_attempt(Attempt {
            id,
            task,
            job,
            state: AttemptState::Accepted,
            price: Amount::ZERO,
            reserved: Amount::ZERO,
            pay: Amount::ZERO,
            leased: now,
            due: now,
            committed: None,
            receipt: None,
            epoch: None,
            challenge: None,
            newcomer: false,
            dispute_until: None,
            // Of a copy the original, so that it can be found.
            copy_of: Some(attempt.copy_of.unwrap_or(attempt.id)),
            ..attempt
        });
        let drafted = draft.task_mut(task)?;
        drafted.state = TaskState::Accepted;
        drafted.current = Some(id);
        jobs::advance(draft, job, task)?;
    }
    Ok(())
}
