//! The buyer's frame list, checked before anything is sent.

use crate::SubmitError;
use tatau_workload::frames;

/// Is `text` a frame list? Gives the frames, each once, in the order written.
pub fn check(text: &str) -> Result<Vec<i32>, SubmitError> {
    frames::parse(text).map_err(|e| SubmitError::Usage(e.to_string()))
}

/// How many frames a list has.
pub fn count(text: &str) -> Result<usize, SubmitError> {
    check(text).map(|frames| frames.len())
}
