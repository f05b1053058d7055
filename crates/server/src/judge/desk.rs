//! The comparator's session: one resident sandbox without a scene, opened when it is needed, replaced when it breaks.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};
use tatau_sandbox::{Limits, Outcome, Policy, Session, SessionSpec};
use tatau_worker::{Recipe, provision, write_runtime};
use tatau_workload::{judge::MAX_ANSWER_BYTES, order::request_session, runtime, trace};

/// Its environment.
const ENVIRONMENT: &str = "blender-5.0";

/// What the comparator is made of.
#[derive(Debug, Clone)]
pub struct JudgeOptions {
    /// Folder in which environments and the runtime are kept; provisioned where they are missing.
    pub cache: PathBuf,
    /// A ready environment that is used instead of a provisioned one.
    pub environment: Option<PathBuf>,
    /// The binary with the session runner.
    pub runner: PathBuf,
    /// `["session"]` for `tatau`.
    pub runner_args: Vec<String>,
    /// CPU threads it may use.
    pub threads: u32,
}

/// Why there is no answer.
#[derive(Debug)]
pub(super) enum DeskError {
    /// The comparator cannot run here and now.
    Unavailable(String),
    /// It ran and failed.
    Failed(String),
}

/// The session and its folders.
pub(super) struct Desk {
    options: JudgeOptions,
    folder: PathBuf,
    inputs: PathBuf,
    session: Option<Session>,
    asked: u64,
}

impl Desk {
    pub(super) fn new(options: JudgeOptions, folder: PathBuf) -> Self {
        let inputs = folder.join("in");
        // Leftovers of an earlier run.
        for old in [&inputs, &folder.join("out")] {
            if let Err(error) = fs::remove_dir_all(old)
                && error.kind() != std::io::ErrorKind::NotFound
            {
                tracing::warn!(%error, "old files of the comparator stay");
            }
        }
        Self { options, folder, inputs, session: None, asked: 0 }
    }

    /// Folder that the sandbox sees as `/in`.
    pub(super) fn inputs(&self) -> &Path {
        &self.inputs
    }

    /// Runs one request and gives its `result.json`.
    pub(super) async fn ask(&mut self, name: &str, question: &str) -> Result<Vec<u8>, DeskError> {
        let session = match self.session.take() {
            Some(session) => session,
            None => self.open().await?,
        };
        self.asked += 1;
        let requests = self.inputs.join("requests");
        let request = requests.join(format!("{name}.json"));
        let outputs = self.folder.join("out").join(self.asked.to_string());
        let unavailable = |e: std::io::Error| DeskError::Unavailable(format!("the comparator's folder: {e}"));
        fs::create_dir_all(&requests).map_err(unavailable)?;
        fs::write(&request, question).map_err(unavailable)?;
        fs::create_dir_all(&outputs).map_err(unavailable)?;
        let answer = self.run(session, name, &outputs).await;
        for left in [fs::remove_file(&request), fs::remove_dir_all(&outputs)] {
            if let Err(error) = left {
                tracing::debug!(%error, "files of a comparison stay until the next start");
            }
        }
        answer
    }

    async fn run(&mut self, mut session: Session, name: &str, outputs: &Path) -> Result<Vec<u8>, DeskError> {
        let parameters = BTreeMap::from([("Request".to_owned(), format!("/in/requests/{name}.json"))]);
        let ran = session.run_task(&parameters, outputs, &mut |_| {}).await;
        let outcome = ran.map_err(|e| DeskError::Failed(e.to_string()))?;
        if outcome.session_alive {
            self.session = Some(session);
        } else {
            session.close().await;
        }
        match outcome.exit {
            Outcome::Success => read(&outputs.join(trace::RESULT)),
            other => Err(DeskError::Failed(format!("{other:?}").chars().take(300).collect())),
        }
    }

    async fn open(&mut self) -> Result<Session, DeskError> {
        let unavailable =
            |e: &dyn std::fmt::Display| DeskError::Unavailable(format!("the comparator cannot start: {e}"));
        fs::create_dir_all(&self.inputs).map_err(|e| unavailable(&e))?;
        let env_dir = if let Some(dir) = &self.options.environment {
            dir.clone()
        } else {
            let recipe = Recipe::by_name(ENVIRONMENT).map_err(|e| unavailable(&e))?;
            let mut on = |stage| tracing::info!(?stage, "the comparator's environment");
            provision(&self.options.cache, &recipe, &mut on).await.map_err(|e| unavailable(&e))?
        };
        let files: Vec<(&str, &[u8])> =
            runtime::BLENDER.iter().map(|f| (f.name, f.text.as_bytes())).collect();
        let runtime_dir = write_runtime(&self.options.cache, &files).map_err(|e| unavailable(&e))?;
        let policy = Policy {
            env_dir,
            runtime_dir,
            input_dir: self.inputs.clone(),
            limits: limits(self.options.threads),
            devices: Vec::new(),
            shown: Vec::new(),
            licence: None,
            runner: self.options.runner.clone(),
            runner_args: self.options.runner_args.clone(),
        };
        let order = request_session(ENVIRONMENT, "-", None);
        let spec = SessionSpec { template: order.template, parameters: order.parameters, step: order.step };
        Session::start(&policy, &spec).await.map_err(|e| unavailable(&e))
    }

    /// Ends the session.
    pub(super) async fn close(mut self) {
        if let Some(session) = self.session.take() {
            session.close().await;
        }
    }
}

fn limits(threads: u32) -> Limits {
    Limits {
        memory_bytes: 4 << 30,
        processes: 256,
        scratch_bytes: 256 << 20,
        threads,
        output_bytes: 16 << 20,
        output_files: 16,
        log_bytes: 1 << 20,
        task_seconds: 300,
        start_seconds: 180,
    }
}

fn read(path: &Path) -> Result<Vec<u8>, DeskError> {
    let failed =
        |e: std::io::Error| DeskError::Failed(format!("the comparator left no readable answer: {e}"));
    let size = fs::metadata(path).map_err(failed)?.len();
    if size > MAX_ANSWER_BYTES as u64 {
        return Err(DeskError::Failed("the comparator's answer is too long".into()));
    }
    fs::read(path).map_err(failed)
}
