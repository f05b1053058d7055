//! What strangers may not reach. Every test looks at the fact from outside, or at what the hostile program could print.

#![allow(clippy::unwrap_used)] // a test

use std::collections::BTreeMap;

use crate::support::{Place, python_template, success, told, values};
use tatau_sandbox::{Outcome, SandboxError, Session};

#[tokio::test]
async fn the_hosts_files_are_not_there() {
    let mut place = Place::new();
    let secret = place.root.path().join("secret");
    std::fs::write(&secret, "do not read").unwrap();
    let log = told(
        &mut place,
        &format!(
            r#"
import os
for path in ["/etc/shadow", "/root", "/home", "/opt", "/var", "/sys", "/boot", "{secret}", "/proc/1/root", "/proc/1/cwd",
             "/mnt", "/oldroot", "/newroot", "/run", "/dev/sda", "/dev/mem", "/dev/kmsg"]:
    try:
        print("REACHED", path, os.listdir(path) if os.path.isdir(path) else open(path, "rb").read(10))
    except OSError as e:
        print("refused", path, e.errno)
print("etc", sorted(os.listdir("/etc")))
print("root", sorted(os.listdir("/")))
for path in ["/x", "/usr/x", "/etc/x", "/in/x", "/env/x", "/runtime/x", "/tatau", "/dev/x", "/proc/sys/kernel/hostname"]:
    try:
        open(path, "w")
        print("WROTE", path)
    except OSError as e:
        pass
print("uid", os.getuid(), os.geteuid(), os.getgroups())
print("caps", [l for l in open("/proc/self/status") if l.startswith(("Cap", "NoNewPrivs", "Seccomp:"))])
"#,
            secret = secret.display()
        ),
    )
    .await;
    println!("{log}");
    assert!(!log.contains("REACHED") && !log.contains("WROTE"), "{log}");
    assert_eq!(log.matches("refused").count(), 17, "{log}");
    assert!(
        log.contains("CapBnd:\\t0000000000000000") && log.contains("CapEff:\\t0000000000000000"),
        "{log}"
    );
    assert!(log.contains("NoNewPrivs:\\t1") && log.contains("Seccomp:\\t2"), "{log}");
}

#[tokio::test]
async fn the_agents_environment_and_processes_are_not_there() {
    let mut place = Place::new();
    let log = told(
        &mut place,
        r#"
import os
print("mine", sorted(os.environ))
for pid in sorted(int(p) for p in os.listdir("/proc") if p.isdigit()):
    for name in ["environ", "cmdline", "exe", "fd", "mem", "maps"]:
        path = f"/proc/{pid}/{name}"
        try:
            if name == "exe": data = os.readlink(path)
            elif name == "fd": data = [os.readlink(f"{path}/{f}") for f in os.listdir(path)]
            elif name == "mem": data = open(path, "r+b").fileno()
            else: data = open(path, "rb").read(4000)
            print(pid, name, data)
        except OSError as e:
            print(pid, name, "refused", e.errno)
print("parents", os.getppid())
"#,
    )
    .await;
    println!("{log}");
    for (name, value) in std::env::vars().filter(|(n, _)| n.starts_with("CARGO") || n.starts_with("NEXTEST"))
    {
        assert!(
            !log.contains(&format!("{name}=")) && (value.len() < 12 || !log.contains(&value)),
            "{name} leaks: {log}"
        );
    }
    // Init and the runner show nothing.
    for name in ["environ", "exe", "fd", "mem", "maps"] {
        assert!(log.contains(&format!("1 {name} refused 13")), "{name}: {log}");
        assert!(log.contains(&format!("2 {name} refused 13")), "{name}: {log}");
    }
}

#[tokio::test]
async fn no_network_of_any_kind() {
    let mut place = Place::new();
    let listener = std::os::unix::net::UnixListener::bind_addr(
        &<std::os::unix::net::SocketAddr as std::os::linux::net::SocketAddrExt>::from_abstract_name(
            b"tatau-test",
        )
        .unwrap(),
    )
    .unwrap();
    let log = told(
        &mut place,
        r#"
import socket
for name, family, kind in [("inet", 2, 1), ("inet6", 10, 1), ("raw", 2, 3), ("netlink", 16, 3), ("packet", 17, 3), ("vsock", 40, 1),
                           ("alg", 38, 5), ("bluetooth", 31, 3)]:
    try:
        socket.socket(family, kind)
        print("REACHED", name)
    except OSError as e:
        print("refused", name, e.errno)
s = socket.socket(socket.AF_UNIX)
try:
    s.connect("\0tatau-test")
    print("REACHED abstract")
except OSError as e:
    print("refused abstract", e.errno)
a, b = socket.socketpair()
a.send(b"x")
print("pair", b.recv(1))
"#,
    )
    .await;
    drop(listener);
    assert!(!log.contains("REACHED") && log.contains("pair b'x'"), "{log}");
    assert_eq!(log.matches("refused").count(), 9, "{log}");
    assert_eq!(log.matches(" 97").count(), 8, "address family not supported: {log}");
}

