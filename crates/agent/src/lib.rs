//! A provider's side of the market: offers its cards, takes leases over one connection, works, signs, delivers.
//!
//! One line of work a card: while a task runs the next one's inputs are fetched and the last one's outputs go up. Receipts
//! go first, and finished work lies on disk until the platform has it, so that neither a vanished network nor a crash
//! turns a signed receipt into silence.
//!
//! The person at the machine steers it by a [`Cockpit`]: settings, one button, one snapshot of everything; `page` shows that in a
//! browser on the loopback address.
//!
//! Refuses: money, audits, any decision of the market. It never sees a claim of anybody else.

mod attend;
pub mod board;
mod cockpit;
mod control;
mod courier;
pub mod decide;
mod desk;
mod entry;
mod govern;
pub mod idle_command;
mod options;
mod outlet;
pub mod page;
mod provide;
pub mod settings;

pub use cockpit::{Cockpit, Watching};
pub use control::{Control, Wishes};
pub use entry::Entry;
pub use govern::earns_an_hour;
pub use options::{AgentEvent, AsTheyAre, DEFAULT_ASK, Outputs, ProvideOptions};
pub use provide::{ProvideError, provide, provide_on};
