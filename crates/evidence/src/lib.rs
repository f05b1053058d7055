//! Signs, hashes, proves: what may have to convince a stranger later.
//!
//! Owns: secp256k1 keys and their files, EIP-712 typed data and its digests, Keccak-256 Merkle trees, the
//! platform's hash-chain beacon, draws from a challenge, and the authentication line of an HTTP request.
//! Refuses: any other IO, clocks, randomness of its own, and opinions about what a signed claim is worth.

pub mod beacon;
pub mod draw;
pub mod hash;
pub mod key;
pub mod keyfile;
pub mod merkle;
pub mod request;
pub mod signature;
pub mod typed;

pub use beacon::{BeaconError, HashChain, challenge, follows};
pub use draw::Draw;
pub use hash::{keccak, keccak_of};
pub use key::SigningKey;
pub use keyfile::{KeyFileError, load, load_or_create};
pub use merkle::{MerkleError, Proof, manifest_root, receipts_root, trace_root};
pub use request::{AuthError, Sent, Verified, check_request, sign_request};
pub use signature::{Signature, SignatureError, recover, verify};
pub use typed::{
    AuditCommitment, Delegation, Domain, RequestClaim, check_receipt, receipt_digest, sign_receipt,
};
