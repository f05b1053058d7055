//! Double entry: accounts per owner and purpose, balanced journal entries, balances that never go below zero.
//!
//! Owns: which accounts exist, what a legal entry is, how balances follow from entries.
//! Refuses: deciding when money moves (that is the engine) and keeping it (that is the store).

pub mod books;

pub use books::{Books, LedgerError, Overlay};
pub use tatau_model::{AccountKey, Entry, EntryKind, Leg, Purpose};
