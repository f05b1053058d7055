//! A ratchet on file sizes: source files stay under a limit; the few that are larger may only shrink.

use anyhow::{Context, bail};
use std::{fs, path::Path, process::Command};

const LIMIT: usize = 400;
/// Files over the limit and the most lines each may have. Lower a number when a file shrinks; never raise one.
const LARGER: &[(&str, usize)] = &[];

pub fn check() -> anyhow::Result<()> {
    let listed =
        Command::new("git").args(["ls-files", "*.rs", "*.py"]).output().context("git could not start")?;
    let mut wrong = Vec::new();
    for path in String::from_utf8_lossy(&listed.stdout).lines() {
        if !Path::new(path).exists() {
            continue;
        }
        let lines =
            fs::read_to_string(path).with_context(|| format!("{path} could not be read"))?.lines().count();
        let limit = LARGER.iter().find(|(larger, _)| *larger == path).map_or(LIMIT, |(_, most)| *most);
        if lines > limit {
            wrong.push(format!("{path} has {lines} lines, the limit is {limit}: split it"));
        }
    }
    if !wrong.is_empty() {
        bail!("check: file sizes:\n  {}", wrong.join("\n  "));
    }
    Ok(())
}
