//! The agent's side of a session: start it, give it tasks, end it. Everything that comes out is bounded and cleaned here.

mod inside;
mod told;

use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::time::{Duration, Instant};

use tokio::process::{ChildStdin, ChildStdout};

pub use self::told::{Outcome, OutputFile, SessionSpec, TaskEvent, TaskOutcome};

use self::inside::Inside;
use crate::outputs::Receiver;
use crate::policy::Limits;
use crate::text::{Tail, Word, clean, word};
use crate::wire::{self, FromRunner, TaskEnd, ToRunner};
use crate::{Policy, SandboxError};

/// One running sandbox. Dropping it kills every process inside.
#[derive(Debug)]
pub struct Session {
    inside: Inside,
    input: ChildStdin,
    output: ChildStdout,
    limits: Limits,
    start_log: String,
    state: State,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// The runner has not been heard yet.
    Silent,
    /// It can run a task.
    Ready,
    /// Open Job Description runs no task after a failed one; the environments can be exited.
    Ending,
    /// Killed, or its pipe is out of step.
    Over,
}

/// Seconds beyond a task's own that the runner has for killing it.
const GRACE_SECONDS: u64 = 15;
/// Slowest sensible transfer of outputs, in bytes per second.
const TRANSFER_BYTES_PER_SECOND: u64 = 8 << 20;
/// Seconds for exiting the environments.
const CLOSE_SECONDS: u64 = 15;
/// The code of a start that ran out of memory.
const OUT_OF_MEMORY: &str = "OUT_OF_MEMORY";

impl Session {
    /// Spawns the sandbox and enters the job's and the step's environments.
    ///
    /// # Errors
    /// Any [`SandboxError`]; nothing is left running.
    pub async fn start(policy: &Policy, spec: &SessionSpec) -> Result<Self, SandboxError> {
        let (inside, input, output) = inside::launch(policy).await?;
        let limits = policy.limits.clone();
        let mut session =
            Self { inside, input, output, limits, start_log: String::new(), state: State::Silent };
        let limits = &policy.limits;
        let start = ToRunner::Start {
            template: spec.template.clone(),
            parameters: spec.parameters.clone(),
            step: spec.step.clone(),
            output_files: limits.output_files,
            output_bytes: limits.output_bytes,
            log_bytes: limits.log_bytes,
        };
        let mut tail = Tail::default();
        let started =
            tokio::time::timeout(Duration::from_secs(limits.start_seconds), session.enter(&start, &mut tail))
                .await;
        let sentence = match started {
            Ok(Ok(Entered::Yes)) => {
                session.start_log = tail.text();
                session.state = State::Ready;
                return Ok(session);
            }
            Ok(Ok(Entered::No(sentence))) => sentence,
            Ok(Ok(Entered::Unconfined(error))) => {
                session.inside.end().await;
                return Err(error);
            }
            Ok(Err(error)) => {
                let sentence = session.inside.obituary(&error).await;
                if session.state == State::Silent {
                    session.inside.end().await;
                    let mend = "look at what the doctor says of bubblewrap and user namespaces".into();
                    return Err(SandboxError::Unsupported { lack: sentence, mend });
                }
                sentence
            }
            Err(_) => format!("the environments were not entered within {} s", limits.start_seconds),
        };
        let oom = session.inside.usage().oom_kills.is_some_and(|kills| kills > 0);
        session.inside.end().await;
        let (code, sentence) = match tail.error.take() {
            Some((code, told)) => (Some(code), told),
            None if oom => {
                (Some(OUT_OF_MEMORY.to_owned()), "the session's memory limit was reached".to_owned())
            }
            None => (None, sentence),
        };
        Err(SandboxError::Start { code, sentence, log_tail: tail.text() })
    }

    /// Waits for the runner, makes sure of the limits, then lets it enter the environments.
    async fn enter(&mut self, start: &ToRunner, tail: &mut Tail) -> io::Result<Entered> {
        let out_of_turn = || io::Error::other("the runner spoke out of turn");
        match wire::receive(&mut self.output).await? {
            Some((FromRunner::Hello, _)) => self.state = State::Ending,
            Some(_) => return Err(out_of_turn()),
            None => return Err(io::ErrorKind::UnexpectedEof.into()),
        }
        if let Err(error) = self.inside.confined(&self.limits) {
            return Ok(Entered::Unconfined(error));
        }
        wire::send(&mut self.input, start).await?;
        loop {
            match wire::receive(&mut self.output).await? {
                Some((FromRunner::Log(line), _)) => _ = hear(tail, &line),
                Some((FromRunner::Ready, _)) => return Ok(Entered::Yes),
                Some((FromRunner::Refused { sentence }, _)) => return Ok(Entered::No(clean(&sentence))),
                Some(_) => return Err(out_of_turn()),
                None => return Err(io::ErrorKind::UnexpectedEof.into()),
            }
        }
    }

