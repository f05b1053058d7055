//! The program `tatau`, as people call it.

mod arguments;
mod market;
mod platform;
mod provide;
#[path = "../support/mod.rs"]
mod support;
