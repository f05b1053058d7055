//! A buyer's job and what a render job consists of.

use crate::{Address, Amount, BlobId, Device, Grid, IllegalTransition, JobId, Millis};
use serde::{Deserialize, Serialize};

/// Which planner a job follows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum JobKind {
    /// One small task that opens a buyer's scene and reports on it.
    Inspect,
    /// One task of the platform's own that measures a card of a node.
    Benchmark {
        /// The node that is measured; nobody else may take the task.
        node: Address,
        /// Which of its cards.
        card: u16,
        /// The scene's seed, drawn by the server.
        seed: u32,
        /// What the card renders it on.
        #[serde(default, skip_serializing_if = "Device::is_cpu")]
        device: Device,
    },
    /// Frames, pictures and a video.
    Render(RenderSpec),
    /// Tasks of a bundle for some other program: what they do is known to that program alone.
    Bundle(BundleSpec),
}

/// The tasks of a bundle.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BundleSpec {
    /// Its steps, in the template's order.
    pub steps: Vec<BundleStep>,
    /// The same task gives the same files everywhere, so that it can be run again and compared. Else nobody checks the work, and only
    /// those whom the buyer trusts do it.
    pub reproducible: bool,
}

/// One step of a bundle.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BundleStep {
    /// Its name in the template.
    pub name: String,
    /// How many tasks it has.
    pub tasks: u32,
    /// Places of the steps that have to be complete before its tasks begin, and whose results these find; those that they wait for in
    /// their turn included.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub after: Vec<u16>,
}

impl BundleSpec {
    /// Tasks of all steps.
    pub fn tasks(&self) -> usize {
        self.steps.iter().map(|step| step.tasks as usize).sum()
    }
    /// Where a file of a task goes among the results: a folder a step and a task, since tasks may name their files alike. Of the
    /// names what can be a folder's or a file's.
    pub fn place(&self, step: u16, index: u32, file: &str) -> String {
        let plain = |c: char| if c.is_ascii_alphanumeric() || "._-".contains(c) { c } else { '_' };
        let name = self.steps.get(usize::from(step)).map_or("", |step| step.name.as_str());
        let name: String = name.chars().take(64).map(plain).collect();
        let file: String = file.chars().map(|c| if c == '/' { c } else { plain(c) }).collect();
        format!("{}-{name}/{:04}/{file}", u32::from(step) + 1, u64::from(index) + 1)
    }
    /// May this step's tasks begin, where so many tasks of each step are accepted?
    pub fn may_begin(&self, step: &BundleStep, accepted: impl Fn(u16) -> usize) -> bool {
        let complete = |place: &u16| {
            self.steps.get(usize::from(*place)).is_some_and(|of| accepted(*place) >= of.tasks as usize)
        };
        step.after.iter().all(complete)
    }
}

/// What is frozen about a render job when it is paid.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RenderSpec {
    /// Frames to render, each once, in the buyer's order.
    pub frames: Vec<i32>,
    /// Pixels.
    pub width: u32,
    /// Pixels.
    pub height: u32,
    /// Cycles samples a pixel.
    pub samples: u32,
    /// Frames per second as numerator and denominator; for the video.
    pub fps: (u32, u32),
    /// Make a video at the end.
    pub video: bool,
    /// Set where a frame is more than one picture of four channels.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub layered: Option<Layered>,
    /// Does the buyer want to see a few frames before the rest is rendered?
    #[serde(default, skip_serializing_if = "Preview::is_none")]
    pub preview: Preview,
    /// Set where each frame is rendered in tiles, by several tasks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tiles: Option<Grid>,
    /// What renders its frames, and checks them.
    #[serde(default, skip_serializing_if = "Device::is_cpu")]
    pub device: Device,
}

/// A look at a few frames before the rest is rendered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Preview {
    /// Not asked for.
    #[default]
    None,
    /// Only the preview's frames are made until the buyer approves them.
    Waiting,
    /// Approved: all frames are made.
    Approved,
}

impl Preview {
    /// Not asked for?
    #[allow(clippy::trivially_copy_pass_by_ref)] // serde's signature
    pub fn is_none(&self) -> bool {
        *self == Self::None
    }
}

/// Frames whose raw file holds view layers, passes, two eyes, or what denoising and compositing need.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Layered {
    /// Channels of the raw frame.
    pub channels: u32,
    /// Width and height of the picture that is made from it, pixels.
    pub picture: (u32, u32),
    /// Reference milliseconds of making that picture.
    pub finish_reference_ms: u64,
}

impl RenderSpec {
    /// Channels of a plain frame: red, green, blue, alpha.
    pub const PLAIN_CHANNELS: u32 = 4;

    /// Channels of a raw frame.
    pub fn channels(&self) -> u32 {
        self.layered.map_or(Self::PLAIN_CHANNELS, |layered| layered.channels)
    }

    /// Width and height of a finished picture, pixels; two eyes may lie beside each other in it.
    pub fn picture(&self) -> (u32, u32) {
        self.layered.map_or((self.width, self.height), |layered| layered.picture)
    }

    /// Tasks that render one frame: its tiles, or one.
    pub fn renders_a_frame(&self) -> usize {
        self.tiles.map_or(1, |grid| usize::from(grid.count()))
    }
}

/// How leases are chosen among offers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Strategy {
    /// Only offers near the lowest price.
    Cheapest,
    /// Up to the middle of the market's prices.
    #[default]
    Balanced,
    /// Every offer within the cap, fast cards first.
    Fastest,
}

/// Who may see a job's scene: who works on a task of it, and who checks one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Who {
    /// Anybody on the market.
    #[default]
    Any,
    /// The buyer's own machines, accounts that the buyer marked, and those with a long record and much stake.
    Trusted,
    /// The buyer's own machines alone. Nobody else checks what they make.
    Own,
}

