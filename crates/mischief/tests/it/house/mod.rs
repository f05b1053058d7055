//! A market of real processes in a temporary folder, for the tests beside this.
#![allow(dead_code, clippy::unwrap_used)] // each test uses its part

mod child;
mod line;
mod scenes;

pub use child::Running;
pub use line::Line;

use serde_json::{Value, json};
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
    fs,
    net::TcpListener,
    path::{Path, PathBuf},
    process::Command,
    sync::OnceLock,
    time::{Duration, Instant},
};
use tatau_api::{AccountView, Books, JobView, SubmitJob};
use tatau_client::{Client, Credentials, Patience};
use tatau_evidence::SigningKey;
use tatau_model::{Amount, BlobId, Job, JobId, JobState, Strategy};

pub const ENVIRONMENT: &str = "blender-5.0";
/// What everybody asks for an hour of reference work; stakes and prices of the tests follow from it.
pub const ASK: &str = "100";

const MISCHIEF: &str = env!("CARGO_BIN_EXE_tatau-mischief");

/// A folder with a server, parties and their processes.
pub struct House {
    pub home: tempfile::TempDir,
    pub url: String,
    pub python: PathBuf,
    /// Who signed and does not deliver within this is silent, ms.
    pub delivery_ms: u64,
    /// Where nodes dial, if not the server itself.
    pub line: Option<String>,
    tatau: PathBuf,
    mischief: PathBuf,
    cache: PathBuf,
    io: tokio::runtime::Runtime,
}

/// What a process said.
#[derive(Debug)]
pub struct Said {
    pub ok: bool,
    pub out: String,
    pub err: String,
}

/// Builds `tatau`, so that the tests never meet an old one, and gives its path. Whoever has just built everything says so
/// in `TATAU_BUILT`.
fn built() -> PathBuf {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    let build = || {
        let tatau = Path::new(MISCHIEF).with_file_name("tatau");
        if std::env::var_os("TATAU_BUILT").is_some() && tatau.exists() {
            return tatau;
        }
        let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".into());
        let built = Command::new(cargo).args(["build", "--quiet", "--package", "tatau"]).status().unwrap();
        assert!(built.success(), "`cargo build --package tatau` failed");
        tatau
    };
    BUILT.get_or_init(build).clone()
}

/// The project's cache of environments, where a test run finds them made already.
fn cache() -> PathBuf {
    let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../.cache");
    std::env::var_os("TATAU_CACHE").map_or(own, PathBuf::from)
}

impl House {
    pub fn new() -> Self {
        fs::create_dir_all(cache()).unwrap();
        let cache = fs::canonicalize(cache()).unwrap();
        let home = tempfile::Builder::new().prefix("tatau-test-").tempdir().unwrap();
        // The same address after every restart.
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let url = format!("http://127.0.0.1:{port}");
        // Copies: a build that runs meanwhile does not touch them.
        let tatau = home.path().join("tatau");
        let mischief = home.path().join("tatau-mischief");
        fs::copy(built(), &tatau).unwrap();
        fs::copy(MISCHIEF, &mischief).unwrap();
        let io = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let mut house = Self {
            home,
            url,
            python: PathBuf::new(),
            delivery_ms: 8_000,
            line: None,
            tatau,
            mischief,
            cache,
            io,
        };
        let said = house.tatau("setup", &["provide", "environment", ENVIRONMENT, "--print-python"]);
        assert!(said.ok, "no environment: {}", said.err);
        house.python = PathBuf::from(said.out.trim());
        house
    }

    pub fn data(&self, party: &str) -> PathBuf {
        self.home.path().join(party)
    }

