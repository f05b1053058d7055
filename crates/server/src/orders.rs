//! Leases and audits as nodes get them, from the state and the workload.

use crate::{app::App, error::ApiError, program};
use std::collections::{BTreeMap, HashMap};
use tatau_api::{AuditOrder, Lease};
use tatau_engine::State;
use tatau_model::{
    Attempt, AttemptId, Audit, AuditId, AuditWork, BlobId, Job, JobKind, OrderFile, OutputFile, Task, TaskId,
    TaskState, Work,
};
use tatau_workload::{
    order::{audit_order, program_order, task_order},
    template::Bundle,
    trace,
};

/// Largest bundle, bytes.
const BUNDLE_BYTES: u64 = 1 << 20;

/// What the work starts from: a file by its name, or all, of the accepted attempt that delivered it.
struct Source {
    name: Option<String>,
    attempt: AttemptId,
}

/// The lease, or `None` where it is over.
pub(crate) async fn lease(app: &App, id: AttemptId) -> Result<Option<Lease>, ApiError> {
    let drawn = app.writer.read(move |state| {
        let attempt = state.attempt(id)?.clone();
        let task = state.task(attempt.task)?.clone();
        let job = state.job(attempt.job)?.clone();
        let sources = sources(state, &task.work, &job);
        Some((attempt, task, job, sources))
    });
    let Some((attempt, task, job, sources)) = drawn.await? else { return Ok(None) };
    let files = files(app, sources).await?;
    let limit_ms = attempt.due.since(attempt.leased);
    let Attempt { task: number, card, price, due, .. } = attempt;
    let Task { work, .. } = task;
    if matches!(work, Work::Task { .. }) {
        let run = program::run(app, &job, &work).await?;
        let order = program_order(&job, &work, run, files, limit_ms);
        return Ok(Some(Lease { attempt: id, task: number, card, price, due, order }));
    }
    let bundle = bundle(app, &job).await?;
    match task_order(&job, bundle.as_ref(), id, &work, files, limit_ms) {
        Ok(order) => Ok(Some(Lease { attempt: id, task: number, card, price, due, order })),
        Err(error) => Err(ApiError::internal(&format!("no order can be made for {id}: {error}"))),
    }
}

/// The audit, blind; or `None` where it is over.
pub(crate) async fn audit(app: &App, id: AuditId) -> Result<Option<AuditOrder>, ApiError> {
    let drawn = app.writer.read(move |state| {
        let audit = state.audit(id)?.clone();
        let task = state.task(audit.task)?.clone();
        let job = state.job(audit.job)?.clone();
        // Crops need the scene alone; a re-run starts from the files of the task itself.
        let sources = match audit.work {
            AuditWork::Crops { .. } => Vec::new(),
            AuditWork::Rerun => sources(state, &task.work, &job),
        };
        Some((audit, task, job, sources, state.config.audit_ms))
    });
    let Some((audit, task, job, sources, limit_ms)) = drawn.await? else { return Ok(None) };
    let Audit { due, work: part, .. } = audit;
    let files = files(app, sources).await?;
    if matches!(task.work, Work::Task { .. }) {
        let run = program::run(app, &job, &task.work).await?;
        let order = program_order(&job, &task.work, run, files, limit_ms);
        return Ok(Some(AuditOrder { audit: id, due, order }));
    }
    let bundle = bundle(app, &job).await?;
    match audit_order(&job, bundle.as_ref(), id, &part, &task.work, files, limit_ms) {
        Ok(order) => Ok(Some(AuditOrder { audit: id, due, order })),
        Err(error) => Err(ApiError::internal(&format!("no order can be made for {id}: {error}"))),
    }
}

