//! The demo's processes: each with its own log, all stopped whatever happens.

use anyhow::{Context, bail};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use std::{
    fs::File,
    io::{Read, Seek, SeekFrom},
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};
use tokio::process::{Child, Command};

/// Time to end by itself after being asked, and again after being told.
const GRACE: Duration = Duration::from_secs(5);
/// How often processes are looked at while others work.
const LOOK: Duration = Duration::from_millis(500);
/// End of a log that is read for its last words, bytes.
const TAIL_BYTES: u64 = 8 << 10;

/// Processes that run in the background, and what they ran with.
pub struct Children {
    logs: PathBuf,
    running: Vec<Running>,
    ended: Vec<String>,
}

struct Running {
    name: String,
    child: Child,
    /// The market may have sent it away.
    may_end: bool,
}

/// A call of one of the programs on behalf of a party.
pub struct Call<'a> {
    pub program: &'a Path,
    /// The party's folder.
    pub data: &'a Path,
    pub cache: &'a Path,
    pub server: Option<&'a str>,
    pub arguments: Vec<String>,
}

impl Call<'_> {
    fn command(&self) -> Command {
        let mut command = Command::new(self.program);
        command.args(&self.arguments).env("TATAU_DATA", self.data).env("TATAU_CACHE", self.cache);
        // Nothing that the person has configured may reach the demo's parties.
        command.env_remove("TATAU_TOKEN");
        match self.server {
            Some(server) => command.env("TATAU_SERVER", server),
            None => command.env_remove("TATAU_SERVER"),
        };
        // Ctrl-C is for the demo, which stops its processes in order.
        command.stdin(Stdio::null()).process_group(0).kill_on_drop(true);
        command
    }

    fn words(&self) -> String {
        self.arguments.join(" ")
    }
}

impl Children {
    /// Logs go to `logs`, which is made.
    pub fn new(logs: PathBuf) -> anyhow::Result<Self> {
        std::fs::create_dir_all(&logs).with_context(|| format!("{} cannot be made", logs.display()))?;
        Ok(Self { logs, running: Vec::new(), ended: Vec::new() })
    }

    /// Starts a process that stays, unless it `may_end`.
    pub fn start(&mut self, name: &str, call: &Call<'_>, may_end: bool) -> anyhow::Result<()> {
        let path = self.log(name);
        let log = File::create(&path).with_context(|| format!("{} cannot be written", path.display()))?;
        let mut command = call.command();
        command.stdout(log.try_clone()?).stderr(log);
        let child =
            command.spawn().with_context(|| format!("{} cannot be started", call.program.display()))?;
        self.running.push(Running { name: name.to_owned(), child, may_end });
        Ok(())
    }

    /// Runs a process to its end and gives what it printed; a failure speaks with the process's own last words.
    pub async fn ask(call: &Call<'_>) -> anyhow::Result<String> {
        let answer = call.command().output().await;
        let answer = answer.with_context(|| format!("{} cannot be started", call.program.display()))?;
        if !answer.status.success() {
            let said = String::from_utf8_lossy(&answer.stderr);
            bail!("`tatau {}` failed: {}", call.words(), last_line(&said));
        }
        String::from_utf8(answer.stdout).context("a child printed what is no text")
    }

    /// Runs a process whose words and progress go to the terminal; `out` takes its standard output elsewhere.
    pub async fn show(call: &Call<'_>, out: Stdio) -> anyhow::Result<()> {
        let mut command = call.command();
        let mut child = command.stdout(out).spawn().context("the buyer's process cannot be started")?;
        let status = child.wait().await?;
        if !status.success() {
            bail!("`tatau {}` ended with {status}; its words are above", call.words());
        }
        Ok(())
    }

    /// Fails if a process that should stay has ended.
    pub fn check(&mut self) -> anyhow::Result<()> {
        let mut at = 0;
        while let Some(one) = self.running.get_mut(at) {
            let Some(status) = one.child.try_wait()? else {
                at += 1;
                continue;
            };
            let Running { name, may_end, .. } = self.running.remove(at);
            let log = self.log(&name);
            let words = last_words(&log);
            if !may_end {
                bail!("{name} ended with {status}: {words} (all of it: {})", log.display());
            }
            self.ended.push(format!("{name} has left: {words}"));
        }
        Ok(())
    }

    /// Returns once a process that should stay has ended, with its last words.
    pub async fn watch(&mut self) -> anyhow::Result<()> {
        loop {
            self.check()?;
            tokio::time::sleep(LOOK).await;
        }
    }

    /// Who has left since this was asked last, and its last words.
    pub fn ended(&mut self) -> Vec<String> {
        std::mem::take(&mut self.ended)
    }

    /// Ends everything: the agents together, then the first started, which serves them.
    pub async fn stop(mut self) {
        let agents = self.running.split_off(self.running.len().min(1));
        let mut ending = tokio::task::JoinSet::new();
        for agent in agents {
            ending.spawn(end(agent.child));
        }
        while ending.join_next().await.is_some() {}
        for first in self.running {
            end(first.child).await;
        }
    }

    fn log(&self, name: &str) -> PathBuf {
        self.logs.join(format!("{name}.log"))
    }
}

/// Asked, told, killed.
async fn end(mut child: Child) {
    for _ in 0..2 {
        let Some(id) = child.id() else { return };
        let _ = kill(Pid::from_raw(id.cast_signed()), Signal::SIGTERM);
        if tokio::time::timeout(GRACE, child.wait()).await.is_ok() {
            return;
        }
    }
    let _ = child.kill().await;
}

fn last_words(log: &Path) -> String {
    let mut text = Vec::new();
    let read = File::open(log).and_then(|mut file| {
        let size = file.metadata()?.len();
        file.seek(SeekFrom::Start(size.saturating_sub(TAIL_BYTES)))?;
        file.take(TAIL_BYTES).read_to_end(&mut text)
    });
    match read {
        Ok(_) => last_line(&String::from_utf8_lossy(&text)),
        Err(error) => format!("its log cannot be read ({error})"),
    }
}

fn last_line(text: &str) -> String {
    let lines = || text.lines().map(str::trim).filter(|l| !l.is_empty());
    let line = lines().find(|l| l.starts_with("error:")).or_else(|| lines().next_back());
    line.unwrap_or("it said nothing").chars().take(400).collect()
}
