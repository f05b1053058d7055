//! What a kind of work is: which tasks it has, what they weigh, what is re-computed of them, what they deliver. Pure.
//!
//! Owns: planners, frames, work units and reference times, the parts that audits draw, orders for nodes, the
//! comparator's questions and answers, traces, inspection reports, quotes, the render bundle, the runtime's files.
//! Refuses: IO, clocks, randomness, money that moves (ledger), who gets which work (market), verdicts (audit).
//!
//! **Architecture invariant.** Strangers' bytes (templates, reports, traces, measurements) are parsed here with limits, and
//! what does not fit is refused with a sentence; nothing is filled in for what could not be read.

pub mod audit;
pub mod blend;
pub mod bundle_files;
pub mod energy;
#[cfg(test)]
mod fixtures;
pub mod frames;
pub mod inspection;
pub mod judge;
pub mod order;
pub mod planner;
pub mod program;
pub mod quote;
pub mod runtime;
pub mod template;
pub mod tiles;
pub mod trace;
pub mod units;
