//! The operator's calls.

pub(crate) mod books;
