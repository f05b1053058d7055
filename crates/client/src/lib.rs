//! The typed client of the platform's HTTP API: one method a call.
//!
//! Owns: signing requests, waiting and trying again, resumable uploads, downloads that are verified against their
//! BLAKE3 name. Refuses: any decision about the market, and any byte whose digest was not the one expected.
//!
//! `http://` speaks HTTP/2 without TLS from the first byte (one connection, many requests), `https://` takes rustls with
//! the system's roots. Answers are limited in size; an answer that cannot be read is an error, never a default.

mod account;
mod clock;
mod credentials;
mod download;
mod error;
mod jobs;
mod nodes;
mod packing;
mod part;
mod patience;
mod platform;
mod send;
mod upload;

use clock::ServerClock;
pub use credentials::Credentials;
pub use error::ClientError;
pub use patience::Patience;
pub use upload::CHUNK_BYTES;

use std::{
    sync::{Arc, atomic::AtomicBool},
    time::Duration,
};
use tatau_model::Address;

/// Bytes that the server may send of one answer, and of all on a connection, before they were read.
const WINDOWS: (u32, u32) = (4 << 20, 8 << 20);
/// Bytes that it may send at once.
const FRAME: u32 = 256 << 10;

/// What a progress callback is told: bytes done, bytes in all (0 where that is not known yet).
pub type Progress<'a> = &'a mut (dyn FnMut(u64, u64) + Send);

/// A connection to one server as one owner, node, token holder or nobody. Cheap to clone; clones share the connection.
#[derive(Clone)]
pub struct Client {
    inner: Arc<Inner>,
    patience: Patience,
}

struct Inner {
    http: reqwest::Client,
    base: String,
    credentials: Credentials,
    clock: ServerClock,
    /// The last larger download showed a slow line: the next one asks for packed bytes at once.
    slow: AtomicBool,
}

impl Client {
    /// A client of the server at `base_url`, such as `http://127.0.0.1:7117`. Nothing is sent yet.
    pub fn new(base_url: &str, credentials: Credentials) -> Result<Self, ClientError> {
        let base = checked_base(base_url)?;
        // Another part of the program may have installed one already; either will do.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut builder = reqwest::Client::builder()
            .user_agent(concat!("tatau/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(Duration::from_secs(10))
            .read_timeout(Duration::from_mins(1))
            .redirect(reqwest::redirect::Policy::none())
            .http2_keep_alive_interval(Duration::from_secs(20))
            .http2_keep_alive_timeout(Duration::from_secs(20))
            .http2_keep_alive_while_idle(true)
            .http2_initial_stream_window_size(WINDOWS.0)
            .http2_initial_connection_window_size(WINDOWS.1)
            .http2_max_frame_size(FRAME)
            .tcp_nodelay(true);
        if base.starts_with("http://") {
            // The system's certificates would take a megabyte and never be looked at.
            builder = builder.http2_prior_knowledge().tls_certs_only([]);
        }
        let http = builder.build().map_err(|e| {
            ClientError::Unreachable(format!(
                "the HTTP client could not be set up ({e}); check the system's certificates"
            ))
        })?;
        Ok(Self {
            inner: Arc::new(Inner {
                http,
                base,
                credentials,
                clock: ServerClock::default(),
                slow: AtomicBool::default(),
            }),
            patience: Patience::default(),
        })
    }

    /// The same connection, with another patience.
    pub fn with_patience(&self, patience: Patience) -> Self {
        Self { inner: Arc::clone(&self.inner), patience }
    }

    /// The server's address, without a slash at its end.
    pub fn base_url(&self) -> &str {
        &self.inner.base
    }

    /// The address whose key signs, if one does.
    pub fn address(&self) -> Option<Address> {
        self.inner.credentials.address()
    }
}

impl std::fmt::Debug for Client {
    /// Without secrets.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Client").field("base", &self.inner.base).finish_non_exhaustive()
    }
}

fn checked_base(url: &str) -> Result<String, ClientError> {
    let bad = |why: &str| {
        let shown: String = url.chars().take(200).collect();
        ClientError::Unreachable(format!(
            "'{shown}' is no server address ({why}); write for example http://127.0.0.1:7117"
        ))
    };
    let parsed = reqwest::Url::parse(url).map_err(|e| bad(&e.to_string()))?;
    if !matches!(parsed.scheme(), "http" | "https") {
        return Err(bad("it starts with neither http:// nor https://"));
    }
    if parsed.path() != "/" || parsed.query().is_some() || parsed.fragment().is_some() {
        return Err(bad("it has a path"));
    }
    if !parsed.username().is_empty() || parsed.password().is_some() {
        return Err(bad("it names a user"));
    }
    Ok(parsed.as_str().trim_end_matches('/').to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_plain_server_addresses_are_taken() {
        assert_eq!(checked_base("http://127.0.0.1:7117/").unwrap(), "http://127.0.0.1:7117");
        assert_eq!(checked_base("https://farm.example").unwrap(), "https://farm.example");
        for bad in
            ["", "127.0.0.1:7117", "ftp://a", "http://a/b", "http://a/?x", "http://u:p@a", "file:///etc"]
        {
            assert!(checked_base(bad).is_err(), "{bad}");
        }
    }
}
