//! The process that lives inside the sandbox and runs the tasks.
//!
//! Process 1 of the sandbox is an init that only reaps; its child is the runner. Both are closed to `ptrace` and `/proc` of other
//! processes with the same identity (`PR_SET_DUMPABLE` 0), and the pipe to the agent is inherited by nobody, so that a task cannot
//! speak for the runner. Tasks may kill the runner: then the session ends, which harms only themselves.

mod job;
mod relay;
mod serve;
mod sweep;

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, FromRawFd, OwnedFd};
use std::process::ExitCode;

use nix::fcntl::{FcntlArg, fcntl};
use nix::libc;
use nix::sys::wait::{WaitStatus, wait};
use nix::unistd::{ForkResult, Pid, fork};

/// The hidden verb `session`: speaks frames on stdin and stdout until they close. To be called before any thread exists.
pub fn main() -> ExitCode {
    match enter() {
        Ok(code) => code,
        Err(error) => {
            eprintln!("the session's runner cannot run: {error}");
            ExitCode::FAILURE
        }
    }
}

fn enter() -> io::Result<ExitCode> {
    nix::sys::prctl::set_dumpable(false)?;
    if std::process::id() == 1 {
        // SAFETY: no other thread exists yet, so the child may go on as any process.
        #[allow(unsafe_code)]
        if let ForkResult::Parent { child } = unsafe { fork() }? {
            return Ok(reap_until(child));
        }
    }
    let (input, output) = take_pipes()?;
    serve::serve(input, output)
}

/// Init: collects every orphan until the runner ends; its own end ends all of the sandbox.
fn reap_until(runner: Pid) -> ExitCode {
    loop {
        match wait() {
            Ok(WaitStatus::Exited(pid, status)) if pid == runner => return ExitCode::from(status as u8),
            Ok(WaitStatus::Signaled(pid, signal, _)) if pid == runner => {
                return ExitCode::from(128_u8.wrapping_add(signal as i32 as u8));
            }
            Ok(_) | Err(nix::errno::Errno::EINTR) => {}
            Err(_) => return ExitCode::FAILURE,
        }
    }
}

/// Moves the two pipes away from where children would inherit them, and puts `/dev/null` there.
fn take_pipes() -> io::Result<(File, File)> {
    let input = moved(io::stdin().as_fd())?;
    let output = moved(io::stdout().as_fd())?;
    let null = File::options().read(true).write(true).open("/dev/null")?;
    nix::unistd::dup2_stdin(&null)?;
    nix::unistd::dup2_stdout(&null)?;
    close_on_exec_from(3)?;
    Ok((File::from(input), File::from(output)))
}

fn moved(fd: impl AsFd) -> io::Result<OwnedFd> {
    let raw = fcntl(fd, FcntlArg::F_DUPFD_CLOEXEC(10))?;
    // SAFETY: the number is fresh from the kernel and owned by nobody else.
    #[allow(unsafe_code)]
    Ok(unsafe { OwnedFd::from_raw_fd(raw) })
}

/// Marks all descriptors from `first` on to close at exec. Only a system call: safe after a fork.
pub(crate) fn close_on_exec_from(first: u32) -> io::Result<()> {
    // SAFETY: changes flags of descriptors only; none is closed here.
    #[allow(unsafe_code)]
    let done = unsafe { libc::syscall(libc::SYS_close_range, first, u32::MAX, libc::CLOSE_RANGE_CLOEXEC) };
    nix::errno::Errno::result(done)?;
    Ok(())
}
