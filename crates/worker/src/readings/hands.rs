//! Whether somebody uses keyboard or mouse: the session manager's word, else the terminals' times.

use super::{Reading, folders};
use std::{
    fs,
    os::unix::fs::MetadataExt,
    path::Path,
    process::{Command, Stdio},
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

/// The session manager answers within this, or not at all.
const PATIENCE: Duration = Duration::from_secs(3);
/// Sessions looked at.
const MOST: usize = 64;
/// Nobody is there to use it.
const NOBODY: u64 = u64::MAX;

/// Seconds since somebody last used the machine.
pub(super) fn off_seconds(root: &Path) -> Reading<u64> {
    if fs::read_to_string(root.join("proc/sys/kernel/osrelease"))
        .is_ok_and(|r| r.to_lowercase().contains("microsoft"))
    {
        return Reading::NotHere("Windows does not tell Linux whether somebody uses the computer");
    }
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    if let Some(seconds) = sessions().and_then(|blocks| of_sessions(&blocks, now)) {
        return Reading::Is(seconds);
    }
    let desktop = !folders(&root.join("tmp/.X11-unix"), |_| true).is_empty()
        || folders(&root.join("run/user"), |_| true)
            .iter()
            .any(|user| !folders(user, |name| name.starts_with("wayland-")).is_empty());
    if desktop {
        return Reading::NotHere("no session manager tells whether somebody uses this desktop");
    }
    let mut terminals = folders(&root.join("dev/pts"), |name| name.bytes().all(|b| b.is_ascii_digit()));
    terminals.extend(folders(&root.join("dev"), |name| {
        name.strip_prefix("tty")
            .is_some_and(|rest| !rest.is_empty() && rest.bytes().all(|b| b.is_ascii_digit()))
    }));
    let touched = terminals.iter().filter_map(|path| fs::metadata(path).ok()).map(|m| m.atime()).max();
    match touched {
        Some(at) => Reading::Is(now.as_secs().saturating_sub(u64::try_from(at).unwrap_or(0))),
        None => Reading::NotHere("it cannot be told here whether somebody uses the computer"),
    }
}

/// What the session manager says of every session; `None` where there is none.
fn sessions() -> Option<String> {
    let list = told(&["list-sessions", "--no-legend"])?;
    let ids: Vec<&str> = list
        .lines()
        .filter_map(|line| line.split_whitespace().next())
        .filter(|id| id.bytes().all(|b| b.is_ascii_alphanumeric()))
        .take(MOST)
        .collect();
    if ids.is_empty() {
        return Some(String::new());
    }
    let mut arguments = vec!["show-session", "--property=Class,Type,State,IdleHint,IdleSinceHint"];
    arguments.extend(ids);
    told(&arguments)
}

fn told(arguments: &[&str]) -> Option<String> {
    let mut child = Command::new("loginctl")
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .ok()?;
    let until = Instant::now() + PATIENCE;
    loop {
        match child.try_wait() {
            Ok(Some(status)) => {
                let mut text = String::new();
                std::io::Read::read_to_string(child.stdout.as_mut()?, &mut text).ok()?;
                return status.success().then_some(text);
            }
            Ok(None) if Instant::now() < until => std::thread::sleep(Duration::from_millis(5)),
            _ => {
                let _ = child.kill();
                let _ = child.wait();
                return None;
            }
        }
    }
}

/// The least idle of people's sessions. A desktop that never says it is idle counts as in use. `None`: not understood.
fn of_sessions(blocks: &str, now: Duration) -> Option<u64> {
    let mut least = NOBODY;
    for block in blocks.split("\n\n") {
        let field = |name: &str| {
            block.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('=')).map(str::trim)
        };
        if block.trim().is_empty() || field("Class") != Some("user") || field("State") == Some("closing") {
            continue;
        }
        let kind = field("Type")?;
        if !matches!(kind, "x11" | "wayland" | "mir" | "tty") {
            continue;
        }
        let since: u64 = field("IdleSinceHint")?.parse().ok()?;
        // A terminal's time is that of its last key, whether or not it is called idle.
        let known = since > 0 && (field("IdleHint")? == "yes" || kind == "tty");
        let idle = if known { now.as_secs().saturating_sub(since / 1_000_000) } else { 0 };
        least = least.min(idle);
    }
    Some(least)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_least_idle_session_of_a_person_counts() {
        let now = Duration::from_secs(1_000);
        let session = |class: &str, kind: &str, idle: &str, since: u64| {
            format!("Class={class}\nType={kind}\nState=active\nIdleHint={idle}\nIdleSinceHint={since}\n")
        };
        let all = |parts: &[String]| of_sessions(&parts.join("\n"), now);
        assert_eq!(all(&[]), Some(NOBODY));
        let desktop = session("user", "wayland", "yes", 400_000_000);
        let terminal = session("user", "tty", "no", 970_000_000);
        assert_eq!(all(std::slice::from_ref(&desktop)), Some(600));
        assert_eq!(all(&[desktop.clone(), terminal]), Some(30));
        assert_eq!(all(&[desktop.clone(), session("user", "x11", "no", 0)]), Some(0), "in use");
        assert_eq!(all(&[desktop, session("greeter", "x11", "no", 0)]), Some(600), "the login screen");
        assert_eq!(all(&["Class=user\nType=x11\nState=active\n".into()]), None);
    }

    #[test]
    fn a_desktop_that_tells_nothing_is_said_to_tell_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path();
        if sessions().is_some() {
            return; // A machine with a session manager answers before files are looked at.
        }
        assert!(matches!(off_seconds(root), Reading::NotHere(_)));
        fs::create_dir_all(root.join("dev/pts")).unwrap();
        fs::write(root.join("dev/pts/0"), "").unwrap();
        assert!(matches!(off_seconds(root), Reading::Is(s) if s < 60), "{:?}", off_seconds(root));
        fs::create_dir_all(root.join("tmp/.X11-unix/X0")).unwrap();
        assert!(matches!(off_seconds(root), Reading::NotHere(_)));
        fs::create_dir_all(root.join("proc/sys/kernel")).unwrap();
        fs::write(root.join("proc/sys/kernel/osrelease"), "5.15-Microsoft-standard-WSL2\n").unwrap();
        assert!(matches!(off_seconds(root), Reading::NotHere(why) if why.contains("Windows")));
    }
}
