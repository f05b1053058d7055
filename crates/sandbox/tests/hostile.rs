//! What strangers try, each in a sandbox of its own. Every test looks at the fact from outside, or at what the hostile program
//! could print, never at its own word that it failed.

mod support;

use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};

use support::{Heard, MIB, Place, python_template, success, values};
use tatau_sandbox::{Outcome, SandboxError, Session, TaskOutcome};

/// Runs a program that must succeed and answers its log.
async fn told(place: &mut Place, program: &str) -> String {
    let (ran, _) = place.python(program).await;
    let outcome = ran.unwrap();
    success(&outcome);
    outcome.log_tail
}

async fn ended(place: &mut Place, program: &str) -> TaskOutcome {
    place.python(program).await.0.unwrap()
}

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
for path in ["/etc/shadow", "/root", "/home", "/work/main", "/var", "/sys", "/boot", "{secret}", "/proc/1/root", "/proc/1/cwd",
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
async fn a_fork_bomb_meets_its_limit() {
    let mut place = Place::new();
    place.policy.limits.task_seconds = 5;
    let log = told(
        &mut place,
        r#"
import os, time
made = 0
try:
    while made < 5000:
        if os.fork() == 0:
            time.sleep(60)
            os._exit(0)
        made += 1
except OSError as e:
    print("stopped", made, e.errno)
import signal
signal.signal(signal.SIGTERM, signal.SIG_IGN)
os.killpg(0, signal.SIGTERM)
"#,
    )
    .await;
    let made: u32 =
        log.lines().find_map(|l| l.strip_prefix("stopped ")?.split(' ').next()?.parse().ok()).unwrap();
    assert!((10..=40).contains(&made), "{log}");
}

#[tokio::test]
async fn an_endless_fork_bomb_dies_at_the_end_of_its_time() {
    let mut place = Place::new();
    place.policy.limits.task_seconds = 1;
    let began = Instant::now();
    let outcome =
        ended(&mut place, "import os\nwhile True:\n    try: os.fork()\n    except OSError: pass\n").await;
    assert_eq!(outcome.exit, Outcome::TimedOut, "{outcome:?}");
    assert!(!outcome.session_alive && began.elapsed() < Duration::from_secs(15), "{:?}", began.elapsed());
    assert_no_groups();
}

#[tokio::test]
async fn a_memory_bomb_is_told_as_such() {
    let mut place = Place::new();
    place.policy.limits.memory_bytes = 96 * MIB;
    let outcome = ended(&mut place, "x = []\nwhile True: x.append(b'x' * 1000000)\n").await;
    assert_eq!(outcome.exit, Outcome::OutOfMemory, "{outcome:?}");
    assert!(outcome.peak_memory.unwrap() <= 96 * MIB && !outcome.session_alive, "{outcome:?}");
}

#[tokio::test]
async fn a_full_scratch_is_an_error_of_the_task() {
    let mut place = Place::new();
    let program = r#"
import os
for folder in ["/work/tmp", "/dev/shm"]:
    try:
        with open(folder + "/big", "wb") as f:
            while True: f.write(b"x" * 1000000)
    except OSError as e:
        print(folder, e.errno, os.path.getsize(folder + "/big") <= 64 << 20)
    os.remove(folder + "/big")
"#;
    let log = told(&mut place, program).await;
    // ENOSPC, or EFBIG from the limit of one file.
    for folder in ["/work/tmp", "/dev/shm"] {
        assert!(
            log.contains(&format!("{folder} 28 True")) || log.contains(&format!("{folder} 27 True")),
            "{log}"
        );
    }
}

#[tokio::test]
async fn too_many_or_too_large_outputs_are_refused_whole() {
    for (program, words) in [
        ("for n in range(17): open(f'/work/out/{n}', 'w')", "too many"),
        ("import os\nfor n in range(5000): os.mkdir(f'/work/out/{n}')", "too many"),
        (
            "open('/work/out/a', 'wb').write(b'x' * 5000000)\nopen('/work/out/b', 'wb').write(b'x' * 5000000)",
            "over what",
        ),
        (
            "import os\nos.truncate(os.open('/work/out/sparse', os.O_CREAT | os.O_RDWR), 60 << 20)",
            "over what",
        ),
    ] {
        let mut place = Place::new();
        let (ran, outputs) = place.python(program).await;
        match ran.unwrap() {
            TaskOutcome {
                exit: Outcome::OutputTooLarge { sentence }, files, session_alive: true, ..
            } => {
                assert!(sentence.contains(words) && files.is_empty(), "{sentence}");
            }
            other => panic!("{program}: {other:?}"),
        }
        assert!(files_below(&outputs).is_empty());
    }
}

fn files_below(folder: &Path) -> Vec<std::path::PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().path());
    entries.flat_map(|p| if p.is_dir() { files_below(&p) } else { vec![p] }).collect()
}

