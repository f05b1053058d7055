//! Who takes part: folders, keys, processes.

use super::{
    ENVIRONMENT,
    children::{Call, Children},
};
use anyhow::{Context, bail};
use std::{
    path::{Path, PathBuf},
    time::{Duration, Instant},
};
use tatau_client::{Client, Credentials, Patience};
use tatau_model::Amount;

/// What every provider asks for an hour of a GTX 1080 Ti's worth of work: a frame of the demo costs about half a cent.
const ASK: &str = "500";
/// What validators ask: little parts of small frames are mostly overhead, and the operator pays for it.
const AUDIT_ASK: &str = "50";
/// Stake of those who put one up.
const STAKE: Amount = Amount::tatau(40);
/// Memory of a provider's or a validator's only slot, MiB.
const MEMORY_MIB: &str = "2500";
/// A server that is not there by then does not come.
const START: Duration = Duration::from_mins(1);
/// A card that is not measured by then is not going to be.
const MEASURE: Duration = Duration::from_mins(3);

/// What a party does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    Buyer,
    Provider { staked: bool, cheats: bool },
    Validator,
}

/// One party with a folder of its own.
#[derive(Debug, Clone)]
pub struct Party {
    /// For people and for the name of its log.
    pub name: &'static str,
    pub part: Part,
}

/// In the order of their statements.
pub const CAST: &[Party] = &[
    Party { name: "buyer", part: Part::Buyer },
    Party { name: "provider-1-honest", part: Part::Provider { staked: true, cheats: false } },
    Party { name: "provider-2-newcomer", part: Part::Provider { staked: false, cheats: false } },
    Party { name: CHEAT, part: Part::Provider { staked: true, cheats: true } },
    Party { name: "validator-1", part: Part::Validator },
    Party { name: "validator-2", part: Part::Validator },
];

/// The one who cheats.
pub const CHEAT: &str = "provider-3-cheat";

/// Folders and programs of one demo.
pub struct House {
    pub tatau: PathBuf,
    pub mischief: PathBuf,
    pub home: PathBuf,
    pub cache: PathBuf,
    pub server: Option<String>,
}

impl House {
    /// The programs beside the running one.
    pub fn new(home: PathBuf, cache: PathBuf) -> anyhow::Result<Self> {
        let tatau = std::env::current_exe().context("this program's own file cannot be found")?;
        let mischief = tatau.with_file_name("tatau-mischief");
        if !mischief.is_file() {
            bail!(
                "{} is missing: the demo needs its cheat; run `make build`, or `cargo build --bins`",
                mischief.display()
            );
        }
        Ok(Self { tatau, mischief, home, cache, server: None })
    }

    /// A party's folder.
    pub fn data(&self, name: &str) -> PathBuf {
        self.home.join(name)
    }

    /// Calls `tatau` for a party and gives what it printed.
    pub async fn ask(&self, name: &str, arguments: &[&str]) -> anyhow::Result<String> {
        let data = self.data(name);
        Children::ask(&self.call(&self.tatau, &data, arguments)).await
    }

    /// A call, ready to be started.
    pub fn call<'a>(&'a self, program: &'a Path, data: &'a Path, arguments: &[&str]) -> Call<'a> {
        let arguments = arguments.iter().map(|a| (*a).to_owned()).collect();
        Call { program, data, cache: &self.cache, server: self.server.as_deref(), arguments }
    }

    /// Starts the platform and waits for its address.
    pub async fn start_server(&mut self, children: &mut Children) -> anyhow::Result<()> {
        let data = self.data("server");
        let call = self.call(&self.tatau, &data, &["serve", "--local", "--listen", "127.0.0.1:0"]);
        children.start("server", &call, false)?;
        let file = data.join("server.json");
        let started = Instant::now();
        loop {
            children.check()?;
            if let Ok(text) = std::fs::read(&file) {
                let ready: serde_json::Value = serde_json::from_slice(&text)?;
                let url = ready["url"].as_str().context("server.json names no address")?;
                self.server = Some(url.to_owned());
                return Ok(());
            }
            if started.elapsed() > START {
                bail!("the server did not start within {} s; see its log", START.as_secs());
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// Opens the accounts, puts up stakes, starts providers and validators.
    pub async fn start_parties(&self, children: &mut Children) -> anyhow::Result<()> {
        for party in CAST {
            let stakes = !matches!(party.part, Part::Buyer | Part::Provider { staked: false, .. });
            if stakes {
                self.ask(party.name, &["wallet", "stake", &STAKE.to_string(), "--json"]).await?;
            } else {
                self.ask(party.name, &["wallet", "--json"]).await?;
            }
            let slot = ["--slots", "1", "--threads", "1", "--memory-mib", MEMORY_MIB, "--name", party.name];
            let (program, mut arguments) = match party.part {
                Part::Buyer => continue,
                Part::Provider { cheats: true, .. } => {
                    (&self.mischief, vec!["provide", "--cheat", "fewer-samples", "--ask", ASK])
                }
                Part::Provider { cheats: false, .. } => {
                    (&self.tatau, vec!["provide", "--headless", "--environments", ENVIRONMENT, "--ask", ASK])
                }
                Part::Validator => {
                    (&self.tatau, vec!["validate", "--environments", ENVIRONMENT, "--ask", AUDIT_ASK])
                }
            };
            arguments.extend(slot);
            let data = self.data(party.name);
            let cheats = matches!(party.part, Part::Provider { cheats: true, .. });
            children.start(party.name, &self.call(program, &data, &arguments), cheats)?;
        }
        Ok(())
    }

    /// How many providers there are, and how many of their cards are measured.
    pub async fn measured(&self) -> (usize, usize) {
        let providers = CAST.iter().filter(|p| matches!(p.part, Part::Provider { .. }));
        let (mut all, mut done) = (0, 0);
        for party in providers {
            all += 1;
            done += usize::from(self.is_measured(party.name).await.unwrap_or(false));
        }
        (all, done)
    }

    async fn is_measured(&self, name: &str) -> anyhow::Result<bool> {
        let server = self.server.as_deref().context("no server yet")?;
        let key = tatau_evidence::load(&self.data(name).join("node").join("node.key"))?;
        let client = Client::new(server, Credentials::Key(key))?.with_patience(Patience::NONE);
        let node = client.node().await?;
        Ok(node.cards.iter().any(|card| card.score_milli.is_some()))
    }

    /// Waits until all cards are measured; `tell` hears how far it is.
    pub async fn wait_until_measured(
        &self,
        children: &mut Children,
        mut tell: impl FnMut(usize, usize),
    ) -> anyhow::Result<()> {
        let started = Instant::now();
        let mut last = usize::MAX;
        loop {
            children.check()?;
            let (all, done) = self.measured().await;
            if done != last {
                tell(done, all);
                last = done;
            }
            if done == all {
                return Ok(());
            }
            if started.elapsed() > MEASURE {
                bail!(
                    "only {done} of {all} cards were measured within {} s; see the logs",
                    MEASURE.as_secs()
                );
            }
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
    }
}