    /// The last lines of what the environments said while they were entered.
    pub fn start_log(&self) -> &str {
        &self.start_log
    }

    /// Runs one task and writes what it leaves in `/work/out` as new files under `outputs`.
    ///
    /// After a task that failed, ran out of time or out of memory the session runs no other: see [`TaskOutcome::session_alive`].
    ///
    /// # Errors
    /// [`SandboxError`] when the session itself broke; a task that fails is an [`Outcome`]. Not to be cancelled: drop the session.
    pub async fn run_task(
        &mut self,
        parameters: &BTreeMap<String, String>,
        outputs: &Path,
        on: &mut (dyn FnMut(TaskEvent) + Send),
    ) -> Result<TaskOutcome, SandboxError> {
        self.run_task_after(parameters, None, outputs, on).await
    }

    /// As [`Self::run_task`], where the files of the folder `earlier` inside the sandbox lie in `/work/out` already, as links: what
    /// earlier tasks left. They are no outputs of this one, unless it writes others in their places.
    ///
    /// # Errors
    /// As [`Self::run_task`].
    pub async fn run_task_after(
        &mut self,
        parameters: &BTreeMap<String, String>,
        earlier: Option<String>,
        outputs: &Path,
        on: &mut (dyn FnMut(TaskEvent) + Send),
    ) -> Result<TaskOutcome, SandboxError> {
        if self.state != State::Ready {
            return Err(SandboxError::Dead {
                sentence: "an earlier task ended it; start another session".into(),
                log_tail: String::new(),
            });
        }
        // Cancelled in the middle, the pipe would be out of step.
        self.state = State::Over;
        let (began, before) = (Instant::now(), self.inside.usage());
        let mut tail = Tail::default();
        let mut receiver = Receiver::new(outputs, self.limits.output_files, self.limits.output_bytes);
        let seconds = self.limits.task_seconds;
        let transfer = self.limits.output_bytes / TRANSFER_BYTES_PER_SECOND;
        let deadline = Duration::from_secs(seconds.saturating_add(GRACE_SECONDS).saturating_add(transfer));
        let task = ToRunner::Task { parameters: parameters.clone(), before: earlier, seconds };
        let ended = tokio::time::timeout(deadline, self.follow(&task, &mut tail, &mut receiver, on)).await;
        let after = self.inside.usage();
        // Where the kernel does not tell, nothing is claimed.
        let oom = before.oom_kills.zip(after.oom_kills).is_some_and(|(before, after)| after > before);
        let exit = match ended {
            Ok(Ok(TaskEnd::Success)) => Outcome::Success,
            _ if oom => Outcome::OutOfMemory,
            Ok(Ok(end)) => outcome(end, &tail),
            Err(_) => Outcome::TimedOut,
            Ok(Err(Fault::Pipe(error))) => {
                let sentence = self.inside.obituary(&error).await;
                self.inside.end().await;
                receiver.discard().await;
                return Err(SandboxError::Dead { sentence, log_tail: tail.text() });
            }
            Ok(Err(Fault::Disk(source))) => {
                self.inside.end().await;
                receiver.discard().await;
                let what = format!("writing outputs to {}", outputs.display());
                return Err(SandboxError::Io { what, source });
            }
        };
        match exit {
            Outcome::Success | Outcome::OutputTooLarge { .. } | Outcome::OutputRefused { .. } => {
                self.state = State::Ready;
            }
            Outcome::Failed { .. } => self.state = State::Ending,
            Outcome::TimedOut | Outcome::OutOfMemory => self.inside.end().await,
        }
        let (exit, files) = if exit == Outcome::Success {
            let files = receiver.done().map_err(SandboxError::io("receiving the outputs"))?;
            (exit, files)
        } else {
            receiver.discard().await;
            (exit, Vec::new())
        };
        Ok(TaskOutcome {
            exit,
            files,
            log_tail: tail.text(),
            cpu_ms: after.cpu_us.zip(before.cpu_us).map(|(a, b)| a.saturating_sub(b) / 1000),
            wall_ms: began.elapsed().as_millis() as u64,
            peak_memory: after.peak_bytes,
            session_alive: self.state == State::Ready,
        })
    }

