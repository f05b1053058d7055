//! The caller's own account.

pub(crate) mod notify;
pub(crate) mod open;
pub(crate) mod password;
pub(crate) mod show;
pub(crate) mod stake;
pub(crate) mod statement;
pub(crate) mod trust;
