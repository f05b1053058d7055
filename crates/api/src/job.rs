//! Jobs as buyers submit and see them.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use tatau_model::{
    Amount, BlobId, Device, Job, JobId, Machines, Millis, OutputFile, Strategy, TaskId, Who, Work,
};

/// `POST /v1/jobs`. For an inspection `template` and `inspection` are absent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct SubmitJob {
    /// A name for people.
    pub name: String,
    /// OpenJD job template; absent for an inspection.
    pub template: Option<String>,
    /// Job parameter values of the bundle.
    #[serde(default)]
    pub parameters: BTreeMap<String, String>,
    /// Input manifest, uploaded with all its blobs.
    #[schema(value_type = String)]
    pub inputs: BlobId,
    /// Path of the scene inside the inputs.
    pub scene: String,
    /// Environment.
    pub environment: String,
    /// The finished inspection whose report froze the job's values (size, samples, rate) and whose probe prices it.
    #[schema(value_type = Option<u64>)]
    pub inspection: Option<JobId>,
    /// Frames, such as `1-24` or `1-10:2,20`.
    #[serde(default)]
    pub frames: String,
    /// Encode a video at the end.
    #[serde(default)]
    pub video: bool,
    /// Pause after the first, middle and last frame until the buyer approves them.
    #[serde(default)]
    pub preview: bool,
    /// Card class; absent is any.
    pub class: Option<String>,
    /// What renders the frames, and checks them: `cpu` (absent), `cuda`, `optix` or `hip`.
    #[serde(default)]
    #[schema(value_type = String)]
    pub device: Device,
    /// How offers are chosen.
    #[serde(default)]
    #[schema(value_type = String)]
    pub strategy: Strategy,
    /// Whose machines may work on it: `{"who": "any" | "trusted" | "own", "own_first_ms": 0}`; absent is anybody's, at once.
    #[serde(default)]
    #[schema(value_type = Object)]
    pub machines: Machines,
    /// Moves to escrow; zero is enough where only own machines work.
    #[schema(value_type = i64)]
    pub cap: Amount,
    /// The same key returns the same job.
    pub request_key: String,
    /// Render all of it, also frames that an earlier job of yours has of the same scene and files; else these cost nothing.
    #[serde(default)]
    pub fresh: bool,
    /// How frames are cut for several machines: `auto` (long ones are), `off`, or columns and rows such as `4x2`; a quote says which.
    #[serde(default)]
    pub tiles: String,
    /// For a bundle of another program (no inspection): how long one of its tasks takes.
    #[serde(default)]
    #[schema(value_type = Option<Object>)]
    pub program: Option<ProgramTerms>,
}

/// What a buyer says of a bundle that the platform cannot look into.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct ProgramTerms {
    /// Milliseconds that one task takes on a GTX 1080 Ti's worth of work: it is paid so, whatever it takes.
    pub task_reference_ms: u64,
    /// The same task gives the same files everywhere, so that it is checked by running it again. Else only those whom you trust do it.
    pub reproducible: bool,
}

/// `POST /v1/quotes/tasks`: prices before a bundle is paid.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct TasksQuoteRequest {
    /// Job template.
    pub template: String,
    /// Job parameter values.
    pub parameters: BTreeMap<String, String>,
    /// Input manifest, uploaded with all its blobs.
    #[schema(value_type = String)]
    pub inputs: BlobId,
    /// Milliseconds that a task takes on a GTX 1080 Ti's worth of work.
    pub task_reference_ms: u64,
    /// Environment.
    pub environment: String,
    /// Whose machines may see the files.
    #[serde(default)]
    #[schema(value_type = String)]
    pub who: Who,
}

