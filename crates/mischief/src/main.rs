//! Cheating agents, for the project's own tests and its demo: the real agent with one lie in it; and honest ones with a graphics card
//! that is not there, for what else could not be tested on machines without one.
//!
//! Owns: the catalogue of cheats. Refuses: being of any use; every one of them is caught.

mod cheat;
mod crooked;

use cheat::{Cheat, When};
use clap::{Args, Parser, Subcommand};
use crooked::Crooked;
use std::{path::PathBuf, process::ExitCode, sync::Arc};
use tatau_agent::{AgentEvent, Control, ProvideOptions, provide_on};
use tatau_client::{Client, Credentials, Patience};
use tatau_model::{Amount, Card, CardKind, Device};
use tatau_validator::{ValidateOptions, validate};
use tatau_worker::{Gpu, Membership, NodeOptions, Stop};
use tokio::{
    signal::unix::{SignalKind, signal},
    sync::watch,
};

const ENVIRONMENT: &str = "blender-5.0";

#[derive(Parser)]
#[command(name = "tatau-mischief", version, about = "Dishonest providers, for tests only")]
struct Arguments {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Provides as `tatau provide` does, and cheats.
    Provide(Provide),
    /// Validates as `tatau validate` does, with a graphics card that is not there.
    Validate(Party),
    /// What runs inside the sandbox.
    #[command(hide = true)]
    Session,
}

#[derive(Args)]
struct Provide {
    #[command(flatten)]
    party: Party,
    /// How to cheat; honest without it.
    #[arg(long)]
    cheat: Option<Cheat>,
    /// Stay honest for so many frames (of a session, where the lie is in pixels).
    #[arg(long, default_value_t = 0)]
    cheat_after: u64,
    /// Then cheat so many times (in a session), and be honest again; always without it.
    #[arg(long, default_value_t = 1 << 40)]
    cheat_times: u64,
}

/// A node and its owner.
#[derive(Args)]
struct Party {
    /// Server address.
    #[arg(long, env = "TATAU_SERVER")]
    server: String,
    /// Folder of this party: the owner's key and the node.
    #[arg(long, env = "TATAU_DATA")]
    data: PathBuf,
    /// Environments and runtimes.
    #[arg(long, env = "TATAU_CACHE")]
    cache: PathBuf,
    /// Price of one hour of a GTX 1080 Ti's worth of work.
    #[arg(long)]
    ask: Option<Amount>,
    /// CPU slots.
    #[arg(long, default_value_t = 1)]
    slots: u32,
    /// Threads to share among the slots.
    #[arg(long, default_value_t = 1)]
    threads: u32,
    /// Memory to share among the slots, MiB.
    #[arg(long)]
    memory_mib: Option<u64>,
    /// A name for people.
    #[arg(long, default_value = "mischief")]
    name: String,
    /// A graphics card that is not there: its name. What is rendered on it is rendered on the processor, a shade brighter.
    #[arg(long)]
    stand_in_card: Option<String>,
}

