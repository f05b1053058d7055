//! The agent's side of a session: start it, give it tasks, end it. Everything that comes out is bounded and cleaned here.

use std::collections::BTreeMap;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::Path;
use std::process::Child;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::io::AsyncReadExt;
use tokio::process::{ChildStderr, ChildStdin, ChildStdout};

use crate::cgroup::{Group, Usage};
use crate::outputs::Receiver;
use crate::policy::{self, Limits};
use crate::spawn::{self, DropTo, Start};
use crate::text::{Tail, Word, clean, word};
use crate::wire::{self, FromRunner, TaskEnd, ToRunner};
use crate::{Policy, SandboxError};

/// What a session runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionSpec {
    /// The Open Job Description job template, YAML or JSON, already checked by [`crate::bundle::parse_template`].
    pub template: String,
    /// Job parameter values by name.
    pub parameters: BTreeMap<String, String>,
    /// The step whose tasks will run.
    pub step: String,
}

/// What a running task says.
#[derive(Debug, Clone, PartialEq)]
pub enum TaskEvent {
    /// One line of its output, cleaned of control characters, at most 4096 bytes.
    Log(String),
    /// Percent done, 0 to 100.
    Progress(f32),
}

/// How a task ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It exited with zero and its outputs were taken out whole.
    Success,
    /// It failed by itself.
    Failed {
        /// The code of its last `tatau_error: CODE sentence` line.
        code: Option<String>,
        /// That line's sentence, or what is known of the exit.
        sentence: String,
    },
    /// It ran longer than `task_seconds` and was killed.
    TimedOut,
    /// The session's memory limit was reached and a process of it was killed.
    OutOfMemory,
    /// It left more or larger files than the limits allow.
    OutputTooLarge {
        /// Which limit, in one sentence.
        sentence: String,
    },
    /// It left something that is no plain file with a plain name.
    OutputRefused {
        /// What, in one sentence.
        sentence: String,
    },
}

/// A file taken out of the sandbox.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutputFile {
    /// Its name relative to the outputs folder, `/` between folders.
    pub name: String,
    /// Its length in bytes.
    pub bytes: u64,
}

/// What a task did and used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TaskOutcome {
    /// How it ended.
    pub exit: Outcome,
    /// What it left; complete only on [`Outcome::Success`], else empty.
    pub files: Vec<OutputFile>,
    /// The last lines of its log, at most 8 KiB.
    pub log_tail: String,
    /// CPU milliseconds of the whole session while it ran, `None` where the cgroup does not count them.
    pub cpu_ms: Option<u64>,
    /// Milliseconds from request to answer, transfer of outputs included.
    pub wall_ms: u64,
    /// The session's highest memory use so far in bytes, where the cgroup tells.
    pub peak_memory: Option<u64>,
    /// Whether the session can run another task.
    pub session_alive: bool,
}

/// One running sandbox. Dropping it kills every process inside.
#[derive(Debug)]
pub struct Session {
    inside: Inside,
    input: ChildStdin,
    output: ChildStdout,
    stderr: Arc<Mutex<String>>,
    limits: Limits,
    start_log: String,
    state: State,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// It can run a task.
    Ready,
    /// Open Job Description runs no task after a failed one; the environments can be exited.
    Ending,
    /// Killed, or its pipe is out of step.
    Over,
}

/// The processes of a session and their control group; ended on drop.
#[derive(Debug)]
struct Inside {
    held: Option<(Child, Group)>,
}

impl Inside {
    fn usage(&self) -> Usage {
        self.held.as_ref().map(|(_, group)| group.usage()).unwrap_or_default()
    }

    fn take(&mut self) -> Option<impl FnOnce() + Send + use<>> {
        let (mut child, mut group) = self.held.take()?;
        Some(move || {
            // Already dead is as good.
            let _ = child.kill();
            let _ = child.wait();
            group.end();
        })
    }

