//! Blind audits: commitment, reveal.

pub(crate) mod commit;
pub(crate) mod failed;
pub(crate) mod reveal;
