//! Signed claims.

pub(crate) mod commit;
