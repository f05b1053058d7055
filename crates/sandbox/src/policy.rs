//! What a stranger's code may reach: every mount, variable, limit and refused system call of the sandbox.
//!
//! Read this file to know the whole wall; the other files only raise it.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use nix::libc;

use crate::{Licence, SandboxError};

/// What one session is shown and allowed.
#[derive(Debug, Clone)]
pub struct Policy {
    /// The provisioned environment, read-only at `/env`.
    pub env_dir: PathBuf,
    /// Our runtime programs, read-only at `/runtime`.
    pub runtime_dir: PathBuf,
    /// Inputs, read-only at `/in`; the agent may add files while the session runs.
    pub input_dir: PathBuf,
    /// Its limits.
    pub limits: Limits,
    /// Device nodes of the cards it may use (`/dev/nvidia0`, …).
    pub devices: Vec<PathBuf>,
    /// What those cards' libraries read of the machine besides (`/sys/class/kfd`, …), read-only; what is not there is left out.
    pub shown: Vec<PathBuf>,
    /// The licence server whose [`crate::Doors`] are in `input_dir`: its name leads to 127.0.0.1, and sockets of IPv4 may be made.
    /// Without one there is no network but Unix sockets.
    pub licence: Option<Licence>,
    /// The binary that holds [`crate::runner::main`], read-only at `/tatau`.
    pub runner: PathBuf,
    /// Its arguments, `["session"]` for the `tatau` binary.
    pub runner_args: Vec<String>,
}

/// Limits of one session. All are enforced by the kernel or by both ends of the pipe.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Memory of all its processes and of its scratch together, in bytes; the runner's own 10 MB are in it.
    pub memory_bytes: u64,
    /// Processes and threads at one time.
    pub processes: u32,
    /// Scratch (`/work`) in bytes; it lies in memory and counts towards `memory_bytes`.
    pub scratch_bytes: u64,
    /// CPU threads it may keep busy.
    pub threads: u32,
    /// Bytes of outputs of one task.
    pub output_bytes: u64,
    /// Files of outputs of one task.
    pub output_files: u32,
    /// Bytes of log of one task; the rest is dropped with a word.
    pub log_bytes: u64,
    /// Seconds one task may take.
    pub task_seconds: u64,
    /// Seconds that starting (entering the environments) may take.
    pub start_seconds: u64,
}

impl Limits {
    /// Refuses limits that contradict each other or are out of all reason.
    pub(crate) fn check(&self) -> Result<(), SandboxError> {
        let wrong = |what: &str| Err(SandboxError::Policy(what.to_owned()));
        match self {
            l if l.memory_bytes < 32 << 20 => wrong("memory_bytes must be at least 32 MiB"),
            l if l.scratch_bytes < 1 << 20 => wrong("scratch_bytes must be at least 1 MiB"),
            l if l.scratch_bytes > l.memory_bytes => {
                wrong("scratch lies in memory: scratch_bytes must not exceed memory_bytes")
            }
            l if l.processes == 0 || l.threads == 0 => wrong("processes and threads must be at least 1"),
            l if l.task_seconds == 0 || l.start_seconds == 0 => wrong("times must be at least 1 second"),
            _ => Ok(()),
        }
    }
}

/// The oldest bubblewrap with every wall used here.
pub(crate) const BWRAP_OLDEST: (u32, u32) = (0, 8);
/// Processes and threads of our own in each session: outer `bwrap`, init, runner, its threads.
pub(crate) const OWN_PROCESSES: u32 = 8;
/// The kernel identities of sessions where the agent is root: one per session, in turn.
pub(crate) const SESSION_UIDS: std::ops::Range<u32> = 40_000..50_000;
/// Open files of one process.
pub(crate) const OPEN_FILES: u64 = 4096;
/// Core files: none. One byte, not zero, because only one keeps the kernel from piping a core to the host's collector.
pub(crate) const CORE_BYTES: u64 = 1;
/// Prefers a session's processes when the machine itself runs out of memory.
pub(crate) const OOM_SCORE: &[u8] = b"500";

/// Folders of the sandbox.
pub(crate) const WORK: &str = "/work";
/// Outputs of the running task.
pub(crate) const OUT: &str = "/work/out";
/// Made by the runner inside `/work`.
pub(crate) const WORK_FOLDERS: [&str; 4] = ["/work/out", "/work/tmp", "/work/home", "/work/session"];

/// Folder names under which the four bound paths are staged for `bwrap`; see `spawn.rs`.
pub(crate) const STAGE: &str = "/mnt";
/// What is bound: name of the stage entry and of the path inside.
pub(crate) const BOUND: [&str; 4] = ["env", "runtime", "in", "tatau"];

