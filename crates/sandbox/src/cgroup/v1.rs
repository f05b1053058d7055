//! Control groups version 1: one folder in each of the memory, pids, cpu and cpuacct hierarchies.

use std::io;
use std::path::PathBuf;

use super::{Mount, PARENT, PERIOD_US, Usage, keyed, number, process_limit, remove_stale, write};
use crate::policy::Limits;

pub(super) fn create(mounts: &[Mount], name: &str, limits: &Limits) -> io::Result<Vec<PathBuf>> {
    let mut folders = Vec::new();
    let made = fill(mounts, name, limits, &mut folders);
    if made.is_err() {
        for folder in &folders {
            // Empty and ours; a leftover is swept by the next session.
            let _ = std::fs::remove_dir(folder);
        }
    }
    made.map(|()| folders)
}

fn fill(mounts: &[Mount], name: &str, limits: &Limits, folders: &mut Vec<PathBuf>) -> io::Result<()> {
    for (controller, needed) in [("memory", true), ("pids", true), ("cpu", true), ("cpuacct", false)] {
        let Some(mount) = mounts.iter().find(|m| m.has(controller)) else {
            if needed {
                return Err(io::Error::other(format!("the {controller} controller is not mounted")));
            }
            continue;
        };
        let parent = mount.folder.join(PARENT);
        let folder = parent.join(name);
        if !folders.contains(&folder) {
            std::fs::create_dir_all(&parent)?;
            remove_stale(&parent);
            std::fs::create_dir(&folder)?;
            folders.push(folder.clone());
        }
        match controller {
            "memory" => {
                write(&folder, "memory.limit_in_bytes", limits.memory_bytes)?;
                if folder.join("memory.memsw.limit_in_bytes").exists() {
                    write(&folder, "memory.memsw.limit_in_bytes", limits.memory_bytes)?;
                }
            }
            "pids" => write(&folder, "pids.max", process_limit(limits))?,
            "cpu" => {
                write(&folder, "cpu.cfs_period_us", PERIOD_US)?;
                write(&folder, "cpu.cfs_quota_us", u64::from(limits.threads) * PERIOD_US)?;
            }
            _ => {}
        }
    }
    Ok(())
}

pub(super) fn usage(folders: &[PathBuf]) -> Usage {
    Usage {
        cpu_us: folders.iter().find_map(|f| number(f, "cpuacct.usage")).map(|ns| ns / 1000),
        peak_bytes: folders.iter().find_map(|f| number(f, "memory.max_usage_in_bytes")),
        oom_kills: folders.iter().find_map(|f| keyed(f, "memory.oom_control", "oom_kill")),
    }
}