    async fn follow(
        &mut self,
        task: &ToRunner,
        tail: &mut Tail,
        receiver: &mut Receiver,
        on: &mut (dyn FnMut(TaskEvent) + Send),
    ) -> Result<TaskEnd, Fault> {
        wire::send(&mut self.input, task).await.map_err(Fault::Pipe)?;
        // The runner keeps the budget; a broken one must not flood the agent either.
        let mut lines = self.limits.log_bytes.saturating_mul(2).saturating_add(1 << 20);
        loop {
            let frame = wire::receive(&mut self.output).await.map_err(Fault::Pipe)?;
            let Some((message, body)) = frame else {
                return Err(Fault::Pipe(io::ErrorKind::UnexpectedEof.into()));
            };
            match message {
                FromRunner::Log(line) => {
                    lines = lines.checked_sub(line.len() as u64 + 1).ok_or_else(|| {
                        Fault::Pipe(io::Error::other("the runner sent more log than allowed"))
                    })?;
                    on(hear(tail, &line));
                }
                FromRunner::File { name, bytes } => receiver.file(name, bytes).await.map_err(Fault::from)?,
                FromRunner::Chunk => receiver.chunk(&body).await.map_err(Fault::from)?,
                FromRunner::Done(end) => return Ok(end),
                FromRunner::Hello | FromRunner::Ready | FromRunner::Refused { .. } | FromRunner::Closed => {
                    return Err(Fault::Pipe(io::Error::other("the runner spoke out of turn")));
                }
            }
        }
    }

    /// Exits the environments (their `onExit` runs), then ends every process inside and waits until they are gone.
    pub async fn close(mut self) {
        if self.state != State::Over {
            let exited = tokio::time::timeout(Duration::from_secs(CLOSE_SECONDS), async {
                wire::send(&mut self.input, &ToRunner::Close).await?;
                while let Some((message, _)) = wire::receive::<FromRunner>(&mut self.output).await? {
                    if matches!(message, FromRunner::Closed) {
                        break;
                    }
                }
                io::Result::Ok(())
            });
            if !matches!(exited.await, Ok(Ok(()))) {
                tracing::debug!("a session did not exit its environments; it is killed");
            }
        }
        self.inside.end().await;
    }
}

/// How entering the environments went.
enum Entered {
    Yes,
    /// The runner's reason.
    No(String),
    /// The limits do not hold.
    Unconfined(SandboxError),
}

enum Fault {
    Pipe(io::Error),
    Disk(io::Error),
}

impl From<io::Error> for Fault {
    /// Of receiving outputs: a broken protocol is the runner's, all else this machine's.
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::InvalidData => Self::Pipe(error),
            _ => Self::Disk(error),
        }
    }
}

/// Cleans a line, remembers it, and says what it means.
fn hear(tail: &mut Tail, line: &str) -> TaskEvent {
    let line = clean(line);
    let meaning = word(&line);
    tail.push(line.clone());
    match meaning {
        Some(Word::Progress(percent)) => TaskEvent::Progress(percent),
        Some(Word::Error { code, sentence }) => {
            tail.error = Some((code, sentence));
            TaskEvent::Log(line)
        }
        None => TaskEvent::Log(line),
    }
}

fn outcome(end: TaskEnd, tail: &Tail) -> Outcome {
    match end {
        TaskEnd::Success => Outcome::Success,
        TaskEnd::Failed { sentence } => match tail.error.clone() {
            Some((code, sentence)) => Outcome::Failed { code: Some(code), sentence },
            None => Outcome::Failed { code: None, sentence: clean(&sentence) },
        },
        TaskEnd::TimedOut => Outcome::TimedOut,
        TaskEnd::OutputTooLarge { sentence } => Outcome::OutputTooLarge { sentence: clean(&sentence) },
        TaskEnd::OutputRefused { sentence } => Outcome::OutputRefused { sentence: clean(&sentence) },
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_session_may_cross_threads() {
        fn crosses<T: Send>(_: &T) {}
        let start = super::Session::start;
        let _ = |policy, spec| crosses(&start(policy, spec));
        let _ = |session: &mut super::Session, values, path| {
            crosses(&session.run_task(values, path, &mut |_| {}));
        };
        let _ = |session: super::Session| crosses(&session.close());
    }
}
