//! `tatau provide doctor`: what this machine lacks, each with its mend.

use crate::{
    context::Context,
    exit::{Code, Ended},
    node::ENVIRONMENT,
    out,
};
use serde_json::{Value, json};
use tatau_worker::Recipe;

pub async fn doctor(context: &Context) -> anyhow::Result<()> {
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
