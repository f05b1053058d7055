//! Starting a node: cards, environments, identity, registration. The provider's agent and the validator both begin here.

use crate::{
    Backoff, Bench, BenchOptions, CardsError, EnvironmentError, Gpu, Inputs, InputsError, Licence,
    Membership, MembershipError, Place, Platform, Recipe, Right, Stage, Stop, StopSignal, provision, told,
    workplaces::{Workplace, divide, graphics, machine},
    worth_waiting, write_runtime,
};
use std::{collections::BTreeMap, path::PathBuf, sync::Arc, time::Duration};
use tatau_api::RegisterNode;
use tatau_client::ClientError;
use tatau_evidence::{Domain, SigningKey};
use tatau_model::{Address, Amount, Card, Clock, Node, Offer, SystemClock, environment};
use tatau_workload::runtime::{BLENDER, ENVIRONMENTS};

/// Sessions that one card keeps open: a scene's frames, its pictures, and one without a scene.
const MOST_SESSIONS: usize = 3;

/// What a node is.
#[derive(Debug, Clone)]
pub struct NodeOptions {
    /// Its key, journal and blobs; one process at a time.
    pub data_dir: PathBuf,
    /// Environments and runtimes; shared by all nodes of the machine.
    pub cache_dir: PathBuf,
    /// The owner's key; `None` where a delegation lies in the data folder, or the node joined a fleet.
    pub owner: Option<SigningKey>,
    /// A join code of somebody's fleet page.
    pub join: Option<String>,
    /// A name for people.
    pub name: String,
    /// CPU slots; `None` is one slot with all threads.
    pub slots: Option<u32>,
    /// Threads to share among the slots; `None` is all of the machine.
    pub threads: Option<u32>,
    /// Memory to share among the slots, MiB; `None` is the machine's, less what it needs itself.
    pub memory_mib: Option<u64>,
    /// Graphics cards to try and to offer; `None` is all of this machine.
    pub graphics: Option<Vec<Gpu>>,
    /// Environments to offer; all that this version knows at first.
    pub environments: Vec<String>,
    /// Programs of the machine's own that are offered besides: name (`host:cinema4d@2025.1`) and folder, seen as `/env`.
    pub programs: BTreeMap<String, PathBuf>,
    /// Licence servers by the name of the program (`cinema4d`), the only addresses that its sessions reach.
    pub licences: BTreeMap<String, Licence>,
    /// Of them, those whose folders are made already; the others are provisioned.
    pub places: BTreeMap<String, Place>,
    /// The binary with the session runner, and its arguments.
    pub runner: PathBuf,
    /// `["session"]` for `tatau`.
    pub runner_args: Vec<String>,
    /// Size of the cache of inputs, bytes.
    pub blob_cap_bytes: u64,
    /// An open session that did nothing for so long is ended.
    pub idle: Duration,
}

impl NodeOptions {
    /// A node with its data and cache in these folders, the running binary as session runner, and defaults for the rest.
    pub fn new(data_dir: PathBuf, cache_dir: PathBuf, owner: Option<SigningKey>) -> Result<Self, NodeError> {
        let runner = std::env::current_exe().map_err(NodeError::Runner)?;
        Ok(Self {
            data_dir,
            cache_dir,
            owner,
            join: None,
            name: host_name(),
            slots: None,
            threads: None,
            memory_mib: None,
            graphics: None,
            environments: ENVIRONMENTS.iter().map(|environment| environment.name.into()).collect(),
            programs: BTreeMap::new(),
            licences: BTreeMap::new(),
            places: BTreeMap::new(),
            runner,
            runner_args: vec!["session".into()],
            blob_cap_bytes: 20 << 30,
            idle: Duration::from_mins(2),
        })
    }
}

fn host_name() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let name: String = name.trim().chars().filter(|c| !c.is_control()).take(60).collect();
    if name.is_empty() { "node".into() } else { name }
}

/// What a node asks and does.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Role {
    /// Price of one hour of a GTX 1080 Ti's worth of work, nano-TATAU.
    pub ask_per_reference_hour: Amount,
    /// Takes tasks.
    pub provides: bool,
    /// Takes audits.
    pub validates: bool,
    /// Buyers whose work it does not take.
    pub blocked: Vec<Address>,
    /// Kinds of work that it does not take.
    pub refused: Vec<String>,
}