#[tokio::test]
async fn outputs_that_are_no_plain_files_are_refused() {
    for (program, words) in [
        ("import os\nos.symlink('/etc/passwd', '/work/out/link')", "link is no plain file"),
        ("import os\nos.symlink('/etc', '/work/out/folder')", "folder is no plain file"),
        ("import os\nos.mkfifo('/work/out/pipe')", "pipe is no plain file"),
        ("import socket\nsocket.socket(socket.AF_UNIX).bind('/work/out/sock')", "sock is no plain file"),
        ("open('/work/out/a b', 'w')", "has a name"),
        ("open(b'/work/out/\\xff\\x1b[31m', 'w')", "has a name"),
        ("open('/work/out/' + 'x' * 200, 'w')", "has a name"),
        ("import os\nos.makedirs('/work/out/1/2/3/4/5')", "nested"),
        ("import os\nos.rmdir('/work/out'); os.symlink('/etc', '/work/out')", "cannot be read"),
        ("import os\nos.rmdir('/work/out')", "cannot be read"),
        (
            "import os\nopen('/work/out/closed', 'w').write('x'); os.chmod('/work/out/closed', 0)",
            "closed cannot be read",
        ),
    ] {
        let mut place = Place::new();
        let (ran, outputs) = place.python(program).await;
        match ran.unwrap().exit {
            Outcome::OutputRefused { sentence } => {
                assert!(sentence.contains(words), "{program}: {sentence}");
                assert!(!sentence.chars().any(char::is_control), "{sentence:?}");
            }
            other => panic!("{program}: {other:?}"),
        }
        assert!(files_below(&outputs).is_empty());
    }
}

#[tokio::test]
async fn a_process_that_stays_cannot_alter_an_output_after_its_task() {
    let mut place = Place::new();
    let template = python_template(
        r#"
import os, time
if os.fork() == 0:
    os.setsid()
    null = os.open("/dev/null", os.O_RDWR)
    for fd in (0, 1, 2): os.dup2(null, fd)
    kept = os.open("/work/out/result", os.O_RDWR)
    while os.path.exists("/work/out/result"): time.sleep(0.001)
    os.pwrite(kept, b"forged", 0)
    open("/work/tmp/awake", "w")
    while True:
        try: open("/work/out/result", "w").write("forged")
        except OSError: pass
        time.sleep(0.0005)
"#
        .replace("import os, time\n", "import os, time\nif not os.path.exists('/work/tmp/awake'): open('/work/out/result', 'w').write('honest')\n")
        .as_str(),
    );
    let mut session = place.start(&template).await.unwrap();
    let outputs = place.fresh_outputs();
    let outcome = session.run_task(&BTreeMap::new(), &outputs, &mut |_| {}).await.unwrap();
    success(&outcome);
    std::thread::sleep(Duration::from_millis(50)); // gives the forger the chance that it waits for
    assert_eq!(std::fs::read_to_string(outputs.join("result")).unwrap(), "honest");
    session.close().await;
    assert_eq!(std::fs::read_to_string(outputs.join("result")).unwrap(), "honest");
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
"#,
    )
    .await;
    println!("{log}");
    assert!(!log.contains("REACHED"), "{log}");
    assert_eq!(
        log.lines()
            .filter(|l| l.starts_with("fd ") && !l.contains("/dev/null") && !l.contains("pipe"))
            .count(),
        0,
        "{log}"
    );
}

#[tokio::test]
async fn a_task_that_kills_the_runner_ends_only_its_session() {
    for program in ["import os\nos.kill(-1, 9)", "import os\nos.kill(2, 9)\nimport time\ntime.sleep(30)"] {
        let mut place = Place::new();
        let (ran, _) = place.python(program).await;
        match ran {
            Err(SandboxError::Dead { sentence, .. }) => assert!(sentence.contains("killed"), "{sentence}"),
            other => panic!("{other:?}"),
        }
    }
    assert_no_groups();
}

