//! The owner's own command, run while no card has work (a miner, most likely): words, no shell, a process group of its own,
//! low priority, gone within two seconds when work comes.

use nix::{
    errno::Errno,
    sys::signal::{Signal, killpg},
    unistd::Pid,
};
use std::{
    fs,
    path::{Path, PathBuf},
    process::Stdio,
    time::{Duration, Instant},
};
use tokio::{
    process::{Child, Command},
    sync::watch,
};

/// Words that one command may have.
const MOST_WORDS: usize = 200;
/// It is asked to end, and ended after this; both together stay well within the two seconds that are promised.
const GRACE: Duration = Duration::from_secs(1);
/// The kernel takes down what it was told to kill within this.
const AFTER: Duration = Duration::from_millis(400);
/// Looks whether its group is gone, within the grace.
const LOOK: Duration = Duration::from_millis(20);
/// A command that ends by itself is started again after this, and after twice as long each time …
const AGAIN: Duration = Duration::from_secs(10);
/// … up to this.
const AGAIN_MOST: Duration = Duration::from_mins(10);
/// One that ran so long did not fail to start.
const RAN: Duration = Duration::from_mins(1);

/// The command's words; no variables, no globs, no pipes. Empty for an empty text.
pub fn words(text: &str) -> Result<Vec<String>, String> {
    if text.contains('\0') {
        return Err("the command holds a character that no program takes".into());
    }
    let words = shlex::split(text).ok_or("a quotation mark in the command is not closed")?;
    if words.len() > MOST_WORDS {
        return Err(format!("the command has more than {MOST_WORDS} words"));
    }
    if words.first().is_some_and(String::is_empty) {
        return Err("the command begins with nothing; name a program".into());
    }
    Ok(words)
}

/// How the command is.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum IdleState {
    /// It is not wanted now.
    #[default]
    Off,
    /// It runs.
    Running,
    /// It is being ended.
    Stopping,
    /// It ended by itself, or did not start; it is tried again.
    Ended(String),
}

/// Starts and stops the command as it is wanted. Dropping it ends the command.
#[derive(Debug)]
pub struct IdleRunner {
    wanted: watch::Sender<Vec<String>>,
    state: watch::Receiver<IdleState>,
}

impl IdleRunner {
    /// `note` remembers the running command's process, so that one that outlived a crash of this program is found and ended.
    pub fn start(note: PathBuf) -> Self {
        end_left_over(&note);
        let (wanted, wishes) = watch::channel(Vec::new());
        let (tell, state) = watch::channel(IdleState::Off);
        tokio::spawn(keep(wishes, tell, note));
        Self { wanted, state }
    }

    /// Runs these words from now on; none: nothing runs.
    pub fn want(&self, words: Vec<String>) {
        self.wanted.send_if_modified(|now| {
            let changed = *now != words;
            *now = words;
            changed
        });
    }

    /// How it is.
    pub fn state(&self) -> IdleState {
        self.state.borrow().clone()
    }

    /// Hears of every change.
    pub fn watch(&self) -> watch::Receiver<IdleState> {
        self.state.clone()
    }

    /// Ends it and waits until it is gone.
    pub async fn quiet(&self) {
        self.want(Vec::new());
        let mut state = self.state.clone();
        // An error means that the keeper is gone, and the command with it.
        let _ = state.wait_for(|state| *state == IdleState::Off).await;
    }
}

async fn keep(mut wishes: watch::Receiver<Vec<String>>, tell: watch::Sender<IdleState>, note: PathBuf) {
    let mut pause = AGAIN;
    loop {
        let words = wishes.borrow_and_update().clone();
        if words.is_empty() {
            tell.send_replace(IdleState::Off);
            pause = AGAIN;
            if wishes.changed().await.is_err() {
                return;
            }
            continue;
        }
        let began = Instant::now();
        let ended = match start(&words) {
            Ok(mut running) => {
                remember(&note, &running);
                tell.send_replace(IdleState::Running);
                let (over, alone) = tokio::select! {
                    ended = running.child.wait() => (Some(ended), false),
                    changed = wishes.wait_for(|now| *now != words) => (None, changed.is_err()),
                };
                tell.send_replace(IdleState::Stopping);
                running.end().await;
                let _ = fs::remove_file(&note);
                match over {
                    None if alone => return,
                    None => continue,
                    Some(Ok(status)) => format!("it ended by itself ({status})"),
                    Some(Err(e)) => format!("it was lost sight of ({e})"),
                }
            }
            Err(e) => format!("it does not start ({e})"),
        };
        if began.elapsed() >= RAN {
            pause = AGAIN;
        }
        tell.send_replace(IdleState::Ended(ended));
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            changed = wishes.wait_for(|now| *now != words) => if changed.is_err() { return },
        }
        pause = (pause * 2).min(AGAIN_MOST);
    }
}

