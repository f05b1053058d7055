//! `tatau token`.

use crate::{context::Context, out};

/// Makes an API token of your account, for programs; it is shown once.
///
/// A token acts for the account on the server where it was made; it cannot make other tokens. Give it to programs in the variable
/// TATAU_TOKEN, or to another machine with `tatau login URL --token TOKEN`.
#[derive(Debug, clap::Args)]
pub struct Token {
    /// A name for people, such as `render-farm`.
    name: String,
}

pub async fn run(options: &Token, context: &Context) -> anyhow::Result<()> {
    let client = context.owner_client()?;
    client.open_account().await?;
    let token = client.open_token(&options.name).await?;
    if context.json() {
        out::json(&token);
    } else {
        out::say("Keep it like a password; it is not shown again.");
        out::line(&token.token);
    }
    Ok(())
}