#[tokio::test]
async fn refused_system_calls() {
    let mut place = Place::new();
    let log = told(
        &mut place,
        r#"
import ctypes, os
libc = ctypes.CDLL(None, use_errno=True)
def call(name, number, *args):
    ctypes.set_errno(0)
    done = libc.syscall(number, *args)
    print(name, done, ctypes.get_errno())
call("ptrace", 101, 16, 1, 0, 0)
call("process_vm_readv", 310, 1, 0, 0, 0, 0, 0)
call("keyctl", 250, 0, -3, 0)
call("add_key", 248, 0, 0, 0, 0, 0)
call("unshare", 272, 0x10000000)
call("setns", 308, 0, 0)
call("mount", 165, 0, 0, 0, 0, 0)
call("bpf", 321, 0, 0, 0)
call("perf", 298, 0, 0, 0, 0, 0)
call("userfaultfd", 323, 0)
call("clone_newuser", 56, 0x10000000 | 17, 0, 0, 0, 0)
call("clone_newnet", 56, 0x40000000 | 17, 0, 0, 0, 0)
call("pidfd_getfd", 438, 0, 0, 0)
call("tiocsti", 16, 0, 0x5412, 0)
call("tiocsti_high", 16, 0, 0xdeadbeef00005412, 0)
call("clone3", 435, 0, 0)
call("io_uring", 425, 1, 0)
call("x32_ptrace", 0x40000000 | 521, 0, 0, 0, 0)
call("x32_getpid", 0x40000000 | 39)
pid = os.fork()
if pid == 0: os._exit(0)
print("fork works", os.waitpid(pid, 0)[1])
import threading
t = threading.Thread(target=lambda: print("thread works")); t.start(); t.join()
"#,
    )
    .await;
    for name in [
        "ptrace",
        "process_vm_readv",
        "keyctl",
        "add_key",
        "unshare",
        "setns",
        "mount",
        "bpf",
        "perf",
        "userfaultfd",
        "clone_newuser",
        "clone_newnet",
        "pidfd_getfd",
        "tiocsti",
        "tiocsti_high",
    ] {
        assert!(log.contains(&format!("{name} -1 1\n")), "{name}: {log}");
    }
    for name in ["clone3", "io_uring", "x32_ptrace", "x32_getpid"] {
        assert!(log.contains(&format!("{name} -1 38\n")), "{name}: {log}");
    }
    assert!(log.contains("fork works 0") && log.contains("thread works"), "{log}");
}