/// A running command and its group.
struct Running {
    child: Child,
    group: Pid,
    ended: bool,
}

fn start(words: &[String]) -> std::io::Result<Running> {
    let (program, arguments) = words.split_first().ok_or(std::io::ErrorKind::InvalidInput)?;
    // `nice` replaces itself by the program: the process is the same. What cannot be found it says by its exit code only.
    if !findable(program) {
        return Err(std::io::Error::new(
            std::io::ErrorKind::NotFound,
            format!("there is no program '{program}'"),
        ));
    }
    let child = Command::new("nice")
        .args(["-n", "19", "--"])
        .arg(program)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .process_group(0)
        .kill_on_drop(true)
        .spawn()?;
    let group = child.id().and_then(|id| i32::try_from(id).ok()).ok_or(std::io::ErrorKind::NotFound)?;
    Ok(Running { child, group: Pid::from_raw(group), ended: false })
}

fn findable(program: &str) -> bool {
    if program.contains('/') {
        return Path::new(program).is_file();
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| folder.join(program).is_file())
}

impl Running {
    /// Asks the whole group to end, and ends what is left of it. The leader is waited for, so that its number is not given away before.
    async fn end(&mut self) {
        let asked = killpg(self.group, Signal::SIGTERM);
        if asked.is_ok() && !self.is_gone_within(GRACE).await {
            // Children that left the leader behind are in the group still.
            let _ = killpg(self.group, Signal::SIGKILL);
            self.is_gone_within(AFTER).await;
        }
        let _ = self.child.wait().await;
        // From here on the number may be given to somebody else.
        self.ended = true;
    }
}

impl Running {
    async fn is_gone_within(&mut self, most: Duration) -> bool {
        let until = Instant::now() + most;
        loop {
            // The leader is taken off the list by this, and the group with its last member.
            let _ = self.child.try_wait();
            if gone(self.group) {
                return true;
            }
            if Instant::now() >= until {
                return false;
            }
            tokio::time::sleep(LOOK).await;
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if !self.ended {
            let _ = killpg(self.group, Signal::SIGKILL);
        }
    }
}

/// Is nobody left in the group?
fn gone(group: Pid) -> bool {
    killpg(group, None) == Err(Errno::ESRCH)
}

/// Number and start time of the process, as one line.
fn remember(note: &Path, running: &Running) {
    let pid = running.group.as_raw();
    let Some(began) = began(pid) else { return };
    if let Err(error) = fs::write(note, format!("{pid} {began}\n")) {
        tracing::warn!(%error, "the idle command would not be found after a crash");
    }
}

/// When a process began, in the kernel's ticks since boot.
fn began(pid: i32) -> Option<u64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name in brackets may hold anything; the 22nd field is the 20th after it.
    stat.rsplit_once(')')?.1.split_whitespace().nth(19)?.parse().ok()
}

