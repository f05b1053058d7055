//! Judging work: from a measured distance to a verdict, from several verdicts to a decision. Pure.
//!
//! Owns: tolerances, how many audits an attempt needs, when agreement suffices to slash.
//! Refuses: comparing pixels (the comparator's runtime does), money, state.
//!
//! **Architecture invariant.** A missing reading is never a pass; a learned score never enters here.

mod decide;
mod policy;
mod tolerance;

pub use decide::{Decision, Judged, decide};
pub use policy::{AuditNeed, need};
pub use tolerance::{Tolerance, is_measured, verdict};
