//! A scope of the user's systemd, for agents that are ordinary users. Its limits are read back: where the user's systemd has no
//! say over memory (version 1), it takes the properties and enforces nothing.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use super::{number, process_limit};
use crate::SandboxError;
use crate::policy::Limits;

const SYSTEMD_RUN: &str = "/usr/bin/systemd-run";
/// What `systemd-run` needs to find the user's systemd. It goes no further: `env -i` stands between it and the sandbox.
const VARIABLES: [&str; 2] = ["XDG_RUNTIME_DIR", "DBUS_SESSION_BUS_ADDRESS"];

/// Words before the program, and the variables they need.
pub(crate) struct Wrapper {
    pub(crate) program: PathBuf,
    pub(crate) words: Vec<OsString>,
    pub(crate) variables: Vec<(OsString, OsString)>,
}

/// Whether the user's systemd can be asked for a scope.
pub(super) fn available() -> bool {
    let bus = std::env::var_os("XDG_RUNTIME_DIR")
        .is_some_and(|dir| Path::new(&dir).join("systemd/private").exists());
    bus && Path::new(SYSTEMD_RUN).exists()
}

pub(super) fn wrapper(limits: &Limits) -> Wrapper {
    let mut words: Vec<OsString> = ["--user", "--scope", "--quiet", "--collect"].map(OsString::from).into();
    for property in [
        format!("MemoryMax={}", limits.memory_bytes),
        "MemorySwapMax=0".to_owned(),
        format!("TasksMax={}", process_limit(limits)),
        format!("CPUQuota={}%", u64::from(limits.threads) * 100),
    ] {
        words.extend(["-p".into(), property.into()]);
    }
    words.extend(["--", "/usr/bin/env", "-i"].map(OsString::from));
    let variables =
        VARIABLES.iter().filter_map(|v| Some((OsString::from(v), std::env::var_os(v)?))).collect();
    Wrapper { program: SYSTEMD_RUN.into(), words, variables }
}

/// The scope's folder, when its limits are what was asked.
pub(super) fn verified(pid: u32, limits: &Limits) -> Result<PathBuf, SandboxError> {
    let lack = |lack: String| {
        SandboxError::Unsupported {
        lack,
        mend: "run as root, or delegate the memory and pids controllers to users (systemd on control groups version 2)".into(),
    }
    };
    let text = std::fs::read_to_string(format!("/proc/{pid}/cgroup"))
        .map_err(SandboxError::io("reading the control group of the sandbox"))?;
    let path = text
        .lines()
        .find_map(|l| l.strip_prefix("0::/"))
        .ok_or_else(|| lack("the sandbox is in no control group of version 2".into()))?;
    let mounts = super::mounts()?;
    let root = mounts.iter().find(|m| m.controllers.is_none());
    let folder =
        root.map(|m| m.folder.join(path)).ok_or_else(|| lack("control groups are not mounted".into()))?;
    // The kernel rounds memory down to pages.
    let memory = number(&folder, "memory.max").is_some_and(|m| m <= limits.memory_bytes);
    let processes = number(&folder, "pids.max").is_some_and(|p| p <= process_limit(limits));
    if !(memory && processes) {
        return Err(lack("the user's systemd does not enforce memory and process limits".into()));
    }
    Ok(folder)
}
