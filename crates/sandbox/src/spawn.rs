//! Starts `bwrap` from one thread that never ends, as an unprivileged user, inside its control group, with nothing inherited.
//!
//! The thread matters: `--die-with-parent` kills the sandbox when the *thread* that spawned it ends, and a runtime's worker
//! threads may end while the agent lives.

use std::ffi::{CString, OsString};
use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{OnceLock, mpsc};

use nix::libc;
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use tokio::sync::oneshot;

use crate::policy::{BOUND, CORE_BYTES, OOM_SCORE, OPEN_FILES, SESSION_UIDS, STAGE};

/// All that the child needs, made before the fork.
pub(crate) struct Start {
    pub(crate) program: PathBuf,
    pub(crate) arguments: Vec<OsString>,
    /// Environment of the program itself (empty except under `systemd-run`).
    pub(crate) variables: Vec<(OsString, OsString)>,
    /// Descriptors that stay open, already numbered in `arguments`.
    pub(crate) kept: Vec<OwnedFd>,
    /// `cgroup.procs` files to enter.
    pub(crate) groups: Vec<File>,
    /// Set when the agent is root: who the sandbox is, and what to stage for it.
    pub(crate) drop_to: Option<DropTo>,
    /// Largest file in bytes.
    pub(crate) file_bytes: u64,
}

/// An unprivileged identity, and the paths that root shows it under [`STAGE`] in a mount namespace of its own, so that folders
/// above them may be closed to others.
pub(crate) struct DropTo {
    uid: libc::uid_t,
    stage: Vec<(CString, CString, bool)>,
}

impl DropTo {
    /// Takes the next identity; `paths` are for [`BOUND`], and whether each is a folder.
    pub(crate) fn new(paths: &[(PathBuf, bool); 4]) -> io::Result<Self> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let turn = std::process::id().wrapping_mul(97).wrapping_add(NEXT.fetch_add(1, Ordering::Relaxed));
        let uid = SESSION_UIDS.start + turn % (SESSION_UIDS.end - SESSION_UIDS.start);
        let text = |path: &Path| {
            CString::new(path.as_os_str().as_bytes())
                .map_err(|e| io::Error::new(io::ErrorKind::InvalidInput, e))
        };
        let stage = paths
            .iter()
            .zip(staged())
            .map(|((path, folder), to)| Ok((text(path)?, text(&to)?, *folder)))
            .collect::<io::Result<_>>()?;
        Ok(Self { uid, stage })
    }
}

/// Where the bound paths are seen by `bwrap` when they are staged.
pub(crate) fn staged() -> [PathBuf; 4] {
    BOUND.map(|name| Path::new(STAGE).join(name))
}

type Request = (Start, oneshot::Sender<io::Result<Child>>);

/// Spawns on the lasting thread.
pub(crate) async fn spawn(start: Start) -> io::Result<Child> {
    static THREAD: OnceLock<Result<mpsc::Sender<Request>, io::ErrorKind>> = OnceLock::new();
    let thread = THREAD.get_or_init(|| {
        let (sender, requests) = mpsc::channel::<Request>();
        let run = move || {
            for (start, answer) in requests {
                if let Err(Ok(mut child)) = answer.send(spawn_here(start)) {
                    // Nobody waits any more. Already dead is as good.
                    let _ = child.kill();
                    let _ = child.wait();
                }
            }
        };
        std::thread::Builder::new().name("sandbox-spawn".into()).spawn(run).map_err(|e| e.kind())?;
        Ok(sender)
    });
    let sender = thread.as_ref().map_err(|&kind| io::Error::from(kind))?;
    let (answer, child) = oneshot::channel();
    let gone = || io::Error::other("the spawning thread is gone");
    sender.send((start, answer)).map_err(|_| gone())?;
    child.await.map_err(|_| gone())?
}

fn spawn_here(start: Start) -> io::Result<Child> {
    let Start { program, arguments, variables, kept, groups, drop_to, file_bytes } = start;
    let mut command = Command::new(program);
    command.args(arguments).env_clear().envs(variables).current_dir("/");
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let keep: Vec<i32> = kept.iter().map(AsRawFd::as_raw_fd).collect();
    let prepare = move || prepare(&keep, &groups, drop_to.as_ref(), file_bytes);
    // SAFETY: `prepare` only makes system calls on values made before the fork; it allocates nothing and takes no lock.
    #[allow(unsafe_code)]
    unsafe {
        command.pre_exec(prepare);
    }
    let child = command.spawn();
    drop(kept);
    child
}

