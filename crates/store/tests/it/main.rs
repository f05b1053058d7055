//! The store as its writer and its readers use it.

mod answers;
mod file;
mod killed;
mod market;
mod people;
mod recovery;
