//! `tatau account`.

use crate::{ask, context::Context, exit::Ended, out};
use nix::sys::termios::{LocalFlags, SetArg, Termios, tcgetattr, tcsetattr};
use std::io::{self, BufRead, Write};

/// How your account signs in on the platform's pages.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "Examples:
  tatau account password ana                 asks for the password twice
  tatau account password ana < secret.txt    the first line of a file")]
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
}

pub async fn run(options: Account, context: &Context) -> anyhow::Result<()> {
    let Verb::Password { name } = options.verb;
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
