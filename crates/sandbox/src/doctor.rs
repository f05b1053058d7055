//! What this machine lacks for running sandboxes, each with its mend.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use crate::policy::{BOUND, BWRAP_OLDEST, Limits};
use crate::{Policy, SandboxError};

/// One thing that a sandbox needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    /// What was looked at, a few words.
    pub name: &'static str,
    /// Whether it is as needed.
    pub ok: bool,
    /// What was found; where it is not as needed, what to do, in one sentence.
    pub sentence: String,
}

/// Looks at this machine. Blocks for some milliseconds.
pub fn doctor() -> Vec<Check> {
    let bwrap = bubblewrap();
    let namespaces = bwrap.as_ref().map_or_else(|_| Err("not tried".to_owned()), |path| try_namespaces(path));
    vec![
        check(
            "bubblewrap",
            bwrap.map(|path| format!("found at {}", path.display())).map_err(|e| e.to_string()),
        ),
        check("user namespaces", namespaces),
        check("control groups", try_group()),
    ]
}

fn check(name: &'static str, found: Result<String, String>) -> Check {
    let ok = found.is_ok();
    Check { name, ok, sentence: found.unwrap_or_else(|lack| lack) }
}

fn try_namespaces(bwrap: &Path) -> Result<String, String> {
    const WORDS: [&str; 8] =
        ["--unshare-all", "--unshare-user", "--disable-userns", "--ro-bind", "/", "/", "--", "/bin/true"];
    let mut command = Command::new(bwrap);
    command.args(WORDS).env_clear().current_dir("/").stdin(Stdio::null());
    if nix::unistd::geteuid().is_root() {
        use std::os::unix::process::CommandExt;
        command.uid(crate::policy::SESSION_UIDS.start).gid(crate::policy::SESSION_UIDS.start);
    }
    let done = command.output().map_err(|e| format!("bubblewrap does not start: {e}; reinstall it"))?;
    if done.status.success() {
        return Ok("an unprivileged user can make them".into());
    }
    let said = String::from_utf8_lossy(&done.stderr);
    Err(format!(
        "refused by this machine ({}); set the sysctl user.max_user_namespaces above 0, kernel.unprivileged_userns_clone to 1 \
         and kernel.apparmor_restrict_unprivileged_userns to 0",
        crate::text::clean(said.lines().next().unwrap_or("no reason given"))
    ))
}

fn try_group() -> Result<String, String> {
    let limits = Limits {
        memory_bytes: 64 << 20,
        processes: 16,
        scratch_bytes: 1 << 20,
        threads: 1,
        output_bytes: 0,
        output_files: 0,
        log_bytes: 0,
        task_seconds: 1,
        start_seconds: 1,
    };
    let mut group = crate::cgroup::Group::create(&limits).map_err(|e| e.to_string())?;
    group.end();
    Ok("memory, processes and CPU can be limited".into())
}

/// The program, when it is new enough.
pub(crate) fn bubblewrap() -> Result<PathBuf, SandboxError> {
    static FOUND: OnceLock<PathBuf> = OnceLock::new();
    if let Some(path) = FOUND.get() {
        return Ok(path.clone());
    }
    let lack = |lack: String| SandboxError::Unsupported {
        lack,
        mend: "install the package bubblewrap, version 0.8 or newer".into(),
    };
    let path = ["/usr/bin/bwrap", "/usr/local/bin/bwrap", "/bin/bwrap"]
        .map(PathBuf::from)
        .into_iter()
        .find(|p| p.exists())
        .ok_or_else(|| lack("bubblewrap is missing".into()))?;
    let told = Command::new(&path).arg("--version").env_clear().output();
    let told = told.map_err(|e| lack(format!("bubblewrap does not run ({e})")))?;
    let text = String::from_utf8_lossy(&told.stdout).trim().to_owned();
    if version(&text).is_none_or(|found| found < BWRAP_OLDEST) {
        return Err(lack(format!("{} is too old", crate::text::clean(&text))));
    }
    Ok(FOUND.get_or_init(|| path).clone())
}

/// Major and minor of `bubblewrap 0.8.0`.
fn version(text: &str) -> Option<(u32, u32)> {
    let mut numbers = text.rsplit(' ').next()?.split('.').map(|n| n.parse().ok());
    Some((numbers.next()??, numbers.next()??))
}

/// The paths of [`BOUND`], resolved, and whether each is a folder; all readable by anybody where the agent is root.
pub(crate) fn bound_paths(policy: &Policy) -> Result<[(PathBuf, bool); 4], SandboxError> {
    let mut found: [(PathBuf, bool); BOUND.len()] = Default::default();
    let given = [
        (&policy.env_dir, true),
        (&policy.runtime_dir, true),
        (&policy.input_dir, true),
        (&policy.runner, false),
    ];
    for (slot, (path, folder)) in found.iter_mut().zip(given) {
        *slot = (readable(path, folder)?, folder);
    }
    Ok(found)
}

fn readable(path: &Path, folder: bool) -> Result<PathBuf, SandboxError> {
    use std::os::unix::fs::PermissionsExt;
    let wrong = |reason: String| SandboxError::Unreadable { path: path.to_owned(), reason };
    let real = path.canonicalize().map_err(|e| wrong(e.to_string()))?;
    let seen = real.metadata().map_err(|e| wrong(e.to_string()))?;
    if seen.is_dir() != folder {
        return Err(wrong(if folder { "it must be a folder".into() } else { "it must be a file".into() }));
    }
    // Sessions run as a user of their own; only the path itself is looked at, root opens the way to it.
    if nix::unistd::geteuid().is_root() && seen.permissions().mode() & 0o005 != 0o005 {
        return Err(wrong("sessions run as another user; let others read it (chmod o+rX)".into()));
    }
    Ok(real)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions() {
        assert_eq!(version("bubblewrap 0.8.0"), Some((0, 8)));
        assert_eq!(version("bubblewrap 0.11"), Some((0, 11)));
        assert_eq!(version("nonsense"), None);
    }

    #[test]
    fn a_closed_folder_is_named() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().unwrap();
        std::fs::set_permissions(dir.path(), std::fs::Permissions::from_mode(0o700)).unwrap();
        let answer = readable(dir.path(), true);
        assert_eq!(answer.is_err(), nix::unistd::geteuid().is_root(), "{answer:?}");
        assert!(readable(&dir.path().join("none"), true).is_err());
        assert!(readable(dir.path(), false).is_err());
    }
}
