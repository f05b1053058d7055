//! `tatau serve`.

use crate::{context::Context, exit::Ended, node, out};
use anyhow::Context as _;
use std::{net::SocketAddr, path::PathBuf, time::Duration};
use tatau_server::{Config, JudgeOptions, MailOptions, PublicUrl, Ready, ServeOptions, serve};
use tokio::signal::unix::{SignalKind, signal};

/// Runs a platform: accounts, market, escrow, audits, in one process with one data folder.
///
/// `--local` is a platform on one's own machine: newcomers get starter credit, windows are short, and parties may share one network block.
/// The first start makes the operator's token (operator.token in the data folder). Ctrl-C ends it in order; nothing is lost by a crash.
/// http only: put a TLS proxy in front of a server that others reach.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "Examples:
  tatau serve --local
  tatau serve --public-url https://farm.example --data /var/lib/tatau --log-json")]
pub struct Serve {
    /// Address to listen on; port 0 takes a free one (server.json in the data folder names it).
    #[arg(long, default_value = "127.0.0.1:7117", value_name = "ADDRESS")]
    listen: SocketAddr,
    /// What clients dial where a proxy or a name stands before this server, as often as needed: requests are signed for it.
    #[arg(long, value_name = "URL")]
    public_url: Vec<PublicUrl>,
    /// Rules for one's own machine: starter credit, short windows, one network block.
    #[arg(long)]
    local: bool,
    /// The market's rules as JSON; what it leaves out keeps its default.
    #[arg(long, value_name = "FILE")]
    rules: Option<PathBuf>,
    /// All blobs together, GiB.
    #[arg(long, default_value_t = 1_024, value_parser = clap::value_parser!(u64).range(1..=1_048_576))]
    quota_gib: u64,
    /// What one account may upload in a day, GiB.
    #[arg(long, default_value_t = 200, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=1_048_576))]
    upload_day_gib: u64,
    /// What the files of one account's jobs take at most, GiB; beyond it the account brings and orders nothing new.
    #[arg(long, default_value_t = 500, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=1_048_576))]
    account_gib: u64,
    /// Days that the files of a job stay after its end (results, scene, audits); 0: for ever. Records and money stay in any case.
    #[arg(long, default_value_t = 30, value_name = "N", value_parser = clap::value_parser!(u64).range(0..=36_500))]
    keep_days: u64,
    /// Sends mail by this server: smtps://user:password@host, or smtp://user:password@host:587?tls=required.
    #[arg(long, env = "TATAU_SMTP", hide_env_values = true, value_name = "URL", requires = "mail_from")]
    smtp: Option<String>,
    /// Who that mail is from.
    #[arg(long, value_name = "ADDRESS", requires = "smtp")]
    mail_from: Option<String>,
    /// CPU threads of the comparator.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=256))]
    judge_threads: u32,
    /// No comparator: audits wait until a server with one is started.
    #[arg(long)]
    no_judge: bool,
    /// Logs as JSON lines.
    #[arg(long)]
    log_json: bool,
}

pub async fn run(options: Serve, context: &Context) -> anyhow::Result<()> {
    node::log("info", options.log_json)?;
    if options.local && !options.listen.ip().is_loopback() {
        return Err(Ended::usage(format!(
            "--local gives credit to everyone who can reach {}",
            options.listen
        ))
        .hint("listen on 127.0.0.1, or leave out --local")
        .into());
    }
    let judge = if options.no_judge {
        None
    } else {
        Some(JudgeOptions {
            cache: context.cache()?,
            environment: None,
            runner: std::env::current_exe()
                .context("this program's own file cannot be found; start it by its full path")?,
            runner_args: vec!["session".into()],
            threads: options.judge_threads,
        })
    };
    let limits =
        tatau_blobs::Limits { quota_bytes: options.quota_gib << 30, ..tatau_blobs::Limits::default() };
    let serve_options = ServeOptions {
        data_dir: context.data()?,
        listen: options.listen,
        public_urls: options.public_url.clone(),
        local: options.local,
        config: rules(&options)?,
        blobs: limits,
        mail: options
            .smtp
            .clone()
            .zip(options.mail_from.clone())
            .map(|(url, from)| MailOptions { url, from }),
        upload_day_bytes: options.upload_day_gib << 30,
        account_bytes: options.account_gib << 30,
        keep: (options.keep_days > 0).then(|| Duration::from_hours(24 * options.keep_days)),
        judge,
    };
    let json = context.json();
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let stop = async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
        out::say("stopping; a moment");
    };
    serve(serve_options, move |ready| tell(ready, json), stop).await?;
    Ok(())
}

fn rules(options: &Serve) -> anyhow::Result<Config> {
    let base = if options.local { Config::local() } else { Config::default() };
    let Some(path) = &options.rules else { return Ok(base) };
    let unreadable = |e: &dyn std::fmt::Display| {
        Ended::usage(format!("the rules in {} cannot be read: {e}", path.display()))
    };
    let text = std::fs::read(path).map_err(|e| unreadable(&e))?;
    let given: serde_json::Map<String, serde_json::Value> =
        serde_json::from_slice(&text).map_err(|e| unreadable(&e))?;
    let mut all = serde_json::to_value(base)?;
    for (name, value) in given {
        let known = all.get_mut(&name).ok_or_else(|| unreadable(&format!("there is no rule '{name}'")))?;
        *known = value;
    }
    Ok(serde_json::from_value(all).map_err(|e| unreadable(&e))?)
}

fn tell(ready: &Ready, json: bool) {
    if json {
        out::json(ready);
        return;
    }
    out::say(&format!("serving on {}", ready.url));
    out::say(&format!("operator's token: {}", ready.operator_token.display()));
    if ready.local {
        out::say(
            "local rules: newcomers get starter credit, and parties of one machine may audit each other",
        );
    }
}
