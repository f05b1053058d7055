//! Control groups version 2: one folder under `/sys/fs/cgroup/tatau`, by root (or where that folder was delegated to us).

use std::io;
use std::path::{Path, PathBuf};

use super::{Mount, PARENT, PERIOD_US, Usage, keyed, number, process_limit, remove_stale, write};
use crate::policy::Limits;

pub(super) fn create(mounts: &[Mount], name: &str, limits: &Limits) -> io::Result<PathBuf> {
    let root = mounts
        .iter()
        .find(|m| m.controllers.is_none())
        .map(|m| m.folder.as_path())
        .ok_or_else(|| io::Error::other("no control groups are mounted"))?;
    let parent = root.join(PARENT);
    if !parent.join("memory.max").exists() {
        write(root, "cgroup.subtree_control", "+memory +pids +cpu")?;
        std::fs::create_dir_all(&parent)?;
    }
    write(&parent, "cgroup.subtree_control", "+memory +pids +cpu")?;
    remove_stale(&parent);
    let folder = parent.join(name);
    std::fs::create_dir(&folder)?;
    let limited = limit(&folder, limits);
    if limited.is_err() {
        let _ = std::fs::remove_dir(&folder);
    }
    limited.map(|()| folder)
}

fn limit(folder: &Path, limits: &Limits) -> io::Result<()> {
    write(folder, "memory.max", limits.memory_bytes)?;
    if folder.join("memory.swap.max").exists() {
        write(folder, "memory.swap.max", 0)?;
    }
    write(folder, "pids.max", process_limit(limits))?;
    write(folder, "cpu.max", format_args!("{} {PERIOD_US}", u64::from(limits.threads) * PERIOD_US))
}

pub(super) fn usage(folder: &Path) -> Usage {
    Usage {
        cpu_us: keyed(folder, "cpu.stat", "usage_usec"),
        peak_bytes: number(folder, "memory.peak"),
        oom_kills: keyed(folder, "memory.events", "oom_kill"),
    }
}
