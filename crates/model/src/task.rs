//! A task: the smallest piece that is leased, audited and paid.

use crate::{Address, Amount, AttemptId, IllegalTransition, JobId, Millis, TaskId};
use serde::{Deserialize, Serialize};

/// What a task does.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "work")]
pub enum Work {
    /// Opens the scene and reports files, settings, refusals and probe times.
    Inspect,
    /// Renders the platform's own scene to place a card.
    Benchmark,
    /// Renders one frame, or one tile of it, to a raw EXR.
    Render {
        /// Frame number of the scene.
        frame: i32,
        /// Which tile of the job's grid, row by row from the top left; the whole frame where absent.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        tile: Option<u16>,
    },
    /// Joins the verified tiles of a frame to its raw EXR.
    Stitch {
        /// Frame number of the scene.
        frame: i32,
    },
    /// Makes the colour-managed PNG of one verified frame.
    Finish {
        /// Frame number of the scene.
        frame: i32,
    },
    /// Encodes the video from all verified PNGs.
    Video,
    /// A task of a bundle.
    Task {
        /// Which step of the bundle, from 0.
        step: u16,
        /// Which task of the step, from 0.
        index: u32,
    },
}

impl Work {
    /// The kind's name, for programs: what an offer may refuse.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Inspect => "inspect",
            Self::Benchmark => "benchmark",
            Self::Render { .. } => "render",
            Self::Stitch { .. } => "stitch",
            Self::Finish { .. } => "finish",
            Self::Video => "video",
            Self::Task { .. } => "task",
        }
    }

    /// Is it done on the job's device? All else is done on processors.
    pub fn is_on_device(&self) -> bool {
        matches!(self, Self::Benchmark | Self::Render { .. })
    }

    /// A short name for people and logs.
    pub fn label(&self) -> String {
        match self {
            Self::Inspect => "inspection".into(),
            Self::Benchmark => "benchmark".into(),
            Self::Render { frame, tile: None } => format!("frame {frame}"),
            Self::Render { frame, tile: Some(tile) } => {
                format!("tile {} of frame {frame}", u32::from(*tile) + 1)
            }
            Self::Stitch { frame } => format!("joining of frame {frame}"),
            Self::Finish { frame } => format!("picture of frame {frame}"),
            Self::Video => "video".into(),
            Self::Task { step, index } => {
                format!("task {} of step {}", u64::from(*index) + 1, u32::from(*step) + 1)
            }
        }
    }
}

/// Where a task stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TaskState {
    /// May be leased.
    Ready,
    /// One attempt holds it.
    Leased,
    /// A receipt was signed; outputs and verdict are awaited.
    Auditing,
    /// Verified; its accepted attempt is paid.
    Accepted,
    /// Given up; the job says why.
    Failed,
    /// Its job ended first.
    Cancelled,
}

impl TaskState {
    /// The state's name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ready => "ready",
            Self::Leased => "leased",
            Self::Auditing => "auditing",
            Self::Accepted => "accepted",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }
    /// Nothing more happens to it.
    pub fn is_ended(self) -> bool {
        matches!(self, Self::Accepted | Self::Failed | Self::Cancelled)
    }
    /// May `next` follow?
    pub fn allows(self, next: Self) -> bool {
        use TaskState::{Accepted, Auditing, Cancelled, Failed, Leased, Ready};
        matches!(
            (self, next),
            (Ready, Leased | Failed | Cancelled)
                | (Leased, Ready | Auditing | Failed | Cancelled)
                | (Auditing, Ready | Accepted | Failed | Cancelled)
        )
    }
}

/// One failed try, remembered to tell whose fault it was.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// Owner of the node that failed.
    pub provider: Address,
    /// The attempt.
    pub attempt: AttemptId,
    /// What a program matches on; equal codes from two providers make it the buyer's fault.
    pub code: String,
    /// One sentence.
    pub sentence: String,
    /// What the try cost at its price; paid by the buyer if it was the buyer's fault.
    pub owed: Amount,
}

/// One task.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Task {
    /// Its number.
    pub id: TaskId,
    /// Its job.
    pub job: JobId,
    /// What it does.
    #[serde(flatten)]
    pub work: Work,
    /// Where it stands.
    pub state: TaskState,
    /// Attempts so far.
    pub attempts: u32,
    /// The attempt that holds it, awaits its verdict, or was accepted.
    pub current: Option<AttemptId>,
    /// Owners who may not try it again.
    pub excluded: Vec<Address>,
    /// Failed tries.
    pub failures: Vec<Failure>,
    /// Since when it has been ready (or when it was made).
    pub since: Millis,
}

impl Task {
    /// Moves to `next`, or says why not.
    pub fn become_state(&mut self, next: TaskState) -> Result<(), IllegalTransition> {
        if !self.state.allows(next) {
            return Err(IllegalTransition {
                what: self.id.to_string(),
                from: self.state.name(),
                to: next.name(),
            });
        }
        self.state = next;
        Ok(())
    }
}
