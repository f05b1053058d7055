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
        BlobError::Quota { .. } => {
            ApiError::full("the server has no room for more files; ask its operator, or try again later")
        }
        BlobError::TooManyUploads(_) => ApiError::unavailable(sentence),
        error if error.is_disk_full() => {
            tracing::error!(%error, "the disk is full");
            ApiError::full("the server's disk is full; its operator has to make room, what is there stays")
        }
        BlobError::ShareUsed { .. } => ApiError::too_many(sentence),
        BlobError::NoUpload(_) | BlobError::Gap { .. } => ApiError::conflict(sentence),
        BlobError::TooLong { .. } | BlobError::WrongHash { .. } => ApiError::invalid(sentence),
        _ => ApiError::internal(error),
    }
}
