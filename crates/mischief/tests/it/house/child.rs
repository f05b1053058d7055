//! One process of a test: logged, watched, ended with the test.

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use std::{
    ffi::OsString,
    fs::OpenOptions,
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

/// A process and how to start it again.
pub struct Running {
    pub name: String,
    log: PathBuf,
    child: Child,
    start: Box<dyn Fn() -> Child>,
}

impl Running {
    pub fn start(
        name: &str,
        program: &Path,
        arguments: &[&str],
        environment: [(&'static str, OsString); 3],
        log: PathBuf,
    ) -> Self {
        let program = program.to_owned();
        let arguments: Vec<String> = arguments.iter().map(|a| (*a).to_owned()).collect();
        let own = log.clone();
        let start = move || {
            let log = OpenOptions::new().create(true).append(true).open(&log).unwrap();
            let mut command = Command::new(&program);
            command.args(&arguments).envs(environment.clone()).stdin(Stdio::null());
            command.stdout(log.try_clone().unwrap()).stderr(log).process_group(0);
            command.spawn().unwrap()
        };
        Self { name: name.to_owned(), log: own, child: start(), start: Box::new(start) }
    }

    fn signal(&self, signal: Signal) {
        let _ = kill(Pid::from_raw(self.child.id().cast_signed()), signal);
    }

    /// Panics if it has ended.
    pub fn check(&mut self) {
        if let Some(status) = self.child.try_wait().unwrap() {
            let said = std::fs::read_to_string(&self.log).unwrap_or_default();
            let last: Vec<&str> = said.lines().rev().take(5).collect();
            panic!("{} ended with {status}; its last words, newest first: {last:#?}", self.name);
        }
    }

    pub fn has_ended(&mut self) -> bool {
        self.child.try_wait().unwrap().is_some()
    }

    /// Kills it without a word and starts it again.
    pub fn kill_and_restart(&mut self) {
        self.signal(Signal::SIGKILL);
        self.child.wait().unwrap();
        self.child = (self.start)();
    }

    /// It does nothing for so long, and does not know it.
    pub fn freeze(&self, time: Duration) {
        self.signal(Signal::SIGSTOP);
        std::thread::sleep(time);
        self.signal(Signal::SIGCONT);
    }

    /// Asks it to end and waits.
    pub fn stop(mut self) {
        self.signal(Signal::SIGTERM);
        let asked = Instant::now();
        while self.child.try_wait().unwrap().is_none() {
            assert!(asked.elapsed() < Duration::from_secs(30), "{} does not stop", self.name);
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.signal(Signal::SIGKILL);
        let _ = self.child.wait();
    }
}
