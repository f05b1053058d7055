//! Bytes by their hash.

mod cache;
mod grant;
mod manifest;
mod pipeline;
mod store;
