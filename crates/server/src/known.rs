//! What a buyer has already: accepted results of earlier jobs that are the same work.

use crate::{app::App, error::ApiError};
use std::collections::{HashMap, HashSet};
use tatau_engine::Known;
use tatau_model::{Attempt, AttemptState, BlobId, Grid, Job, JobKind, OutputFile, RenderSpec, TaskId, Work};

/// Earlier jobs on the same inputs that are looked at, the newest.
const MOST_JOBS: usize = 16;

/// Results for `spec` on what `inspected` looked at, of the same owner: same scene, same files, same frozen values. Only such whose
/// files are here; they are noted as wanted, so that they stay.
pub(crate) async fn results(app: &App, inspected: &Job, spec: &RenderSpec) -> Result<Vec<Known>, ApiError> {
    let Some(inputs) = inspected.inputs else { return Ok(Vec::new()) };
    let mut found: HashMap<Work, Attempt> = HashMap::new();
    let frames: HashSet<i32> = spec.frames.iter().copied().collect();
    for job in app.archive.renders_of(inspected.owner, inputs, MOST_JOBS).await? {
        if !same(&job, inspected, spec) {
            continue;
        }
        let tasks: HashMap<TaskId, Work> =
            app.archive.tasks_of(job.id).await?.into_iter().map(|task| (task.id, task.work)).collect();
        for attempt in app.archive.attempts_of_job(job.id).await? {
            if attempt.state != AttemptState::Accepted {
                continue;
            }
            match tasks.get(&attempt.task) {
                Some(
                    work @ (Work::Render { frame, .. } | Work::Stitch { frame } | Work::Finish { frame }),
                ) if frames.contains(frame) => {
                    found.entry(work.clone()).or_insert(attempt);
                }
                _ => {}
            }
        }
    }
    let held = app.blobs.run(move |store| {
        let mut held = Vec::new();
        for (work, attempt) in found {
            if all_here(&attempt.outputs, |blob| store.touch(blob))? {
                held.push(Known { work, attempt });
            }
        }
        Ok(held)
    });
    let mut held = held.await.map_err(|e| ApiError::internal(&e))?;
    held.sort_by_key(|known| known.attempt.id);
    Ok(held)
}

/// How the newest earlier job on the same work cut its frames: cut as before, they need not be rendered again.
pub(crate) async fn cut_before(
    app: &App,
    inspected: &Job,
    spec: &RenderSpec,
) -> Result<Option<Option<Grid>>, ApiError> {
    let Some(inputs) = inspected.inputs else { return Ok(None) };
    for job in app.archive.renders_of(inspected.owner, inputs, MOST_JOBS).await? {
        let JobKind::Render(before) = &job.kind else { continue };
        if same(&job, inspected, &RenderSpec { tiles: before.tiles, ..spec.clone() }) {
            return Ok(Some(before.tiles));
        }
    }
    Ok(None)
}

fn all_here<E>(files: &[OutputFile], mut touch: impl FnMut(&BlobId) -> Result<bool, E>) -> Result<bool, E> {
    for file in files {
        if !touch(&file.blob)? {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Everything that decides what a frame looks like. Which frames, a video and a preview do not.
fn same(job: &Job, inspected: &Job, spec: &RenderSpec) -> bool {
    let JobKind::Render(before) = &job.kind else { return false };
    let before = RenderSpec {
        frames: spec.frames.clone(),
        video: spec.video,
        preview: spec.preview,
        ..before.clone()
    };
    before == *spec && job.scene == inspected.scene && job.environment == inspected.environment
}

/// Frames of which nothing is left to do: the raw result and its picture are known.
pub(crate) fn frames(known: &[Known]) -> u32 {
    let works: HashSet<&Work> = known.iter().map(|known| &known.work).collect();
    let whole = works.iter().filter(|work| match work {
        Work::Render { frame, tile: None } | Work::Stitch { frame } => {
            works.contains(&Work::Finish { frame: *frame })
        }
        _ => false,
    });
    u32::try_from(whole.count()).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_without_its_picture_is_still_to_be_paid_for() {
        let attempt: Attempt = serde_json::from_value(serde_json::json!({
            "id": 7, "task": 1, "job": 1, "node": tatau_model::Address::default(), "provider": tatau_model::Address::default(),
            "card": 0, "price": 1, "reserved": 0, "pay": 0, "leased": 5, "due": 9, "committed": null, "receipt": null,
            "outputs": [], "epoch": null, "challenge": null, "newcomer": false, "dispute_until": null, "state": "accepted"
        }))
        .unwrap();
        let known = |work| Known { work, attempt: attempt.clone() };
        let some = [
            known(Work::Render { frame: 1, tile: None }),
            known(Work::Finish { frame: 1 }),
            known(Work::Render { frame: 2, tile: None }),
            known(Work::Finish { frame: 3 }),
        ];
        assert_eq!(frames(&some), 1);
    }
}