/// Small files made for the sandbox: path and content. Where there is a licence server, `/etc/hosts` has its name too.
pub(crate) const ETC: [(&str, &str); 5] = [
    ("/etc/passwd", "root:x:0:0::/:/bin/false\ntask:x:1000:1000::/work/home:/bin/sh\n"),
    ("/etc/group", "root:x:0:\ntask:x:1000:\n"),
    (HOSTS, "127.0.0.1 localhost\n"),
    ("/etc/nsswitch.conf", "passwd: files\ngroup: files\nhosts: files\n"),
    ("/etc/machine-id", "00000000000000000000000000000001\n"),
];
const HOSTS: &str = "/etc/hosts";

/// The contents of [`ETC`] for this policy.
pub(crate) fn etc(policy: &Policy) -> Vec<String> {
    let licence = policy.licence.as_ref();
    let named = |path| licence.filter(|_| path == HOSTS).map(|l| format!("127.0.0.1 {}\n", l.host));
    ETC.iter().map(|(path, text)| format!("{text}{}", named(*path).unwrap_or_default())).collect()
}

/// What of the host's `/etc` is shown: how programs find libraries and fonts.
const ETC_SHOWN: [&str; 3] = ["/etc/ld.so.cache", "/etc/alternatives", "/etc/fonts"];
/// System folders, shown read-only or as the links that they are on this machine.
const SYSTEM_LINKS: [&str; 6] = ["/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32"];

/// The complete environment of the sandbox.
fn variables(limits: &Limits) -> Vec<(&'static str, String)> {
    vec![
        ("PATH", "/env/bin:/usr/local/bin:/usr/bin:/bin".to_owned()),
        ("HOME", "/work/home".to_owned()),
        ("TMPDIR", "/work/tmp".to_owned()),
        ("LANG", "C.UTF-8".to_owned()),
        ("OMP_NUM_THREADS", limits.threads.to_string()),
        ("TATAU_THREADS", limits.threads.to_string()),
        ("TATAU_OUT", OUT.to_owned()),
    ]
}

/// File descriptors that `bwrap` inherits, by number.
pub(crate) struct Inherited {
    /// One for each of [`ETC`].
    pub(crate) etc: Vec<i32>,
    /// Compiled seccomp programs.
    pub(crate) seccomp: Vec<i32>,
}

/// The arguments of `bwrap`. `sources` are the paths to bind for [`BOUND`].
pub(crate) fn bwrap_arguments(policy: &Policy, sources: &[PathBuf; 4], fds: &Inherited) -> Vec<OsString> {
    let limits = &policy.limits;
    let mut a = Arguments(Vec::new());
    // Own namespaces: user, pid, net (none: loopback only), ipc, uts, cgroup, mount; no further user namespaces.
    a.add(&["--unshare-all", "--unshare-user", "--disable-userns", "--assert-userns-disabled"]);
    a.add(&["--uid", "1000", "--gid", "1000", "--cap-drop", "ALL", "--hostname", "tatau"]);
    // Dies with the agent, has no terminal, and our own init (not bwrap's) is process 1, so that no process of the sandbox
    // holds the pipe to the agent without being closed to ptrace and /proc.
    a.add(&["--die-with-parent", "--new-session", "--as-pid-1"]);
    // The root is a memory file system, made read-only last; only /work and /dev/shm can be written.
    a.add(&["--ro-bind", "/usr", "/usr"]);
    for link in SYSTEM_LINKS {
        match std::fs::read_link(link) {
            Ok(target) => a.path("--symlink", &target, link),
            Err(_) if Path::new(link).is_dir() => a.add(&["--ro-bind", link, link]),
            Err(_) => {}
        }
    }
    a.add(&["--dir", "/etc"]);
    for shown in ETC_SHOWN {
        a.add(&["--ro-bind-try", shown, shown]);
    }
    for (fd, (path, _)) in fds.etc.iter().zip(ETC) {
        a.add(&["--ro-bind-data", &fd.to_string(), path]);
    }
    a.add(&["--proc", "/proc", "--dev", "/dev"]);
    for device in &policy.devices {
        a.path("--dev-bind", device, device);
    }
    for path in &policy.shown {
        a.path("--ro-bind-try", path, path);
    }
    let scratch = limits.scratch_bytes.to_string();
    a.add(&["--size", &scratch, "--tmpfs", "/dev/shm", "--remount-ro", "/dev"]);
    a.add(&["--size", &scratch, "--tmpfs", WORK, "--symlink", "/work/tmp", "/tmp"]);
    for (source, name) in sources.iter().zip(BOUND) {
        a.path("--ro-bind", source, format!("/{name}"));
    }
    a.add(&["--remount-ro", "/", "--chdir", WORK]);
    for fd in &fds.seccomp {
        a.add(&["--add-seccomp-fd", &fd.to_string()]);
    }
    a.add(&["--clearenv"]);
    for (name, value) in variables(limits) {
        a.add(&["--setenv", name, &value]);
    }
    a.add(&["--", "/tatau"]);
    a.0.extend(policy.runner_args.iter().map(OsString::from));
    a.0
}

