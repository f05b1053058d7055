//! Identifiers. Numbers are handed out by the engine; addresses and digests are made by keys and contents.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
use std::{fmt, str::FromStr};

/// Text that is not an identifier of the expected kind.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{given}' is not {expected}")]
pub struct IdError {
    given: String,
    expected: &'static str,
}

impl IdError {
    fn new(given: &str, expected: &'static str) -> Self {
        Self { given: given.chars().take(80).collect(), expected }
    }
}

macro_rules! number_id {
    ($(#[$doc:meta])* $name:ident, $prefix:literal, $expected:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub u64);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!($prefix, "{}"), self.0)
            }
        }

        impl FromStr for $name {
            type Err = IdError;
            /// Accepts the bare number and the prefixed form.
            fn from_str(s: &str) -> Result<Self, IdError> {
                let digits = s.strip_prefix($prefix).unwrap_or(s);
                digits.parse().map(Self).map_err(|_| IdError::new(s, $expected))
            }
        }
    };
}

number_id!(
    /// One job of a buyer.
    JobId, "job-", "a job number such as job-12");
number_id!(
    /// One task of a job, unique on the platform.
    TaskId, "task-", "a task number such as task-12");
number_id!(
    /// One try at a task by one card; also the number of its lease.
    AttemptId, "attempt-", "an attempt number such as attempt-12");
number_id!(
    /// One audit of one attempt by one validator.
    AuditId, "audit-", "an audit number such as audit-12");
number_id!(
    /// One closed stretch of the receipt log.
    EpochId, "epoch-", "an epoch number such as epoch-12");

macro_rules! bytes_id {
    ($(#[$doc:meta])* $name:ident, $len:literal, $prefix:literal, $expected:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
        pub struct $name(pub [u8; $len]);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                // On the stack: addresses and digests are written by the million into records and the journal.
                let mut digits = [0u8; 2 * $len];
                hex::encode_to_slice(self.0, &mut digits).map_err(|_| fmt::Error)?;
                f.write_str($prefix)?;
                f.write_str(std::str::from_utf8(&digits).map_err(|_| fmt::Error)?)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        impl FromStr for $name {
            type Err = IdError;
            fn from_str(s: &str) -> Result<Self, IdError> {
                let digits = s.strip_prefix($prefix).unwrap_or(s);
                let mut bytes = [0u8; $len];
                hex::decode_to_slice(digits, &mut bytes).map_err(|_| IdError::new(s, $expected))?;
                Ok(Self(bytes))
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
                s.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
                let text = std::borrow::Cow::<'de, str>::deserialize(d)?;
                text.parse().map_err(D::Error::custom)
            }
        }
    };
}

bytes_id!(
    /// The last 20 bytes of the Keccak-256 of a secp256k1 public key: an owner (account) or a node.
    Address, 20, "0x", "an address such as 0x followed by 40 hex digits");
bytes_id!(
    /// BLAKE3 of a blob's bytes: the name of contents.
    BlobId, 32, "", "a BLAKE3 digest of 64 hex digits");
bytes_id!(
    /// A Keccak-256 digest: evidence, roots, challenges, beacons.
    Digest, 32, "0x", "a digest such as 0x followed by 64 hex digits");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_bytes_round_trip_as_text() {
        assert_eq!("job-7".parse::<JobId>().unwrap(), JobId(7));
        assert_eq!("7".parse::<JobId>().unwrap().to_string(), "job-7");
        assert!("job-x".parse::<JobId>().is_err());
        let a = Address([7; 20]);
        assert_eq!(a.to_string().parse::<Address>().unwrap(), a);
        assert!("0x12".parse::<Address>().is_err());
    }
}
