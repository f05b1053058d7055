//! The processes of one session: launched behind the wall, heard at their last words, ended with their control group.

use std::io::{self, Seek, Write};
use std::os::fd::{AsRawFd, OwnedFd};
use std::process::Child;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::io::AsyncReadExt;
use tokio::process::{ChildStderr, ChildStdin, ChildStdout};

use crate::cgroup::{Group, Usage};
use crate::policy::{self, Limits};
use crate::spawn::{self, DropTo, Start};
use crate::text::clean;
use crate::{Policy, SandboxError};

/// Bytes of the runner's own complaints that are kept.
const STDERR_BYTES: usize = 8 * 1024;

/// The outer `bwrap`, all below it, and their control group; ended on drop.
#[derive(Debug)]
pub(super) struct Inside {
    held: Option<(Child, Group)>,
    stderr: Arc<Mutex<String>>,
}

/// Spawns `bwrap` with the runner in it; answers its processes, its stdin and its stdout.
pub(super) async fn launch(policy: &Policy) -> Result<(Inside, ChildStdin, ChildStdout), SandboxError> {
    policy.limits.check()?;
    let bwrap = crate::doctor::bubblewrap()?;
    let paths = crate::doctor::bound_paths(policy)?;
    let mut kept = Vec::new();
    let fds = policy::Inherited {
        etc: keep(policy::etc(policy).iter().map(String::as_bytes), &mut kept)?,
        seccomp: keep(
            crate::seccomp::programs(policy.licence.is_some())?.iter().map(Vec::as_slice),
            &mut kept,
        )?,
    };
    let (sources, drop_to) = if nix::unistd::geteuid().is_root() {
        let identity = DropTo::new(&paths).map_err(SandboxError::io("preparing the folders"))?;
        (spawn::staged(), Some(identity))
    } else {
        (paths.map(|(path, _)| path), None)
    };
    let group = Group::create(&policy.limits)?;
    let inner = policy::bwrap_arguments(policy, &sources, &fds);
    let (program, arguments, variables) = match group.wrapper(&policy.limits) {
        None => (bwrap, inner, Vec::new()),
        Some(mut wrapper) => {
            wrapper.words.push(bwrap.into());
            wrapper.words.extend(inner);
            (wrapper.program, wrapper.words, wrapper.variables)
        }
    };
    let groups = group.doors().map_err(SandboxError::io("opening the control group"))?;
    // A little more than fits, so that a full scratch is told as such and not by a signal.
    let file_bytes = policy.limits.scratch_bytes.saturating_add(4096);
    let start = Start { program, arguments, variables, kept, groups, drop_to, file_bytes };
    let mut child =
        spawn::spawn(start).await.map_err(SandboxError::io("starting bubblewrap as an unprivileged user"))?;
    let pipes = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    let stderr = Arc::new(Mutex::new(String::new()));
    let inside = Inside { held: Some((child, group)), stderr };
    let (Some(input), Some(output), Some(errors)) = pipes else {
        return Err(SandboxError::Policy("the sandbox was started without pipes".into()));
    };
    let pipe = || SandboxError::io("opening the pipes of the sandbox");
    tokio::spawn(listen(ChildStderr::from_std(errors).map_err(pipe())?, Arc::clone(&inside.stderr)));
    let input = ChildStdin::from_std(input).map_err(pipe())?;
    Ok((inside, input, ChildStdout::from_std(output).map_err(pipe())?))
}

impl Inside {
    pub(super) fn usage(&self) -> Usage {
        self.held.as_ref().map(|(_, group)| group.usage()).unwrap_or_default()
    }

    /// Makes sure, before a stranger's first action, that the limits hold.
    pub(super) fn confined(&mut self, limits: &Limits) -> Result<(), SandboxError> {
        match &mut self.held {
            Some((child, group)) => group.adopt(child.id(), limits),
            None => Ok(()),
        }
    }

    fn take(&mut self) -> Option<impl FnOnce() + Send + use<>> {
        let (mut child, mut group) = self.held.take()?;
        Some(move || {
            // Already dead is as good.
            let _ = child.kill();
            let _ = child.wait();
            group.end();
        })
    }

    /// Kills everything and waits until it is gone.
    pub(super) async fn end(&mut self) {
        if let Some(end) = self.take()
            && tokio::task::spawn_blocking(end).await.is_err()
        {
            tracing::warn!("the end of a session was interrupted");
        }
    }

    /// What is known about a death, in one sentence.
    pub(super) async fn obituary(&mut self, error: &io::Error) -> String {
        // The last words arrive with the end of the process; a session that broke the protocol may still live.
        const TRIES: u32 = 20;
        for _ in 0..TRIES {
            match self.held.as_mut().map(|(child, _)| child.try_wait()) {
                Some(Ok(None)) => tokio::time::sleep(Duration::from_millis(10)).await,
                _ => break,
            }
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
        let said = self.stderr.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let said = said.lines().map(clean).rfind(|l| !l.trim().is_empty());
        match (said, error.kind()) {
            (Some(line), _) => format!("the sandbox said: {line}"),
            (None, io::ErrorKind::UnexpectedEof | io::ErrorKind::BrokenPipe) => {
                "its first process was killed from inside".to_owned()
            }
            (None, _) => error.to_string(),
        }
    }
}

impl Drop for Inside {
    fn drop(&mut self) {
        let Some((child, _)) = self.held.as_mut() else { return };
        // At once, so that nothing runs on; the rest may take a moment.
        let _ = child.kill();
        if let Some(end) = self.take()
            && let Err(error) = std::thread::Builder::new().name("sandbox-end".into()).spawn(end)
        {
            tracing::warn!(%error, "a session's control group stays until the agent's next start");
        }
    }
}

/// Collects what `bwrap` and the runner complain about, and reads on so that they never block.
async fn listen(mut stderr: ChildStderr, kept: Arc<Mutex<String>>) {
    let mut buffer = [0; 1024];
    while let Ok(n @ 1..) = stderr.read(&mut buffer).await {
        let mut text = kept.lock().unwrap_or_else(PoisonError::into_inner);
        if text.len() < STDERR_BYTES {
            text.push_str(&String::from_utf8_lossy(&buffer[..n]));
        }
    }
}

/// Puts each content into a memory file that the child inherits; answers their numbers.
fn keep<'a>(
    contents: impl Iterator<Item = &'a [u8]>,
    kept: &mut Vec<OwnedFd>,
) -> Result<Vec<i32>, SandboxError> {
    contents
        .map(|content| {
            let flags = nix::sys::memfd::MFdFlags::MFD_CLOEXEC;
            let fd = nix::sys::memfd::memfd_create(c"tatau", flags).map_err(io::Error::from);
            let mut file = std::fs::File::from(fd.map_err(SandboxError::io("making a memory file"))?);
            let written = file.write_all(content).and_then(|()| file.rewind());
            written.map_err(SandboxError::io("writing a memory file"))?;
            let number = file.as_raw_fd();
            kept.push(file.into());
            Ok(number)
        })
        .collect()
}
