//! What `provide` and `validate` share: the node's flags, and how it is told to stop.

use crate::{context::Context, exit::Ended, out, render::environment};
use std::path::PathBuf;
use tatau_model::environment::{HOST, is_host, program as program_of};
use tatau_worker::{Joined, Licence, NodeError, NodeOptions, Stage, Stop, StopSignal};
use tokio::{
    signal::unix::{SignalKind, signal},
    sync::watch,
};

/// The environment that scenes need.
pub const ENVIRONMENT: &str = "blender-5.0";

/// Flags of a node.
#[derive(Debug, clap::Args)]
pub struct NodeFlags {
    /// CPU slots; each takes one task at a time. Default: one slot with all threads.
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=1_024))]
    slots: Option<u32>,
    /// CPU threads to share among the slots; default: all.
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=4_096))]
    threads: Option<u32>,
    /// Memory to share among the slots, MiB; default: the machine's, less what it needs itself.
    #[arg(long, value_parser = clap::value_parser!(u64).range(256..))]
    memory_mib: Option<u64>,
    /// Offers no graphics card. Without it, each is tried at the start, and offered for what it renders as the processor does.
    #[arg(long)]
    no_graphics: bool,
    /// A name for people; default: the machine's.
    #[arg(long)]
    name: Option<String>,
    /// Size of the cache of inputs, GiB; 20 at first. A provider keeps it as its setting.
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..=100_000))]
    pub cache_gib: Option<u64>,
    /// Environments to offer, 1 GB of disk each; default: all. Scenes saved by older Blenders need blender-4.5.
    #[arg(long, value_delimiter = ',', value_parser = environment, value_name = "NAMES")]
    environments: Vec<&'static str>,
    /// A program of this machine's own, for bundles that ask for it: its name and version, and its folder, which tasks see read-only
    /// as /env with bin/ in their PATH (may be given several times). You need the right to lend it.
    #[arg(long = "program", value_name = "NAME[@VERSION]=FOLDER", value_parser = program)]
    programs: Vec<(String, PathBuf)>,
    /// The licence server of a program that is lent, the only address that its tasks reach; by its name it leads there from inside (may
    /// be given several times).
    #[arg(long = "licence", value_name = "NAME=HOST:PORT[,PORT]", value_parser = licence)]
    licences: Vec<(String, Licence)>,
    /// Run without the owner's key: a delegation made earlier lies in the data folder.
    #[arg(long)]
    no_owner_key: bool,
    /// A join code of your fleet page: this machine works for that account, without its key. Needed once.
    #[arg(long, value_name = "CODE", conflicts_with = "no_owner_key")]
    join: Option<String>,
}

impl NodeFlags {
    /// The same flags as words of a command line.
    pub fn words(&self) -> Vec<String> {
        let mut words = Vec::new();
        let mut add = |flag: &str, value: Option<String>| {
            words.extend(value.into_iter().flat_map(|value| [flag.to_owned(), value]));
        };
        add("--slots", self.slots.map(|n| n.to_string()));
        add("--threads", self.threads.map(|n| n.to_string()));
        add("--memory-mib", self.memory_mib.map(|n| n.to_string()));
        add("--name", self.name.clone());
        add("--cache-gib", self.cache_gib.map(|n| n.to_string()));
        add("--environments", (!self.environments.is_empty()).then(|| self.environments.join(",")));
        for (name, folder) in &self.programs {
            let name = name.strip_prefix(HOST).unwrap_or(name);
            words.extend(["--program".to_owned(), format!("{name}={}", folder.display())]);
        }
        for (name, Licence { host, ports }) in &self.licences {
            let ports: Vec<String> = ports.iter().map(u16::to_string).collect();
            words.extend(["--licence".to_owned(), format!("{name}={host}:{}", ports.join(","))]);
        }
        if self.no_graphics {
            words.push("--no-graphics".into());
        }
        if self.no_owner_key {
            words.push("--no-owner-key".into());
        }
        words
    }

