//! The process that lives inside the sandbox and runs the tasks.

use std::process::ExitCode;

/// The hidden verb `session`: speaks frames on stdin and stdout until they close.
pub fn main() -> ExitCode {
    ExitCode::FAILURE
}