impl Who {
    /// Anybody?
    #[allow(clippy::trivially_copy_pass_by_ref)] // serde's signature
    pub fn is_any(&self) -> bool {
        *self == Self::Any
    }

    /// Its name in forms, flags and files.
    pub fn name(self) -> &'static str {
        match self {
            Self::Any => "any",
            Self::Trusted => "trusted",
            Self::Own => "own",
        }
    }

    /// The one of that name.
    pub fn named(name: &str) -> Option<Self> {
        [Self::Any, Self::Trusted, Self::Own].into_iter().find(|who| who.name() == name)
    }
}

/// Whose machines a job may use, and when.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Machines {
    /// Who may see the scene.
    pub who: Who,
    /// The market gets a task only after it has waited so long for the buyer's own machines, ms; 0: at once.
    #[serde(default)]
    pub own_first_ms: u64,
}

impl Machines {
    /// Longest wait for one's own machines, ms: a week.
    pub const MOST_OWN_FIRST_MS: u64 = 7 * 24 * 3_600_000;

    /// Anybody's, at once?
    #[allow(clippy::trivially_copy_pass_by_ref)] // serde's signature
    pub fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

/// Where a job stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", tag = "state")]
pub enum JobState {
    /// Tasks are leased and audited.
    Running,
    /// No new leases until the buyer acts.
    Paused {
        /// One sentence for the buyer.
        reason: String,
    },
    /// Everything was delivered; the rest of the escrow went back.
    Finished,
    /// The buyer stopped it; accepted work stays theirs.
    Cancelled,
    /// It cannot be done.
    Failed {
        /// One sentence for the buyer.
        reason: String,
    },
}

impl JobState {
    /// The state's name.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Paused { .. } => "paused",
            Self::Finished => "finished",
            Self::Cancelled => "cancelled",
            Self::Failed { .. } => "failed",
        }
    }
    /// No further work or money moves for tasks of it.
    pub fn is_ended(&self) -> bool {
        matches!(self, Self::Finished | Self::Cancelled | Self::Failed { .. })
    }
    /// May this state follow? Ended states are final.
    pub fn allows(&self, next: &Self) -> bool {
        !self.is_ended() && self.name() != next.name()
    }
}

/// One job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Job {
    /// Its number.
    pub id: JobId,
    /// Who pays.
    pub owner: Address,
    /// A name for people; shown escaped.
    pub name: String,
    /// Which planner, and its frozen values.
    #[serde(flatten)]
    pub kind: JobKind,
    /// Where it stands.
    #[serde(flatten)]
    pub state: JobState,
    /// Manifest of all input files (a directory); `None` for a benchmark.
    pub inputs: Option<BlobId>,
    /// Blob of the bundle (OpenJD template and parameter values, canonical JSON); `None` for the platform's own work.
    pub bundle: Option<BlobId>,
    /// Path of the scene inside the inputs.
    pub scene: String,
    /// Environment that its tasks need.
    pub environment: String,
    /// Card class the buyer chose; `None` is any.
    pub class: Option<String>,
    /// How offers are chosen.
    pub strategy: Strategy,
    /// Whose machines may work on it.
    #[serde(default, skip_serializing_if = "Machines::is_default")]
    pub machines: Machines,
    /// Among its owner's jobs: the higher, the sooner its tasks are leased. Between owners it counts nothing.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub priority: i8,
    /// Only cards with so much memory take its tasks, MiB.
    #[serde(default, skip_serializing_if = "is_none")]
    pub memory_mib: u64,
    /// When it is wanted. A job that would be late takes any ask that its money covers; it is never given up for being late.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deadline: Option<Millis>,
    /// It can never cost more than this.
    pub cap: Amount,
    /// Paid for accepted work so far, fee included.
    pub spent: Amount,
    /// Milliseconds a GTX 1080 Ti's worth of work needs for one unit (a frame; the whole of another task).
    pub reference_ms: u64,
    /// Time of submission.
    pub created: Millis,
    /// Time of its end.
    pub ended: Option<Millis>,
    /// Made by the same buyer's request with this key; a repeated request returns the same job.
    pub request_key: String,
}

#[allow(clippy::trivially_copy_pass_by_ref)] // serde's signature
fn is_none(number: &u64) -> bool {
    *number == 0
}

#[allow(clippy::trivially_copy_pass_by_ref)] // serde's signature
fn is_zero(number: &i8) -> bool {
    *number == 0
}

impl Job {
    /// Is work of `provider` on this job the buyer's own: free, checked by nobody, and no part of anybody's record? An inspection
    /// only where the job is for own machines alone, because its report sets the price for others.
    pub fn is_own_work(&self, provider: &Address) -> bool {
        let own = match &self.kind {
            JobKind::Benchmark { .. } => false,
            JobKind::Inspect => self.machines.who == Who::Own,
            JobKind::Render(_) | JobKind::Bundle(_) => true,
        };
        own && self.owner == *provider
    }

    /// What its rendering is done on; all else of it is done on processors.
    pub fn device(&self) -> Device {
        match &self.kind {
            JobKind::Benchmark { device, .. } => *device,
            JobKind::Render(spec) => spec.device,
            JobKind::Inspect | JobKind::Bundle(_) => Device::Cpu,
        }
    }

    /// Is its work checked by nobody, because it cannot be repeated?
    pub fn is_unchecked(&self) -> bool {
        matches!(&self.kind, JobKind::Bundle(spec) if !spec.reproducible)
    }

    /// Moves to `next`, or says why not.
    pub fn become_state(&mut self, next: JobState) -> Result<(), IllegalTransition> {
        if !self.state.allows(&next) {
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
