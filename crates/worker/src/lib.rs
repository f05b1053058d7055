//! What a node does with one piece of work: fetch its inputs, provision its environment, run it in a sandboxed session, collect
//! and sign what it left. The provider's agent and the validator share it; the platform's comparator uses its environments.
//!
//! Refuses: any decision about what to take, when, or at what price; any byte that does not fit its name; any default in place
//! of a reading that failed.

mod bench;
mod cards;
mod collect;
pub mod environment;
mod fault;
mod graphics;
mod inputs;
mod line;
mod membership;
mod memory;
mod node;
mod outbox;
mod patience;
mod platform;
mod programs;
mod readings;
mod runtime_files;
mod workplaces;

pub use bench::{Bench, BenchOptions, Place, Ran};
pub use cards::{CardsError, Machine};
pub use collect::{Collected, check_names, collect, collect_audit};
pub use environment::{EnvironmentError, Recipe, Stage, provision};
pub use fault::Fault;
pub use graphics::{Gpu, Gpus, gpus};
pub use inputs::{Inputs, InputsError, Prepared, Room, SessionKey};
pub use line::{Assignment, Outlet, work_line};
pub use membership::{Delegated, Joined, Membership, MembershipError, Right};
pub use node::{NodeError, NodeEvent, NodeOptions, Role, Started, start_node};
pub use outbox::{Outbox, OutboxError};
pub use patience::{Backoff, Stop, StopSignal, told, unwelcome, worth_waiting};
pub use platform::Platform;
pub use programs::{Found, programs};
pub use readings::{GraphicsReading, Meters, Reading, Readings, Supply, disk_free_mib};
pub use runtime_files::write_runtime;
pub use tatau_sandbox::{Licence, TaskEvent, runner::main as session_main};
