//! How much one peer may ask for.

use crate::error::ApiError;
use axum::{
    body::Body,
    extract::ConnectInfo,
    http::{Request, Response},
    response::IntoResponse,
};
use std::net::{IpAddr, SocketAddr};
use tower_governor::{GovernorError, key_extractor::KeyExtractor};

/// JSON of ordinary calls, bytes.
pub(crate) const JSON: usize = 64 << 10;
/// JSON that carries a log, a template or a list of files, bytes.
pub(crate) const LARGE_JSON: usize = 512 << 10;
/// A batch of receipts, bytes.
pub(crate) const RECEIPTS: usize = 4 << 20;
/// One chunk of an upload, bytes.
pub(crate) const CHUNK: usize = 8 << 20;
/// Receipts of one batch.
pub(crate) const RECEIPTS_AT_ONCE: usize = 1_000;
/// Longest wait of a long poll, ms.
pub(crate) const WAIT_MS: u64 = 25_000;
/// One request a peer every so many microseconds, on average.
pub(crate) const EVERY_US: u64 = 2_000;
/// The same on a local server, where everybody is a neighbour.
pub(crate) const EVERY_US_LOCAL: u64 = 50;
/// Requests that a peer may make at once before the average counts.
pub(crate) const BURST: u32 = 5_000;

/// Peers by address; on this machine each connection by itself, so that a local crowd is not taken for one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ByPeer;

impl KeyExtractor for ByPeer {
    type Key = (IpAddr, u16);

    fn extract<T>(&self, request: &Request<T>) -> Result<Self::Key, GovernorError> {
        let peer = request
            .extensions()
            .get::<ConnectInfo<SocketAddr>>()
            .map(|info| info.0)
            .ok_or(GovernorError::UnableToExtractKey)?;
        let port = if peer.ip().is_loopback() { peer.port() } else { 0 };
        Ok((peer.ip(), port))
    }
}

/// The governor's refusals in the one JSON shape.
pub(crate) fn refused(error: GovernorError) -> Response<Body> {
    match error {
        GovernorError::TooManyRequests { .. } => {
            ApiError::too_many("too many requests from your address; wait a second and go on slower")
                .into_response()
        }
        other => ApiError::internal(&other).into_response(),
    }
}