    /// The node that the flags describe.
    pub fn options(&self, context: &Context) -> anyhow::Result<NodeOptions> {
        // Before any key is made.
        let lent = |name: &str| self.programs.iter().any(|(lent, _)| program_of(lent) == Some(name));
        if let Some((name, _)) = self.licences.iter().find(|(name, _)| !lent(name)) {
            return Err(Ended::usage(format!(
                "--licence names {name}, which is not lent; name it with --program {name}=FOLDER too"
            ))
            .into());
        }
        let folder = context.data()?.join("node");
        // A machine in somebody's fleet needs no owner's key, and must not make one.
        let fleet = self.join.is_some() || Joined::in_folder(&folder)?.is_some();
        let owner = if self.no_owner_key || fleet { None } else { Some(context.owner()?) };
        let mut node = NodeOptions::new(folder, context.cache()?, owner)?;
        node.join.clone_from(&self.join);
        node.slots = self.slots;
        node.threads = self.threads;
        node.memory_mib = self.memory_mib;
        node.graphics = self.no_graphics.then(Vec::new);
        if !self.environments.is_empty() {
            node.environments = self.environments.iter().map(|name| (*name).to_owned()).collect();
        }
        node.programs = self.programs.iter().cloned().collect();
        node.licences = self.licences.iter().cloned().collect();
        node.blob_cap_bytes = self.cache_gib.map_or(node.blob_cap_bytes, |gib| gib << 30);
        if let Some(name) = &self.name {
            let plain = !name.is_empty() && name.len() <= 100 && !name.chars().any(char::is_control);
            if !plain {
                return Err(Ended::usage("--name has 1 to 100 bytes and no control characters").into());
            }
            node.name.clone_from(name);
        }
        Ok(node)
    }
}

/// `cinema4d=licences.studio.lan:5053`: a program and where its licences come from.
fn licence(text: &str) -> Result<(String, Licence), String> {
    let (name, server) = text.split_once('=').ok_or("write NAME=HOST:PORT, or NAME=HOST:PORT,PORT")?;
    Ok((name.to_owned(), Licence::parse(server)?))
}

/// `cinema4d@2025.1=/opt/cinema4d`: a program and the folder that it lies in.
fn program(text: &str) -> Result<(String, PathBuf), String> {
    let (name, folder) = text.split_once('=').ok_or("write NAME=FOLDER, or NAME@VERSION=FOLDER")?;
    let name = format!("{HOST}{name}");
    if !is_host(&name) {
        return Err("a name and a version are made of letters, digits and . _ -".into());
    }
    let folder = PathBuf::from(folder);
    let real = folder.canonicalize().map_err(|e| format!("{} cannot be read: {e}", folder.display()))?;
    let whole =
        ["/", "/home", "/root", "/etc", "/usr", "/var"].iter().any(|dir| real == std::path::Path::new(dir));
    if !real.is_dir() || whole {
        return Err(format!(
            "{} is no folder of one program; name the folder that it is installed in",
            folder.display()
        ));
    }
    Ok((name, real))
}

/// Ctrl-C (or a polite kill) once: finish; twice: at once.
pub fn stop_signal() -> anyhow::Result<StopSignal> {
    let (tell, hear) = watch::channel(Stop::Run);
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::spawn(async move {
        let words = [
            (Stop::Finish, "finishing what runs and giving back the rest; Ctrl-C again stops at once"),
            (Stop::Now, "stopping; finished work is delivered at the next start"),
        ];
        for (word, text) in words {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
            out::say(text);
            tell.send_replace(word);
        }
    });
    Ok(hear)
}

/// A node that was told to stop before it had started has done nothing wrong.
pub fn unless_stopped(error: &NodeError) -> bool {
    matches!(error, NodeError::Stopped)
}

/// What is being done about an environment.
pub fn stage(environment: &str, stage: &Stage) -> String {
    match stage {
        Stage::Waiting => format!("{environment}: another process is making it; waiting"),
        Stage::Preparing => format!("{environment}: preparing"),
        Stage::Installing(line) => format!("{environment}: {}", out::clean_line(line)),
        Stage::Checking => format!("{environment}: checking"),
        Stage::Ready => format!("{environment}: ready"),
    }
}

/// For programs.
pub fn stage_json(environment: &str, stage: &Stage) -> serde_json::Value {
    let (name, detail) = match stage {
        Stage::Waiting => ("waiting", None),
        Stage::Preparing => ("preparing", None),
        Stage::Installing(line) => ("installing", Some(line)),
        Stage::Checking => ("checking", None),
        Stage::Ready => ("ready", None),
    };
    serde_json::json!({"event": "provisioning", "environment": environment, "stage": name, "detail": detail})
}

/// A node's folder.
pub fn python(folder: &std::path::Path) -> PathBuf {
    folder.join("bin").join("python")
}

/// Warnings of the libraries go to standard error; `TATAU_LOG` asks for more.
pub fn log(default: &str, json: bool) -> anyhow::Result<()> {
    let filter = match std::env::var("TATAU_LOG") {
        Ok(wanted) => tracing_subscriber::EnvFilter::try_new(&wanted).map_err(|e| {
            Ended::usage(format!("TATAU_LOG={wanted} cannot be read: {e}"))
                .hint("write for example TATAU_LOG=info")
        })?,
        Err(_) => tracing_subscriber::EnvFilter::try_new(default)?,
    };
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    if json {
        log.json().init();
    } else {
        log.with_ansi(out::colour("1", "x") != "x").init();
    }
    Ok(())
}
