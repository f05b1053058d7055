//! What can happen, and what the one who made it happen is told.

use crate::{Asks, Change, Effect};
use serde::Serialize;
use tatau_model::{
    Address, Amount, Attempt, AttemptId, AuditId, BlobId, Card, Digest, JobId, JobKind, Machines,
    Measurement, Millis, Node, Offer, OutputFile, Receipt, Strategy, Work,
};

/// A job as the server checked it; the engine gives it a number and its escrow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewJob {
    /// Who pays.
    pub owner: Address,
    /// A name for people, at most 200 characters.
    pub name: String,
    /// Planner and frozen values. `Benchmark` jobs are made by the engine, never submitted.
    pub kind: JobKind,
    /// Input manifest; present in the blob store.
    pub inputs: Option<BlobId>,
    /// Blob of the bundle (OpenJD template and parameter values); `None` for an inspection.
    pub bundle: Option<BlobId>,
    /// Path of the scene inside the inputs.
    pub scene: String,
    /// Environment that its tasks need.
    pub environment: String,
    /// Card class; `None` is any.
    pub class: Option<String>,
    /// How offers are chosen.
    pub strategy: Strategy,
    /// Whose machines may work on it.
    pub machines: Machines,
    /// Moves to the escrow now.
    pub cap: Amount,
    /// Reference milliseconds a unit, from the inspection's probe.
    pub reference_ms: u64,
    /// Only cards with so much memory take its tasks, MiB.
    pub memory_mib: u64,
    /// The same key from the same owner returns the same job.
    pub request_key: String,
    /// Results of earlier jobs of this owner that are the same work: taken over, and free. The caller vouches for that.
    pub known: Vec<Known>,
}

/// A result that was accepted before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Known {
    /// What it is the result of.
    pub work: Work,
    /// The accepted attempt.
    pub attempt: Attempt,
}

/// What a buyer changes about a job of theirs; what is `None` stays.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Terms {
    /// The most it may cost; what is spent and held for work under way is its least.
    pub cap: Option<Amount>,
    /// Among the owner's jobs: the higher, the sooner.
    pub priority: Option<i8>,
    /// When it is wanted; 0 lifts it.
    pub deadline: Option<Millis>,
}

/// By what right a node registers; checked at the edge.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Proof {
    /// None: the node must be in the account's fleet already.
    Known,
    /// The owner's signature. It lasts, so it does not bring back a node that its owner removed.
    Delegation,
    /// A join code, used just now.
    Join,
}

/// What an owner changes about one of their nodes; what is `None` stays.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct NodeChange {
    /// Name among the owner's machines; empty: the name that the node gave itself.
    pub label: Option<String>,
    /// Least asking price; zero lifts it.
    pub floor: Option<Amount>,
    /// Takes new work or not.
    pub draining: Option<bool>,
    /// Takes it out of the fleet.
    pub remove: bool,
}

#[allow(missing_docs, reason = "the fields are the records' own nouns; every variant is documented")]
/// What happened. Signatures and sizes were checked at the edge; who may do it is checked here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// First signed request of an owner.
    OpenAccount { owner: Address },
    /// A node registers, or registers again (cards keep their scores by position and name).
    RegisterNode { node: Node, proof: Proof },
    /// A node changes what it asks and offers.
    SetOffer { node: Address, offer: Offer, cards: Option<Vec<Card>> },
    /// A node has heard its owner's settings up to this revision.
    Heard { node: Address, revision: u64 },
    /// An owner changes how one of their nodes works.
    SetNode { node: Address, by: Address, change: NodeChange },
    /// The operator shuts an account out of new work, or lets it in again.
    Bar { owner: Address, barred: bool },
    /// An owner marks an account as trusted with scenes, or takes that back.
    Trust { owner: Address, account: Address, trusted: bool },
    /// A node stops or starts taking leases.
    Drain { node: Address, draining: bool },
    /// A buyer submits a job.
    SubmitJob(NewJob),
    /// A buyer stops a job.
    CancelJob { job: JobId, by: Address },
    /// A buyer pauses a render job: no new leases, what runs is finished.
    PauseJob { job: JobId, by: Address },
    /// A buyer resumes a paused job, with more money if given. That approves a preview that is there to be seen.
    ResumeJob { job: JobId, by: Address, more: Amount },
    /// A buyer changes the terms of a job that is not over.
    EditJob { job: JobId, by: Address, terms: Terms },
    /// An owner stakes.
    Stake { owner: Address, amount: Amount },
    /// An owner starts to unbond.
    Unstake { owner: Address, amount: Amount },
    /// A node was heard from; it still works on these attempts.
    Seen { node: Address },
    /// A node asks for work for these free cards (a card may appear twice: one to run, one to prefetch).
    /// `warm`: jobs whose scene the node holds loaded.
    Lease { node: Address, cards: Vec<u16>, warm: Vec<JobId> },
    /// A node gives a lease up before a receipt. Code `returned` is the polite form.
    FailAttempt { node: Address, attempt: AttemptId, code: String, sentence: String },
    /// A signed claim (signature checked at the edge against the node's key).
    CommitReceipt { node: Address, attempt: AttemptId, receipt: Receipt },
    /// All outputs are in the blob store and fit the receipt's manifest root (checked at the edge).
    Deliver { node: Address, attempt: AttemptId, files: Vec<OutputFile> },
    /// The receipt log is closed with the next value of the hash chain.
    CloseEpoch { beacon: Digest },
    /// A validating node asks for audits; those of one job are given together, `warm` jobs first.
    TakeAudits { node: Address, max: u16, warm: Vec<JobId> },
    /// A validator commits to what it got.
    CommitAudit { node: Address, audit: AuditId, commitment: Digest },
    /// What it got has arrived and fits the commitment (checked at the edge).
    RevealAudit { node: Address, audit: AuditId, files: Vec<OutputFile>, work_ms: u64 },
    /// A validator cannot do an audit.
    FailAudit { node: Address, audit: AuditId, code: String, sentence: String },
    /// The comparator's answer; `agrees_with`: revealed audits of the same attempt whose re-computation agrees.
    Judge { audit: AuditId, measurement: Measurement, agrees_with: Vec<AuditId> },
    /// Time passed: expire leases, deadlines, dispute windows, unbonding.
    Tick,
}

/// What the one who made it happen is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply {
    /// Nothing more to say.
    Done,
    /// The job's number (new, or the one made before with the same request key).
    Job(JobId),
    /// Leases given.
    Leases(Vec<AttemptId>),
    /// Audits given.
    Audits(Vec<AuditId>),
}

/// Why it was refused. Nothing changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, thiserror::Error)]
#[error("{sentence}")]
pub struct Refusal {
    /// For programs: `not_found`, `not_yours`, `too_little`, `conflict`, `invalid`, `barred`, `internal`.
    pub code: &'static str,
    /// For people: what is wrong and what to do.
    pub sentence: String,
}

impl Refusal {
    /// A refusal.
    pub fn new(code: &'static str, sentence: impl Into<String>) -> Self {
        Self { code, sentence: sentence.into() }
    }
}

/// Everything that follows from one event. The writer applies `changes` before the next event, commits them with
/// the batch, then sends `reply` and performs `effects`.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// In order.
    pub changes: Vec<Change>,
    /// After the commit; each is safe to repeat.
    pub effects: Vec<Effect>,
    /// For [`State::remember`](crate::State::remember); who drops them is only slower.
    pub asks: Vec<Asks>,
    /// After the commit.
    pub reply: Reply,
}
