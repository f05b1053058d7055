//! The runner's life: enter the environments, run tasks one by one, exit the environments.

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::process::ExitCode;
use std::time::Duration;

use openjd_sessions::{ActionState, Session, SessionConfig};
use tokio::sync::mpsc;

use super::job::Work;
use super::relay::Relay;
use super::sweep::{self, Stop, Sweep};
use crate::policy::WORK_FOLDERS;
use crate::wire::{self, FromRunner, TaskEnd, ToRunner};

/// Longest that exiting the environments may take.
const EXIT_SECONDS: u64 = 10;

struct Quotas {
    files: u32,
    bytes: u64,
    log: u64,
}

/// Serves the agent until it closes the pipe.
pub(super) fn serve(input: File, output: File) -> io::Result<ExitCode> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let relay = Relay::new(output);
    relay.install()?;
    let (sender, frames) = mpsc::channel(4);
    std::thread::Builder::new().name("frames".into()).spawn(move || read_frames(input, &sender))?;
    let served = runtime.block_on(life(&relay, frames));
    // Nothing inside outlives the runner, so there is nothing to wait for.
    runtime.shutdown_background();
    served
}

fn read_frames(mut input: File, to: &mpsc::Sender<ToRunner>) {
    while let Ok(Some((message, _))) = wire::read::<ToRunner>(&mut input) {
        if to.blocking_send(message).is_err() {
            break;
        }
    }
}

async fn life(relay: &Relay, mut frames: mpsc::Receiver<ToRunner>) -> io::Result<ExitCode> {
    relay.send(&FromRunner::Hello, &[])?;
    let Some(ToRunner::Start { template, parameters, step, output_files, output_bytes, log_bytes }) =
        frames.recv().await
    else {
        return Ok(ExitCode::FAILURE);
    };
    let quotas = Quotas { files: output_files, bytes: output_bytes, log: log_bytes };
    for folder in WORK_FOLDERS {
        std::fs::create_dir_all(folder)?;
    }
    crate::licence::listen_inside().await?;
    relay.allow(quotas.log);
    let refuse = |sentence: String| {
        relay.send(&FromRunner::Refused { sentence }, &[])?;
        Ok(ExitCode::FAILURE)
    };
    let work = match Work::new(&template, &parameters, &step) {
        Ok(work) => work,
        Err(sentence) => return refuse(sentence),
    };
    let mut session = match open(&work) {
        Ok(session) => session,
        Err(sentence) => return refuse(sentence),
    };
    for environment in &work.environments {
        if let Err(error) = session.enter_environment(environment, None, None, None).await {
            return refuse(error.to_string());
        }
    }
    relay.send(&FromRunner::Ready, &[])?;
    loop {
        match frames.recv().await {
            Some(ToRunner::Task { parameters, before, seconds }) => {
                relay.allow(quotas.log);
                let end = tokio::select! {
                    end = task(relay, &work, &mut session, Task { parameters, before, seconds }, &quotas) => end?,
                    // The agent speaks only between tasks: it is gone, and so is the sandbox.
                    _ = frames.recv() => return Ok(ExitCode::FAILURE),
                };
                relay.send(&FromRunner::Done(end), &[])?;
            }
            Some(ToRunner::Close) => {
                relay.allow(quotas.log);
                let _ = tokio::time::timeout(Duration::from_secs(EXIT_SECONDS), exit(&mut session)).await;
                relay.send(&FromRunner::Closed, &[])?;
                return Ok(ExitCode::SUCCESS);
            }
            Some(ToRunner::Start { .. }) | None => return Ok(ExitCode::FAILURE),
        }
    }
}

fn open(work: &Work) -> Result<Session, String> {
    Session::with_config(SessionConfig {
        session_id: "session".to_owned(),
        job_parameter_values: work.values.clone(),
        path_mapping_rules: None,
        retain_working_dir: true,
        callback: None,
        os_env_vars: None,
        session_root_directory: Some("/work/session".into()),
        user: None,
        profile: Some(work.profile.clone()),
        cancel_token: None,
        sticky_bit_policy: openjd_sessions::StickyBitPolicy::Strict,
        debug_collect_stdout: false,
        echo_openjd_directives: true,
    })
    .map_err(|e| e.to_string())
}

/// One task as it is asked for.
struct Task {
    parameters: BTreeMap<String, String>,
    before: Option<String>,
    seconds: u64,
}

async fn task(
    relay: &Relay,
    work: &Work,
    session: &mut Session,
    Task { parameters, before, seconds }: Task,
    quotas: &Quotas,
) -> io::Result<TaskEnd> {
    let set = match work.task(&parameters) {
        Ok(set) => set,
        Err(sentence) => return Ok(TaskEnd::Failed { sentence }),
    };
    if let Err(error) = sweep::clear() {
        return Ok(TaskEnd::Failed { sentence: format!("the outputs folder cannot be emptied: {error}") });
    }
    let links = match before.map(|folder| sweep::Links::lay(folder.as_ref())).transpose() {
        Ok(links) => links.unwrap_or_default(),
        Err(error) => {
            let sentence = format!("the files of earlier tasks cannot be laid out: {error}");
            return Ok(TaskEnd::Failed { sentence });
        }
    };
    let cancel = session.cancel_handle();
    let symbols = work.step.resolved_symtab.as_ref();
    let mut running =
        std::pin::pin!(session.run_task(&work.step.name, &work.step.script, Some(&set), symbols, None));
    let ran = tokio::select! {
        ran = &mut running => ran,
        () = tokio::time::sleep(Duration::from_secs(seconds)) => {
            cancel.cancel(Some(Duration::ZERO), true);
            let _ = running.await;
            return Ok(TaskEnd::TimedOut);
        }
    };
    let end = match ran {
        Ok(result) => match result.state {
            ActionState::Success => TaskEnd::Success,
            ActionState::Timeout => TaskEnd::TimedOut,
            state => TaskEnd::Failed { sentence: exit_sentence(state, result.exit_code) },
        },
        Err(error) => TaskEnd::Failed { sentence: error.to_string() },
    };
    if end != TaskEnd::Success {
        return Ok(end);
    }
    match Sweep::new(relay, &links, quotas.files, quotas.bytes).run() {
        Ok(()) => Ok(TaskEnd::Success),
        Err(Stop::Task(end)) => Ok(end),
        Err(Stop::Io(error)) => {
            Ok(TaskEnd::OutputRefused { sentence: format!("the outputs cannot be read: {error}") })
        }
    }
}

fn exit_sentence(state: ActionState, code: Option<i32>) -> String {
    match code {
        Some(code) => format!("the task's command ended with exit status {code}"),
        None if state == ActionState::Canceled => {
            "the task was canceled by a malformed openjd line".to_owned()
        }
        None => "the task's command was killed by a signal".to_owned(),
    }
}

async fn exit(session: &mut Session) {
    let mut entered = session.environments_entered().to_vec();
    while let Some(environment) = entered.pop() {
        let more = !entered.is_empty();
        // The others are still exited; the log tells.
        let _ = session.exit_environment(&environment, None, more, None).await;
    }
}
