//! One real market for all cases: a platform, two providers, two validators, scenes made by a real Blender.

use crate::support::{House, Ran, ran};
use serde_json::Value;
use std::{
    fs::{self, File},
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::{Duration, Instant},
};

const SCENES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/bad_scenes.py");
/// A buyer's command that takes longer hangs.
pub const LIMIT: Duration = Duration::from_mins(3);
/// What a job does not need is back after this long, a second inspection of a newcomer's included.
const SETTLED: Duration = Duration::from_secs(40);
/// Parties that stay.
pub const STAYING: [&str; 6] = ["server", "v1", "v2", "p1", "p2", "p3"];
/// The most that a refused scene may cost: one or two inspections. Nano-TATAU.
pub const SMALL: i64 = 50_000_000;

pub struct Market {
    pub house: House,
    /// Nobody may call here.
    pub port: TcpListener,
    /// The environment's Python.
    pub python: PathBuf,
    pub cache: PathBuf,
}

/// The market; `None` where the environment is not made yet.
pub fn open() -> Option<Market> {
    let cache = std::env::var_os("TATAU_CACHE")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../.cache"), PathBuf::from);
    let python = tatau_worker::Recipe::by_name("blender-5.0").unwrap().folder(&cache).join("bin/python");
    if !python.is_file() {
        eprintln!("passed over: no environment in {}", cache.display());
        return None;
    }
    let cache = cache.canonicalize().unwrap();
    let mut house = House::with_cache(cache.clone());
    house.serve(&[]);
    let node = ["--threads", "1", "--memory-mib", "2500"];
    for name in ["v1", "v2"] {
        house.run(name, &["wallet", "stake", "10"]).code(0);
        house.start(name, &[&["validate"], &node[..]].concat());
    }
    for name in ["p1", "p2"] {
        house.start(name, &[&["provide", "--headless", "--ask", "250"], &node[..]].concat());
    }
    let port = TcpListener::bind("127.0.0.1:0").unwrap();
    port.set_nonblocking(true).unwrap();
    let market = Market { house, port, python, cache };
    fs::create_dir(market.house.path("traces")).unwrap();
    fs::write(market.house.path("traces/secret"), market.secret()).unwrap();
    let made =
        Command::new(&market.python).args(["-sE", SCENES]).args(market.scene_arguments()).output().unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    Some(market)
}

impl Market {
    fn scene_arguments(&self) -> [String; 3] {
        let path = |name| self.house.path(name).display().to_string();
        [path("scenes"), path("traces"), self.port.local_addr().unwrap().port().to_string()]
    }

    /// The name of every file that hostile Python would leave.
    pub fn trace_name(&self) -> String {
        format!("tatau-hostile-{}", self.port.local_addr().unwrap().port())
    }

    /// What nobody may find: in every agent's environment, and in a file of the host.
    pub fn secret(&self) -> String {
        format!("tatau-secret-{}", self.port.local_addr().unwrap().port())
    }

    /// Sends the honest providers away; instead comes one whose Blender runs the Python of scenes.
    pub fn careless_provider(&mut self, cache: &Path) {
        self.house.stop("p1");
        self.house.stop("p2");
        let careless = self.house.path("careless");
        fs::create_dir(&careless).unwrap();
        std::os::unix::fs::symlink(cache.join("env"), careless.join("env")).unwrap();
        let copied =
            Command::new("cp").args(["-a"]).arg(cache.join("runtime")).arg(&careless).status().unwrap();
        assert!(copied.success());
        for entry in fs::read_dir(careless.join("runtime")).unwrap().flatten() {
            let file = entry.path().join("scenes.py");
            let Ok(text) = fs::read_to_string(&file) else { continue };
            let text = text.replace("use_scripts=False", "use_scripts=True");
            fs::write(
                file,
                text.replace("use_scripts_auto_execute = False", "use_scripts_auto_execute = True"),
            )
            .unwrap();
        }
        let mut command = self.house.command(
            "p3",
            &[
                "provide",
                "--headless",
                "--environments",
                "blender-5.0",
                "--ask",
                "250",
                "--threads",
                "1",
                "--memory-mib",
                "1500",
            ],
        );
        command.env("TATAU_CACHE", &careless).env("SECRET", self.secret());
        self.house.start_command("p3", command);
        self.house.wait("the careless provider's card", LIMIT, |house| house.log("p3").contains("delivered"));
    }

    /// Runs with a limit; nothing that it prints may be a program's accident, whatever comes of it.
    #[track_caller]
    pub fn run(&self, who: &str, arguments: &[&str]) -> Ran {
        self.run_command(self.house.command(who, arguments), arguments)
    }

    #[track_caller]
    pub fn run_command(&self, command: Command, arguments: &[&str]) -> Ran {
        let ended = self.within(command, arguments);
        harmless(&ended, arguments);
        ended
    }

    /// As the person's own words in a shell, with `tatau` on the path.
    #[track_caller]
    pub fn shell(&self, who: &str, line: &str) -> Ran {
        let tatau = self.house.command(who, &[]);
        let mut command = Command::new("/bin/sh");
        let bin = Path::new(env!("CARGO_BIN_EXE_tatau")).parent().unwrap().display().to_string();
        command.env_clear().args(["-c", line]).current_dir(self.house.dir.path());
        command.envs(tatau.get_envs().filter_map(|(name, value)| Some((name, value?))));
        command.env("PATH", format!("{bin}:/usr/bin:/bin"));
        self.run_command(command, &[line])
    }

