//! The market's whole life, pure: `step(&State, Event, now, rng) -> Outcome`.
//!
//! Owns: how ledger, market, workload and audit compose: accounts, nodes, jobs, leases, receipts, epochs, audits,
//! verdicts, payment, slashing. Refuses: IO, clocks, threads. The server and the tests run this same code.

mod accounts;
mod asks;
mod audits;
mod census;
pub mod config;
mod counts;
mod draft;
pub mod effect;
pub mod event;
mod jobs;
mod lease_ends;
mod leases;
mod nodes;
mod receipts;
mod reuse;
mod sanity;
mod settling;
mod sight;
pub mod state;
mod state_read;
mod step;
mod tick;
mod verdicts;
mod waiting;

pub use asks::Asks;
pub use census::{Census, ClassCensus};
pub use config::Config;
pub use counts::{Counts, completes_frame};
pub(crate) use draft::Draft;
pub use effect::Effect;
pub use event::{Event, Known, NewJob, NodeChange, Outcome, Proof, Refusal, Reply, Terms};
pub use sanity::sanity_check;
pub use state::{Counters, State};
pub use step::step;
pub use tatau_model::Change;
pub use waiting::Waiting;