fn main() -> ExitCode {
    let ran = match Arguments::parse().verb {
        Verb::Session => return tatau_sandbox::runner::main(),
        Verb::Provide(options) => run(provide(options)),
        Verb::Validate(party) => run(check(party)),
    };
    match ran {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(work: impl Future<Output = anyhow::Result<()>>) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(work)
}

impl Party {
    /// The node, with its runtime as the cheat and the stand-in want it.
    async fn node(&self, cheat: Option<Cheat>, when: When) -> anyhow::Result<NodeOptions> {
        let owner = tatau_evidence::load_or_create(&self.data.join("owner.key"), &mut rand::rng())?;
        let mut node = NodeOptions::new(self.data.join("node"), self.cache.clone(), Some(owner))?;
        node.name.clone_from(&self.name);
        node.slots = Some(self.slots);
        node.threads = Some(self.threads);
        node.memory_mib = self.memory_mib;
        node.environments = vec![ENVIRONMENT.into()];
        node.graphics = Some(self.stand_in_card.iter().map(|name| stand_in(name)).collect());
        let (kind, stand_in) = (cheat.and_then(Cheat::in_pixels), self.stand_in_card.is_some());
        if kind.is_some() || stand_in {
            let place = cheat::place(&self.cache, ENVIRONMENT, kind, when, stand_in).await?;
            node.places.insert(ENVIRONMENT.into(), place);
        }
        Ok(node)
    }
}

/// A card that the system knows nothing of.
fn stand_in(name: &str) -> Gpu {
    let card = Card {
        kind: CardKind::Gpu,
        name: name.to_owned(),
        memory_mib: 10_240,
        threads: 1,
        devices: vec![Device::Optix, Device::Cuda],
        score_milli: None,
    };
    Gpu { number: None, card, nodes: Vec::new(), shown: Vec::new() }
}

async fn provide(options: Provide) -> anyhow::Result<()> {
    let when = When { after: options.cheat_after, times: options.cheat_times };
    let node = options.party.node(options.cheat, when).await?;
    let membership = Membership::open(&node.data_dir, &mut rand::rng())?;
    let client = Client::new(&options.party.server, Credentials::Key(membership.key.clone()))?;
    let client = client.with_patience(Patience::NONE);
    let mut provide = ProvideOptions::new(options.party.server, node);
    provide.control = options.party.ask.map_or_else(Control::default, Control::asking);
    provide.on = Arc::new(say);
    let (stop, stopping) = watch::channel(Stop::Run);
    tokio::spawn(hear(stop));
    match options.cheat {
        Some(cheat) => {
            let platform = Crooked::new(client, cheat, membership.key.clone(), when);
            provide_on(platform, membership, provide, stopping).await?;
        }
        None => provide_on(client, membership, provide, stopping).await?,
    }
    Ok(())
}

async fn check(party: Party) -> anyhow::Result<()> {
    let node = party.node(None, When { after: 0, times: 0 }).await?;
    let mut options = ValidateOptions::new(party.server, node);
    options.ask_per_reference_hour = party.ask.unwrap_or(options.ask_per_reference_hour);
    options.on = Arc::new(|event| println!("{event:?}"));
    let (stop, stopping) = watch::channel(Stop::Run);
    tokio::spawn(hear(stop));
    validate(options, stopping).await?;
    Ok(())
}

/// The first signal asks to finish, the second ends at once.
async fn hear(stop: watch::Sender<Stop>) -> anyhow::Result<()> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    for word in [Stop::Finish, Stop::Now] {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
        stop.send_replace(word);
    }
    Ok(())
}

fn say(event: AgentEvent) {
    match event {
        AgentEvent::Provisioning { environment, stage } => println!("provisioning {environment}: {stage:?}"),
        AgentEvent::Registered { node } => println!("registered {} of {}", node.id, node.owner),
        AgentEvent::Warning { sentence } => println!("warning: {sentence}"),
        AgentEvent::Waiting { reason } => println!("waiting: {reason}"),
        AgentEvent::Resumed => println!("resumed"),
        AgentEvent::Settings { settings } => println!("settings: {settings:?}"),
        AgentEvent::Leased { attempt, work, .. } => println!("leased {attempt}: {}", work.label()),
        AgentEvent::Ready { .. }
        | AgentEvent::Begun { .. }
        | AgentEvent::Ran { .. }
        | AgentEvent::Warm { .. }
        | AgentEvent::Picture { .. }
        | AgentEvent::Progress { .. } => {}
        AgentEvent::Committed { attempt, wall_ms } => println!("committed {attempt} after {wall_ms} ms"),
        AgentEvent::Delivered { attempt } => println!("delivered {attempt}"),
        AgentEvent::Failed { attempt, code, sentence } => println!("failed {attempt}: {code} {sentence}"),
        AgentEvent::Returned { attempt } => println!("returned {attempt}"),
        AgentEvent::Lost { attempt, sentence } => println!("lost {attempt}: {sentence}"),
        AgentEvent::Stopped { delivered, kept } => println!("stopped: {delivered} delivered, {kept} kept"),
    }
}
