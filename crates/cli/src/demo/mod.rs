//! `tatau demo`: a whole market on this machine. Every party is a process of its own with its own keys; one provider cheats.
//!
//! Owns: the order of events and the words about them. Decides nothing: whatever is shown is what the real programs did.

mod accounts;
mod cast;
mod caught;
mod children;
mod folder;

use crate::{
    context::Context,
    exit::{Code, Ended},
};
use accounts::Accounts;
use anyhow::{Context as _, bail};
use cast::{CAST, House};
use caught::Caught;
use children::Children;
use std::{
    path::{Path, PathBuf},
    process::Stdio,
    time::{Duration, Instant},
};
use tatau_api::{Books, JobView, StatementLine};
use tatau_model::JobState;

/// The scene, made by the project's own script.
const SCENE_SCRIPT: &str = include_str!("../../../../examples/demo-scene/make_scene.py");
pub const ENVIRONMENT: &str = "blender-5.0";
/// The dispute windows of a local server are 20 s; audits of the last results may still run before them.
const SETTLING: Duration = Duration::from_mins(2);

/// Shows a real job from the buyer's file to the last unit of money, on this machine.
///
/// Starts a server, three providers of whom one cheats, and two validators; renders the project's own scene; prints what
/// everybody got. Takes about five minutes on two cores.
#[derive(Debug, clap::Args)]
pub struct Demo {
    /// Folder for frames, pictures, the video, the statement and the logs.
    #[arg(long, default_value = "demo-out")]
    pub out: PathBuf,
    /// Keep the market's folder (keys, database, caches) and say where it is.
    #[arg(long)]
    pub keep: bool,
    /// Frames to render.
    #[arg(long, default_value = "1-24")]
    pub frames: String,
}

/// Runs the demo; on every way out its processes are stopped.
pub async fn run(context: &Context, options: Demo) -> anyhow::Result<()> {
    let started = Instant::now();
    let out = folder::fresh(&options.out)?;
    let home = tempfile::Builder::new().prefix("tatau-demo-").tempdir()?;
    let stage = Stage { started, out: out.clone(), json: context.json(), options };
    let mut house = House::new(home.path().to_owned(), context.cache()?)?;
    let mut children = Children::new(out.join("logs"))?;
    let ended = tokio::select! {
        ended = stage.play(&mut house, &mut children) => ended,
        signal = told_to_stop() => Err(signal.err().unwrap_or_else(|| Ended::new(Code::Interrupted, "interrupted").into())),
    };
    if ended.is_err() {
        stage.say("stopping everything");
    }
    children.stop().await;
    if stage.options.keep {
        let kept = home.keep();
        stage.say(&format!("the market's folder is kept: {}", kept.display()));
    }
    ended
}

async fn told_to_stop() -> anyhow::Result<()> {
    let mut terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
    tokio::select! {
        interrupted = tokio::signal::ctrl_c() => interrupted?,
        _ = terminate.recv() => {}
    }
    Ok(())
}

struct Stage {
    started: Instant,
    out: PathBuf,
    json: bool,
    options: Demo,
}

impl Stage {
    /// Words go to standard error, which is never data.
    fn say(&self, words: &str) {
        eprintln!("[{:>3} s] {words}", self.started.elapsed().as_secs());
    }

    async fn play(&self, house: &mut House, children: &mut Children) -> anyhow::Result<()> {
        self.say("looking for Blender (the first time it is downloaded: 900 MB)");
        let found = house.ask("demo", &["provide", "environment", ENVIRONMENT, "--print-python"]).await?;
        let python = PathBuf::from(found.trim());
        self.say("making the scene");
        let scene = make_scene(&python, &house.home.join("studio")).await?;

        self.say("starting a platform of your own, on this machine only");
        house.start_server(children).await?;
        self.say("starting three providers (one has no stake yet, one will cheat) and two validators, one CPU thread each");
        house.start_parties(children).await?;
        self.say("the platform measures their cards: everyone renders a benchmark, validators check it");
        let tell = |done, all| self.say(&format!("cards measured: {done} of {all}"));
        house.wait_until_measured(children, tell).await?;

        self.say("the buyer renders:  tatau render scene.blend");
        tokio::select! {
            rendered = self.render(house, &scene) => rendered?,
            ended = children.watch() => ended?,
        }
        for words in children.ended() {
            self.say(&words);
        }
        let job = job(house).await?;
        let JobState::Finished = job.job.state else {
            bail!(
                "the job is {}, not finished; see {}",
                job.job.state.name(),
                self.out.join("logs").display()
            );
        };
        self.say(
            "waiting until the dispute windows close (20 s on a local server), so that pending pay settles",
        );
        let books = self.settled(house, children).await?;
        let mut statements = Vec::new();
        for party in CAST {
            let text = house.ask(party.name, &["wallet", "statement", "--json"]).await?;
            statements.push((party.name.to_owned(), statement(&text)?));
        }
        let accounts = accounts::add_up(statements, &books)?;
        let caught = Caught::new(&accounts, &job)?;
        self.tell_all(&accounts, &caught)
    }

