//! What every verb shares: the server, the data folder, the owner's key, JSON or words.

use crate::{config::Config, exit::Ended, out};
use anyhow::Context as _;
use std::{
    path::{Path, PathBuf},
    time::Duration,
};
use tatau_client::{Client, Credentials};
use tatau_evidence::SigningKey;

/// Where a platform of one's own listens.
pub const DEFAULT_SERVER: &str = "http://127.0.0.1:7117";

/// A server that answers later than this is worth a word.
const PATIENT: Duration = Duration::from_secs(2);

/// Flags of every verb.
#[derive(Debug, Clone, clap::Args)]
pub struct Globals {
    /// Server address; without it the one of `tatau login`, else http://127.0.0.1:7117.
    #[arg(long, global = true, env = "TATAU_SERVER", value_name = "URL", help_heading = "Everywhere")]
    pub server: Option<String>,
    /// Folder of keys, database and node; ~/.local/share/tatau by default.
    #[arg(long, global = true, env = "TATAU_DATA", value_name = "DIR", help_heading = "Everywhere")]
    pub data: Option<PathBuf>,
    /// Folder of environments, shared by all roles on this machine; ~/.cache/tatau by default.
    #[arg(long, global = true, env = "TATAU_CACHE", value_name = "DIR", help_heading = "Everywhere")]
    pub cache: Option<PathBuf>,
    /// JSON on standard output, words on standard error.
    #[arg(long, global = true, help_heading = "Everywhere")]
    pub json: bool,
}

/// Flags, and what was remembered.
#[derive(Debug)]
pub struct Context {
    globals: Globals,
    config: Config,
}

impl Context {
    pub fn new(globals: Globals) -> anyhow::Result<Self> {
        Ok(Self { globals, config: Config::load()? })
    }

    /// JSON, please.
    pub fn json(&self) -> bool {
        self.globals.json
    }

    /// The server's address.
    pub fn server(&self) -> &str {
        self.globals.server.as_deref().or(self.config.server.as_deref()).unwrap_or(DEFAULT_SERVER)
    }

    /// Keys, database, node.
    pub fn data(&self) -> anyhow::Result<PathBuf> {
        folder(self.globals.data.as_deref(), "XDG_DATA_HOME", ".local/share", "--data")
    }

    /// Environments and runtimes.
    pub fn cache(&self) -> anyhow::Result<PathBuf> {
        folder(self.globals.cache.as_deref(), "XDG_CACHE_HOME", ".cache", "--cache")
    }

    /// Where the owner's key lies.
    pub fn key_path(&self) -> anyhow::Result<PathBuf> {
        Ok(self.data()?.join("owner.key"))
    }

    /// The owner's key, made on first need.
    pub fn owner(&self) -> anyhow::Result<SigningKey> {
        let path = self.key_path()?;
        let fresh = !path.exists();
        let key = tatau_evidence::load_or_create(&path, &mut rand::rng())?;
        if fresh {
            out::say(&format!(
                "made your key: {} (account {}). Whoever has this file has the money in the account: back it up.",
                path.display(),
                key.address()
            ));
        }
        Ok(key)
    }

    /// A client that speaks for the account: by token where there is one, else by the owner's key.
    pub fn client(&self) -> anyhow::Result<Client> {
        let given = given_token()?;
        // A remembered token is of the remembered server.
        let kept = self.config.token.clone().filter(|_| Some(self.server()) == self.config.server.as_deref());
        let credentials = match given.or(kept) {
            Some(token) => Credentials::Token(token),
            None => Credentials::Key(self.owner()?),
        };
        self.client_as(credentials)
    }

    /// A client of the account, which is opened if it is not there yet.
    pub async fn account(&self) -> anyhow::Result<Client> {
        let client = self.client()?;
        if client.address().is_some() {
            let opening = client.open_account();
            tokio::pin!(opening);
            tokio::select! {
                biased;
                opened = &mut opening => opened?,
                () = tokio::time::sleep(PATIENT) => {
                    out::say(&format!("no answer from {} yet; trying on", client.base_url()));
                    opening.await?
                }
            };
        }
        Ok(client)
    }

    /// A client that signs with the owner's key, whatever tokens there are.
    pub fn owner_client(&self) -> anyhow::Result<Client> {
        self.client_as(Credentials::Key(self.owner()?))
    }

    /// A client of the server with these credentials.
    pub fn client_as(&self, credentials: Credentials) -> anyhow::Result<Client> {
        Client::new(self.server(), credentials).map_err(|e| Ended::usage(e.to_string()).into())
    }
}

/// The token in the environment, without the blanks and line ends that copying brings along.
fn given_token() -> anyhow::Result<Option<String>> {
    let wrong = || {
        Ended::usage(
            "TATAU_TOKEN holds what cannot be a token; copy it again, or make one with `tatau token`",
        )
    };
    let given = match std::env::var("TATAU_TOKEN") {
        Ok(given) => given,
        Err(std::env::VarError::NotPresent) => return Ok(None),
        Err(std::env::VarError::NotUnicode(_)) => return Err(wrong().into()),
    };
    let token = given.trim();
    if !token.chars().all(|c| c.is_ascii_graphic()) {
        return Err(wrong().into());
    }
    Ok((!token.is_empty()).then(|| token.to_owned()))
}

/// The folder named, or `tatau` in the one that the system keeps for such things.
fn folder(named: Option<&Path>, xdg: &str, below_home: &str, flag: &str) -> anyhow::Result<PathBuf> {
    let path = match named {
        Some(path) => path.to_path_buf(),
        None => std::env::var_os(xdg)
            .map(PathBuf::from)
            .filter(|path| path.is_absolute())
            .or_else(|| std::env::var_os("HOME").map(|home| PathBuf::from(home).join(below_home)))
            .map(|folder| folder.join("tatau"))
            .ok_or_else(|| {
                Ended::usage(format!("neither {xdg} nor HOME is set; name the folder with {flag}"))
            })?,
    };
    std::path::absolute(&path).with_context(|| format!("{} is no folder", path.display()))
}
