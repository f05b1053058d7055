//! An audit: one validator's blind re-computation of a part of one attempt.

use crate::{
    Address, Amount, AttemptId, AuditId, Digest, IllegalTransition, JobId, Millis, OutputFile, TaskId,
};
use serde::{Deserialize, Serialize};

/// Pixels of a frame, counted from its top left corner.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rect {
    /// Left edge.
    pub x: u32,
    /// Top edge.
    pub y: u32,
    /// Width, at least 1.
    pub w: u32,
    /// Height, at least 1.
    pub h: u32,
}

/// What the validator re-computes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "part")]
pub enum AuditWork {
    /// These crops of the frame.
    Crops {
        /// Drawn from the challenge.
        crops: Vec<Rect>,
    },
    /// The whole task.
    Rerun,
}

/// How far a claim is from a re-computation; shares are parts per million of the compared values.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Measurement {
    /// Set where the claim itself is malformed: a code such as `wrong_size`, `tiles_mismatch`, `bad_file`, `nan`.
    pub fault: Option<String>,
    /// One sentence.
    pub sentence: String,
    /// One row a crop (one row for a whole re-run).
    pub parts: Vec<PartMeasurement>,
}

/// Distance over one crop or one whole output.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartMeasurement {
    /// Pixels (or values) compared.
    pub pixels: u64,
    /// Share that is bit-equal, ppm.
    pub equal_ppm: u32,
    /// Share whose relative difference exceeds 1e-3, ppm.
    pub over_1e3_ppm: u32,
    /// Share whose relative difference exceeds 1e-2, ppm.
    pub over_1e2_ppm: u32,
    /// Relative L1 distance, ppm, saturating.
    pub rel_l1_ppm: u32,
}

/// What a measurement means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// The claim and the re-computation agree.
    Pass,
    /// They contradict each other.
    Fail,
    /// The claim contradicts its own receipt or its task's frozen values; anyone can repeat the check.
    Malformed,
    /// Neither.
    Inconclusive,
}

/// Where an audit stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", tag = "state")]
pub enum AuditState {
    /// Waits for a validator.
    Open,
    /// A validator works on it.
    Assigned,
    /// The validator committed to what it got.
    Committed,
    /// What it got has arrived and fits the commitment; the comparator is next.
    Revealed,
    /// Compared.
    Judged {
        /// The comparator's verdict.
        verdict: Verdict,
    },
    /// Not needed any more, or its validator never answered.
    Void,
}

impl AuditState {
    /// The state's name.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Assigned => "assigned",
            Self::Committed => "committed",
            Self::Revealed => "revealed",
            Self::Judged { .. } => "judged",
            Self::Void => "void",
        }
    }
    /// Nothing more happens to it.
    pub fn is_ended(&self) -> bool {
        matches!(self, Self::Judged { .. } | Self::Void)
    }
    /// May `next` follow?
    pub fn allows(&self, next: &Self) -> bool {
        matches!(
            (self.name(), next.name()),
            ("open", "assigned" | "void")
                | ("assigned", "committed" | "open" | "void")
                | ("committed", "revealed" | "open" | "void")
                | ("revealed", "judged" | "void")
        )
    }
}

/// One audit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Audit {
    /// Its number.
    pub id: AuditId,
    /// The attempt under audit; never shown to its validator before the verdict.
    pub attempt: AttemptId,
    /// The attempt's task.
    pub task: TaskId,
    /// The attempt's job.
    pub job: JobId,
    /// What is re-computed.
    #[serde(flatten)]
    pub work: AuditWork,
    /// Where it stands.
    #[serde(flatten)]
    pub state: AuditState,
    /// The validating node, while and after it is assigned.
    pub node: Option<Address>,
    /// The node's owner, who is paid.
    pub validator: Option<Address>,
    /// Owners who took it and did not answer.
    pub excluded: Vec<Address>,
    /// Time of its making.
    pub created: Millis,
    /// An assigned audit returns to the queue here.
    pub due: Millis,
    /// Keccak-256 over the revealed files, sent before they are.
    pub commitment: Option<Digest>,
    /// What the validator got.
    pub files: Vec<OutputFile>,
    /// The validator's time for the work without loading, milliseconds of its card; nothing is learned from it yet.
    pub work_ms: u64,
    /// The comparator's measurement against the claim.
    pub measurement: Option<Measurement>,
    /// Audits of the same attempt whose re-computation agrees with this one's.
    pub agrees_with: Vec<AuditId>,
    /// Paid to the validator.
    pub fee: Amount,
}

impl Audit {
    /// Moves to `next`, or says why not.
    pub fn become_state(&mut self, next: AuditState) -> Result<(), IllegalTransition> {
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