/// Runs in the forked child.
fn prepare(keep: &[i32], groups: &[File], drop_to: Option<&DropTo>, file_bytes: u64) -> io::Result<()> {
    for group in groups {
        nix::unistd::write(group, b"0")?;
    }
    if let Ok(score) = nix::fcntl::open(
        c"/proc/self/oom_score_adj",
        nix::fcntl::OFlag::O_WRONLY | nix::fcntl::OFlag::O_CLOEXEC,
        nix::sys::stat::Mode::empty(),
    ) {
        // A machine that refuses this loses only a preference.
        let _ = nix::unistd::write(&score, OOM_SCORE);
    }
    // A session of its own: the agent's Ctrl-C must not end its tasks, the agent decides.
    nix::unistd::setsid()?;
    for (resource, most) in [
        (Resource::RLIMIT_CORE, CORE_BYTES),
        (Resource::RLIMIT_NOFILE, OPEN_FILES),
        (Resource::RLIMIT_FSIZE, file_bytes),
    ] {
        // Never above what the agent itself may: an ordinary user cannot raise it.
        let (_, hard) = getrlimit(resource)?;
        let most = most.min(hard);
        setrlimit(resource, most, most)?;
    }
    if let Some(identity) = drop_to {
        stage(&identity.stage)?;
        let gid = nix::unistd::Gid::from_raw(identity.uid);
        let uid = nix::unistd::Uid::from_raw(identity.uid);
        nix::unistd::setgroups(&[])?;
        nix::unistd::setresgid(gid, gid, gid)?;
        nix::unistd::setresuid(uid, uid, uid)?;
    }
    close_all_but(keep)
}

/// Binds the paths under a small memory file system that only this process and its children see.
fn stage(paths: &[(CString, CString, bool)]) -> io::Result<()> {
    use nix::mount::{MsFlags, mount};
    use nix::sys::stat::Mode;
    const NONE: Option<&std::ffi::CStr> = None;
    nix::sched::unshare(nix::sched::CloneFlags::CLONE_NEWNS)?;
    mount(NONE, c"/", NONE, MsFlags::MS_REC | MsFlags::MS_PRIVATE, NONE)?;
    // The sources are opened first: one of them may lie where the stage is about to cover it.
    let mut open = [-1; BOUND.len()];
    for (fd, (source, _, _)) in open.iter_mut().zip(paths) {
        // SAFETY: a plain system call on a C string that lives; raw because owned descriptors would close at scope end
        // in the middle of this sequence on an error path that exits anyway.
        #[allow(unsafe_code)]
        let raw = unsafe { libc::open(source.as_ptr(), libc::O_PATH | libc::O_CLOEXEC) };
        *fd = nix::errno::Errno::result(raw)?;
    }
    mount(
        NONE,
        c"/mnt",
        Some(c"tmpfs"),
        MsFlags::MS_NOSUID | MsFlags::MS_NODEV,
        Some(c"size=64k,mode=0755"),
    )?;
    for (fd, (_, target, folder)) in open.iter().zip(paths) {
        if *folder {
            nix::unistd::mkdir(target.as_c_str(), Mode::from_bits_truncate(0o755))?;
        } else {
            let flags = nix::fcntl::OFlag::O_CREAT | nix::fcntl::OFlag::O_CLOEXEC;
            drop(nix::fcntl::open(target.as_c_str(), flags, Mode::from_bits_truncate(0o644))?);
        }
        let mut name = [0_u8; 32];
        mount(Some(proc_fd(*fd, &mut name)), target.as_c_str(), NONE, MsFlags::MS_BIND, NONE)?;
    }
    Ok(())
}

/// `/proc/self/fd/N` without allocating.
fn proc_fd(fd: i32, buffer: &mut [u8; 32]) -> &std::ffi::CStr {
    const PREFIX: &[u8] = b"/proc/self/fd/";
    buffer[..PREFIX.len()].copy_from_slice(PREFIX);
    let digits = fd.checked_ilog10().unwrap_or(0) as usize + 1;
    let mut rest = fd;
    for place in (0..digits).rev() {
        buffer[PREFIX.len() + place] = b'0' + (rest % 10) as u8;
        rest /= 10;
    }
    std::ffi::CStr::from_bytes_until_nul(buffer).unwrap_or(c"/")
}

/// Marks every descriptor above 2 to close at exec, except `keep`: whatever else the agent has open stays with the agent.
fn close_all_but(keep: &[i32]) -> io::Result<()> {
    crate::runner::close_on_exec_from(3)?;
    for &fd in keep {
        // SAFETY: plain system call; the descriptor is owned by the caller of `spawn_here` until after the fork.
        #[allow(unsafe_code)]
        let done = unsafe { libc::fcntl(fd, libc::F_SETFD, 0) };
        nix::errno::Errno::result(done)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_descriptor_is_named_in_proc() {
        for fd in [0, 7, 10, 255, 1_048_576] {
            assert_eq!(super::proc_fd(fd, &mut [0; 32]).to_str().unwrap(), format!("/proc/self/fd/{fd}"));
        }
    }
}
