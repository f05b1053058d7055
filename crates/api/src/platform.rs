//! What the platform says of itself, and grants for bytes.

use serde::{Deserialize, Serialize};
use tatau_model::{Amount, BlobId, Digest, Millis};

/// `GET /v1/platform`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Platform {
    /// Software version of the server.
    pub version: String,
    /// The server's clock.
    #[schema(value_type = i64)]
    pub now: Millis,
    /// A local server: starter credit, separation rules lifted.
    pub local: bool,
    /// EIP-712 chain id; 0 without a chain.
    pub chain_id: u64,
    /// Platform fee, ppm.
    pub fee_ppm: u64,
    /// Dispute window, ms.
    pub dispute_ms: u64,
    /// Environments that jobs may name.
    pub environments: Vec<String>,
    /// First value of the pre-committed hash chain.
    #[schema(value_type = String)]
    pub beacon_anchor: Digest,
    /// Cap of an inspection.
    #[schema(value_type = i64)]
    pub inspection_cap: Amount,
    /// Largest blob, bytes.
    pub max_blob_bytes: u64,
    /// The middle of what providers ask for a reference hour now, nano-TATAU; none where nobody offers.
    #[serde(default)]
    #[schema(value_type = Option<i64>)]
    pub middle_ask: Option<Amount>,
}

/// The version of what clients and servers say to each other. It grows when one could not understand the other any more; what is only
/// added does not count.
pub const PROTOCOL: u32 = 2;
/// The header in which clients say theirs.
pub const PROTOCOL_HEADER: &str = "tatau-protocol";
/// The header that says [`PACKED`] of a body that is a zlib stream of the bytes meant; a client that takes one asks with it. (Not
/// `Content-Encoding`: ranges and offsets count the bytes meant.)
pub const PACKED_HEADER: &str = "tatau-packed";
/// The only way of packing.
pub const PACKED: &str = "deflate";
/// The header that says how large the whole blob is, where the answer's own length does not.
pub const BYTES_HEADER: &str = "tatau-bytes";

/// `GET /v1/uploads/{blob}?bytes=N` and answer to every `PUT /v1/uploads/{blob}?bytes=N&offset=O`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct UploadState {
    /// Bytes the server holds.
    pub have: u64,
    /// The blob is whole and verified.
    pub complete: bool,
}

/// `POST /v1/grants`: addresses for reading blobs of a job, its results, a lease or an audit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct GrantRequest {
    /// Why: `job-N` (its owner), `attempt-N` (its node), `audit-N` (its node).
    pub holder: String,
    /// Which blobs, at most 1,000.
    #[schema(value_type = Vec<String>)]
    pub blobs: Vec<BlobId>,
}

/// Addresses, in the order asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Granted {
    /// Path and query on this server, or a whole URL.
    pub urls: Vec<String>,
    /// They end here.
    #[schema(value_type = i64)]
    pub expires: Millis,
}
