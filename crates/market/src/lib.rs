//! Who gets which work, when, and when it is taken back: strategies, lease terms, whose fault. Pure.
//!
//! Owns: in which order jobs are served, which offers a job's strategy admits, how long a lease lasts, when a failure is the buyer's.
//! Refuses: money (ledger), judging work (audit), state (engine).

mod admit;
mod blame;
mod lease;
mod queue;
mod who;

pub use admit::{admits, limit_of_sorted, unit_price_limit};
pub use blame::{Blame, blame, may_be_buyers};
pub use lease::{LeaseTerms, expected_ms};
pub use queue::{by_priority, in_time};
pub use tatau_model::Change;
pub use who::{Standing, may_see};
