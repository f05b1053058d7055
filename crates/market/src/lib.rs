//! Who gets which work, when, and when it is taken back: matching, lease terms, retry. Pure.
//!
//! Owns: strategies, eligibility of offers, lease deadlines, whose fault a failure is.
//! Refuses: money (ledger), judging work (audit), state (engine).

pub use tatau_model::Change;
