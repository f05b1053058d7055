//! `tatau account`.

use crate::{
    account_notify::{self, NotifyOptions},
    ask,
    context::Context,
    exit::Ended,
    out,
};
use nix::sys::termios::{LocalFlags, SetArg, Termios, tcgetattr, tcsetattr};
use std::io::{self, BufRead, Write};
use tatau_model::Address;

/// How your account signs in on the platform's pages, and whom it trusts with scenes.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "Examples:
  tatau account password ana                 asks for the password twice
  tatau account password ana < secret.txt    the first line of a file
  tatau account trust 0x52908400098527886E0F7030069857D2E4169EE7
  tatau account trusted")]
pub struct Account {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, clap::Subcommand)]
enum Verb {
    /// Sets name and password of the account of your owner key, and signs all its browsers out.
    Password {
        /// Name for signing in: letters a to z, digits, - and _.
        name: String,
    },
    /// Lets machines of an account see your scenes that are for trusted machines (`--who trusted`).
    Trust {
        /// The account's address, as its owner finds it by `tatau wallet` or on the account page.
        account: Address,
    },
    /// Takes that back.
    Untrust {
        /// The account's address.
        account: Address,
    },
    /// Lists the accounts that you trust.
    Trusted,
    /// Where you are told what becomes of your jobs: an address to call, mail.
    Notify(NotifyOptions),
}

pub async fn run(options: Account, context: &Context) -> anyhow::Result<()> {
    let name = match options.verb {
        Verb::Password { name } => name,
        Verb::Trust { account } => return trust(account, true, context).await,
        Verb::Untrust { account } => return trust(account, false, context).await,
        Verb::Trusted => return trusted(context).await,
        Verb::Notify(options) => return account_notify::run(options, context).await,
    };
    let client = context.owner_client()?;
    client.open_account().await?;
    let password = tokio::task::spawn_blocking(password).await??;
    client.set_password(&name, &password).await?;
    if context.json() {
        out::json(&serde_json::json!({"name": name}));
    } else {
        out::say(&format!("sign in as {} at {}/sign-in", name.trim().to_lowercase(), client.base_url()));
    }
    Ok(())
}

async fn trust(account: Address, trusted: bool, context: &Context) -> anyhow::Result<()> {
    let view = context.account().await?.set_trust(account, trusted).await?;
    if context.json() {
        out::json(&view.account.trusts);
    } else if trusted {
        out::say(&format!("machines of {account} may see your scenes that are for trusted machines"));
    } else {
        out::say(&format!("machines of {account} get no more scenes that are for trusted machines"));
    }
    Ok(())
}

async fn trusted(context: &Context) -> anyhow::Result<()> {
    let trusts = context.account().await?.account().await?.account.trusts;
    if context.json() {
        out::json(&trusts);
    } else if trusts.is_empty() {
        out::say("you trust no account yet; `tatau account trust ADDRESS` marks one");
    }
    if !context.json() {
        for account in trusts {
            out::say(&account.to_string());
        }
    }
    Ok(())
}

/// Asked for twice at a terminal, else the first line of standard input.
fn password() -> anyhow::Result<String> {
    if !ask::can_ask() {
        return line();
    }
    let _quiet = Quiet::begin()?;
    let first = asked("New password: ")?;
    if asked("The same again: ")? != first {
        return Err(Ended::usage("the two are not the same; nothing was changed").into());
    }
    Ok(first)
}

fn asked(question: &str) -> anyhow::Result<String> {
    write!(io::stderr(), "{question}")?;
    let line = line();
    writeln!(io::stderr())?;
    line
}

fn line() -> anyhow::Result<String> {
    let mut line = String::new();
    if io::stdin().lock().read_line(&mut line)? == 0 {
        return Err(Ended::usage("no password was given; type one, or send it to standard input").into());
    }
    Ok(line.trim_end_matches(['\r', '\n']).to_owned())
}

/// While it lives the terminal shows nothing of what is typed.
struct Quiet(Termios);

impl Quiet {
    fn begin() -> anyhow::Result<Self> {
        let before = tcgetattr(io::stdin())?;
        let mut quiet = before.clone();
        quiet.local_flags.remove(LocalFlags::ECHO);
        tcsetattr(io::stdin(), SetArg::TCSAFLUSH, &quiet)?;
        Ok(Self(before))
    }
}

impl Drop for Quiet {
    fn drop(&mut self) {
        // Nothing more can be done about a terminal that is gone.
        let _ = tcsetattr(io::stdin(), SetArg::TCSAFLUSH, &self.0);
    }
}
