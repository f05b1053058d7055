//! The market's whole life, pure: `step(&State, Event, now, rng) -> Outcome`.
//!
//! Owns: how ledger, market, workload and audit compose: accounts, nodes, jobs, leases, receipts, epochs, audits,
//! verdicts, payment, slashing. Refuses: IO, clocks, threads. The server and the tests run this same code.

pub mod config;
pub mod effect;
pub mod event;

pub use config::Config;
pub use effect::Effect;
pub use event::{Event, NewJob, Outcome, Refusal, Reply};
pub use tatau_model::Change;
