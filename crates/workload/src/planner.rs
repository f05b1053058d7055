//! Which tasks of a job should exist next.

use std::collections::HashSet;
use tatau_model::{BundleSpec, Job, JobKind, Preview, RenderSpec, TaskState, Work};

/// The tasks of a job that exist.
#[derive(Debug, Clone, Copy)]
pub struct Progress<'a> {
    /// Each task once, in any order.
    pub tasks: &'a [(Work, TaskState)],
}

/// Tasks that should exist now and do not, in the order in which they should be leased.
///
/// A walk over all tasks: for the first call, and after recovery. On every acceptance use [`after_accept`].
pub fn next(job: &Job, progress: &Progress<'_>) -> Vec<Work> {
    let there: HashSet<&Work> = progress.tasks.iter().map(|(work, _)| work).collect();
    let accepted: HashSet<&Work> = progress
        .tasks
        .iter()
        .filter(|(_, state)| *state == TaskState::Accepted)
        .map(|(work, _)| work)
        .collect();
    let mut wanted = first(job);
    if let JobKind::Bundle(spec) = &job.kind {
        let done = |step: u16| {
            accepted.iter().filter(|work| matches!(work, Work::Task { step: of, .. } if *of == step)).count()
        };
        let counts: Vec<usize> = (0u16..).zip(&spec.steps).map(|(step, _)| done(step)).collect();
        wanted = bundle_tasks(spec, &counts).collect();
    }
    if let JobKind::Render(spec) = &job.kind {
        for frame in &spec.frames {
            let rendered = renders(spec, *frame).all(|work| accepted.contains(&work));
            let stitched = accepted.contains(&Work::Stitch { frame: *frame });
            match (rendered, spec.tiles.is_some()) {
                (true, true) if stitched => {
                    wanted.extend([Work::Stitch { frame: *frame }, Work::Finish { frame: *frame }]);
                }
                (true, true) => wanted.push(Work::Stitch { frame: *frame }),
                (true, false) => wanted.push(Work::Finish { frame: *frame }),
                (false, _) => {}
            }
        }
        if spec.video && spec.frames.iter().all(|frame| accepted.contains(&Work::Finish { frame: *frame })) {
            wanted.push(Work::Video);
        }
    }
    wanted.retain(|work| !there.contains(work));
    wanted
}

/// Frames of a preview. A job of no more frames than these is its own preview.
const PREVIEW_FRAMES: usize = 3;

/// The frames that a buyer wants to see before the rest: the first, the middle and the last by number. Empty where the job waits
/// for no approval.
pub fn preview_frames(spec: &RenderSpec) -> Vec<i32> {
    if spec.preview != Preview::Waiting || spec.frames.len() <= PREVIEW_FRAMES {
        return Vec::new();
    }
    let mut frames = spec.frames.clone();
    frames.sort_unstable();
    [0, (frames.len() - 1) / 2, frames.len() - 1]
        .into_iter()
        .filter_map(|at| frames.get(at).copied())
        .collect()
}

/// Is the preview of a job that waits for its approval there to be seen? Until then only its frames and their pictures are tasks.
pub fn preview_is_ready(job: &Job, accepted: usize) -> bool {
    let JobKind::Render(spec) = &job.kind else { return false };
    let frames = preview_frames(spec).len();
    frames > 0 && accepted >= tasks_a_frame(spec) * frames
}

/// The tasks that render a frame: its tiles in order, or one.
fn renders(spec: &RenderSpec, frame: i32) -> impl Iterator<Item = Work> + use<> {
    let tiles = spec.tiles.map(tatau_model::Grid::count);
    let all = 0..tiles.unwrap_or(1);
    all.map(move |index| Work::Render { frame, tile: tiles.is_some().then_some(index) })
}

/// Its renders, their joining, its picture.
fn tasks_a_frame(spec: &RenderSpec) -> usize {
    spec.renders_a_frame() + usize::from(spec.tiles.is_some()) + 1
}

