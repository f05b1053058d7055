//! Bombs of processes, memory, disk, log and time: the limit holds, the outcome says which, the machine goes on.

#![allow(clippy::unwrap_used)] // a test

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use crate::support::{Heard, MIB, Place, assert_no_groups, ended, python_template, told};
use tatau_sandbox::Outcome;

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

/// Files without contents cost the kernel's memory, not the scratch.
#[tokio::test]
async fn a_flood_of_empty_files_ends_within_the_sessions_memory() {
    let mut place = Place::new();
    place.policy.limits.memory_bytes = 96 * MIB;
    place.policy.limits.scratch_bytes = 32 * MIB;
    let program = r#"
made = 0
try:
    for n in range(3_000_000):
        open(f"/work/tmp/{n}", "x").close()
        made = n
except OSError as e:
    print("stopped at", made, e.errno)
else:
    print("MADE ALL")
"#;
    let outcome = ended(&mut place, program).await;
    println!("{outcome:?}");
    assert!(outcome.exit == Outcome::OutOfMemory || outcome.log_tail.contains("stopped at"), "{outcome:?}");
    assert_no_groups();
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
async fn more_threads_than_allowed_get_no_more_cpu() {
    let mut place = Place::new();
    place.policy.limits.threads = 1;
    let outcome = ended(
        &mut place,
        "import os, time\nend = time.monotonic() + 1\nos.fork(); os.fork()\nwhile time.monotonic() < end: pass",
    )
    .await;
    // One CPU, and the last period's quota.
    let most = outcome.wall_ms * 12 / 10 + 100;
    assert!(outcome.exit == Outcome::Success && outcome.cpu_ms.unwrap() <= most, "{outcome:?}");
}