#[tokio::test]
async fn doors_that_need_no_capability_to_be_tried() {
    let mut place = Place::new();
    let log = told(
        &mut place,
        r#"
import ctypes, os, stat, signal
libc = ctypes.CDLL(None, use_errno=True)
def call(name, number, *args):
    ctypes.set_errno(0)
    done = libc.syscall(number, *args)
    print(name, done, ctypes.get_errno())
buffer = ctypes.create_string_buffer(256)
call("process_vm_writev", 311, 1, 0, 0, 0, 0, 0)
call("pivot_root", 155, b"/work", b"/work")
call("chroot", 161, b"/work")
call("open_by_handle_at", 304, -100, buffer, 0)
call("name_to_handle_at", 303, -100, b"/", buffer, buffer, 0)
call("fsopen", 430, b"tmpfs", 0)
call("fspick", 433, -100, b"/", 0)
call("open_tree", 428, -100, b"/", 1)
call("move_mount", 429, -1, b"", -1, b"", 0)
call("mount_setattr", 442, -100, b"/usr", 0, buffer, 32)
call("umount2", 166, b"/usr", 2)
call("kexec_load", 246, 0, 0, 0, 0)
call("kexec_file_load", 320, -1, -1, 0, 0, 0)
call("init_module", 175, 0, 0, b"")
call("finit_module", 313, -1, b"", 0)
call("delete_module", 176, b"nvidia", 0)
call("settimeofday", 164, buffer, 0)
call("clock_settime", 227, 0, buffer)
call("sethostname", 170, b"x", 1)
call("setdomainname", 171, b"x", 1)
call("syslog", 103, 3, buffer, 256)
call("reboot", 169, 0xfee1dead, 672274793, 0)
call("swapon", 167, b"/work/x", 0)
call("acct", 163, 0)
call("quotactl_fd", 443, -1, 0, 0, 0)
call("fanotify_init", 300, 0, 0)
call("modify_ldt", 154, 1, buffer, 16)
call("iopl", 172, 3)
call("ioperm", 173, 0, 1, 1)
call("personality", 135, 0x40000)
call("clone_newtime", 56, 0x80 | 17, 0, 0, 0, 0)
call("kcmp", 312, 1, 2, 0, 0, 0)
for name, number in [("mem", (1, 1)), ("null", (1, 3)), ("sda", (8, 0))]:
    try:
        os.mknod("/work/" + name, stat.S_IFCHR | 0o666, os.makedev(*number))
        print("REACHED mknod", name)
    except OSError as e:
        print("mknod", name, -1, e.errno)
for name, become in [("setuid", os.setuid), ("setgid", os.setgid)]:
    try:
        become(0)
        print("REACHED", name, os.getuid(), os.getgid())
    except OSError as e:
        print(name, -1, e.errno)
print("asked", libc.personality(ctypes.c_ulong(0xffffffff)))
# Who can be reached by a signal: nobody but one's own.
reached = []
for pid in range(1, 70_000):
    try:
        os.kill(pid, 0)
        reached.append(pid)
    except ProcessLookupError: pass
    except PermissionError: reached.append(-pid)
print("signals", reached, os.getpid())
os.kill(-1, signal.SIGCONT)
print("whole")
"#,
    )
    .await;
    println!("{log}");
    assert!(!log.contains("REACHED") && log.contains("whole"), "{log}");
    for line in log.lines().filter(|line| line.contains(" -1 ")) {
        let refused = line.ends_with(" -1 1") || (line.starts_with("set") && line.ends_with("id -1 22"));
        assert!(refused, "{line}\n{log}");
    }
    assert_eq!(log.matches(" -1 ").count(), 37, "{log}");
    assert!(!log.lines().any(|line| line.ends_with(" 0 0")), "{log}");
    assert!(log.contains("asked 0"), "{log}");
    let signals = log.lines().find(|line| line.starts_with("signals [")).unwrap();
    let pids = signals.split(['[', ']']).nth(1).unwrap().split(", ").count();
    assert!(pids <= 4 && !signals.contains('-'), "its own session, and nobody who is not: {signals}");
}

#[tokio::test]
async fn a_preloaded_library_reaches_tasks_but_not_the_runner() {
    // `openjd_env` sets LD_PRELOAD for later actions: they are the stranger's anyway, and the runner does not restart.
    let place = &mut Place::new();
    let template = r#"{"specificationVersion": "jobtemplate-2023-09", "name": "t",
        "jobEnvironments": [{"name": "e", "script": {"actions": {"onEnter": {"command": "bash", "args": ["-c",
            "echo not-a-library > /work/tmp/evil.so; echo 'openjd_env: LD_PRELOAD=/work/tmp/evil.so'; echo 'openjd_env: PATH=/work/tmp'"]}}}}],
        "steps": [{"name": "step", "script": {"actions": {"onRun": {"command": "/bin/bash", "args": ["-c", "echo preload=$LD_PRELOAD > /work/out/x"]}}}}]}"#;
    let mut session = place.start(template).await.unwrap();
    let outputs = place.fresh_outputs();
    let outcome = session.run_task(&BTreeMap::new(), &outputs, &mut |_| {}).await.unwrap();
    success(&outcome);
    assert_eq!(std::fs::read_to_string(outputs.join("x")).unwrap(), "preload=/work/tmp/evil.so\n");
    session.close().await;
}

