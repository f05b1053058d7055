//! All SQL: the market's changes made durable, its open state read back, its history answered.
//!
//! Owns: the SQLite file of one data directory (WAL, synchronous FULL), its schema and migrations, the one [`Store`]
//! that writes, the [`Reader`]s that answer pages, and the audit of the books. Refuses: deciding anything. A batch is
//! written whole or not at all, and only if its journal entries follow each other, sum to zero and are covered; a
//! read that fails is an error, never an empty answer.
//!
//! | in memory | persisted | recovers by |
//! |---|---|---|
//! | identifiers and amounts of accounts in use (a cache) | everything in a [`tatau_model::Change`] but `Seen` | [`Store::load`]: open rows, all accounts and nodes |

mod batch;
mod books;
mod earned;
mod error;
mod file;
mod forget;
mod joins;
mod keep;
mod load;
mod money;
mod notices;
mod passwords;
mod reader;
mod rows;
mod samples;
mod sessions;
mod store;
mod write;

pub use books::BooksReport;
pub use earned::QUARTER_MS;
pub use error::StoreError;
pub use joins::{JoinCode, MAX_JOINS};
pub use keep::{MAX_LOG_BYTES, MAX_SETTING_BYTES, TokenHash, TokenRecord};
pub use load::{Loaded, Unbonding};
pub use notices::{Channel, Codes, Happened, Mailbox, Notice, NotifyRecord, Webhook};
pub use passwords::{MAX_SIGN_IN_NAME, PasswordRecord};
pub use reader::{CardEarned, ChangedTask, Held, InUse, OwnerEarned, Reader, Spans, StatementRow, Totals};
pub use samples::{ClassSample, Sample, Verified};
pub use sessions::SessionRecord;
pub use store::Store;
