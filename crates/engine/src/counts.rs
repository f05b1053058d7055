//! How far a job is: counted as its tasks change, never by a walk over them.

use tatau_model::{Task, TaskState, Work};

/// How far a job's tasks are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Tasks made.
    pub tasks: usize,
    /// Of them accepted.
    pub accepted: usize,
    /// Of the accepted, renders: frames, or tiles of frames, or a bundle's tasks.
    pub renders: usize,
    /// Of the accepted, those that completed a raw frame: renders of whole frames, and joinings of tiles; other jobs' one task.
    pub frames: usize,
    /// Of the accepted, finishing tasks.
    pub finishes: usize,
    /// Renders that are leased or await their verdict.
    pub renders_under_way: usize,
    /// Joinings of tiles that are.
    pub stitches_under_way: usize,
    /// Other tasks that are.
    pub others_under_way: usize,
}

impl Counts {
    /// Follows one task from how it was to how it is.
    pub(crate) fn follow(&mut self, before: Option<&Task>, after: &Task) {
        let under_way = |task: &&Task| matches!(task.state, TaskState::Leased | TaskState::Auditing);
        let place = match after.work {
            Work::Render { .. } | Work::Task { .. } => &mut self.renders_under_way,
            Work::Stitch { .. } => &mut self.stitches_under_way,
            _ => &mut self.others_under_way,
        };
        *place = (*place + usize::from(under_way(&after)))
            .saturating_sub(usize::from(before.as_ref().is_some_and(under_way)));
    }

    /// One more is accepted.
    pub(crate) fn accept(&mut self, work: &Work) {
        self.accepted += 1;
        self.renders += usize::from(matches!(work, Work::Render { .. } | Work::Task { .. }));
        self.frames += usize::from(completes_frame(work));
        self.finishes += usize::from(matches!(work, Work::Finish { .. }));
    }

    /// How many tasks are leased or await their verdict.
    pub(crate) fn under_way(&self) -> usize {
        self.renders_under_way + self.stitches_under_way + self.others_under_way
    }
}

/// Does this work leave a whole raw frame, or stand for one in jobs of one task?
pub fn completes_frame(work: &Work) -> bool {
    match work {
        Work::Render { tile, .. } => tile.is_none(),
        Work::Stitch { .. } | Work::Inspect | Work::Benchmark | Work::Task { .. } => true,
        Work::Finish { .. } | Work::Video => false,
    }
}
