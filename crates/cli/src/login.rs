//! `tatau login`.

use crate::{config::Config, context::Context, exit::Ended, out};
use tatau_client::{Client, Credentials, Patience};

/// Remembers which server to use.
///
/// Without a token the owner's key of this machine signs requests, and the account exists from the first of them.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "Examples:
  tatau login https://farm.example
  tatau login https://farm.example --token tatau_…")]
pub struct Login {
    /// Server address.
    url: String,
    /// An API token of an account there; without it the owner's key of this machine signs.
    #[arg(long, env = "TATAU_TOKEN", hide_env_values = true)]
    token: Option<String>,
}

pub async fn run(options: Login, context: &Context) -> anyhow::Result<()> {
    let credentials = match &options.token {
        Some(token) => Credentials::Token(token.clone()),
        None => Credentials::Key(context.owner()?),
    };
    let client = Client::new(&options.url, credentials).map_err(|e| Ended::usage(e.to_string()))?;
    let client = client.with_patience(Patience::NONE);
    let platform = client.platform().await?;
    let account =
        if options.token.is_some() { client.account().await? } else { client.open_account().await? };
    let config = Config { server: Some(client.base_url().to_owned()), token: options.token };
    let path = config.store()?;
    if context.json() {
        out::json(
            &serde_json::json!({"server": config.server, "account": account.account.owner, "version": platform.version, "config": path}),
        );
    } else {
        out::say(&format!(
            "using {} (version {}) as account {}",
            client.base_url(),
            out::clean_line(&platform.version),
            account.account.owner
        ));
    }
    Ok(())
}
