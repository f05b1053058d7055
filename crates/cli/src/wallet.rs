//! `tatau wallet`.

use crate::{
    context::Context,
    exit::{Code, Ended},
    out,
};
use anyhow::Context as _;
use serde_json::json;
use std::path::PathBuf;
use tatau_api::{AccountView, StatementLine};
use tatau_client::Client;
use tatau_model::Amount;

/// Lines of one page of the statement.
const PAGE: u32 = 1_000;
/// Pages read at most: ten million lines.
const MOST_PAGES: u32 = 10_000;

/// Shows balances and statements, puts up stake, makes keys.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "Examples:
  tatau wallet                     balances
  tatau wallet statement           every movement, oldest first
  tatau wallet stake 10            providers and validators put up stake; they lose it when they cheat
  tatau wallet backup-hint         how to keep the key safe")]
pub struct Wallet {
    #[command(subcommand)]
    verb: Option<Verb>,
}

#[derive(Debug, clap::Subcommand)]
enum Verb {
    /// Every movement of money, oldest first.
    Statement {
        /// Only what came after this journal entry.
        #[arg(long, default_value_t = 0)]
        after: u64,
    },
    /// Moves available money to stake.
    Stake {
        /// TATAU, such as 12.5.
        amount: Amount,
    },
    /// Starts to move free stake back; it is available after the unbonding time.
    Unstake {
        /// TATAU, such as 12.5.
        amount: Amount,
    },
    /// Makes the owner's key, if there is none.
    New,
    /// Shows the account's address and where its key lies.
    Show,
    /// Says how to keep the key safe.
    BackupHint,
}

pub async fn run(options: Wallet, context: &Context) -> anyhow::Result<()> {
    match options.verb {
        None => balances(&open(context).await?, context),
        Some(Verb::Statement { after }) => statement(context, after).await?,
        Some(Verb::Stake { amount }) => {
            let amount = positive(amount)?;
            balances(&context.account().await?.stake(amount).await?, context);
        }
        Some(Verb::Unstake { amount }) => {
            let amount = positive(amount)?;
            balances(&context.account().await?.unstake(amount).await?, context);
        }
        Some(Verb::New) => return new(context),
        Some(Verb::Show) => return show(context),
        Some(Verb::BackupHint) => return backup_hint(context),
    }
    Ok(())
}

fn positive(amount: Amount) -> anyhow::Result<Amount> {
    if amount.is_positive() {
        Ok(amount)
    } else {
        Err(Ended::usage("the amount must be more than zero").into())
    }
}

async fn open(context: &Context) -> anyhow::Result<AccountView> {
    let client = context.client()?;
    Ok(if client.address().is_some() { client.open_account().await? } else { client.account().await? })
}

fn balances(view: &AccountView, context: &Context) {
    if context.json() {
        out::json(view);
        return;
    }
    out::line(&format!("account {}", view.account.owner));
    let own = format!("{}/", view.account.owner);
    let mut rows: Vec<Vec<String>> = view
        .balances
        .iter()
        .map(|line| {
            vec![line.account.strip_prefix(&own).unwrap_or(&line.account).to_owned(), line.amount.to_string()]
        })
        .collect();
    rows.push(vec!["total".into(), view.total.to_string()]);
    out::line(&out::table(&["", "TATAU"], &[1], &rows));
}

async fn statement(context: &Context, after: u64) -> anyhow::Result<()> {
    let client = context.account().await?;
    let lines = all_lines(&client, after).await?;
    if context.json() {
        out::json(&lines);
        return Ok(());
    }
    let rows: Vec<Vec<String>> = lines
        .iter()
        .map(|line| {
            let account = line.account.rsplit_once("0x").map_or(line.account.as_str(), |(_, rest)| rest);
            let account = account.split_once('/').map_or(account, |(_, purpose)| purpose);
            vec![
                line.entry.to_string(),
                out::time(line.at),
                account.to_owned(),
                line.amount.to_string(),
                line.balance.to_string(),
                out::clean_line(&line.text),
            ]
        })
        .collect();
    out::line(&out::table(
        &["entry", "when (UTC)", "account", "amount", "balance", "why"],
        &[0, 3, 4],
        &rows,
    ));
    Ok(())
}

/// Page after page. A full page may end within an entry: its last entry is asked for again, whole.
async fn all_lines(client: &Client, after: u64) -> anyhow::Result<Vec<StatementLine>> {
    let mut all: Vec<StatementLine> = Vec::new();
    let mut after = after;
    for _ in 0..MOST_PAGES {
        let mut page = client.statement(after, PAGE).await?;
        let full = page.len() >= PAGE as usize;
        let Some(last) = page.last().map(|line| line.entry) else { return Ok(all) };
        if full {
            let whole = page.iter().position(|line| line.entry == last).unwrap_or(0);
            if whole > 0 {
                page.truncate(whole);
            }
        }
        after = page.last().map_or(last, |line| line.entry);
        all.extend(page);
        if !full {
            return Ok(all);
        }
    }
    Err(Ended::new(Code::Failed, "the statement is too long for one answer")
        .hint("read it in parts with --after ENTRY")
        .into())
}

fn new(context: &Context) -> anyhow::Result<()> {
    let path = context.key_path()?;
    if path.exists() {
        return Err(Ended::usage(format!("there is a key already: {}", path.display()))
            .hint("name another folder with --data to make a second account")
            .into());
    }
    context.owner()?;
    show(context)
}

fn show(context: &Context) -> anyhow::Result<()> {
    let path = context.key_path()?;
    let key = tatau_evidence::load(&path)
        .map_err(|e| Ended::usage(e.to_string()).hint("`tatau wallet new` makes a key"))?;
    if context.json() {
        out::json(&json!({"account": key.address(), "key": path}));
    } else {
        out::line(&format!("account {}\nkey     {}", key.address(), path.display()));
    }
    Ok(())
}

fn backup_hint(context: &Context) -> anyhow::Result<()> {
    let path: PathBuf = context.key_path()?;
    let folder = path.parent().context("the key's folder has no name")?;
    if context.json() {
        out::json(&json!({"key": path, "exists": path.exists()}));
    } else {
        out::line(&format!(
            "The key {0} is the account: whoever has the file has the money, and without it nobody can get at the money.\n\
             Copy it to two places that do not burn together, such as a USB stick in a drawer and a password manager:\n\
             \n  cp {0} /media/usb/tatau-owner.key && chmod 600 /media/usb/tatau-owner.key\n\n\
             To restore it, put the file back into {1} with mode 600. Node keys (node/node.key) need no backup: they cannot move money.",
            path.display(),
            folder.display()
        ));
    }
    Ok(())
}