/// Joining starts from a frame's verified tiles, finishing from the verified frame, the video from all verified pictures, a bundle's
/// task from what the steps left that it waited for.
fn sources(state: &State, work: &Work, job: &Job) -> Vec<Source> {
    if let (Work::Task { step, .. }, JobKind::Bundle(spec)) = (work, &job.kind) {
        let after = spec.steps.get(usize::from(*step)).map_or(&[][..], |step| &step.after);
        let before = |t: &&Task| matches!(&t.work, Work::Task { step, .. } if after.contains(step));
        let accepted = |t: &Task| Some(Source { name: None, attempt: t.current? });
        return if after.is_empty() {
            Vec::new()
        } else {
            state.tasks_of(job.id).filter(before).filter_map(accepted).collect()
        };
    }
    let wanted = |other: &Work| match (work, other) {
        (Work::Finish { frame }, Work::Render { frame: made, tile: None } | Work::Stitch { frame: made })
        | (Work::Stitch { frame }, Work::Render { frame: made, tile: Some(_) })
            if frame == made =>
        {
            trace::raw_file(other)
        }
        (Work::Video, Work::Finish { frame }) => Some(trace::frame_name(*frame) + ".png"),
        _ => None,
    };
    if !matches!(work, Work::Stitch { .. } | Work::Finish { .. } | Work::Video) {
        return Vec::new();
    }
    let source = |t: &Task| Some(Source { name: Some(wanted(&t.work)?), attempt: t.current? });
    if let Some(found) = frame_task(state, work, job).filter(|t| t.state == TaskState::Accepted) {
        return source(found).into_iter().collect();
    }
    let accepted = state.tasks_of(job.id).filter(|t| t.state == TaskState::Accepted);
    accepted.filter_map(source).collect()
}

/// The task that renders the frame of a picture, without a search through the job: its frames are its first tasks, in order.
fn frame_task<'s>(state: &'s State, work: &Work, job: &Job) -> Option<&'s Task> {
    let (Work::Finish { frame }, JobKind::Render(spec)) = (work, &job.kind) else { return None };
    let place = spec.frames.iter().position(|f| f == frame)?;
    let first = state.tasks_of(job.id).next()?.id.0;
    let task = state.task(TaskId(first.checked_add(place as u64)?))?;
    (task.job == job.id && task.work == Work::Render { frame: *frame, tile: None }).then_some(task)
}

async fn files(app: &App, sources: Vec<Source>) -> Result<Vec<OrderFile>, ApiError> {
    let attempts: Vec<AttemptId> = sources.iter().map(|s| s.attempt).collect();
    if attempts.is_empty() {
        return Ok(Vec::new());
    }
    let attempts = app.archive.attempts(attempts).await?;
    let attempts: HashMap<AttemptId, &Attempt> = attempts.iter().map(|a| (a.id, a)).collect();
    // Of tasks that name their files alike the last one's is found.
    let mut files = BTreeMap::new();
    for Source { name, attempt } in sources {
        let lacks =
            |what: &str| ApiError::internal(&format!("{what} of accepted {attempt} is not on record"));
        let outputs = &attempts.get(&attempt).ok_or_else(|| lacks("the result"))?.outputs;
        if let Some(name) = name.as_ref().filter(|name| !outputs.iter().any(|f| f.name == **name)) {
            return Err(lacks(name));
        }
        let asked = |f: &&OutputFile| name.as_ref().is_none_or(|name| f.name == *name);
        files.extend(outputs.iter().filter(asked).map(|f| (f.name.clone(), (f.blob, f.bytes))));
    }
    // Where one task left a file and another a folder of that name, the file is found.
    let below_file = |name: &str| name.match_indices('/').any(|(at, _)| files.contains_key(&name[..at]));
    let found = files.iter().filter(|(name, _)| !below_file(name));
    Ok(found
        .map(|(name, (blob, bytes))| OrderFile { name: name.clone(), blob: *blob, bytes: *bytes })
        .collect())
}

/// The job's bundle, as it was checked on submission.
async fn bundle(app: &App, job: &Job) -> Result<Option<Bundle>, ApiError> {
    let Some(id) = job.bundle else { return Ok(None) };
    let json = blob(app, id, BUNDLE_BYTES).await?;
    Bundle::from_json(&json).map(Some).map_err(|e| ApiError::internal(&e))
}

async fn blob(app: &App, id: BlobId, most: u64) -> Result<Vec<u8>, ApiError> {
    let read = app.blobs.run(move |store| store.read(&id, most)).await;
    read.map_err(|e| ApiError::internal(&e))?
        .ok_or_else(|| ApiError::internal(&format!("blob {id} of a running job is gone")))
}