    fn environment(&self, party: &str) -> [(&'static str, std::ffi::OsString); 3] {
        [
            ("TATAU_DATA", self.data(party).into()),
            ("TATAU_CACHE", self.cache.clone().into()),
            ("TATAU_SERVER", self.url.clone().into()),
        ]
    }

    /// Runs `tatau` for a party to its end.
    pub fn tatau(&self, party: &str, arguments: &[&str]) -> Said {
        let mut command = Command::new(&self.tatau);
        let answer = command.args(arguments).envs(self.environment(party)).output().unwrap();
        Said {
            ok: answer.status.success(),
            out: String::from_utf8(answer.stdout).unwrap(),
            err: String::from_utf8_lossy(&answer.stderr).into_owned(),
        }
    }

    /// As [`Self::tatau`], which has to work.
    pub fn must(&self, party: &str, arguments: &[&str]) -> String {
        let said = self.tatau(party, arguments);
        assert!(said.ok, "tatau {arguments:?} of {party} failed: {}{}", said.out, said.err);
        said.out
    }

    /// Starts a process of a party; its log is `<home>/<party>.log`, added to at every start.
    pub fn start(&self, program: &Path, party: &str, arguments: &[&str]) -> Running {
        let log = self.home.path().join(format!("{party}.log"));
        Running::start(party, program, arguments, self.environment(party), log)
    }

    /// Starts the server with short windows and waits until it answers.
    pub fn serve(&self) -> Running {
        let config = self.home.path().join("rules.json");
        fs::write(&config, serde_json::to_vec_pretty(&rules(self.delivery_ms)).unwrap()).unwrap();
        let listen = self.url.strip_prefix("http://").unwrap();
        let mut arguments = vec!["serve", "--local", "--listen", listen, "--rules", config.to_str().unwrap()];
        if let Some(line) = &self.line {
            arguments.extend(["--public-url", &self.url, "--public-url", line]);
        }
        let mut server = self.start(&self.tatau, "server", &arguments);
        self.until("the server answers", Duration::from_secs(30), || {
            server.check();
            self.wait(self.client(Credentials::None).healthz()).is_ok()
        });
        server
    }

    /// Puts up stake for a party (which opens its account).
    pub fn stake(&self, party: &str) {
        self.must(party, &["wallet", "stake", "40", "--json"]);
    }

    /// Starts an honest provider or a validator with one slot of one thread.
    pub fn start_node(&self, party: &str, verb: &str) -> Running {
        self.start_node_with(party, verb, &[])
    }

    /// The same with more flags.
    pub fn start_node_with(&self, party: &str, verb: &str, more: &[&str]) -> Running {
        let arguments: &[&str] =
            if verb == "provide" { &[verb, "--headless", "--ask", ASK] } else { &[verb, "--ask", ASK] };
        let mut arguments = node_arguments(arguments, party);
        arguments.extend(more);
        if let Some(line) = &self.line {
            arguments.extend(["--server", line]);
        }
        self.start(&self.tatau, party, &arguments)
    }

    /// Starts a node with a graphics card that is not there, and one slot besides.
    pub fn start_stand_in(&self, party: &str, verb: &str, more: &[&str]) -> Running {
        let slot = ["--slots", "1", "--threads", "1", "--memory-mib", "3000", "--name", party];
        let fixed = [verb, "--ask", ASK, "--stand-in-card", "NVIDIA GeForce RTX 3080"];
        self.start(&self.mischief, party, &[&fixed[..], &slot, more].concat())
    }

    /// Starts a cheat that cheats once and is honest before and after.
    pub fn start_cheat(&self, party: &str, cheat: &str) -> Running {
        let arguments = ["provide", "--ask", ASK, "--cheat", cheat, "--cheat-times", "1"];
        self.start(&self.mischief, party, &node_arguments(&arguments, party))
    }

    pub fn wait<T>(&self, future: impl Future<Output = T>) -> T {
        self.io.block_on(future)
    }

    pub fn client(&self, credentials: Credentials) -> Client {
        Client::new(&self.url, credentials).unwrap().with_patience(Patience::NONE)
    }

    /// The owner's key of a party, made by the party's own first command.
    pub fn key(&self, party: &str) -> SigningKey {
        tatau_evidence::load(&self.data(party).join("owner.key")).unwrap()
    }

    pub fn account(&self, party: &str) -> AccountView {
        self.wait(self.client(Credentials::Key(self.key(party))).account()).unwrap()
    }

    /// Is the party's only card measured?
    pub fn is_measured(&self, party: &str) -> bool {
        let Ok(key) = tatau_evidence::load(&self.data(party).join("node").join("node.key")) else {
            return false;
        };
        let node = self.wait(self.client(Credentials::Key(key)).node());
        node.is_ok_and(|node| node.cards.iter().any(|card| card.score_milli.is_some()))
    }

    /// The buyer's jobs, newest first.
    pub fn jobs(&self) -> Vec<Job> {
        self.wait(self.client(Credentials::Key(self.key("buyer"))).jobs(50)).unwrap()
    }

    pub fn job(&self, id: JobId) -> JobView {
        self.wait(self.client(Credentials::Key(self.key("buyer"))).job(id, 0, 0)).unwrap()
    }

    /// Submits a job like `model` (rendered before) again, under another request key.
    pub fn again(&self, model: &Job, inspection: JobId, frames: &str, key: &str) -> JobId {
        self.again_in(model, inspection, frames, key, "off")
    }

    /// The same in tiles.
    pub fn again_in(&self, model: &Job, inspection: JobId, frames: &str, key: &str, tiles: &str) -> JobId {
        let buyer = self.client(Credentials::Key(self.key("buyer")));
        let bundle = tatau_workload::template::render_bundle(
            key,
            &model.scene,
            &tatau_workload::frames::parse(frames).unwrap(),
        );
        let bundle = bundle.unwrap();
        let inputs: BlobId = model.inputs.unwrap();
        let job = SubmitJob {
            name: key.into(),
            template: Some(bundle.template().to_owned()),
            parameters: bundle.parameters().clone(),
            inputs,
            scene: model.scene.clone(),
            environment: ENVIRONMENT.into(),
            inspection: Some(inspection),
            frames: frames.into(),
            video: false,
            preview: false,
            class: None,
            device: model.device(),
            strategy: Strategy::Fastest,
            fresh: true,
            tiles: tiles.into(),
            program: None,
            machines: tatau_model::Machines::default(),
            cap: Amount::tatau(5),
            request_key: key.into(),
        };
        self.wait(buyer.submit_job(&job)).unwrap().job.id
    }

    /// Follows a job to its end.
    pub fn finish(&self, id: JobId, limit: Duration, mut check: impl FnMut()) -> JobView {
        self.until(&format!("{id} ends"), limit, || {
            check();
            let state = self.job(id).job.state;
            state.is_ended() || matches!(state, JobState::Paused { .. })
        });
        // Tasks are read before their job: those of the look that saw the end may be a moment older than it.
        self.job(id)
    }

    /// What the buyer paid for a job, from its own statement: the attempts that were paid, and their sum.
    pub fn paid(&self, job: JobId) -> (Vec<String>, Amount) {
        let buyer = self.client(Credentials::Key(self.key("buyer")));
        let own = format!("/{job}");
        let (mut attempts, mut sum, mut after) = (Vec::new(), Amount::ZERO, 0);
        loop {
            let page = self.wait(buyer.statement(after, 1_000)).unwrap();
            let Some(last) = page.last() else { return (attempts, sum) };
            after = last.entry;
            for line in page.iter().filter(|line| line.why == "post" && line.account.ends_with(&own)) {
                sum = sum.sub(line.amount).unwrap();
                if line.account.contains("/held/") {
                    attempts.push(line.text.clone());
                }
            }
        }
    }

    /// A finished job: every task accepted once, paid once, and the sum is what the job says that it spent.
    pub fn check_finished(&self, view: &JobView, tasks: usize) {
        let id = view.job.id;
        let stories = stories(view);
        assert_eq!(view.job.state, JobState::Finished, "{id}: {stories:#?}");
        let labels: BTreeSet<String> = view.tasks.iter().map(|task| task.work.label()).collect();
        assert_eq!((view.tasks.len(), labels.len()), (tasks, tasks), "{id}: {labels:?}");
        for task in &view.tasks {
            let accepted = task.story.iter().filter(|line| line.contains(": accepted")).count();
            assert_eq!(
                (&task.state[..], accepted),
                ("accepted", 1),
                "{id}: {}: {:?}",
                task.work.label(),
                task.story
            );
        }
        let (attempts, sum) = self.paid(id);
        let once: BTreeSet<&String> = attempts.iter().collect();
        assert_eq!((attempts.len(), once.len()), (tasks, tasks), "{id} paid {attempts:#?}");
        assert_eq!(sum, view.job.spent, "{id}: what left the escrow is not what was spent");
        assert!(view.job.spent.is_positive() && view.job.spent <= view.job.cap);
    }

    /// Recomputes the books; they have to balance.
    pub fn books(&self) -> Books {
        let said = self.must("server", &["admin", "audit-books", "--json"]);
        let books: Books = serde_json::from_str(&said).unwrap();
        assert!(books.balanced && books.sum == Amount::ZERO && books.problems.is_empty(), "{books:?}");
        books
    }

    /// Waits until no money is in suspense, and gives the balances.
    pub fn settled(&self) -> BTreeMap<String, Amount> {
        let suspended =
            |account: &str| ["/held/", "/pending", "/stake-reserved"].iter().any(|p| account.contains(p));
        let mut books = None;
        self.until("all money settles", Duration::from_mins(1), || {
            let now = self.books();
            let settled = !now.accounts.iter().any(|line| suspended(&line.account));
            books = Some(now);
            settled
        });
        books.unwrap().accounts.into_iter().map(|line| (line.account, line.amount)).collect()
    }

    /// Waits for `done`; a test that waits in vain fails with the logs' ends.
    pub fn until(&self, what: &str, limit: Duration, mut done: impl FnMut() -> bool) {
        let started = Instant::now();
        while !done() {
            assert!(started.elapsed() < limit, "{what}: not within {limit:?}\n{}", self.logs());
            std::thread::sleep(Duration::from_millis(150));
        }
    }

    /// The last lines of every log.
    pub fn logs(&self) -> String {
        let mut text = String::new();
        for entry in fs::read_dir(self.home.path()).unwrap().flatten() {
            if entry.path().extension().is_some_and(|e| e == "log") {
                let log = String::from_utf8_lossy(&fs::read(entry.path()).unwrap()).into_owned();
                let lines: Vec<&str> = log.lines().collect();
                let end = lines[lines.len().saturating_sub(12)..].join("\n");
                let _ = writeln!(text, "--- {}\n{end}", entry.file_name().display());
            }
        }
        text
    }

    pub fn log(&self, party: &str) -> String {
        let log = fs::read(self.home.path().join(format!("{party}.log"))).unwrap();
        String::from_utf8_lossy(&log).into_owned()
    }
}

/// Everything that is told about a job.
pub fn stories(view: &JobView) -> Vec<String> {
    view.tasks
        .iter()
        .flat_map(|t| t.story.iter().map(move |line| format!("{}: {line}", t.work.label())))
        .collect()
}

fn node_arguments<'a>(verb: &[&'a str], party: &'a str) -> Vec<&'a str> {
    let slot = ["--slots", "1", "--threads", "1", "--memory-mib", "1500", "--name", party];
    verb.iter().copied().chain(slot).collect()
}

/// Rules of a local server with windows short enough for a test, and leases and audits that outlast a busy machine.
fn rules(delivery_ms: u64) -> Value {
    json!({
        "dispute_ms": 3_000, "unbond_ms": 6_000, "node_silence_ms": 12_000, "lease_grace_ms": 120_000, "delivery_ms": delivery_ms,
        "audit_ms": 60_000, "earn_in_stake": 50_000_000, "earn_in_accepted": 3, "starter_credit": 100_000_000_000_i64,
        "audit_float": 100_000_000_000_i64, "same_block_allowed": true, "rerun_ppm": 1_000_000
    })
}
