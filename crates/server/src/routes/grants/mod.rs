//! Who may read which bytes.

pub(crate) mod open;
