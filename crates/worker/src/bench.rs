//! The place where one card works: its resident sessions, and one task at a time.

use crate::{Fault, Prepared, Room, SessionKey, fault::tail};
use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};
use tatau_model::{Card, Work, environment::serves};
use tatau_sandbox::{Licence, Limits, Policy, SandboxError, Session, SessionSpec, TaskEvent};

/// Seconds that entering a session's environments may take (a large scene is opened in them).
const START_SECONDS: u64 = 600;
/// Inner limit of one task, seconds; each order's own, shorter one is kept here.
const TASK_SECONDS: u64 = 24 * 3600;
/// Output of one task, bytes and files.
const OUTPUT_BYTES: u64 = 4 << 30;
const OUTPUT_FILES: u32 = 256;
/// Log of one task, bytes.
const TASK_LOG_BYTES: u64 = 1 << 20;
/// Processes and threads besides those that compute.
const SPARE_PROCESSES: u32 = 192;
/// Most log kept for the report, bytes.
const KEPT_LOG_BYTES: usize = 32 << 10;

/// What a bench is made of.
#[derive(Debug, Clone)]
pub struct BenchOptions {
    /// Environments that are ready, by name.
    pub places: BTreeMap<String, Place>,
    /// The binary with the session runner, and its arguments.
    pub runner: PathBuf,
    /// `["session"]` for `tatau`.
    pub runner_args: Vec<String>,
    /// The card: its threads limit the sessions.
    pub card: Card,
    /// Memory of the machine that a session may use, MiB.
    pub memory_mib: u64,
    /// Device nodes of the card.
    pub devices: Vec<PathBuf>,
    /// What else work on the card has to be shown, read-only.
    pub shown: Vec<PathBuf>,
    /// Resident sessions, at least 1.
    pub most_sessions: usize,
    /// A session that did nothing for so long is ended.
    pub idle: Duration,
}

/// Folders of one environment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The environment, seen as `/env`.
    pub environment: PathBuf,
    /// The runtime's programs, seen as `/runtime`.
    pub runtime: PathBuf,
    /// The licence server that its sessions reach.
    pub licence: Option<Licence>,
}

/// What a task left.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ran {
    /// Names of the files in the outputs folder.
    pub names: Vec<String>,
    /// Trailing log.
    pub log: String,
    /// Milliseconds from request to the last byte of output.
    pub wall_ms: u64,
    /// CPU milliseconds of the session, where they are counted.
    pub cpu_ms: Option<u64>,
    /// Milliseconds that opening the session took; 0 where it was open.
    pub start_ms: u64,
}

#[derive(Debug)]
struct Resident {
    room: Arc<Room>,
    session: Session,
    used: Instant,
}

/// One card's sessions. Dropping it ends them.
#[derive(Debug)]
pub struct Bench {
    options: BenchOptions,
    resident: Vec<Resident>,
}

impl Bench {
    /// Without sessions.
    pub fn new(options: BenchOptions) -> Self {
        Self { options, resident: Vec::new() }
    }

    /// Sessions that are open, the last used last.
    pub fn warm(&self) -> impl Iterator<Item = &SessionKey> {
        self.resident.iter().map(|r| r.room.key())
    }

    /// Runs one task in its session, opening that first where it is not open; what it leaves lies in `outputs`, an empty
    /// folder. A session that broke since its last task is opened once more. Dropping the future ends task and session.
    pub async fn run(
        &mut self,
        task: &Prepared,
        outputs: &Path,
        on: &mut (dyn FnMut(TaskEvent) + Send),
    ) -> Result<Ran, Fault> {
        let limit = Duration::from_millis(task.order.limit_ms.max(1));
        let mut log = String::new();
        let mut hear = |event: TaskEvent| {
            if let TaskEvent::Log(line) = &event {
                log.push_str(line);
                log.push('\n');
                if log.len() > 2 * KEPT_LOG_BYTES {
                    log = tail(std::mem::take(&mut log), KEPT_LOG_BYTES);
                }
            }
            on(event);
        };
        let ran = self.try_run(task, outputs, limit, &mut hear).await;
        let log = tail(log, KEPT_LOG_BYTES);
        match ran {
            Ok(mut ran) => {
                ran.log = log;
                Ok(ran)
            }
            Err(fault) if log.is_empty() => Err(fault),
            Err(fault) => Err(fault.with_log(log)),
        }
    }