    #[track_caller]
    fn within(&self, mut command: Command, arguments: &[&str]) -> Ran {
        let (out, err) = (self.house.path("stdout"), self.house.path("stderr"));
        command.stdin(Stdio::null());
        command.stdout(File::create(&out).unwrap()).stderr(File::create(&err).unwrap());
        let mut child = command.spawn().unwrap();
        let begun = Instant::now();
        let status = loop {
            if let Some(status) = child.try_wait().unwrap() {
                break status;
            }
            if begun.elapsed() > LIMIT {
                child.kill().unwrap();
                child.wait().unwrap();
                panic!("{arguments:?} hangs: {}", fs::read_to_string(&err).unwrap_or_default());
            }
            std::thread::sleep(Duration::from_millis(10));
        };
        ran(std::process::Output { status, stdout: fs::read(&out).unwrap(), stderr: fs::read(&err).unwrap() })
    }

    /// Runs with `--json` and must be refused: this code, one sentence that holds all these words (its hint counts), the same
    /// for people and for programs.
    #[track_caller]
    pub fn refused(&self, who: &str, arguments: &[&str], code: i32, words: &[&str]) -> Ran {
        self.refused_command(self.house.command(who, arguments), arguments, code, words)
    }

    #[track_caller]
    pub fn refused_command(
        &self,
        mut command: Command,
        arguments: &[&str],
        code: i32,
        words: &[&str],
    ) -> Ran {
        command.arg("--json");
        let ended = self.run_command(command, arguments).code(code);
        let said = ended.lines().pop().unwrap_or_else(|| panic!("{arguments:?}: no JSON"));
        let said = &said["error"];
        assert_eq!(said["exit"], code, "{arguments:?}: {said}");
        let sentence = said["sentence"].as_str().unwrap_or_else(|| panic!("{arguments:?}: {said}"));
        let errors: Vec<&str> = ended.err.lines().filter(|line| line.starts_with("error: ")).collect();
        assert_eq!(errors.len(), 1, "{arguments:?}: {}", ended.err);
        assert!(
            errors[0].contains(sentence.lines().next().unwrap()),
            "{arguments:?}: {} {sentence}",
            errors[0]
        );
        for word in words {
            let text = format!("{sentence} {}", said["hint"].as_str().unwrap_or_default());
            assert!(text.contains(word), "{arguments:?}: '{word}' is not in: {text}");
        }
        ended
    }

    /// Everything that the account has, nano-TATAU, once nothing of it is left behind in an escrow.
    #[track_caller]
    pub fn money(&self, who: &str) -> i64 {
        let begun = Instant::now();
        loop {
            let wallet = self.run(who, &["wallet", "--json"]).code(0).json();
            let left = wallet["balances"].as_array().unwrap().iter().find(|line| {
                let account = line["account"].as_str().unwrap();
                let own = account.ends_with("/available") || account.contains("/stake-");
                !own && line["amount"] != 0
            });
            let Some(left) = left else { return wallet["total"].as_i64().unwrap() };
            assert!(begun.elapsed() < SETTLED, "left behind: {left}");
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    /// Refused, and at the cost of a small inspection at most.
    #[track_caller]
    pub fn refused_cheaply(&self, arguments: &[&str], code: i32, words: &[&str], most: i64) -> Ran {
        let before = self.money("ana");
        let ended = self.refused("ana", arguments, code, words);
        let cost = before - self.money("ana");
        assert!((0..=most).contains(&cost), "{arguments:?} cost {cost} nano-TATAU");
        ended
    }

    pub fn path(&self, name: &str) -> String {
        self.house.path(name).display().to_string()
    }
}

/// No accident of the program, and nothing that steers a terminal.
#[track_caller]
fn harmless(ended: &Ran, arguments: &[&str]) {
    for text in [&ended.out, &ended.err] {
        for accident in ["panicked", "a fault of tatau itself", "RUST_BACKTRACE", "thread '", "Traceback"] {
            assert!(!text.contains(accident), "{arguments:?}: {text}");
        }
        let odd = text.chars().find(|c| c.is_control() && !"\n\t".contains(*c));
        assert_eq!(odd, None, "{arguments:?}: {text:?}");
    }
}

/// The number in the first event of this name.
#[track_caller]
pub fn job_of(ended: &Ran, event: &str) -> String {
    let lines = ended.lines();
    let line = lines
        .iter()
        .find(|line| line["event"] == event)
        .unwrap_or_else(|| panic!("no {event}: {}", ended.out));
    line["job"].to_string()
}

/// Runs one case; what goes wrong is written down, and the next one has its turn.
pub fn case(failures: &mut Vec<String>, name: &str, run: impl FnOnce()) {
    let begun = Instant::now();
    let done = std::panic::catch_unwind(std::panic::AssertUnwindSafe(run));
    let seconds = begun.elapsed().as_secs_f64();
    let Err(payload) = done else {
        eprintln!("{seconds:6.1} s  {name}");
        return;
    };
    let text = payload.downcast_ref::<String>().cloned();
    let text = text.or_else(|| payload.downcast_ref::<&str>().map(|text| (*text).to_owned()));
    eprintln!("{seconds:6.1} s  {name}: FAILED");
    failures.push(format!("{name}: {}", text.unwrap_or_default()));
}

/// Every file below a folder, links not followed.
pub fn below(dir: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut queue = vec![dir.to_path_buf()];
    while let Some(dir) = queue.pop() {
        for entry in fs::read_dir(&dir).into_iter().flatten().flatten() {
            match entry.file_type() {
                Ok(kind) if kind.is_dir() => queue.push(entry.path()),
                _ => found.push(entry.path()),
            }
        }
    }
    found
}

/// A member of a JSON line, as text.
pub fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().unwrap_or_default()
}
