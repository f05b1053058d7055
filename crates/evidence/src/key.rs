//! A secp256k1 secret that signs digests.

use crate::signature::{Signature, address_of};
use rand::CryptoRng;
use secp256k1::ecdsa::RecoverableSignature;
use secp256k1::{Message, PublicKey, SecretKey};
use std::fmt;
use tatau_model::{Address, Digest};

/// Text that is no secret key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("this is no secret key; a key is 64 hex digits, not zero and below the order of secp256k1")]
pub struct KeyError;

/// The secret key of an owner or a node. Never printed; overwritten when dropped.
#[derive(Clone)]
pub struct SigningKey {
    secret: SecretKey,
    address: Address,
}

impl SigningKey {
    /// A new key from `rng`, which must be fit for secrets.
    pub fn generate(rng: &mut (impl CryptoRng + ?Sized)) -> Self {
        loop {
            let mut bytes = [0; 32];
            rng.fill_bytes(&mut bytes);
            // All but one in 2^127 draws are valid.
            if let Ok(key) = Self::from_bytes(bytes) {
                return key;
            }
        }
    }

    /// The key of these 32 big-endian bytes.
    pub fn from_bytes(bytes: [u8; 32]) -> Result<Self, KeyError> {
        let secret = SecretKey::from_secret_bytes(bytes).map_err(|_| KeyError)?;
        let address = address_of(&PublicKey::from_secret_key(&secret));
        Ok(Self { secret, address })
    }

    /// The key of 64 hex digits, `0x` before them or not.
    pub fn from_hex(text: &str) -> Result<Self, KeyError> {
        let mut bytes = [0; 32];
        hex::decode_to_slice(text.strip_prefix("0x").unwrap_or(text), &mut bytes).map_err(|_| KeyError)?;
        Self::from_bytes(bytes)
    }

    /// The secret as 64 hex digits: for the key file and for backups, nowhere else.
    pub fn to_hex(&self) -> String {
        hex::encode(self.secret.to_secret_bytes())
    }

    /// Who this key signs as.
    pub fn address(&self) -> Address {
        self.address
    }

    /// Signs `digest` (RFC 6979 nonce: the same input gives the same signature).
    pub fn sign(&self, digest: &Digest) -> Signature {
        let inner =
            RecoverableSignature::sign_ecdsa_recoverable(Message::from_digest(digest.0), &self.secret);
        let (id, compact) = inner.serialize_compact();
        let mut bytes = [0; 65];
        bytes[..64].copy_from_slice(&compact);
        bytes[64] = 27 + id.to_u8();
        Signature(bytes)
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningKey(of {})", self.address)
    }
}

impl Drop for SigningKey {
    fn drop(&mut self) {
        self.secret.non_secure_erase();
    }
}
