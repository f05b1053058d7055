//! What a validator chooses, and what it hears.

use std::{fmt, sync::Arc};
use tatau_model::{Amount, AuditId, Node, Work};
use tatau_worker::{NodeOptions, Stage};

/// Price of one hour of a GTX 1080 Ti's worth of re-computation where the validator names none: 1 TATAU.
pub const DEFAULT_ASK: Amount = Amount::tatau(1);

/// What a validator chooses.
#[derive(Clone)]
pub struct ValidateOptions {
    /// Server address, such as `http://127.0.0.1:7117`.
    pub server: String,
    /// The node itself.
    pub node: NodeOptions,
    /// Price of one hour of a GTX 1080 Ti's worth of re-computation, nano-TATAU; audits are paid by it.
    pub ask_per_reference_hour: Amount,
    /// Told what happens; called often and from several tasks, so it must be quick.
    pub on: Arc<dyn Fn(ValidatorEvent) + Send + Sync>,
}

impl ValidateOptions {
    /// Silent.
    pub fn new(server: String, node: NodeOptions) -> Self {
        Self { server, node, ask_per_reference_hour: DEFAULT_ASK, on: Arc::new(|_| {}) }
    }
}

impl fmt::Debug for ValidateOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ValidateOptions")
            .field("server", &self.server)
            .field("node", &self.node)
            .field("ask_per_reference_hour", &self.ask_per_reference_hour)
            .finish_non_exhaustive()
    }
}

/// What happens to a validator.
#[derive(Debug, Clone, PartialEq)]
pub enum ValidatorEvent {
    /// An environment is being made.
    Provisioning {
        /// Which.
        environment: String,
        /// How far.
        stage: Stage,
    },
    /// The platform knows this node.
    Registered {
        /// As the platform has it.
        node: Box<Node>,
    },
    /// Something of this machine cannot be used.
    Warning {
        /// One sentence.
        sentence: String,
    },
    /// The platform does not answer; it is asked again until it does. Said once for every time that it goes.
    Waiting {
        /// Why, one sentence.
        reason: String,
    },
    /// It answers again.
    Resumed,
    /// An audit was taken.
    Taken {
        /// Its number.
        audit: AuditId,
        /// What is audited.
        work: Work,
    },
    /// A re-computation says how far it is.
    Progress {
        /// Its audit.
        audit: AuditId,
        /// 0 to 100.
        percent: f32,
    },
    /// The platform has the signed commitment.
    Committed {
        /// Its audit.
        audit: AuditId,
        /// Milliseconds of the work without loading.
        work_ms: u64,
    },
    /// The platform has the files; the comparator is next.
    Revealed {
        /// Its audit.
        audit: AuditId,
    },
    /// The re-computation did not work out; the platform was told.
    Failed {
        /// Its audit.
        audit: AuditId,
        /// For programs.
        code: String,
        /// For people.
        sentence: String,
    },
    /// An audit was given back unused.
    Returned {
        /// Its number.
        audit: AuditId,
    },
    /// The platform does not want it any more.
    Lost {
        /// Its audit.
        audit: AuditId,
        /// Why, one sentence.
        sentence: String,
    },
    /// The node has stopped.
    Stopped {
        /// Audits revealed in this run.
        revealed: u64,
        /// Finished audits on disk that go out at the next start.
        kept: u64,
    },
}
