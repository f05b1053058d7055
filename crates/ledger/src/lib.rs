//! Double entry: accounts per owner and purpose, balanced journal entries, balances that never go below zero.
//!
//! Owns: which accounts exist, what a legal entry is, how balances follow from entries.
//! Refuses: deciding when money moves (that is the engine) and keeping it (that is the store).

pub mod account;
pub mod books;
pub mod entry;

pub use account::{AccountKey, Purpose};
pub use books::{Books, LedgerError};
pub use entry::{Entry, EntryKind, Leg};