#[tokio::test]
async fn endless_log_is_cut() {
    let mut place = Place::new();
    place.policy.limits.task_seconds = 2;
    let template =
        python_template("import os\nprint('x' * 3000000)\nwhile True: os.write(1, b'y' * 60 + b'\\n')");
    let mut session = place.start(&template).await.unwrap();
    let outputs = place.fresh_outputs();
    let mut heard = Heard::default();
    let outcome = session.run_task(&BTreeMap::new(), &outputs, &mut heard.ear()).await.unwrap();
    assert_eq!(outcome.exit, Outcome::TimedOut);
    let bytes: usize = heard.lines.iter().map(|l| l.len() + 1).sum();
    assert!(bytes <= 65 * 1024 && heard.lines.iter().all(|l| l.len() <= 4096), "{bytes}");
    assert!(heard.lines.last().unwrap().contains("cut here"), "{:?}", heard.lines.last());
    assert!(outcome.log_tail.len() <= 8 * 1024);
}

#[tokio::test]
async fn a_line_without_end_meets_the_memory_limit() {
    let mut place = Place::new();
    place.policy.limits.memory_bytes = 96 * MIB;
    let outcome = ended(&mut place, "import os\nwhile True: os.write(1, b'y' * 65536)").await;
    assert_eq!(outcome.exit, Outcome::OutOfMemory, "{outcome:?}");
}

#[tokio::test]
async fn an_endless_task_is_ended_and_so_is_what_it_left() {
    let mut place = Place::new();
    place.policy.limits.task_seconds = 1;
    let began = Instant::now();
    let outcome = ended(
        &mut place,
        "import os, time, signal\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\n\
         if os.fork() == 0: os.setsid()\nwhile True: time.sleep(1)",
    )
    .await;
    assert_eq!(outcome.exit, Outcome::TimedOut);
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    assert_no_groups();
}

#[tokio::test]
async fn a_daemon_left_behind_dies_with_the_session() {
    let mut place = Place::new();
    let template = python_template(
        "import os, time\nif os.fork() == 0:\n    os.setsid()\n    null = os.open('/dev/null', os.O_RDWR)\n    \
         for fd in (0, 1, 2): os.dup2(null, fd)\n    os.execv('/bin/sleep', ['tatau-left-behind', '1000'])\n\
         time.sleep(0.1)\n",
    );
    let mut session = place.start(&template).await.unwrap();
    let outputs = place.fresh_outputs();
    success(&session.run_task(&BTreeMap::new(), &outputs, &mut |_| {}).await.unwrap());
    assert_eq!(running("tatau-left-behind"), 1);
    session.close().await;
    assert_eq!(running("tatau-left-behind"), 0);
    assert_no_groups();
}

#[tokio::test]
async fn a_dropped_session_dies() {
    let mut place = Place::new();
    let template = python_template("import os\nos.execv('/bin/sleep', ['tatau-dropped', '1000'])\n");
    let mut session = place.start(&template).await.unwrap();
    let outputs = place.fresh_outputs();
    let none = BTreeMap::new();
    let mut quiet = |_| {};
    let ran =
        tokio::time::timeout(Duration::from_millis(700), session.run_task(&none, &outputs, &mut quiet)).await;
    assert!(ran.is_err());
    assert_eq!(running("tatau-dropped"), 1);
    drop(session);
    wait_until(|| running("tatau-dropped") == 0);
    wait_until(|| groups().is_empty());
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

fn running(name: &str) -> usize {
    let named = |entry: std::fs::DirEntry| {
        let line = std::fs::read(entry.path().join("cmdline")).unwrap_or_default();
        line.starts_with(name.as_bytes())
    };
    std::fs::read_dir("/proc").unwrap().flatten().filter(|_| true).map(named).filter(|&n| n).count()
}

/// Control groups of sessions of this test process.
fn groups() -> Vec<String> {
    let mine = format!("s-{}-", std::process::id());
    ["/sys/fs/cgroup/memory/tatau", "/sys/fs/cgroup/tatau"]
        .iter()
        .filter_map(|f| std::fs::read_dir(f).ok())
        .flat_map(|entries| entries.flatten().map(|e| e.file_name().to_string_lossy().into_owned()))
        .filter(|name| name.starts_with(&mine))
        .collect()
}

fn assert_no_groups() {
    assert_eq!(groups(), Vec::<String>::new());
}

fn wait_until(done: impl Fn() -> bool) {
    let began = Instant::now();
    while !done() {
        assert!(began.elapsed() < Duration::from_secs(5), "it did not happen");
        std::thread::sleep(Duration::from_millis(5));
    }
}
