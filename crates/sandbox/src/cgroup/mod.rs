//! The control group of a session: how much memory, how many processes, how much CPU. Version 1 and 2, by root or delegated, else
//! a `systemd-run --user` scope, else refusal.

mod scope;
mod v1;
mod v2;

use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use crate::SandboxError;
use crate::policy::{Limits, OWN_PROCESSES};

/// Microseconds of the CPU accounting period.
const PERIOD_US: u64 = 100_000;
/// Attempts to remove a group; the first 50 a millisecond apart, the others ten.
const TRIES: u32 = 500;
/// Name of the parent of all sessions' groups.
const PARENT: &str = "tatau";

/// One session's control group.
#[derive(Debug)]
pub(crate) struct Group {
    /// Folders, one for each hierarchy; empty until a scope is adopted.
    folders: Vec<PathBuf>,
    kind: Kind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    V1,
    V2,
    Scope,
}

/// What the kernel counted. `None` where it does not count.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Usage {
    pub(crate) cpu_us: Option<u64>,
    pub(crate) peak_bytes: Option<u64>,
    /// Processes killed for memory.
    pub(crate) oom_kills: Option<u64>,
}

impl Group {
    /// Makes a group with these limits.
    pub(crate) fn create(limits: &Limits) -> Result<Self, SandboxError> {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let name = format!("s-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let mounts = mounts()?;
        let direct = if mounts.iter().any(|m| m.has("memory")) {
            v1::create(&mounts, &name, limits).map(|folders| Self { folders, kind: Kind::V1 })
        } else {
            v2::create(&mounts, &name, limits).map(|folder| Self { folders: vec![folder], kind: Kind::V2 })
        };
        match direct {
            Ok(group) => Ok(group),
            Err(_) if scope::available() => Ok(Self { folders: Vec::new(), kind: Kind::Scope }),
            Err(error) => Err(SandboxError::Unsupported {
                lack: format!("no control group can be made ({error})"),
                mend: mend(&mounts),
            }),
        }
    }

    /// The words before the program that put it into the group, where it cannot enter by itself, and the variables they need.
    pub(crate) fn wrapper(&self, limits: &Limits) -> Option<scope::Wrapper> {
        (self.kind == Kind::Scope).then(|| scope::wrapper(limits))
    }

    /// Open files into which the child writes `0` to enter.
    pub(crate) fn doors(&self) -> io::Result<Vec<File>> {
        self.folders.iter().map(|f| OpenOptions::new().write(true).open(f.join("cgroup.procs"))).collect()
    }

    /// Finds a scope's folder by a process in it, and makes sure that its limits hold.
    pub(crate) fn adopt(&mut self, pid: u32, limits: &Limits) -> Result<(), SandboxError> {
        if self.kind == Kind::Scope {
            self.folders = vec![scope::verified(pid, limits)?];
        }
        Ok(())
    }

    pub(crate) fn usage(&self) -> Usage {
        match self.kind {
            Kind::V1 => v1::usage(&self.folders),
            Kind::V2 | Kind::Scope => self.folders.first().map(|f| v2::usage(f)).unwrap_or_default(),
        }
    }

    /// Kills every process in the group and removes it. Blocks for up to a few seconds; safe to repeat.
    pub(crate) fn end(&mut self) {
        if self.kind == Kind::Scope {
            // The scope ends with its last process, and the pid namespace with its init.
            return;
        }
        for tries in 1..=TRIES {
            self.folders.retain(|folder| {
                kill_all(folder);
                matches!(fs::remove_dir(folder), Err(e) if e.kind() != io::ErrorKind::NotFound)
            });
            if self.folders.is_empty() {
                return;
            }
            if tries == TRIES {
                tracing::warn!(groups = ?self.folders, "a session's control group cannot be removed");
            }
            std::thread::sleep(std::time::Duration::from_millis(if tries < 50 { 1 } else { 10 }));
        }
    }
}

impl Drop for Group {
    /// A group that no process ever entered.
    fn drop(&mut self) {
        self.folders.retain(|folder| fs::remove_dir(folder).is_err());
        if !self.folders.is_empty() && self.kind != Kind::Scope {
            tracing::warn!(groups = ?self.folders, "a session's control group was left behind");
        }
    }
}

fn mend(mounts: &[Mount]) -> String {
    if !mounts.iter().any(|m| m.has("memory")) {
        return "run as root, or in a login session of a user with systemd".to_owned();
    }
    let folders: Vec<String> = ["memory", "pids", "cpu", "cpuacct"]
        .iter()
        .filter_map(|controller| mounts.iter().find(|m| m.has(controller)))
        .map(|m| m.folder.join(PARENT).display().to_string())
        .collect();
    format!("run as root, or have root make these folders and give them to this user: {}", folders.join(" "))
}

fn kill_all(folder: &Path) {
    if fs::write(folder.join("cgroup.kill"), "1").is_ok() {
        return;
    }
    let Ok(pids) = fs::read_to_string(folder.join("cgroup.procs")) else { return };
    for pid in pids.lines().filter_map(|l| l.parse::<i32>().ok()).filter(|&p| p > 1) {
        // Gone already is as good.
        let _ = nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), nix::sys::signal::Signal::SIGKILL);
    }
}

