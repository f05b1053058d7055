//! API tokens.

pub(crate) mod open;