struct Arguments(Vec<OsString>);

impl Arguments {
    fn add(&mut self, words: &[&str]) {
        self.0.extend(words.iter().map(OsString::from));
    }

    fn path(&mut self, flag: &str, source: impl AsRef<Path>, target: impl AsRef<Path>) {
        self.0.extend([flag.into(), source.as_ref().into(), target.as_ref().into()]);
    }
}

/// System calls that fail with `EPERM`: they reach other processes, the kernel's machinery, or make new namespaces.
pub(crate) const REFUSED: &[i64] = &[
    // other processes
    libc::SYS_ptrace,
    libc::SYS_process_vm_readv,
    libc::SYS_process_vm_writev,
    libc::SYS_process_madvise,
    libc::SYS_pidfd_getfd,
    libc::SYS_kcmp,
    // the kernel's keyrings, which no namespace separates
    libc::SYS_add_key,
    libc::SYS_request_key,
    libc::SYS_keyctl,
    // mounts and namespaces
    libc::SYS_mount,
    libc::SYS_umount2,
    libc::SYS_pivot_root,
    libc::SYS_chroot,
    libc::SYS_fsopen,
    libc::SYS_fsconfig,
    libc::SYS_fsmount,
    libc::SYS_fspick,
    libc::SYS_open_tree,
    libc::SYS_move_mount,
    libc::SYS_mount_setattr,
    libc::SYS_unshare,
    libc::SYS_setns,
    libc::SYS_name_to_handle_at,
    libc::SYS_open_by_handle_at,
    libc::SYS_quotactl,
    libc::SYS_quotactl_fd,
    libc::SYS_swapon,
    libc::SYS_swapoff,
    libc::SYS_acct,
    libc::SYS_fanotify_init,
    // the kernel itself
    libc::SYS_bpf,
    libc::SYS_perf_event_open,
    libc::SYS_userfaultfd,
    libc::SYS_init_module,
    libc::SYS_finit_module,
    libc::SYS_delete_module,
    libc::SYS_kexec_load,
    libc::SYS_kexec_file_load,
    libc::SYS_reboot,
    libc::SYS_syslog,
    libc::SYS_settimeofday,
    libc::SYS_clock_settime,
    libc::SYS_clock_adjtime,
    libc::SYS_adjtimex,
    libc::SYS_sethostname,
    libc::SYS_setdomainname,
    libc::SYS_vhangup,
    libc::SYS_lookup_dcookie,
    libc::SYS_nfsservctl,
    // the processor's own corners, of one architecture
    #[cfg(target_arch = "x86_64")]
    libc::SYS_modify_ldt,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_iopl,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_ioperm,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_uselib,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_sysfs,
];

/// What `personality` may set (Linux's own, and asking); all else, such as fixed addresses, fails with `EPERM`.
pub(crate) const PERSONALITIES: [u64; 2] = [0, 0xffff_ffff];

/// System calls that fail with `ENOSYS`, so that libraries take their older way: `clone3` hides its flags from the filter,
/// `io_uring` does system calls that no filter sees.
pub(crate) const ABSENT: &[i64] =
    &[libc::SYS_clone3, libc::SYS_io_uring_setup, libc::SYS_io_uring_enter, libc::SYS_io_uring_register];

/// Flags of `clone` that fail with `EPERM`.
pub(crate) const REFUSED_CLONE_FLAGS: [i32; 8] = [
    libc::CLONE_NEWUSER,
    libc::CLONE_NEWNS,
    libc::CLONE_NEWPID,
    libc::CLONE_NEWNET,
    libc::CLONE_NEWIPC,
    libc::CLONE_NEWUTS,
    libc::CLONE_NEWCGROUP,
    0x80, // CLONE_NEWTIME
];

/// `ioctl` requests that fail with `EPERM`: they type into terminals.
pub(crate) const REFUSED_IOCTLS: [u64; 2] = [0x5412 /* TIOCSTI */, 0x541c /* TIOCLINUX */];

/// The address families of `socket`; others fail with `EAFNOSUPPORT`. The second is for sessions with a licence server alone: their
/// network is loopback and nothing else.
pub(crate) const SOCKET_FAMILIES: [i32; 2] = [libc::AF_UNIX, libc::AF_INET];
