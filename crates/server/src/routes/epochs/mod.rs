//! The receipt log, for everyone to check.

pub(crate) mod list;
pub(crate) mod receipts;
