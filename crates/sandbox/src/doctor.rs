//! What this machine lacks for running sandboxes, each with its mend.

/// One thing that a sandbox needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    /// What was looked at, a few words.
    pub name: &'static str,
    /// Whether it is as needed.
    pub ok: bool,
    /// What was found; where it is not as needed, what to do, in one sentence.
    pub sentence: String,
}

/// Looks at this machine.
pub fn doctor() -> Vec<Check> {
    Vec::new()
}