    async fn render(&self, house: &House, scene: &Path) -> anyhow::Result<()> {
        let buyer = house.data("buyer");
        let (scene, out) = (scene.display().to_string(), self.out.display().to_string());
        let arguments = ["render", &scene, "--frames", &self.options.frames, "--out", &out, "--yes"];
        // In JSON mode standard output is for the statement alone.
        let shown = if self.json { Stdio::from(std::io::stderr()) } else { Stdio::inherit() };
        Children::show(&house.call(&house.tatau, &buyer, &arguments), shown).await
    }

    /// The books once nothing is held, pending or reserved any more.
    async fn settled(&self, house: &House, children: &mut Children) -> anyhow::Result<Books> {
        let begun = Instant::now();
        let mut last = usize::MAX;
        loop {
            children.check()?;
            let books: Books =
                serde_json::from_str(&house.ask("server", &["admin", "audit-books", "--json"]).await?)?;
            let moving = |account: &str| {
                ["/held/", "/escrow/", "/pending", "/stake-reserved"].iter().any(|m| account.contains(m))
            };
            let open = books.accounts.iter().filter(|a| moving(&a.account)).count();
            if open == 0 {
                return Ok(books);
            }
            if open != last {
                self.say(&format!("accounts with money in suspense: {open}"));
                last = open;
            }
            if begun.elapsed() > SETTLING {
                bail!("money is still in suspense after {} s; see the server's log", SETTLING.as_secs());
            }
            tokio::time::sleep(Duration::from_secs(2)).await;
        }
    }

    fn tell_all(&self, accounts: &Accounts, caught: &Caught) -> anyhow::Result<()> {
        let text = format!("{}\n{}", accounts.text(), caught.text());
        let json = serde_json::json!({ "accounts": accounts, "cheat": caught, "seconds": self.started.elapsed().as_secs() });
        std::fs::write(self.out.join("statement.txt"), &text)?;
        std::fs::write(self.out.join("statement.json"), serde_json::to_vec_pretty(&json)?)?;
        if self.json {
            println!("{json}");
        } else {
            println!("\n{text}");
        }
        self.say(&format!("frames, pictures, video, statement and logs are in {}", self.out.display()));
        Ok(())
    }
}

async fn make_scene(python: &Path, folder: &Path) -> anyhow::Result<PathBuf> {
    std::fs::create_dir_all(folder)?;
    let script = folder.join("make_scene.py");
    std::fs::write(&script, SCENE_SCRIPT)?;
    let made = tokio::process::Command::new(python)
        .args(["-sE".as_ref(), script.as_os_str(), folder.as_os_str()])
        .kill_on_drop(true)
        .output()
        .await
        .with_context(|| format!("{} cannot be started", python.display()))?;
    let scene = folder.join("scene.blend");
    if !made.status.success() || !scene.is_file() {
        bail!("the scene could not be made: {}", String::from_utf8_lossy(&made.stderr).trim());
    }
    Ok(scene)
}

/// The buyer's render job.
async fn job(house: &House) -> anyhow::Result<JobView> {
    let jobs: Vec<serde_json::Value> = serde_json::from_str(&house.ask("buyer", &["jobs", "--json"]).await?)?;
    let render = jobs.iter().find(|job| job["kind"] == "render").context("the buyer has no render job")?;
    let id = render["id"].as_u64().context("a job without number")?.to_string();
    Ok(serde_json::from_str(&house.ask("buyer", &["job", &id, "--json"]).await?)?)
}

fn statement(text: &str) -> anyhow::Result<Vec<StatementLine>> {
    Ok(serde_json::from_str(text)?)
}
