//! Crate arrows point only down: the allowed edges, compared with `cargo metadata`.

use anyhow::{Context, bail};
use serde_json::Value;
use std::collections::BTreeMap;
use std::process::Command;

/// Room → rooms it may use. ARCHITECTURE.md shows the same as floors.
const ALLOWED: &[(&str, &[&str])] = &[
    ("model", &[]),
    ("evidence", &["model"]),
    ("ledger", &["model", "evidence"]),
    ("market", &["model", "evidence"]),
    ("workload", &["model", "evidence"]),
    ("audit", &["model", "evidence"]),
    ("api", &["model", "evidence"]),
    ("ui", &["model"]),
    ("engine", &["model", "evidence", "ledger", "market", "workload", "audit"]),
    ("sandbox", &["model", "api"]),
    ("blobs", &["model", "api"]),
    ("client", &["model", "api", "evidence"]),
    ("worker", &["model", "api", "sandbox", "blobs", "client", "workload", "evidence"]),
    ("store", &["model", "evidence", "ledger", "market", "workload", "audit", "api"]),
    ("submit", &["model", "api", "evidence", "client", "blobs", "workload"]),
    ("agent", &["model", "api", "evidence", "worker", "client", "market", "workload", "blobs", "ui"]),
    ("validator", &["model", "api", "evidence", "worker", "client", "audit", "workload", "blobs"]),
    (
        "server",
        &[
            "model", "api", "evidence", "ledger", "market", "workload", "audit", "engine", "store", "blobs",
            "sandbox", "worker", "ui",
        ],
    ),
];
/// The top floor wires everything; development crates may look anywhere.
const TOP: &[&str] = &["tatau", "tatau-mischief", "tatau-sim", "xtask"];

pub fn check() -> anyhow::Result<()> {
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".into());
    let output = Command::new(cargo)
        .args(["metadata", "--format-version", "1", "--no-deps", "--offline"])
        .output()
        .context("cargo metadata could not start")?;
    let metadata: Value = serde_json::from_slice(&output.stdout).context("cargo metadata printed no JSON")?;
    let allowed: BTreeMap<&str, &[&str]> = ALLOWED.iter().copied().collect();
    let mut wrong = Vec::new();
    for package in metadata["packages"].as_array().context("cargo metadata lists no packages")? {
        let name = package["name"].as_str().unwrap_or_default();
        if TOP.contains(&name) {
            continue;
        }
        let room = name.strip_prefix("tatau-").unwrap_or(name);
        let Some(may) = allowed.get(room) else {
            wrong.push(format!("{name} has no floor: add it to xtask/src/arrows.rs and ARCHITECTURE.md"));
            continue;
        };
        let dependencies = package["dependencies"].as_array().map(Vec::as_slice).unwrap_or_default();
        for dependency in dependencies.iter().filter(|d| d["kind"] != "dev") {
            let used = dependency["name"].as_str().unwrap_or_default();
            if let Some(used) = used.strip_prefix("tatau-")
                && !may.contains(&used)
            {
                wrong.push(format!("{room} may not use {used}: arrows point only down"));
            }
        }
    }
    if !wrong.is_empty() {
        bail!("check: crate arrows:\n  {}", wrong.join("\n  "));
    }
    Ok(())
}