/// Removes groups of agents that are gone (empty: their sandboxes died with them).
fn remove_stale(parent: &Path) {
    let Ok(entries) = fs::read_dir(parent) else { return };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let owner = name.to_str().and_then(|n| n.strip_prefix("s-")).and_then(|n| n.split('-').next());
        if owner
            .and_then(|p| p.parse::<u32>().ok())
            .is_some_and(|p| !Path::new("/proc").join(p.to_string()).exists())
        {
            let _ = fs::remove_dir(entry.path());
        }
    }
}

fn process_limit(limits: &Limits) -> u64 {
    u64::from(limits.processes) + u64::from(OWN_PROCESSES)
}

fn write(folder: &Path, file: &str, value: impl std::fmt::Display) -> io::Result<()> {
    fs::write(folder.join(file), value.to_string())
        .map_err(|e| io::Error::new(e.kind(), format!("{}: {e}", folder.join(file).display())))
}

/// A line `key value` of a flat keyed file.
fn keyed(folder: &Path, file: &str, key: &str) -> Option<u64> {
    let text = fs::read_to_string(folder.join(file)).ok()?;
    text.lines().find_map(|l| l.strip_prefix(key)?.strip_prefix(' ')?.trim().parse().ok())
}

fn number(folder: &Path, file: &str) -> Option<u64> {
    fs::read_to_string(folder.join(file)).ok()?.trim().parse().ok()
}

/// A mounted hierarchy: `controllers` is `None` for version 2.
struct Mount {
    folder: PathBuf,
    controllers: Option<Vec<String>>,
}

impl Mount {
    fn has(&self, controller: &str) -> bool {
        self.controllers.as_ref().is_some_and(|c| c.iter().any(|c| c == controller))
    }
}

fn mounts() -> Result<Vec<Mount>, SandboxError> {
    let text = fs::read_to_string("/proc/self/mountinfo")
        .map_err(SandboxError::io("reading the mounted file systems"))?;
    Ok(text.lines().filter_map(mount).collect())
}

fn mount(line: &str) -> Option<Mount> {
    let (place, kind) = line.split_once(" - ")?;
    let folder = PathBuf::from(place.split(' ').nth(4)?);
    let mut kind = kind.split(' ');
    let controllers = match kind.next()? {
        "cgroup2" => None,
        "cgroup" => Some(kind.nth(1)?.split(',').map(str::to_owned).collect()),
        _ => return None,
    };
    Some(Mount { folder, controllers })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mounts_are_told_apart() {
        let one = mount("30 24 0:26 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct").unwrap();
        assert!(one.has("cpu") && one.has("cpuacct") && !one.has("memory"));
        assert!(mount("31 24 0:27 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw").unwrap().controllers.is_none());
        assert!(mount("22 1 0:21 / /proc rw - proc proc rw").is_none());
    }
}