/// The tasks of a new job: the earliest frame first, because a buyer looks at it first, the others in the buyer's order.
/// Of a job that waits for its approval only the preview's.
fn first(job: &Job) -> Vec<Work> {
    match &job.kind {
        JobKind::Inspect => vec![Work::Inspect],
        JobKind::Benchmark { .. } => vec![Work::Benchmark],
        JobKind::Bundle(spec) => bundle_tasks(spec, &[]).collect(),
        JobKind::Render(spec) => {
            let preview = preview_frames(spec);
            let frames = if preview.is_empty() { &spec.frames } else { &preview };
            let earliest = frames.iter().min().copied();
            let others = frames.iter().copied().filter(|frame| Some(*frame) != earliest);
            earliest.into_iter().chain(others).flat_map(|frame| renders(spec, frame)).collect()
        }
    }
}

/// The tasks of the steps that wait for none that is not complete. `accepted`: tasks of each step; none where it ends.
fn bundle_tasks<'s>(spec: &'s BundleSpec, accepted: &'s [usize]) -> impl Iterator<Item = Work> + 's {
    let done = |step: u16| accepted.get(usize::from(step)).copied().unwrap_or_default();
    let steps = (0u16..).zip(&spec.steps).filter(move |(_, step)| spec.may_begin(step, done));
    steps.flat_map(|(step, of)| (0..of.tasks).map(move |index| Work::Task { step, index }))
}

/// What was accepted so far, the latest included.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Accepted {
    /// [`Work::Finish`] tasks of the job.
    pub finishes: usize,
    /// Tiles of the frame that the latest belongs to.
    pub tiles: usize,
    /// Tasks of each step of a bundle; empty where the latest did not complete its step.
    pub steps: Vec<usize>,
}

/// The tasks that follow from the acceptance of `latest`, without a look at the others. Call it once an acceptance.
pub fn after_accept(job: &Job, latest: &Work, so_far: &Accepted) -> Vec<Work> {
    let spec = match &job.kind {
        JobKind::Render(spec) => spec,
        JobKind::Bundle(spec) if !so_far.steps.is_empty() => return after_step(spec, latest, &so_far.steps),
        JobKind::Bundle(_) | JobKind::Inspect | JobKind::Benchmark { .. } => return Vec::new(),
    };
    match latest {
        Work::Render { frame, tile: None } | Work::Stitch { frame } => vec![Work::Finish { frame: *frame }],
        Work::Render { frame, tile: Some(_) } if so_far.tiles == spec.renders_a_frame() => {
            vec![Work::Stitch { frame: *frame }]
        }
        Work::Finish { .. } if spec.video && so_far.finishes == spec.frames.len() => vec![Work::Video],
        _ => Vec::new(),
    }
}

/// The tasks of the steps that waited for this one last of all.
fn after_step(spec: &BundleSpec, latest: &Work, accepted: &[usize]) -> Vec<Work> {
    let Work::Task { step: latest, .. } = latest else { return Vec::new() };
    let waited = |work: &Work| match work {
        Work::Task { step, .. } => {
            spec.steps.get(usize::from(*step)).is_some_and(|of| of.after.contains(latest))
        }
        _ => false,
    };
    bundle_tasks(spec, accepted).filter(waited).collect()
}

/// How many tasks the job has in all, those that do not exist yet included.
pub fn total_tasks(job: &Job) -> usize {
    match &job.kind {
        JobKind::Inspect | JobKind::Benchmark { .. } => 1,
        JobKind::Render(spec) => render_tasks(spec),
        JobKind::Bundle(spec) => spec.tasks(),
    }
}

fn render_tasks(spec: &RenderSpec) -> usize {
    tasks_a_frame(spec) * spec.frames.len() + usize::from(spec.video && !spec.frames.is_empty())
}

/// With `accepted_total` tasks accepted, is the job done?
pub fn is_last(job: &Job, accepted_total: usize) -> bool {
    accepted_total >= total_tasks(job)
}

/// Is everything accepted? A walk over all tasks.
pub fn is_complete(job: &Job, progress: &Progress<'_>) -> bool {
    is_last(job, progress.tasks.iter().filter(|(_, state)| *state == TaskState::Accepted).count())
}

#[cfg(test)]
#[path = "tests/planner.rs"]
mod tests;
