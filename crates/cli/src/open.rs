//! `tatau open`.

use crate::{context::Context, exit::Ended, out};
use std::process::{Command, Stdio};
use tatau_client::Credentials;

/// Opens the platform's pages in your browser, signed in.
///
/// Makes a one-time link (it counts once, for ten minutes), prints it, and opens it where there is a desktop.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "Examples:
  tatau open
  tatau open --operator --data /var/lib/tatau
  tatau open --print                # only prints the link, to open it elsewhere")]
pub struct Open {
    /// As the operator, with operator.token in the data folder.
    #[arg(long)]
    operator: bool,
    /// Only prints the link.
    #[arg(long)]
    print: bool,
}

pub async fn run(options: Open, context: &Context) -> anyhow::Result<()> {
    let client = if options.operator {
        let path = context.data()?.join("operator.token");
        let token = std::fs::read_to_string(&path).map_err(|e| {
            Ended::usage(format!("the operator's token {} cannot be read: {e}", path.display()))
                .hint("name the server's data folder with --data")
        })?;
        context.client_as(Credentials::Token(token.trim().to_owned()))?
    } else {
        context.account().await?
    };
    let link = format!("{}{}", client.base_url(), client.open_session().await?.path);
    if context.json() {
        out::json(&serde_json::json!({ "url": link }));
    } else {
        out::line(&link);
    }
    if !options.print && !context.json() && browse(&link) {
        out::say("opened in your browser");
    }
    Ok(())
}

/// Opens an address in the person's browser, where there is a desktop to show it on.
pub fn browse(url: &str) -> bool {
    let opener = |program: &str| {
        let mut command = Command::new(program);
        command.arg(url).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        command.spawn().is_ok()
    };
    has_desktop() && ["xdg-open", "wslview"].iter().any(|program| opener(program))
}

/// Is there a desktop that a browser could be shown on?
pub fn has_desktop() -> bool {
    ["DISPLAY", "WAYLAND_DISPLAY", "WSL_DISTRO_NAME"].iter().any(|name| std::env::var_os(name).is_some())
}