    async fn try_run(
        &mut self,
        task: &Prepared,
        outputs: &Path,
        limit: Duration,
        hear: &mut (dyn FnMut(TaskEvent) + Send),
    ) -> Result<Ran, Fault> {
        let warm = self.resident.iter().position(|r| r.room.key() == task.room.key());
        if let Some(i) = warm {
            // Taken out while it works: if this future is dropped, so is the session.
            let mut resident = self.resident.remove(i);
            match run_in(&mut resident.session, task, outputs, limit, hear).await {
                Err(SandboxError::Dead { sentence, .. }) => {
                    tracing::info!(
                        holder = task.holder,
                        sentence,
                        "a resident session is gone; opening another"
                    );
                    drop(resident);
                }
                other => return self.ended(resident, other, 0),
            }
        }
        self.make_place();
        let began = Instant::now();
        let order = &task.order.session;
        let spec = SessionSpec {
            template: order.template.clone(),
            parameters: order.parameters.clone(),
            step: order.step.clone(),
        };
        let found = self.options.places.iter().find(|(name, _)| serves(name, &order.environment));
        let place = found.map(|(_, place)| place).ok_or_else(|| {
            Fault::new(
                "no_environment",
                format!("this node does not have the environment '{}'", order.environment),
            )
        })?;
        if let Some(licence) = &place.licence {
            task.room.open_doors(licence).map_err(|e| {
                Fault::new("disk", format!("the way to the licence server could not be made: {e}"))
            })?;
        }
        let session = Session::start(&self.policy(place, &task.room), &spec).await?;
        let start_ms = ms(began.elapsed());
        let mut resident = Resident { room: Arc::clone(&task.room), session, used: Instant::now() };
        let ran = run_in(&mut resident.session, task, outputs, limit, hear).await;
        self.ended(resident, ran, start_ms)
    }

    /// Keeps the session if it can go on, and says what its task yielded.
    fn ended(
        &mut self,
        mut resident: Resident,
        ran: Result<Option<tatau_sandbox::TaskOutcome>, SandboxError>,
        start_ms: u64,
    ) -> Result<Ran, Fault> {
        let outcome = ran?.ok_or_else(Fault::timed_out)?;
        if outcome.session_alive {
            resident.used = Instant::now();
            self.resident.push(resident);
        } else {
            close(resident);
        }
        match Fault::of_outcome(&outcome.exit) {
            Some(fault) => Err(fault.with_log(outcome.log_tail)),
            None => Ok(Ran {
                names: outcome.files.into_iter().map(|f| f.name).collect(),
                log: String::new(),
                wall_ms: outcome.wall_ms,
                cpu_ms: outcome.cpu_ms,
                start_ms,
            }),
        }
    }

    /// Ends sessions that were idle for long; call it now and then.
    pub fn sweep(&mut self) {
        let idle = self.options.idle;
        let old = self.resident.extract_if(.., |r| r.used.elapsed() >= idle);
        old.for_each(close);
    }

    /// Ends all sessions, letting their environments exit.
    pub async fn close(mut self) {
        for resident in self.resident.drain(..) {
            resident.session.close().await;
        }
    }

    /// Room for one more session: the one that was used longest ago goes.
    fn make_place(&mut self) {
        while self.resident.len() >= self.options.most_sessions.max(1) {
            close(self.resident.remove(0));
        }
    }

    fn policy(&self, place: &Place, room: &Room) -> Policy {
        let options = &self.options;
        let memory_bytes = options.memory_mib << 20;
        Policy {
            env_dir: place.environment.clone(),
            runtime_dir: place.runtime.clone(),
            input_dir: room.dir().to_owned(),
            limits: Limits {
                memory_bytes,
                processes: SPARE_PROCESSES + 4 * options.card.threads,
                scratch_bytes: memory_bytes / 2,
                threads: options.card.threads,
                output_bytes: OUTPUT_BYTES,
                output_files: OUTPUT_FILES,
                log_bytes: TASK_LOG_BYTES,
                task_seconds: TASK_SECONDS,
                start_seconds: START_SECONDS,
            },
            devices: options.devices.clone(),
            shown: options.shown.clone(),
            licence: place.licence.clone(),
            runner: options.runner.clone(),
            runner_args: options.runner_args.clone(),
        }
    }
}

/// `None`: out of time; the session is out of step then and has to go.
async fn run_in(
    session: &mut Session,
    task: &Prepared,
    outputs: &Path,
    limit: Duration,
    hear: &mut (dyn FnMut(TaskEvent) + Send),
) -> Result<Option<tatau_sandbox::TaskOutcome>, SandboxError> {
    let after = matches!(task.order.work, Work::Task { .. }) && !task.order.files.is_empty();
    let before = after.then(|| task.files_inside());
    let running = session.run_task_after(&task.order.parameters, before, outputs, hear);
    match tokio::time::timeout(limit, running).await {
        Ok(ended) => ended.map(Some),
        Err(_) => Ok(None),
    }
}

/// In the background: the next task does not wait for it.
fn close(resident: Resident) {
    tokio::spawn(async move {
        resident.session.close().await;
        drop(resident.room);
    });
}

fn ms(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
