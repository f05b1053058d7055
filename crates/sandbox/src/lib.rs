//! One isolated session: the tasks of a stranger, run on this machine without trusting them.
//!
//! The agent calls [`Session::start`], which spawns one `bwrap` whose first process is [`runner::main`]. The whole Open Job
//! Description runner lives inside; what leaves the sandbox are frames of limited size on one pipe ([`wire`]), and nothing outside
//! interprets them beyond their shape. Outputs are swept out of the sandbox the moment a task ends, so that a process that stays
//! behind cannot alter them.
//!
//! Paths that a task sees: `/env` (environment), `/runtime` (our programs), `/in` (inputs), all read-only; `/work` (scratch, in
//! memory) with `/work/out` (outputs of the running task, swept after it), `/work/tmp` and `/work/home`. No network (but a licence
//! server, where its lender says so: `licence.rs`), no other process, no environment variable of the agent.
//!
//! For those who write templates: an action ends when its command has ended *and* every process that holds its output has closed
//! it, so a server that an `onEnter` leaves behind must send its own output elsewhere (`>/dev/null 2>&1`) and be found again by a
//! fifo or a Unix socket under `/work/tmp`. After a failed task the session runs no other one (Open Job Description says so). A
//! line `tatau_error: CODE sentence` says why something failed, `openjd_progress: 0..100` how far it is.
//!
//! **Architecture invariant.** What a stranger's code may reach is written in `policy.rs` and nowhere else. There is no switch that
//! runs a task without the sandbox or without a memory and process limit: [`Session::start`] refuses, with the mend.

pub mod bundle;
mod cgroup;
mod doctor;
mod error;
mod licence;
mod outputs;
mod policy;
pub mod runner;
mod seccomp;
mod session;
mod spawn;
mod text;
pub mod wire;

pub use doctor::{Check, doctor};
pub use error::SandboxError;
pub use licence::{Doors, Licence};
pub use policy::{Limits, Policy};
pub use session::{Outcome, OutputFile, Session, SessionSpec, TaskEvent, TaskOutcome};
