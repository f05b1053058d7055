//! `tatau provide doctor`: what this machine lacks, each with its mend.

use crate::{
    context::Context,
    exit::{Code, Ended},
    node::ENVIRONMENT,
    out,
};
use serde_json::{Value, json};
use tatau_client::{Credentials, Patience};
use tatau_model::{Clock, SystemClock};
use tatau_worker::{Reading, Recipe};

/// What was looked at, whether it is as needed, what was found.
type Check = (String, bool, String);

pub async fn doctor(context: &Context) -> anyhow::Result<()> {
    let mut checks: Vec<Check> = tokio::task::spawn_blocking(tatau_sandbox::doctor)
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
    let name = |gpu: &tatau_worker::Gpu| {
        let devices: Vec<&str> = gpu.card.devices.iter().map(|device| device.name()).collect();
        format!("{} (to be tried at the start: {})", gpu.card.name, devices.join(", "))
    };
    let names: Vec<String> = gpus.cards.iter().filter(|gpu| gpu.card.works()).map(name).collect();
    let found = if names.is_empty() {
        "none to render on; CPU slots are offered".to_owned()
    } else {
        names.join(", ")
    };
    checks.push((
        "graphics cards".into(),
        gpus.warnings.is_empty(),
        [found].into_iter().chain(gpus.refused).chain(gpus.warnings).collect::<Vec<_>>().join("; "),
    ));
    checks.push(programs_check().await?);
    checks.push(environment_check(context).await?);
    checks.push(disk_check(context)?);
    checks.push(keys_check(context)?);
    checks.extend(server_checks(context).await?);
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

/// Programs that bundles of other farms ask for; lending them is their holder's word.
async fn programs_check() -> anyhow::Result<Check> {
    let found = tokio::task::spawn_blocking(tatau_worker::programs).await?;
    let words: Vec<String> = found.iter().map(tatau_worker::Found::flag).collect();
    let sentence = if words.is_empty() {
        "none that bundles ask for (NAME-openjd in a bin folder)".to_owned()
    } else {
        format!("found; where you may lend them, start `tatau provide` with {}", words.join(" "))
    };
    Ok(("programs of your own".into(), true, sentence))
}

/// Room for the environment, if it is still to be made, and for a buyer's files.
fn disk_check(context: &Context) -> anyhow::Result<Check> {
    const INPUTS_MIB: u64 = 2_048;
    let cache = context.cache()?;
    let recipe = Recipe::by_name(ENVIRONMENT)?;
    let environment = if recipe.folder(&cache).is_dir() {
        0
    } else {
        tatau_worker::environment::Manifest::parse(&recipe)?.disk_bytes >> 20
    };
    let needed = environment + INPUTS_MIB;
    let (ok, sentence) = match tatau_worker::disk_free_mib(&cache) {
        Reading::Is(free) if free >= needed => (true, format!("{free} MiB free for {}", cache.display())),
        Reading::Is(free) => (
            false,
            format!(
                "{free} MiB free for {}, {needed} are needed; free some, or name another folder with --cache",
                cache.display()
            ),
        ),
        Reading::NotHere(why) => (false, why.to_owned()),
        Reading::Failed(why) => (false, why),
    };
    Ok(("disk".into(), ok, sentence))
}

/// Keys that others could read are as good as theirs.
fn keys_check(context: &Context) -> anyhow::Result<Check> {
    use std::os::unix::fs::PermissionsExt;
    let data = context.data()?;
    let mut open = Vec::new();
    for name in ["owner.key", "node/node.key"] {
        let path = data.join(name);
        match std::fs::metadata(&path) {
            Ok(metadata) if metadata.permissions().mode() & 0o077 != 0 => {
                open.push(path.display().to_string());
            }
            Ok(_) => {}
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => {}
            Err(e) => {
                return Ok(("keys".into(), false, format!("{} cannot be looked at: {e}", path.display())));
            }
        }
    }
    Ok(if open.is_empty() {
        ("keys".into(), true, format!("nobody else can read what lies in {}", data.display()))
    } else {
        ("keys".into(), false, format!("others can read them; run: chmod 600 {}", open.join(" ")))
    })
}

/// Does the platform answer, and do its clock and this machine's agree?
async fn server_checks(context: &Context) -> anyhow::Result<Vec<Check>> {
    const MOST_SKEW_MS: u64 = 30_000;
    let server = context.server().to_owned();
    let asked = context.client_as(Credentials::None)?.with_patience(Patience::NONE).platform().await;
    let platform = match asked {
        Ok(platform) => platform,
        Err(e) => return Ok(vec![("server".into(), false, e.to_string())]),
    };
    let far =
        !["http://127.", "http://localhost", "http://[::1]"].iter().any(|near| server.starts_with(near));
    let open = if far && server.starts_with("http://") {
        "; what is sent there is not encrypted, ask its operator for an https address"
    } else {
        ""
    };
    let here = SystemClock.now();
    let skew = here.since(platform.now).max(platform.now.since(here));
    let other = if platform.version == env!("CARGO_PKG_VERSION") {
        String::new()
    } else {
        format!(" (this program is {})", env!("CARGO_PKG_VERSION"))
    };
    Ok(vec![
        ("server".into(), true, format!("{server} answers, version {}{other}{open}", platform.version)),
        if skew <= MOST_SKEW_MS {
            ("clock".into(), true, "agrees with the server's".into())
        } else {
            let sentence = format!(
                "{} apart from the server's; set it (timedatectl set-ntp true), hours and days are counted by it",
                out::duration(skew)
            );
            ("clock".into(), false, sentence)
        },
    ])
}

async fn environment_check(context: &Context) -> anyhow::Result<Check> {
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
