//! Leases after their receipt, or given up before.

pub(crate) mod delivered;
pub(crate) mod failed;

use crate::error::ApiError;

/// Trailing log that is kept, bytes.
const LOG: usize = 64 << 10;

/// Cuts a log to what is kept, at a character, from its start.
pub(super) fn trailing(log: &str) -> &str {
    let mut from = log.len().saturating_sub(LOG);
    while !log.is_char_boundary(from) {
        from += 1;
    }
    &log[from..]
}

/// Codes are for programs, sentences for people; both are short.
pub(crate) fn check_report(code: &str, sentence: &str) -> Result<(), ApiError> {
    let plain = |b: u8| b.is_ascii_lowercase() || b == b'_';
    if code.is_empty() || code.len() > 40 || !code.bytes().all(plain) {
        return Err(ApiError::invalid("a code has 1 to 40 of the characters a to z and _"));
    }
    if sentence.len() > 1_000 || sentence.chars().any(char::is_control) {
        return Err(ApiError::invalid("a sentence has at most 1,000 bytes and no control characters"));
    }
    Ok(())
}
