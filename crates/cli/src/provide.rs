//! `tatau provide`.

use crate::{
    context::Context,
    exit::{Code, Ended},
    node::{self, ENVIRONMENT, NodeFlags},
    out,
};
use serde_json::{Value, json};
use std::sync::Arc;
use tatau_agent::{AgentEvent, Control, ProvideError, ProvideOptions, provide};
use tatau_model::Amount;
use tatau_worker::{Recipe, provision};

/// Lends this machine's cards and is paid for what they compute.
///
/// Tasks run in a sandbox without network and without access to your files. Ctrl-C finishes what runs and gives back the rest; a second one
/// stops at once, and what was finished is delivered at the next start. A server or network that is away is waited for.
#[derive(Debug, clap::Args)]
#[command(
    args_conflicts_with_subcommands = true,
    after_long_help = "Examples:
  tatau provide doctor                   what this machine lacks, and how to mend it
  tatau provide                          one CPU slot with all threads
  tatau provide --slots 4 --ask 0.8
  tatau provide --server https://farm.example --join join-…   the line that your fleet page shows
  tatau provide environment blender-5.0  make the environment now (a 900 MB download the first time)"
)]
pub struct Provide {
    #[command(subcommand)]
    verb: Option<Verb>,
    #[command(flatten)]
    node: NodeFlags,
    /// Price of one hour of a GTX 1080 Ti's worth of work, TATAU.
    #[arg(long, default_value_t = tatau_agent::DEFAULT_ASK, value_name = "AMOUNT", allow_hyphen_values = true)]
    ask: Amount,
}

#[derive(Debug, clap::Subcommand)]
enum Verb {
    /// Looks at this machine: what it lacks for running tasks, each with its mend.
    Doctor,
    /// Makes an environment, if it is not there yet.
    Environment {
        /// Such as blender-5.0.
        name: String,
        /// Prints the path of its Python, and nothing else, on standard output.
        #[arg(long)]
        print_python: bool,
    },
}

pub async fn run(options: Provide, context: &Context) -> anyhow::Result<()> {
    match options.verb {
        Some(Verb::Doctor) => doctor(context).await,
        Some(Verb::Environment { name, print_python }) => environment(&name, print_python, context).await,
        None => work(&options.node, options.ask, context).await,
    }
}

async fn work(flags: &NodeFlags, ask: Amount, context: &Context) -> anyhow::Result<()> {
    if !ask.is_positive() {
        return Err(Ended::usage("--ask must be more than zero").into());
    }
    node::log("warn", context.json())?;
    let mut options = ProvideOptions::new(context.server().to_owned(), flags.options(context)?);
    options.control = Control::asking(ask);
    let json = context.json();
    options.on = Arc::new(move |event| tell(&event, json));
    if !json {
        out::say(&format!(
            "providing to {} at {ask} TATAU an hour of a GTX 1080 Ti's worth of work",
            context.server()
        ));
    }
    match provide(options, node::stop_signal()?).await {
        Err(ProvideError::Node(error)) if node::unless_stopped(&error) => Ok(()),
        other => Ok(other?),
    }
}

fn tell(event: &AgentEvent, json: bool) {
    if json {
        if let Some(value) = as_json(event) {
            out::json(&value);
        }
    } else if let Some(text) = in_words(event) {
        out::say(&text);
    }
}

fn in_words(event: &AgentEvent) -> Option<String> {
    Some(match event {
        AgentEvent::Provisioning { environment, stage } => node::stage(environment, stage),
        AgentEvent::Registered { node } => {
            let cards: Vec<String> = node.cards.iter().map(|card| out::clean_line(&card.name)).collect();
            format!("registered as {} for {}: {}", node.id, node.owner, cards.join(", "))
        }
        AgentEvent::Warning { sentence } => {
            format!("{} {}", out::colour("33", "warning:"), out::clean_line(sentence))
        }
        AgentEvent::Waiting { reason } => format!("waiting: {}", out::clean_line(reason)),
        AgentEvent::Resumed => "the server answers again".into(),
        AgentEvent::Settings { settings } => {
            format!("the owner's fleet page says: {}", out::clean_line(&settings.sentence()))
        }
        AgentEvent::Leased { attempt, work, card, price, .. } => {
            format!("{attempt}: {} on card {card}, pays up to {price} TATAU", work.label())
        }
        AgentEvent::Ready { .. }
        | AgentEvent::Begun { .. }
        | AgentEvent::Ran { .. }
        | AgentEvent::Warm { .. }
        | AgentEvent::Picture { .. }
        | AgentEvent::Progress { .. } => return None,
        AgentEvent::Committed { attempt, wall_ms } => {
            format!("{attempt}: done in {}, receipt signed", out::duration(*wall_ms))
        }
        AgentEvent::Delivered { attempt } => format!("{attempt}: delivered"),
        AgentEvent::Failed { attempt, code, sentence } => {
            format!("{attempt}: failed ({}): {}", out::clean_line(code), out::clean_line(sentence))
        }
        AgentEvent::Returned { attempt } => format!("{attempt}: given back"),
        AgentEvent::Lost { attempt, sentence } => format!("{attempt}: lost: {}", out::clean_line(sentence)),
        AgentEvent::Stopped { delivered, kept } => {
            format!("stopped: {delivered} delivered, {kept} kept for the next start")
        }
    })
}

