//! Between records and rows. Numbers are checked both ways; a body that cannot be parsed is damage, not absence.

use crate::StoreError;
use serde::{Serialize, de::DeserializeOwned};
use std::fmt::Display;
use tatau_model::Address;

/// Largest body of one record.
const MAX_BODY_BYTES: usize = 16 << 20;

/// A record as JSON.
pub(crate) fn body(record: &impl Serialize) -> Result<String, StoreError> {
    let text = serde_json::to_string(record)
        .map_err(|e| StoreError::Refused(format!("a record cannot be written as JSON ({e})")))?;
    if text.len() > MAX_BODY_BYTES {
        return Err(StoreError::TooLarge { what: "a record", limit: MAX_BODY_BYTES });
    }
    Ok(text)
}

/// A record from its JSON.
pub(crate) fn parse<T: DeserializeOwned>(what: impl Display, text: &str) -> Result<T, StoreError> {
    serde_json::from_str(text).map_err(|e| StoreError::Damaged(format!("{what} cannot be read: {e}")))
}

/// A number as SQLite keeps it.
pub(crate) fn int(number: u64) -> Result<i64, StoreError> {
    i64::try_from(number).map_err(|_| StoreError::Refused(format!("the number {number} is too large")))
}

/// A number to look for. What SQLite cannot keep was never given out, so it finds nothing.
pub(crate) fn key(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// A number as it was before.
pub(crate) fn number(what: &str, stored: i64) -> Result<u64, StoreError> {
    u64::try_from(stored).map_err(|_| StoreError::Damaged(format!("{what} is {stored}")))
}

/// A row count as SQLite takes it.
pub(crate) fn limit(rows: usize) -> i64 {
    i64::try_from(rows).unwrap_or(i64::MAX)
}

/// An address from its column.
pub(crate) fn address(what: &str, bytes: &[u8]) -> Result<Address, StoreError> {
    bytes.try_into().map(Address).map_err(|_| StoreError::Damaged(format!("{what} is no address")))
}
