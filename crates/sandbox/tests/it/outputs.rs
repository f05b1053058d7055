//! What a hostile task may leave behind: plain files within their limits, sealed at its end.

#![allow(clippy::unwrap_used)] // a test

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use crate::support::{Place, python_template, success};
use tatau_sandbox::{Outcome, Session, TaskOutcome};

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

/// What earlier tasks left is found where they left it, and is no output; nor is any other link, wherever it leads.
#[tokio::test]
async fn files_of_earlier_tasks_are_found_and_not_handed_out_again() {
    let mut place = Place::new();
    let earlier = place.policy.input_dir.join("files/attempt-7");
    for (name, text) in [("a.txt", "of a"), ("b.txt", "of b"), ("deep/c.txt", "of c")] {
        let path = earlier.join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    let template = python_template(
        "import os, sys\n\
         how = open('/in/how').read()\n\
         os.chdir('/work/out')\n\
         text = ' '.join(open(name).read() for name in ('a.txt', 'b.txt', 'deep/c.txt'))\n\
         if how == 'writes':\n    open('all.txt', 'w').write(text); os.unlink('b.txt'); open('b.txt', 'w').write('mine')\n\
         if how == 'over':\n    open('a.txt', 'w').write('mine')\n\
         if how == 'away':\n    os.unlink('a.txt'); os.symlink('/in/how', 'a.txt')\n\
         if how == 'moved':\n    os.rename('a.txt', 'deep/a.txt')\n",
    );
    let mut session = place.start(&template).await.unwrap();
    let mut run = async |session: &mut Session, how: &str, earlier: &str| {
        std::fs::write(place.policy.input_dir.join("how"), how).unwrap();
        let outputs = place.fresh_outputs();
        let ran =
            session.run_task_after(&BTreeMap::new(), Some(earlier.to_owned()), &outputs, &mut |_| {}).await;
        (ran.unwrap(), outputs)
    };
    let folder = "/in/files/attempt-7";
    let (outcome, outputs) = run(&mut session, "writes", folder).await;
    success(&outcome);
    let names: Vec<_> = outcome.files.iter().map(|f| f.name.as_str()).collect();
    assert_eq!(names, ["all.txt", "b.txt"]);
    assert_eq!(std::fs::read_to_string(outputs.join("all.txt")).unwrap(), "of a of b of c");
    assert_eq!(std::fs::read_to_string(outputs.join("b.txt")).unwrap(), "mine");
    for how in ["away", "moved"] {
        let (outcome, _) = run(&mut session, how, folder).await;
        assert!(matches!(outcome.exit, Outcome::OutputRefused { .. }), "{how}: {outcome:?}");
    }
    // The earlier files themselves cannot be written.
    let (outcome, _) = run(&mut session, "over", folder).await;
    assert!(matches!(outcome.exit, Outcome::Failed { .. }), "{outcome:?}");
    assert_eq!(std::fs::read_to_string(earlier.join("a.txt")).unwrap(), "of a");
    session.close().await;
}
