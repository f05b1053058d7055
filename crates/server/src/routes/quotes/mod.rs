//! Prices before paying.

pub(crate) mod make;
