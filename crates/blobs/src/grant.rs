//! Grants: a query string that lets whoever holds it read or write one blob until a moment. The server makes and
//! checks them with a key of its own; nothing is stored.

use std::fmt;
use tatau_model::{BlobId, Millis};

/// What a grant allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation {
    /// Reading.
    Get,
    /// Uploading.
    Put,
}

impl Operation {
    fn name(self) -> &'static str {
        match self {
            Self::Get => "get",
            Self::Put => "put",
        }
    }
}

/// Why a grant does not count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum GrantError {
    /// Not a grant's query.
    #[error("the address is incomplete; ask for a new one and use it unchanged")]
    Malformed,
    /// Its time is over.
    #[error("the address was valid until {} s ago; ask for a new one", .0 / 1000)]
    Expired(u64),
    /// Another blob, operation, limit, time or server.
    #[error("the address was not granted for this; ask for a new one and use it unchanged")]
    Forged,
}

/// The server's secret for grants.
#[derive(Clone)]
pub struct GrantKey([u8; 32]);

impl GrantKey {
    /// The key of these random bytes.
    pub fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The query string for `blob`: `op=get&bytes=N&expires=MS&mac=…`, to be used unchanged. `size_limit` is the
    /// largest number of bytes that may move.
    pub fn grant(&self, op: Operation, blob: &BlobId, size_limit: u64, expires: Millis) -> String {
        let mac = self.mac(op, blob, size_limit, expires).to_hex();
        format!("op={}&bytes={size_limit}&expires={}&mac={mac}", op.name(), expires.0)
    }

    /// Does `query` allow `op` on `blob` at `now`? The size limit it was granted with.
    pub fn check(&self, query: &str, op: Operation, blob: &BlobId, now: Millis) -> Result<u64, GrantError> {
        let mut parts = query.split('&');
        let mut field = |name: &str| {
            let value = parts.next().and_then(|part| part.strip_prefix(name));
            value.and_then(|rest| rest.strip_prefix('=')).ok_or(GrantError::Malformed)
        };
        let given_op = field("op")?;
        let bytes = field("bytes")?.parse().map_err(|_| GrantError::Malformed)?;
        let expires = Millis(field("expires")?.parse().map_err(|_| GrantError::Malformed)?);
        let mac = blake3::Hash::from_hex(field("mac")?).map_err(|_| GrantError::Malformed)?;
        if parts.next().is_some() {
            return Err(GrantError::Malformed);
        }
        // Equality of hashes takes constant time.
        if given_op != op.name() || mac != self.mac(op, blob, bytes, expires) {
            return Err(GrantError::Forged);
        }
        if now >= expires {
            return Err(GrantError::Expired(now.since(expires)));
        }
        Ok(bytes)
    }

    fn mac(&self, op: Operation, blob: &BlobId, size_limit: u64, expires: Millis) -> blake3::Hash {
        let mut hasher = blake3::Hasher::new_keyed(&self.0);
        hasher.update(b"tatau-grant-1");
        hasher.update(op.name().as_bytes());
        hasher.update(&blob.0);
        hasher.update(&size_limit.to_be_bytes());
        hasher.update(&expires.0.to_be_bytes());
        hasher.finalize()
    }
}

impl fmt::Debug for GrantKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("GrantKey(secret)")
    }
}