/// What happens while a node starts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NodeEvent {
    /// An environment is being made, or a graphics card tried.
    Provisioning {
        /// Which.
        environment: String,
        /// How far.
        stage: Stage,
    },
    /// The platform does not answer; it is asked again.
    Waiting {
        /// Why, one sentence.
        reason: String,
    },
    /// Something of this machine cannot be used.
    Warning {
        /// One sentence.
        sentence: String,
    },
    /// The platform knows this node.
    Registered {
        /// As the platform has it.
        node: Box<Node>,
    },
}

/// Why a node cannot start.
#[derive(Debug, thiserror::Error)]
pub enum NodeError {
    /// Its cards.
    #[error(transparent)]
    Cards(#[from] CardsError),
    /// An environment.
    #[error(transparent)]
    Environment(#[from] EnvironmentError),
    /// Its identity.
    #[error(transparent)]
    Membership(#[from] MembershipError),
    /// Its cache.
    #[error(transparent)]
    Inputs(#[from] InputsError),
    /// The platform said no.
    #[error("the platform refuses this node: {0}")]
    Platform(#[from] ClientError),
    /// This machine cannot isolate tasks.
    #[error("this machine cannot run tasks safely: {0}")]
    Sandbox(String),
    /// The program's own file.
    #[error("the program's own file cannot be found ({0}); start it by its full path")]
    Runner(std::io::Error),
    /// It was told to stop first.
    #[error("stopped before it had started")]
    Stopped,
}

/// A registered node, ready to work.
#[derive(Debug)]
pub struct Started<P> {
    /// The platform.
    pub platform: P,
    /// Identity; holds the lock on the data folder.
    pub membership: Membership,
    /// What signatures are bound to.
    pub domain: Domain,
    /// As the platform has it.
    pub node: Node,
    /// Fetches inputs.
    pub inputs: Arc<Inputs<P>>,
    /// A bench for every card that can work, with the card's number.
    pub benches: Vec<(u16, Bench)>,
    /// NVIDIA's number of each card that has one, in the order of the cards.
    pub graphics: Vec<Option<u32>>,
    /// For registering again where the platform lost it.
    pub registration: RegisterNode,
}

/// Provisions, registers (waiting for the platform as long as it takes) and makes ready.
pub async fn start_node<P: Platform>(
    platform: P,
    membership: Membership,
    options: &NodeOptions,
    role: Role,
    on: &(dyn Fn(NodeEvent) + Send + Sync),
    mut stop: StopSignal,
) -> Result<Started<P>, NodeError> {
    tokio::select! {
        biased;
        () = told(&mut stop, Stop::Finish) => Err(NodeError::Stopped),
        started = start(platform, membership, options, role, on) => started,
    }
}

async fn start<P: Platform>(
    platform: P,
    membership: Membership,
    options: &NodeOptions,
    role: Role,
    on: &(dyn Fn(NodeEvent) + Send + Sync),
) -> Result<Started<P>, NodeError> {
    let checks = tokio::task::spawn_blocking(tatau_sandbox::doctor).await;
    let checks = checks.map_err(|e| NodeError::Sandbox(e.to_string()))?;
    if let Some(lack) = checks.into_iter().find(|check| !check.ok) {
        return Err(NodeError::Sandbox(format!("{}: {}", lack.name, lack.sentence)));
    }
    let machine = machine(options)?;
    let slots = options.slots.unwrap_or(1);
    machine.slots(slots)?;
    let places = places(options, on).await?;
    let inputs = Arc::new(Inputs::open(platform.clone(), &options.data_dir, options.blob_cap_bytes)?);
    let graphics = graphics(options, &machine, &places, &inputs, on).await;
    let (cards, workplaces) = divide(&machine, slots, graphics, on)?;
    let about = patiently(on, || platform.platform()).await?;
    let domain = Domain::on_chain(about.chain_id, Address([0; 20]));
    let now = SystemClock.now();
    let right = membership.right(options.owner.as_ref(), options.join.as_deref(), &domain, now)?;
    let (owner, join, delegation, delegation_expires) = match right {
        Right::Delegated(by) => (by.owner, None, by.signature, by.expires),
        Right::Join(code) => (Address::default(), Some(code), String::new(), now),
        Right::Joined(fleet) => (fleet.owner, None, String::new(), now),
    };
    let mut registration = RegisterNode {
        owner,
        join,
        delegation,
        delegation_expires,
        name: options.name.clone(),
        cards: cards.clone(),
        offer: Offer {
            ask_per_reference_hour: role.ask_per_reference_hour,
            environments: places.keys().cloned().collect(),
            provides: role.provides,
            validates: role.validates,
            blocked: role.blocked,
            refused: role.refused,
        },
        version: env!("CARGO_PKG_VERSION").into(),
    };
    let mut node = patiently(on, || platform.register_node(&registration)).await?;
    if registration.join.take().is_some() {
        registration.owner = node.owner;
        membership.join(node.owner)?;
    }
    if node.draining {
        node = patiently(on, || platform.drain(false)).await?;
    }
    let bench = |(card, workplace): (Card, Workplace)| {
        Bench::new(BenchOptions { most_sessions: MOST_SESSIONS, ..workplace.bench(options, &places, card) })
    };
    let graphics = workplaces.iter().map(|workplace| workplace.number).collect();
    let working = cards.into_iter().zip(workplaces).enumerate();
    let benches =
        working.filter(|(_, (card, _))| card.works()).map(|(i, place)| (i as u16, bench(place))).collect();
    on(NodeEvent::Registered { node: Box::new(node.clone()) });
    Ok(Started { platform, membership, domain, node, inputs, benches, graphics, registration })
}

async fn places(
    options: &NodeOptions,
    on: &(dyn Fn(NodeEvent) + Send + Sync),
) -> Result<BTreeMap<String, Place>, NodeError> {
    let mut places = BTreeMap::new();
    for name in &options.environments {
        places.insert(name.clone(), place(options, name, on).await?);
    }
    for (name, folder) in &options.programs {
        let licence = environment::program(name).and_then(|program| options.licences.get(program)).cloned();
        if let Some(Err(why)) = answer_of(licence.as_ref()).await {
            let sentence = format!("{name} will fail as long as its licence server is away: {why}");
            on(NodeEvent::Warning { sentence });
        }
        places
            .insert(name.clone(), Place { environment: folder.clone(), runtime: runtime(options)?, licence });
    }
    Ok(places)
}

async fn place(
    options: &NodeOptions,
    name: &str,
    on: &(dyn Fn(NodeEvent) + Send + Sync),
) -> Result<Place, NodeError> {
    if let Some(place) = options.places.get(name) {
        return Ok(place.clone());
    }
    let recipe = Recipe::by_name(name)?;
    let mut tell = |stage| on(NodeEvent::Provisioning { environment: name.to_owned(), stage });
    let environment = provision(&options.cache_dir, &recipe, &mut tell).await?;
    Ok(Place { environment, runtime: runtime(options)?, licence: None })
}

async fn answer_of(licence: Option<&Licence>) -> Option<Result<(), String>> {
    Some(licence?.answers().await)
}

/// The folder of the runtime's programs.
fn runtime(options: &NodeOptions) -> Result<PathBuf, NodeError> {
    let files: Vec<_> = BLENDER.iter().map(|file| (file.name, file.text.as_bytes())).collect();
    Ok(write_runtime(&options.cache_dir, &files)?)
}

/// Asks until there is an answer.
async fn patiently<T, F: Future<Output = Result<T, ClientError>>>(
    on: &(dyn Fn(NodeEvent) + Send + Sync),
    ask: impl Fn() -> F,
) -> Result<T, ClientError> {
    let mut backoff = Backoff::default();
    let mut said = false;
    loop {
        match ask().await {
            Err(error) if worth_waiting(&error) && error.status() != Some(401) => {
                if !std::mem::replace(&mut said, true) {
                    on(NodeEvent::Waiting { reason: error.to_string() });
                }
                backoff.wait().await;
            }
            done => return done,
        }
    }
}
