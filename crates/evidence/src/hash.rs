//! Keccak-256, the one hash of evidence (BLAKE3 names blobs only).

use alloy_primitives::Keccak256;
use tatau_model::Digest;

/// Keccak-256 of `bytes`.
pub fn keccak(bytes: impl AsRef<[u8]>) -> Digest {
    Digest(alloy_primitives::keccak256(bytes).0)
}

/// Keccak-256 of the parts one after the other; callers make the split unambiguous.
pub fn keccak_of(parts: &[&[u8]]) -> Digest {
    let mut hasher = Keccak256::new();
    for part in parts {
        hasher.update(part);
    }
    Digest(hasher.finalize().0)
}