/// `POST /v1/quotes`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct QuoteRequest {
    /// The finished inspection.
    #[schema(value_type = u64)]
    pub inspection: JobId,
    /// Frames.
    pub frames: String,
    /// Encode a video at the end.
    pub video: bool,
    /// Whose machines may see the scene: `any`, `trusted` or `own`; absent is `any`.
    #[serde(default)]
    #[schema(value_type = String)]
    pub who: Who,
    /// All of it is to be rendered, also what an earlier job of yours has.
    #[serde(default)]
    pub fresh: bool,
    /// How frames are cut, as in the order.
    #[serde(default)]
    pub tiles: String,
    /// What is to render the frames, as in the order.
    #[serde(default)]
    #[schema(value_type = String)]
    pub device: Device,
}

/// Price and time on one class of card under one strategy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct QuoteRow {
    /// Card class.
    pub class: String,
    /// Strategy.
    #[schema(value_type = String)]
    pub strategy: Strategy,
    /// Cards of that class on offer now that the strategy would use.
    pub cards: u32,
    /// Expected price, fee included.
    #[schema(value_type = i64)]
    pub price: Amount,
    /// Cap that covers it with room for dearer offers and retries.
    #[schema(value_type = i64)]
    pub cap: Amount,
    /// Expected time from payment to the last frame, ms.
    pub time_ms: u64,
}

/// What a job would cost.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Quote {
    /// Number of frames.
    pub frames: u32,
    /// Of them, those that an earlier job of yours has: they cost nothing.
    #[serde(default)]
    pub known: u32,
    /// Reference milliseconds a frame (on a GTX 1080 Ti's worth of work).
    pub reference_ms: u64,
    /// How each frame is cut: `off`, or columns and rows. Order it so to pay what is quoted.
    #[serde(default)]
    pub tiles: String,
    /// Fee in the prices, ppm.
    pub fee_ppm: u64,
    /// A row a class and strategy; empty where nothing is on offer.
    pub rows: Vec<QuoteRow>,
}

/// One task as its buyer sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct TaskView {
    /// Its number.
    #[schema(value_type = u64)]
    pub id: TaskId,
    /// What it does.
    #[serde(flatten)]
    #[schema(value_type = Object)]
    pub work: Work,
    /// State name.
    pub state: String,
    /// Tries so far.
    pub attempts: u32,
    /// Paid for the accepted attempt.
    #[schema(value_type = i64)]
    pub paid: Amount,
    /// Accepted outputs.
    #[schema(value_type = Vec<Object>)]
    pub outputs: Vec<OutputFile>,
    /// What happened, oldest first, in plain words (`a provider sent a cheaper render; it was caught, not paid`).
    pub story: Vec<String>,
    /// Last change; `after` of the next long poll.
    pub changed: u64,
}

/// `GET /v1/jobs/{id}?after=CHANGE&wait_ms=N`: the job, and its tasks changed since `after`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct JobView {
    /// The job.
    #[serde(flatten)]
    #[schema(value_type = Object)]
    pub job: Job,
    /// Tasks of the first planner wave that count for progress (frames, or one).
    pub frames_total: u32,
    /// Of them, accepted.
    pub frames_done: u32,
    /// Expected end, from what was seen; absent before anything was.
    #[schema(value_type = Option<i64>)]
    pub eta: Option<Millis>,
    /// Why nobody works on it, where nobody has for 45 seconds though it runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waiting: Option<String>,
    /// Tasks changed since `after`.
    pub tasks: Vec<TaskView>,
    /// Pass as `after` next time.
    pub change: u64,
}

/// `POST /v1/jobs/{id}/edit`; what is absent stays.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct EditJob {
    /// The most it may cost from now on, nano-TATAU; the difference moves between escrow and account.
    #[schema(value_type = Option<i64>)]
    pub cap: Option<Amount>,
    /// Among its owner's jobs, -128 to 127: the higher, the sooner.
    pub priority: Option<i8>,
    /// When it is wanted, ms since 1970; 0 lifts it. A job that would be late takes any ask that its money covers.
    #[schema(value_type = Option<i64>)]
    pub deadline: Option<Millis>,
}

/// `POST /v1/jobs/{id}/resume`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct ResumeJob {
    /// Added to the cap and moved to escrow, nano-TATAU; zero resumes as it is.
    #[serde(default)]
    #[schema(value_type = i64)]
    pub more: Amount,
}
