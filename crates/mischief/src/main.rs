//! Cheating agents, for the project's own tests and its demo: the real agent with one lie in it.
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
use tatau_model::Amount;
use tatau_worker::{Membership, NodeOptions, Stop};
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
    /// What runs inside the sandbox.
    #[command(hide = true)]
    Session,
}

#[derive(Args)]
struct Provide {
    /// Server address.
    #[arg(long, env = "TATAU_SERVER")]
    server: String,
    /// Folder of this party: the owner's key and the node.
    #[arg(long, env = "TATAU_DATA")]
    data: PathBuf,
    /// Environments and runtimes.
    #[arg(long, env = "TATAU_CACHE")]
    cache: PathBuf,
    /// How to cheat.
    #[arg(long)]
    cheat: Cheat,
    /// Stay honest for so many frames (of a session, where the lie is in pixels).
    #[arg(long, default_value_t = 0)]
    cheat_after: u64,
    /// Then cheat so many times (in a session), and be honest again; always without it.
    #[arg(long, default_value_t = 1 << 40)]
    cheat_times: u64,
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
}

fn main() -> ExitCode {
    let ran = match Arguments::parse().verb {
        Verb::Session => return tatau_sandbox::runner::main(),
        Verb::Provide(options) => run(options),
    };
    match ran {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(options: Provide) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(provide(options))
}

async fn provide(options: Provide) -> anyhow::Result<()> {
    let owner = tatau_evidence::load_or_create(&options.data.join("owner.key"), &mut rand::rng())?;
    let mut node = NodeOptions::new(options.data.join("node"), options.cache.clone(), Some(owner))?;
    node.name = options.name;
    node.slots = Some(options.slots);
    node.threads = Some(options.threads);
    node.memory_mib = options.memory_mib;
    node.environments = vec![ENVIRONMENT.into()];
    let when = When { after: options.cheat_after, times: options.cheat_times };
    if let Some(kind) = options.cheat.in_pixels() {
        let place = cheat::place(&options.cache, ENVIRONMENT, kind, when).await?;
        node.places.insert(ENVIRONMENT.into(), place);
    }
    let membership = Membership::open(&node.data_dir, &mut rand::rng())?;
    let client = Client::new(&options.server, Credentials::Key(membership.key.clone()))?;
    let client = client.with_patience(Patience::NONE);
    let platform = Crooked::new(client, options.cheat, membership.key.clone(), when);
    let mut provide = ProvideOptions::new(options.server, node);
    provide.control = options.ask.map_or_else(Control::default, Control::asking);
    provide.on = Arc::new(say);
    let (stop, stopping) = watch::channel(Stop::Run);
    tokio::spawn(hear(stop));
    provide_on(platform, membership, provide, stopping).await?;
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
