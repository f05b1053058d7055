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

#[cfg(test)]
mod tests {
    use super::*;

    /// On a plain folder: which files are written with what. The kernel's side is tested where it is mounted.
    #[test]
    fn limits_are_written_and_counters_read() {
        let root = tempfile::tempdir().unwrap();
        let mounts = [Mount { folder: root.path().to_owned(), controllers: None }];
        let limits = Limits {
            memory_bytes: 64 << 20,
            processes: 10,
            scratch_bytes: 1 << 20,
            threads: 3,
            output_bytes: 0,
            output_files: 0,
            log_bytes: 0,
            task_seconds: 1,
            start_seconds: 1,
        };
        let folder = create(&mounts, "s-1-0", &limits).unwrap();
        assert_eq!(folder, root.path().join("tatau/s-1-0"));
        let text = |file: &str| std::fs::read_to_string(folder.join(file)).unwrap();
        assert_eq!((text("memory.max"), text("cpu.max")), ("67108864".into(), "300000 100000".into()));
        assert_eq!(text("pids.max"), "18");
        assert!(usage(&folder).oom_kills.is_none(), "no counter is no zero");
        std::fs::write(folder.join("memory.events"), "low 0\noom 3\noom_kill 2\noom_group_kill 0\n").unwrap();
        std::fs::write(folder.join("cpu.stat"), "usage_usec 1500\nuser_usec 1000\n").unwrap();
        let usage = usage(&folder);
        assert_eq!((usage.oom_kills, usage.cpu_us, usage.peak_bytes), (Some(2), Some(1500), None));
    }
}
