//! Bytes on their way in.

pub(crate) mod put;
pub(crate) mod show;

use crate::error::ApiError;
use tatau_blobs::BlobError;

/// What went wrong with a blob, as an answer.
pub(crate) fn refused(error: &BlobError) -> ApiError {
    let sentence = error.to_string();
    match error {
        BlobError::TooLarge { .. } => ApiError::too_large(sentence),
        BlobError::Quota { .. } | BlobError::TooManyUploads(_) => ApiError::unavailable(sentence),
        BlobError::ShareUsed { .. } => ApiError::too_many(sentence),
        BlobError::NoUpload(_) | BlobError::Gap { .. } => ApiError::conflict(sentence),
        BlobError::TooLong { .. } | BlobError::WrongHash { .. } => ApiError::invalid(sentence),
        _ => ApiError::internal(error),
    }
}