#[tokio::test]
async fn a_task_cannot_speak_for_the_runner() {
    let mut place = Place::new();
    // A descriptor that some library of the agent forgot to mark.
    let leak = std::fs::File::open("/etc/shadow").unwrap();
    nix::fcntl::fcntl(&leak, nix::fcntl::FcntlArg::F_SETFD(nix::fcntl::FdFlag::empty())).unwrap();
    let log = told(
        &mut place,
        r#"
import os, stat
for fd in range(0, 256):
    try: print("fd", fd, oct(stat.S_IFMT(os.fstat(fd).st_mode)), os.readlink(f"/proc/self/fd/{fd}"))
    except OSError: pass
for pid in (1, 2):
    for fd in range(0, 32):
        try:
            os.open(f"/proc/{pid}/fd/{fd}", os.O_WRONLY)
            print("REACHED", pid, fd)
        except OSError: pass
    try:
        os.pidfd_open(pid)
        print("pidfd", pid)
    except OSError: pass
import resource
print("limits", resource.getrlimit(resource.RLIMIT_CORE), resource.getrlimit(resource.RLIMIT_NOFILE))
"#,
    )
    .await;
    println!("{log}");
    assert!(!log.contains("REACHED") && log.contains("limits (1, 1) (4096, 4096)"), "{log}");
    assert_eq!(
        log.lines()
            .filter(|l| l.starts_with("fd ") && !l.contains("/dev/null") && !l.contains("pipe"))
            .count(),
        0,
        "{log}"
    );
}

#[tokio::test]
async fn two_sessions_do_not_see_each_other() {
    let place = Place::new();
    let mut other = Place::new();
    let template = python_template(
        "open('/work/tmp/mine', 'w').write('x')\nopen('/dev/shm/mine', 'w')\nimport time\ntime.sleep(0.2)",
    );
    let mut first = place.start(&template).await.unwrap();
    let (none, outputs) = (BTreeMap::new(), other.fresh_outputs());
    let mut quiet = |_| {};
    let looking = other.python(
        "import os, time\ntime.sleep(0.1)\nprint(sorted(os.listdir('/work/tmp')), os.listdir('/dev/shm'), \
         [p for p in os.listdir('/proc') if p.isdigit()].__len__())",
    );
    let (ran, (looked, _)) = tokio::join!(first.run_task(&none, &outputs, &mut quiet), looking);
    success(&ran.unwrap());
    let log = looked.unwrap().log_tail;
    assert!(log.contains("[] [] 3"), "init, runner, itself: {log}");
    first.close().await;
}

#[tokio::test]
async fn a_closed_input_folder_is_named_before_anything_runs() {
    let mut place = Place::new();
    place.policy.input_dir = place.root.path().join("none");
    let error = place.start(&python_template("")).await.unwrap_err();
    assert!(matches!(error, SandboxError::Unreadable { .. }), "{error}");
    place.policy.limits.scratch_bytes = place.policy.limits.memory_bytes + 1;
    assert!(matches!(place.start(&python_template("")).await.unwrap_err(), SandboxError::Policy(_)));
}

#[tokio::test]
async fn parameters_are_data() {
    let mut place = Place::new();
    let template = r#"{"specificationVersion": "jobtemplate-2023-09", "name": "t",
        "steps": [{"name": "step",
            "parameterSpace": {"taskParameterDefinitions": [{"name": "Word", "type": "STRING", "range": ["a"]}, {"name": "N", "type": "INT", "range": "1-2"}]},
            "script": {"actions": {"onRun": {"command": "/bin/echo", "args": ["{{Task.Param.Word}}", "{{Task.Param.N}}"]}}}}]}"#;
    let mut session = place.start(template).await.unwrap();
    let outputs = place.fresh_outputs();
    let sharp = "$(id) `id` ; rm -rf / \u{1b}[31m {{Session.WorkingDirectory}}";
    let outcome =
        session.run_task(&values(&[("Word", sharp), ("N", "77")]), &outputs, &mut |_| {}).await.unwrap();
    success(&outcome);
    assert_eq!(outcome.log_tail, "$(id) `id` ; rm -rf / [31m {{Session.WorkingDirectory}} 77");
    let outcome =
        session.run_task(&values(&[("Word", "x"), ("N", "x")]), &outputs, &mut |_| {}).await.unwrap();
    assert!(
        matches!(&outcome.exit, Outcome::Failed { sentence, .. } if sentence.contains("does not fit N")),
        "{outcome:?}"
    );
    let ended: Session = session;
    ended.close().await;
}

#[tokio::test]
async fn a_runner_that_does_not_speak_is_told_from_a_bad_template() {
    let mut place = Place::new();
    place.policy.runner = "/bin/false".into();
    let error = place.start(&python_template("")).await.unwrap_err();
    assert!(matches!(error, SandboxError::Unsupported { .. }), "{error}");
}
