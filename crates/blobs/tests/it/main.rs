//! Bytes by their hash.

mod cache;
mod grant;
mod manifest;
mod store;
