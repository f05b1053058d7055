//! The project's own checks: `cargo xtask check` runs them all.

mod arrows;
mod sizes;

use anyhow::{Context, bail};
use std::process::{Command, ExitCode};

fn main() -> ExitCode {
    let outcome = match std::env::args().nth(1).as_deref() {
        Some("check") => check(),
        Some("arrows") => arrows::check(),
        Some("sizes") => sizes::check(),
        Some("lints") => lints(),
        _ => Err(anyhow::anyhow!("usage: cargo xtask check | arrows | sizes | lints")),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

fn check() -> anyhow::Result<()> {
    run("format", &["fmt", "--all", "--check"])?;
    arrows::check()?;
    sizes::check()?;
    lints()?;
    println!("check: format, arrows, sizes, clippy: fine");
    Ok(())
}

fn lints() -> anyhow::Result<()> {
    run("clippy", &["clippy", "--quiet", "--workspace", "--all-targets", "--", "-D", "warnings"])
}

fn run(what: &str, arguments: &[&str]) -> anyhow::Result<()> {
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".into());
    let status =
        Command::new(cargo).args(arguments).status().with_context(|| format!("{what} could not start"))?;
    if !status.success() {
        bail!("check: {what} found something; see above");
    }
    Ok(())
}