    /// Kills everything and waits until it is gone.
    async fn end(&mut self) {
        if let Some(end) = self.take()
            && tokio::task::spawn_blocking(end).await.is_err()
        {
            tracing::warn!("the end of a session was interrupted");
        }
    }
}

impl Drop for Inside {
    fn drop(&mut self) {
        let Some((child, _)) = self.held.as_mut() else { return };
        // At once, so that nothing runs on; the rest may take a moment.
        let _ = child.kill();
        if let Some(end) = self.take()
            && let Err(error) = std::thread::Builder::new().name("sandbox-end".into()).spawn(end)
        {
            tracing::warn!(%error, "a session's control group stays until the next session");
        }
    }
}

/// Bytes of the runner's own complaints that are kept.
const STDERR_BYTES: usize = 8 * 1024;
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
        let mut session = Self::spawn(policy).await?;
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
        let started = tokio::time::timeout(Duration::from_secs(limits.start_seconds), async {
            wire::send(&mut session.input, &start).await?;
            loop {
                match wire::receive(&mut session.output).await? {
                    Some((FromRunner::Log(line), _)) => _ = hear(&mut tail, &line),
                    Some((FromRunner::Ready, _)) => return Ok(None),
                    Some((FromRunner::Refused { sentence }, _)) => return Ok(Some(clean(&sentence))),
                    Some(_) => return Err(io::Error::other("the runner spoke out of turn")),
                    None => return Err(io::ErrorKind::UnexpectedEof.into()),
                }
            }
        })
        .await;
        let sentence = match started {
            Ok(Ok(None)) => {
                session.start_log = tail.text();
                return Ok(session);
            }
            Ok(Ok(Some(sentence))) => sentence,
            Ok(Err(error)) => session.obituary(&error).await,
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

    async fn spawn(policy: &Policy) -> Result<Self, SandboxError> {
        policy.limits.check()?;
        let bwrap = crate::doctor::bubblewrap()?;
        let paths = crate::doctor::bound_paths(policy)?;
        let mut kept = Vec::new();
        let fds = policy::Inherited {
            etc: keep(policy::ETC.iter().map(|(_, text)| text.as_bytes()), &mut kept)?,
            seccomp: keep(crate::seccomp::programs()?.iter().map(Vec::as_slice), &mut kept)?,
        };
        let (sources, drop_to) = if nix::unistd::geteuid().is_root() {
            let identity = DropTo::new(&paths).map_err(SandboxError::io("preparing the folders"))?;
            (spawn::staged(), Some(identity))
        } else {
            (paths.map(|(path, _)| path), None)
        };
        let mut arguments = policy::bwrap_arguments(policy, &sources, &fds);
        let mut group = Group::create(&policy.limits)?;
        let (mut program, mut variables) = (bwrap.clone(), Vec::new());
        if let Some(wrapper) = group.wrapper(&policy.limits) {
            let inner = std::mem::take(&mut arguments);
            arguments = wrapper.words;
            arguments.push(bwrap.into());
            arguments.extend(inner);
            (program, variables) = (wrapper.program, wrapper.variables);
        }
        let groups = group.doors().map_err(SandboxError::io("opening the control group"))?;
        let file_bytes = policy.limits.scratch_bytes;
        let start = Start { program, arguments, variables, kept, groups, drop_to, file_bytes };
        let child = spawn::spawn(start).await;
        let mut child = match child {
            Ok(child) => child,
            Err(error) => {
                group.end();
                return Err(SandboxError::io("starting bubblewrap as an unprivileged user")(error));
            }
        };
        let pid = child.id();
        let pipes = (child.stdin.take(), child.stdout.take(), child.stderr.take());
        let mut inside = Inside { held: Some((child, group)) };
        let (Some(input), Some(output), Some(stderr)) = pipes else {
            return Err(SandboxError::Policy("the sandbox was started without pipes".into()));
        };
        if let Some((_, group)) = &mut inside.held {
            group.adopt(pid, &policy.limits)?;
        }
        let pipe = || SandboxError::io("opening the pipes of the sandbox");
        Ok(Self {
            inside,
            input: ChildStdin::from_std(input).map_err(pipe())?,
            output: ChildStdout::from_std(output).map_err(pipe())?,
            stderr: complaints(ChildStderr::from_std(stderr).map_err(pipe())?),
            limits: policy.limits.clone(),
            start_log: String::new(),
            state: State::Ready,
        })
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
        let task = ToRunner::Task { parameters: parameters.clone(), seconds };
        let ended = tokio::time::timeout(deadline, self.follow(&task, &mut tail, &mut receiver, on)).await;
        let after = self.inside.usage();
        let oom = after.oom_kills.unwrap_or(0) > before.oom_kills.unwrap_or(0);
        let exit = match ended {
            Ok(Ok(TaskEnd::Success)) => Outcome::Success,
            _ if oom => Outcome::OutOfMemory,
            Ok(Ok(end)) => outcome(end, &tail),
            Err(_) => Outcome::TimedOut,
            Ok(Err(Fault::Pipe(error))) => {
                let sentence = self.obituary(&error).await;
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
                self.state = State::Ready
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
                FromRunner::Ready | FromRunner::Refused { .. } | FromRunner::Closed => {
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

    /// What is known about a death, in one sentence.
    async fn obituary(&mut self, error: &io::Error) -> String {
        // The last words arrive with the end of the process.
        self.inside.end_soon().await;
        let said = self.stderr.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let said = said.lines().map(clean).rfind(|l| !l.trim().is_empty());
        match (said, error.kind()) {
            (Some(line), _) => format!("the sandbox said: {line}"),
            (None, io::ErrorKind::UnexpectedEof | io::ErrorKind::BrokenPipe) => {
                "its first process was killed from inside".to_owned()
            }
            (None, _) => error.to_string(),
        }
    }
}

impl Inside {
    /// Gives a dying sandbox a moment to be gone, so that its complaint has been read.
    async fn end_soon(&mut self) {
        const TRIES: u32 = 20;
        for _ in 0..TRIES {
            match self.held.as_mut().map(|(child, _)| child.try_wait()) {
                Some(Ok(None)) => tokio::time::sleep(Duration::from_millis(10)).await,
                _ => break,
            }
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
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

/// Collects what `bwrap` and the runner complain about, and reads on so that they never block.
fn complaints(mut stderr: ChildStderr) -> Arc<Mutex<String>> {
    let text = Arc::new(Mutex::new(String::new()));
    let kept = Arc::clone(&text);
    tokio::spawn(async move {
        let mut buffer = [0; 1024];
        while let Ok(n @ 1..) = stderr.read(&mut buffer).await {
            let mut text = kept.lock().unwrap_or_else(PoisonError::into_inner);
            if text.len() < STDERR_BYTES {
                text.push_str(&String::from_utf8_lossy(&buffer[..n]));
            }
        }
    });
    text
}

/// Puts each content into a memory file that the child inherits; answers their numbers.
fn keep<'a>(
    contents: impl Iterator<Item = &'a [u8]>,
    kept: &mut Vec<OwnedFd>,
) -> Result<Vec<i32>, SandboxError> {
    use std::io::{Seek, Write};
    contents
        .map(|content| {
            let flags = nix::sys::memfd::MFdFlags::MFD_CLOEXEC;
            let fd = nix::sys::memfd::memfd_create(c"tatau", flags).map_err(io::Error::from);
            let mut file = std::fs::File::from(fd.map_err(SandboxError::io("making a memory file"))?);
            file.write_all(content)
                .and_then(|()| file.rewind())
                .map_err(SandboxError::io("writing a memory file"))?;
            let number = file.as_raw_fd();
            kept.push(file.into());
            Ok(number)
        })
        .collect()
}