/// Ends a command that an earlier run of this program left behind.
fn end_left_over(note: &Path) {
    let Ok(text) = fs::read_to_string(note) else { return };
    let mut parts = text.split_whitespace().map(str::parse::<u64>);
    if let (Some(Ok(pid)), Some(Ok(time))) = (parts.next(), parts.next())
        && let Ok(pid) = i32::try_from(pid)
        && pid > 1
        && began(pid) == Some(time)
    {
        tracing::warn!(pid, "an idle command of an earlier run is ended");
        let _ = killpg(Pid::from_raw(pid), Signal::SIGKILL);
    }
    let _ = fs::remove_file(note);
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A program that ignores the polite word, and has a child that does too; both write their numbers.
    const STUBBORN: &str = r#"
import os, signal, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
child = os.fork()
with open(sys.argv[1] + ("-child" if child == 0 else ""), "w") as f:
    f.write("%d %d" % (os.getpid(), os.nice(0)))
time.sleep(600)
"#;

    async fn read(path: &Path) -> (i32, i32) {
        let until = Instant::now() + Duration::from_secs(20);
        loop {
            let text = fs::read_to_string(path).unwrap_or_default();
            if let Some((pid, nice)) = text.split_once(' ').filter(|(_, nice)| !nice.is_empty()) {
                return (pid.parse().unwrap(), nice.parse().unwrap());
            }
            assert!(Instant::now() < until, "{} never came", path.display());
            tokio::time::sleep(LOOK).await;
        }
    }

    fn lives(pid: i32) -> bool {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        stat.rsplit_once(')').is_some_and(|(_, rest)| !rest.trim_start().starts_with('Z'))
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_command_that_ignores_the_polite_word_is_gone_within_two_seconds() {
        let dir = tempfile::tempdir().unwrap();
        let (script, told, note) =
            (dir.path().join("s.py"), dir.path().join("told"), dir.path().join("note"));
        fs::write(&script, STUBBORN).unwrap();
        let runner = IdleRunner::start(note.clone());
        let command = format!("/usr/bin/python3 '{}' {}", script.display(), told.display());
        runner.want(words(&command).unwrap());
        let (leader, nice) = read(&told).await;
        let (child, _) = read(&dir.path().join("told-child")).await;
        assert_eq!(nice, 19);
        assert_eq!(runner.state(), IdleState::Running);
        assert!(lives(leader) && lives(child) && note.exists());
        let began = Instant::now();
        runner.quiet().await;
        assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
        assert!(began.elapsed() >= GRACE, "it was asked first");
        assert!(!lives(leader) && !lives(child) && !note.exists());
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_polite_command_is_gone_at_once_and_comes_back_when_wanted() {
        let dir = tempfile::tempdir().unwrap();
        let runner = IdleRunner::start(dir.path().join("note"));
        for _ in 0..2 {
            runner.want(words("sleep 600").unwrap());
            let mut state = runner.watch();
            state.wait_for(|s| *s == IdleState::Running).await.unwrap();
            let began = Instant::now();
            runner.quiet().await;
            assert!(began.elapsed() < Duration::from_secs(1), "{:?}", began.elapsed());
        }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn what_does_not_start_or_ends_is_said() {
        let dir = tempfile::tempdir().unwrap();
        let runner = IdleRunner::start(dir.path().join("note"));
        for (command, said) in [("/nowhere/miner --fast", "no program"), ("false", "by itself")] {
            runner.want(words(command).unwrap());
            let mut state = runner.watch();
            let ended = |s: &IdleState| matches!(s, IdleState::Ended(why) if why.contains(said));
            tokio::time::timeout(Duration::from_secs(10), state.wait_for(ended)).await.unwrap().unwrap();
            runner.quiet().await;
        }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn one_that_outlived_a_crash_is_ended_and_a_stranger_of_that_number_is_not() {
        let dir = tempfile::tempdir().unwrap();
        let note = dir.path().join("note");
        let mut left = start(&words("sleep 600").unwrap()).unwrap();
        let pid = left.group.as_raw();
        fs::write(&note, format!("{pid} {}\n", began(pid).unwrap() + 1)).unwrap();
        end_left_over(&note);
        assert!(lives(pid) && !note.exists(), "that was another process");
        remember(&note, &left);
        end_left_over(&note);
        let ended = tokio::time::timeout(Duration::from_secs(5), left.child.wait()).await;
        assert!(!ended.expect("it was ended").unwrap().success());
    }

    #[test]
    fn commands_are_words_and_no_shell() {
        let split = |text| words(text).unwrap();
        assert_eq!(split("miner -o 'pool:1' --user \"a b\""), ["miner", "-o", "pool:1", "--user", "a b"]);
        assert_eq!(split("miner; rm -rf $HOME | x"), ["miner;", "rm", "-rf", "$HOME", "|", "x"]);
        assert!(split("  ").is_empty());
        for bad in ["miner 'x", "'' x", "a\0b"] {
            assert!(words(bad).is_err(), "{bad}");
        }
    }
}
