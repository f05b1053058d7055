//! What is open to everyone.

pub(crate) mod show;
