//! A buyer's jobs.

pub(crate) mod cancel;
pub(crate) mod edit;
pub(crate) mod forget;
pub(crate) mod list;
pub(crate) mod log;
pub(crate) mod pause;
pub(crate) mod resume;
pub(crate) mod show;
pub(crate) mod submit;
