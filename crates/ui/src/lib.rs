//! What all pages share, wherever they are served: looks, scripts, the frame around a page, words for money and time.
//!
//! Owns: the style sheet and its tokens, the mark, the embedded scripts, `layout.html`, security headers, words.
//! Refuses: HTTP, state, any page of its own. The server's pages and the provider's page extend the same layout
//! (their `askama.toml` names `../ui/templates`).

mod assets;
mod frame;
pub mod headers;
pub mod words;

pub use assets::{Asset, asset, url};
pub use frame::{Frame, Link, Notice, Tone, Who};
