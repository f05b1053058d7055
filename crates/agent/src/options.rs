//! What a provider chooses, and what it hears.

use crate::Control;
use std::{
    fmt,
    path::{Path, PathBuf},
    sync::Arc,
};
use tatau_model::{Amount, AttemptId, JobId, Node, NodeSettings, Work};
use tatau_worker::{NodeOptions, Stage};

/// Price of one hour of a GTX 1080 Ti's worth of work where the provider names none: 1 TATAU.
pub const DEFAULT_ASK: Amount = Amount::tatau(1);

/// A hook between the end of a task and the hashing of what it left.
///
/// The production one does nothing. It exists so that the project's own tests can put dishonest agents on the market
/// that are honest in everything else.
pub trait Outputs: Send + Sync {
    /// `folder` holds the outputs of `work`; whatever lies there afterwards is hashed, signed and delivered. Blocking.
    fn collected(&self, work: &Work, folder: &Path);
}

/// Delivers what the task left.
#[derive(Debug, Clone, Copy, Default)]
pub struct AsTheyAre;

impl Outputs for AsTheyAre {
    fn collected(&self, _: &Work, _: &Path) {}
}

/// What a provider chooses.
#[derive(Clone)]
pub struct ProvideOptions {
    /// Server address, such as `http://127.0.0.1:7117`.
    pub server: String,
    /// The node itself.
    pub node: NodeOptions,
    /// What is said to it while it runs: which cards may work, what to offer.
    pub control: Control,
    /// [`AsTheyAre`], outside of tests.
    pub outputs: Arc<dyn Outputs>,
    /// Told what happens; called often and from several tasks, so it must be quick.
    pub on: Arc<dyn Fn(AgentEvent) + Send + Sync>,
}

impl ProvideOptions {
    /// With the default price, honest and silent.
    pub fn new(server: String, node: NodeOptions) -> Self {
        Self { server, node, control: Control::default(), outputs: Arc::new(AsTheyAre), on: Arc::new(|_| {}) }
    }
}

impl fmt::Debug for ProvideOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ProvideOptions")
            .field("server", &self.server)
            .field("node", &self.node)
            .field("control", &self.control)
            .finish_non_exhaustive()
    }
}

/// What happens to a provider.
#[derive(Debug, Clone, PartialEq)]
pub enum AgentEvent {
    /// An environment is being made, or a graphics card tried.
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
    /// Everything is there; leases are asked for from now on.
    Ready {
        /// Cards that something can be rendered on.
        cards: Vec<u16>,
        /// NVIDIA's number of each card of the node that has one.
        graphics: Vec<Option<u32>>,
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
    /// The owner changed something on the fleet page. It counts already; nothing has to be done.
    Settings {
        /// As they are now.
        settings: Box<NodeSettings>,
    },
    /// A lease was taken.
    Leased {
        /// Its number.
        attempt: AttemptId,
        /// Of which job.
        job: JobId,
        /// What it is.
        work: Work,
        /// On which card.
        card: u16,
        /// Most that it pays, fee included.
        price: Amount,
    },
    /// Its task runs.
    Begun {
        /// Its lease.
        attempt: AttemptId,
    },
    /// A card holds the sessions of these jobs open.
    Warm {
        /// The card.
        card: u16,
        /// The jobs.
        jobs: Vec<JobId>,
    },
    /// A card made a picture; the file is replaced by its next one.
    Picture {
        /// Its lease.
        attempt: AttemptId,
        /// The card.
        card: u16,
        /// A PNG of a stranger's scene: for a browser's eyes, not for this program's.
        file: PathBuf,
    },
    /// A task says how far it is.
    Progress {
        /// Its lease.
        attempt: AttemptId,
        /// 0 to 100.
        percent: f32,
    },
    /// Its task ran; receipt and files are on their way.
    Ran {
        /// Its lease.
        attempt: AttemptId,
    },
    /// The platform has the signed receipt.
    Committed {
        /// Its lease.
        attempt: AttemptId,
        /// Milliseconds that the task took here.
        wall_ms: u64,
    },
    /// The platform has the outputs; the verdict is next.
    Delivered {
        /// Its lease.
        attempt: AttemptId,
    },
    /// The task did not work out; the platform was told.
    Failed {
        /// Its lease.
        attempt: AttemptId,
        /// For programs.
        code: String,
        /// For people.
        sentence: String,
    },
    /// A lease was given back unused.
    Returned {
        /// Its number.
        attempt: AttemptId,
    },
    /// The platform does not want it any more.
    Lost {
        /// Its lease.
        attempt: AttemptId,
        /// Why, one sentence.
        sentence: String,
    },
    /// The node has stopped.
    Stopped {
        /// Tasks delivered in this run.
        delivered: u64,
        /// Finished tasks on disk that go out at the next start.
        kept: u64,
    },
}
