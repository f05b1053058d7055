//! The platform's server: HTTP at the edge, one writer in the middle, the store beneath.
//!
//! Owns: who a request comes from, limits, routes, the writer's thread, the comparator, background work, start and stop.
//! Refuses: deciding anything about the market (engine), SQL (store), opening a stranger's bytes outside a sandbox.
//!
//! | in memory | persisted | recovers by |
//! |---|---|---|
//! | the market's open state (writer) | every change, before it is answered | loading open rows |
//! | nonces of signed requests | nothing | refusing what was signed before the start |
//! | audits waiting for the comparator | their state | asking the state for revealed audits |
//! | who waits for what | nothing | nodes and buyers ask again |

mod alarms;
mod allowance;
mod app;
mod archive;
mod asks;
mod auth;
mod background;
pub mod backup;
#[doc(hidden)]
pub mod bench;
mod bodies;
mod calendar;
mod error;
mod facts;
mod files;
mod holdings;
mod joins;
mod judge;
mod known;
mod limits;
mod listen;
mod names;
mod nonces;
mod noted;
mod notices;
mod openapi;
mod orders;
mod packing;
mod pages;
mod password;
mod program;
mod pulse;
mod reach;
mod routes;
mod secret;
mod session;
mod site;
mod start;
mod stats;
mod tiling;
mod tries;
mod view;
mod wakes;
mod watch;
mod words;
mod work;
mod writer;

pub use judge::JudgeOptions;
pub use names::{PublicUrl, WrongAddress};
pub use notices::mail::MailOptions;
pub use start::{Ready, ServeError, ServeOptions, serve};
pub use tatau_engine::Config;
pub use writer::WriterError;
