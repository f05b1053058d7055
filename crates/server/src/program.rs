//! Bundles for programs that the platform knows nothing of: checked when they are submitted, one task of them for an order.

use crate::{app::App, error::ApiError};
use std::collections::{BTreeMap, BTreeSet};
use tatau_blobs::Manifest;
use tatau_model::{BlobId, BundleSpec, BundleStep, Job, JobKind, Work};
use tatau_sandbox::bundle::{Bound, BundleLimits, Step, parse_template};
use tatau_workload::{
    order::ProgramRun,
    program::{self, Kept},
};

/// Most tasks of a bundle.
const MOST_TASKS: u64 = 20_000;
/// Most tasks whose results a step may find.
const MOST_TASKS_BEFORE: u64 = 5_000;
/// Longest time of a task on the reference card: a day.
const MOST_TASK_MS: u64 = 24 * 3_600_000;
/// Largest bundle, bytes.
const BUNDLE_BYTES: u64 = 1 << 20;

/// A bundle that passed every check.
pub(crate) struct Checked {
    /// What is kept of it.
    pub json: Vec<u8>,
    pub spec: BundleSpec,
}

/// Parses the template with limits, puts the paths in their places and counts the tasks.
pub(crate) async fn check(
    template: String,
    values: BTreeMap<String, String>,
    manifest: Manifest,
    reproducible: bool,
) -> Result<Checked, ApiError> {
    let checked = tokio::task::spawn_blocking(move || {
        let below = |path: &str| {
            let folder = format!("{path}/");
            manifest.files().iter().any(|file| file.path == path || file.path.starts_with(&folder))
        };
        let placed = program::place(&template, &values, &below).map_err(|e| ApiError::invalid(e.sentence))?;
        let bound = bind(&template, &placed)?;
        let steps = steps(bound.steps())?;
        let json = Kept::new(template, placed).to_json().map_err(|e| ApiError::invalid(e.sentence))?;
        Ok(Checked { json, spec: BundleSpec { steps, reproducible } })
    });
    checked.await.map_err(|e| ApiError::internal(&e))?
}

/// The steps with the places of those that each waits for.
fn steps(of: &[Step]) -> Result<Vec<BundleStep>, ApiError> {
    let place = |name: &String| of.iter().position(|step| step.name == *name);
    let mut steps = Vec::with_capacity(of.len());
    for (at, step) in of.iter().enumerate() {
        // The parser has made sure that nothing waits for itself.
        let (mut after, mut look) = (BTreeSet::new(), vec![at]);
        while let Some(waiting) = look.pop() {
            let waits_for = of.get(waiting).into_iter().flat_map(|step| &step.depends_on).filter_map(place);
            look.extend(waits_for.filter(|other| after.insert(*other)));
        }
        let before: u64 = after.iter().filter_map(|other| of.get(*other)).map(|step| step.tasks).sum();
        if before > MOST_TASKS_BEFORE {
            return Err(ApiError::invalid(format!(
                "the step {} waits for {before} tasks; at most {MOST_TASKS_BEFORE} are possible",
                shown(&step.name)
            )));
        }
        let after = after.into_iter().map(u16::try_from).collect::<Result<_, _>>();
        let after = after.map_err(|e| ApiError::internal(&e))?;
        let tasks = u32::try_from(step.tasks).map_err(|e| ApiError::internal(&e))?;
        steps.push(BundleStep { name: step.name.clone(), tasks, after });
    }
    Ok(steps)
}

/// The time that its buyer says a task takes.
pub(crate) fn check_time(task_reference_ms: u64) -> Result<u64, ApiError> {
    if (1..=MOST_TASK_MS).contains(&task_reference_ms) {
        return Ok(task_reference_ms);
    }
    Err(ApiError::invalid("a task takes between a millisecond and a day; cut longer ones into several"))
}

fn bind(template: &str, values: &BTreeMap<String, String>) -> Result<Bound, ApiError> {
    let limits = BundleLimits { tasks: MOST_TASKS, ..BundleLimits::default() };
    let parsed = parse_template(template, &limits).map_err(|e| ApiError::invalid(e.sentence))?;
    parsed.bind(values).map_err(|e| ApiError::invalid(e.sentence))
}

fn shown(name: &str) -> String {
    name.chars().filter(|c| !c.is_control()).take(64).collect()
}

/// What one task of a job's bundle runs.
pub(crate) async fn run(app: &App, job: &Job, work: &Work) -> Result<ProgramRun, ApiError> {
    let (JobKind::Bundle(spec), Work::Task { step, index }, Some(blob)) = (&job.kind, work, job.bundle)
    else {
        return Err(ApiError::internal(&format!("{} is no task of a bundle", work.label())));
    };
    let gone = || ApiError::internal(&format!("{} of {} is not in its bundle", work.label(), job.id));
    let step = spec.steps.get(usize::from(*step)).ok_or_else(gone)?.name.clone();
    let index = *index as usize;
    let json = read(app, blob).await?;
    let run = tokio::task::spawn_blocking(move || {
        let kept = Kept::from_json(&json).map_err(|e| ApiError::internal(&e))?;
        let bound = bind(&kept.template, &kept.parameters)?;
        let task = bound.tasks(&step).and_then(|mut tasks| tasks.nth(index));
        Ok::<_, ApiError>(task.map(|task| ProgramRun {
            template: kept.template,
            parameters: kept.parameters,
            step,
            task,
        }))
    });
    run.await.map_err(|e| ApiError::internal(&e))??.ok_or_else(gone)
}

async fn read(app: &App, blob: BlobId) -> Result<Vec<u8>, ApiError> {
    let read = app.blobs.run(move |store| store.read(&blob, BUNDLE_BYTES)).await;
    read.map_err(|e| ApiError::internal(&e))?
        .ok_or_else(|| ApiError::internal(&format!("blob {blob} of a running job is gone")))
}
