//! Runs the real binary with folders of its own, and a real server where a test needs one.
#![allow(dead_code, reason = "every test file uses a part of it")]
#![allow(clippy::unwrap_used, clippy::must_use_candidate, reason = "tests fail by panicking")]

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use std::{
    fs::File,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

/// How a run ended.
#[derive(Debug)]
pub struct Ran {
    pub code: Option<i32>,
    pub out: String,
    pub err: String,
}

impl Ran {
    /// Ended with this code; speaks with the program's words if not.
    #[track_caller]
    pub fn code(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "out: {}\nerr: {}", self.out, self.err);
        self
    }

    /// Standard output as one JSON value.
    #[track_caller]
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.out).unwrap_or_else(|e| panic!("{e}: {}", self.out))
    }

    /// Standard output as JSON lines.
    #[track_caller]
    pub fn lines(&self) -> Vec<serde_json::Value> {
        self.out
            .lines()
            .map(|line| serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}")))
            .collect()
    }
}

/// A folder for one test: home, data folders, logs.
pub struct House {
    pub dir: tempfile::TempDir,
    pub server: Option<String>,
    cache: PathBuf,
    children: Vec<(String, Child)>,
}

impl House {
    pub fn new() -> Self {
        let dir = tempfile::Builder::new().prefix("tatau-cli-").tempdir().unwrap();
        let cache = dir.path().join("cache");
        Self { dir, server: None, cache, children: Vec::new() }
    }

    /// With environments that exist already.
    pub fn with_cache(cache: PathBuf) -> Self {
        let mut house = Self::new();
        house.cache = cache;
        house
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub fn command(&self, who: &str, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tatau"));
        command
            .args(arguments)
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", self.path("home"))
            .env("TATAU_DATA", self.path(who))
            .env("TATAU_CACHE", &self.cache)
            .current_dir(self.dir.path())
            .stdin(Stdio::null());
        if let Some(server) = &self.server {
            command.env("TATAU_SERVER", server);
        }
        command
    }

    pub fn run(&self, who: &str, arguments: &[&str]) -> Ran {
        ran(self.command(who, arguments).output().unwrap())
    }

    /// Starts something that stays; its words go to `NAME.log`.
    pub fn start(&mut self, name: &str, arguments: &[&str]) -> u32 {
        self.start_command(name, self.command(name, arguments))
    }

    /// As [`Self::start`], with a command that was changed.
    pub fn start_command(&mut self, name: &str, mut command: Command) -> u32 {
        let log = File::create(self.path(&format!("{name}.log"))).unwrap();
        let child = command.stdout(log.try_clone().unwrap()).stderr(log).spawn().unwrap();
        let id = child.id();
        self.children.push((name.into(), child));
        id
    }

    /// Asks one that stays to end, and waits for it.
    #[track_caller]
    pub fn stop(&mut self, name: &str) {
        let at = self.children.iter().position(|(known, _)| known == name).unwrap();
        let (_, mut child) = self.children.remove(at);
        signal(child.id(), Signal::SIGTERM);
        self.wait("its end", Duration::from_secs(20), |_| matches!(child.try_wait(), Ok(Some(_))));
    }

    /// Is it still there?
    pub fn stays(&mut self, name: &str) -> bool {
        let mut all = self.children.iter_mut();
        all.any(|(known, child)| known == name && matches!(child.try_wait(), Ok(None)))
    }

    pub fn log(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(&format!("{name}.log"))).unwrap_or_default()
    }

    /// Starts a platform and waits until it answers.
    pub fn serve(&mut self, more: &[&str]) {
        self.start("server", &[&["serve", "--local", "--listen", "127.0.0.1:0"], more].concat());
        let file = self.path("server/server.json");
        self.wait("the server", Duration::from_secs(30), |_| file.is_file());
        let ready: serde_json::Value = serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap();
        self.server = Some(ready["url"].as_str().unwrap().to_owned());
    }

    /// Polls until it is so; fails with everybody's last words.
    #[track_caller]
    pub fn wait(&self, what: &str, most: Duration, mut so: impl FnMut(&Self) -> bool) {
        let begun = Instant::now();
        while !so(self) {
            if begun.elapsed() > most {
                let logs: Vec<String> =
                    self.children.iter().map(|(name, _)| format!("{name}: {}", self.log(name))).collect();
                panic!("{what} did not happen within {most:?}\n{}", logs.join("\n"));
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

impl Drop for House {
    /// Finds the books of its platform sound, and ends everything.
    fn drop(&mut self) {
        let served = self.server.is_some() && !std::thread::panicking() && self.stays("server");
        let books = served.then(|| self.run("server", &["admin", "audit-books", "--json"]));
        while let Some((_, mut child)) = self.children.pop() {
            for _ in 0..2 {
                signal(child.id(), Signal::SIGTERM);
                let asked = Instant::now();
                while asked.elapsed() < Duration::from_secs(5) {
                    if matches!(child.try_wait(), Ok(Some(_))) {
                        break;
                    }
                    std::thread::sleep(Duration::from_millis(20));
                }
            }
            let _ = child.kill();
            let _ = child.wait();
        }
        if let Some(books) = books {
            let books = books.code(0).json();
            assert_eq!((&books["balanced"], &books["sum"]), (&true.into(), &0.into()), "{books}");
        }
    }
}

pub fn ran(output: std::process::Output) -> Ran {
    Ran {
        code: output.status.code(),
        out: String::from_utf8(output.stdout).unwrap(),
        err: String::from_utf8(output.stderr).unwrap(),
    }
}

pub fn signal(id: u32, signal: Signal) {
    let _ = kill(Pid::from_raw(id.cast_signed()), signal);
}

/// A file that looks like a scene from outside.
pub fn looks_like_a_scene(path: &Path) {
    std::fs::write(path, b"BLENDER-v500 and nothing more").unwrap();
}
