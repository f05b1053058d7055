//! What runs by itself. Each is safe to run twice and after a crash.

pub(crate) mod epochs;
pub(crate) mod retention;
pub(crate) mod samples;
pub(crate) mod tick;
pub(crate) mod uploads;
