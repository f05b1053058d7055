//! Bytes on their way out.

pub(crate) mod get;
