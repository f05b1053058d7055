//! A validator's side of the market: takes audits, re-computes what they ask for, commits, reveals.
//!
//! Blind by construction: an audit order holds inputs only, and the commitment is signed and sent before anything is
//! uploaded. Audits of one scene follow each other in one open session, because loading the scene costs more than a
//! crop. Refuses: verdicts (the platform's comparator gives them) and any look at a claim.

mod courier;
mod desk;
mod entry;
mod options;
mod validate;

pub use entry::Entry;
pub use options::{DEFAULT_ASK, ValidateOptions, ValidatorEvent};
pub use validate::{ValidateError, validate, validate_on};
