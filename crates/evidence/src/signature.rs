//! A 65-byte signature, its text, and who made it.

use crate::hash::keccak;
use secp256k1::ecdsa::{RecoverableSignature, RecoveryId};
use secp256k1::{Message, PublicKey};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
use std::{fmt, str::FromStr};
use tatau_model::{Address, Digest};

/// Half the order of secp256k1, big endian: the largest `s` that is accepted (EIP-2).
const HALF_ORDER: [u8; 32] = [
    0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x5d,
    0x57, 0x6e, 0x73, 0x57, 0xa4, 0x50, 0x1d, 0xdf, 0xe9, 0x2f, 0x46, 0x68, 0x1b, 0x20, 0xa0,
];

/// A recoverable secp256k1 signature: `r ‖ s ‖ v`, `v` 27 or 28, `s` in the lower half (so that a signature has
/// one form only). As text: `0x` and 130 hex digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Signature(pub [u8; 65]);

/// Why a signature was not accepted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    /// Not 65 bytes of hex with legal `r`, `s`, `v`.
    #[error("the signature is malformed; send 65 bytes (r, s in the lower half, v 27 or 28) as hex")]
    Malformed,
    /// A signature by another key, or of other contents.
    #[error(
        "the signature is not by {expected} over these contents; sign exactly what is sent, with that key"
    )]
    WrongSigner {
        /// Who should have signed.
        expected: Address,
        /// Whose key the signature points to.
        recovered: Address,
    },
}

/// The address whose key made `signature` over `digest`.
///
/// Any well-formed signature recovers to *some* address: compare it with the one that was expected.
pub fn recover(digest: &Digest, signature: &Signature) -> Result<Address, SignatureError> {
    let bytes = &signature.0;
    let id = match bytes[64] {
        27 => RecoveryId::Zero,
        28 => RecoveryId::One,
        _ => return Err(SignatureError::Malformed),
    };
    if bytes[32..64] > HALF_ORDER[..] {
        return Err(SignatureError::Malformed);
    }
    let inner =
        RecoverableSignature::from_compact(&bytes[..64], id).map_err(|_| SignatureError::Malformed)?;
    let public = inner.recover(Message::from_digest(digest.0)).map_err(|_| SignatureError::Malformed)?;
    Ok(address_of(&public))
}

/// Did the key of `signer` sign `digest`?
pub fn verify(digest: &Digest, signature: &Signature, signer: Address) -> Result<(), SignatureError> {
    let recovered = recover(digest, signature)?;
    if recovered == signer {
        Ok(())
    } else {
        Err(SignatureError::WrongSigner { expected: signer, recovered })
    }
}

/// The last 20 bytes of the Keccak-256 of the uncompressed public key without its first byte.
pub(crate) fn address_of(public: &PublicKey) -> Address {
    let hash = keccak(&public.serialize_uncompressed()[1..]);
    let mut address = [0; 20];
    address.copy_from_slice(&hash.0[12..]);
    Address(address)
}

impl fmt::Display for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "0x{}", hex::encode(self.0))
    }
}

impl fmt::Debug for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Signature {
    type Err = SignatureError;
    /// Hex with or without `0x`; only the length is checked here, the rest on [`recover`].
    fn from_str(s: &str) -> Result<Self, SignatureError> {
        let mut bytes = [0; 65];
        hex::decode_to_slice(s.strip_prefix("0x").unwrap_or(s), &mut bytes)
            .map_err(|_| SignatureError::Malformed)?;
        Ok(Self(bytes))
    }
}

impl Serialize for Signature {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Signature {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(d)?;
        text.parse().map_err(D::Error::custom)
    }
}