fn as_json(event: &AgentEvent) -> Option<Value> {
    Some(match event {
        AgentEvent::Provisioning { environment, stage } => node::stage_json(environment, stage),
        AgentEvent::Registered { node } => json!({"event": "registered", "node": node}),
        AgentEvent::Warning { sentence } => json!({"event": "warning", "sentence": sentence}),
        AgentEvent::Waiting { reason } => json!({"event": "waiting", "reason": reason}),
        AgentEvent::Resumed => json!({"event": "resumed"}),
        AgentEvent::Settings { settings } => json!({"event": "settings", "settings": settings}),
        AgentEvent::Leased { attempt, job, work, card, price } => {
            json!({"event": "leased", "attempt": attempt, "job": job, "work": work, "card": card, "price": price})
        }
        AgentEvent::Ready { .. }
        | AgentEvent::Begun { .. }
        | AgentEvent::Ran { .. }
        | AgentEvent::Warm { .. }
        | AgentEvent::Picture { .. }
        | AgentEvent::Progress { .. } => return None,
        AgentEvent::Committed { attempt, wall_ms } => {
            json!({"event": "committed", "attempt": attempt, "wall_ms": wall_ms})
        }
        AgentEvent::Delivered { attempt } => json!({"event": "delivered", "attempt": attempt}),
        AgentEvent::Failed { attempt, code, sentence } => {
            json!({"event": "failed", "attempt": attempt, "code": code, "sentence": sentence})
        }
        AgentEvent::Returned { attempt } => json!({"event": "returned", "attempt": attempt}),
        AgentEvent::Lost { attempt, sentence } => {
            json!({"event": "lost", "attempt": attempt, "sentence": sentence})
        }
        AgentEvent::Stopped { delivered, kept } => {
            json!({"event": "stopped", "delivered": delivered, "kept": kept})
        }
    })
}

async fn doctor(context: &Context) -> anyhow::Result<()> {
    let mut checks: Vec<(String, bool, String)> = tokio::task::spawn_blocking(tatau_sandbox::doctor)
        .await?
        .into_iter()
        .map(|check| (check.name.to_owned(), check.ok, check.sentence))
        .collect();
    checks.push(match tatau_worker::Machine::read() {
        Ok(machine) => {
            let found = format!(
                "{}, {} threads, {} MiB for tasks",
                machine.processor, machine.threads, machine.memory_mib
            );
            ("processor".into(), true, found)
        }
        Err(e) => ("processor".into(), false, e.to_string()),
    });
    let gpus = tatau_worker::gpus();
    let names: Vec<String> = gpus.cards.iter().map(|gpu| gpu.card.name.clone()).collect();
    let found = if names.is_empty() { "none; CPU slots are offered".to_owned() } else { names.join(", ") };
    checks.push((
        "graphics cards".into(),
        gpus.warnings.is_empty(),
        [found].into_iter().chain(gpus.warnings).collect::<Vec<_>>().join("; "),
    ));
    checks.push(environment_check(context).await?);
    let sound = checks.iter().all(|(_, ok, _)| *ok);
    if context.json() {
        let list: Vec<Value> = checks
            .iter()
            .map(|(name, ok, sentence)| json!({"name": name, "ok": ok, "sentence": sentence}))
            .collect();
        out::json(&json!({"ok": sound, "checks": list}));
    } else {
        let rows: Vec<Vec<String>> = checks
            .into_iter()
            .map(|(name, ok, sentence)| {
                vec![if ok { "ok".into() } else { "LACKS".into() }, name, out::clean_line(&sentence)]
            })
            .collect();
        out::line(&out::table(&["", "what", "found"], &[], &rows));
    }
    if sound {
        Ok(())
    } else {
        Err(Ended::new(
            Code::Failed,
            "this machine cannot provide yet; each line that lacks something says how to mend it",
        )
        .into())
    }
}

async fn environment_check(context: &Context) -> anyhow::Result<(String, bool, String)> {
    let recipe = Recipe::by_name(ENVIRONMENT)?;
    let folder = recipe.folder(&context.cache()?);
    let name = format!("environment {ENVIRONMENT}");
    let manifest = tatau_worker::environment::Manifest::parse(&recipe)?;
    let missing = tatau_worker::environment::missing_packages(&manifest.needs).await?;
    Ok(if !missing.is_empty() {
        (name, false, format!("system libraries are missing; run: apt-get install {}", missing.join(" ")))
    } else if folder.is_dir() {
        (name, true, format!("ready in {}", folder.display()))
    } else {
        (name, true, format!("made at the first start ({} MiB of disk)", manifest.disk_bytes >> 20))
    })
}

async fn environment(name: &str, print_python: bool, context: &Context) -> anyhow::Result<()> {
    let recipe = Recipe::by_name(name).map_err(|e| Ended::usage(e.to_string()))?;
    let json = context.json();
    let mut last = String::new();
    let mut on = |stage| {
        let text = node::stage(name, &stage);
        if json {
            out::json(&node::stage_json(name, &stage));
        } else if text != last {
            out::say(&text);
        }
        last = text;
    };
    let folder = provision(&context.cache()?, &recipe, &mut on).await?;
    if print_python {
        out::line(&node::python(&folder).display().to_string());
    } else if json {
        out::json(
            &json!({"event": "environment", "name": name, "folder": folder, "python": node::python(&folder)}),
        );
    }
    Ok(())
}
