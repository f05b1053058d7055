//! What can go wrong with a blob.

use std::io;
use std::path::{Path, PathBuf};
use tatau_model::BlobId;

/// Why a blob was not stored or read.
#[derive(Debug, thiserror::Error)]
pub enum BlobError {
    /// Larger than one blob may be.
    #[error("a blob of {bytes} bytes is larger than the {limit} bytes allowed; split it")]
    TooLarge {
        /// Its size.
        bytes: u64,
        /// The most allowed.
        limit: u64,
    },
    /// The store may not grow further.
    #[error(
        "the blob store holds {used} of {quota} bytes, {needed} more do not fit; delete old jobs or raise the quota"
    )]
    Quota {
        /// Bytes held.
        used: u64,
        /// The most that may be held.
        quota: u64,
        /// Bytes that were to be added.
        needed: u64,
    },
    /// Everything in the cache is in use.
    #[error(
        "the cache of {cap} bytes has no room for {needed} more: what it holds is in use; raise its size"
    )]
    CacheFull {
        /// Size of the cache, bytes.
        cap: u64,
        /// Bytes that were to be added.
        needed: u64,
    },
    /// Too many unfinished uploads.
    #[error("{0} uploads are unfinished already; finish some or try again later")]
    TooManyUploads(usize),
    /// One uploader has too much unfinished.
    #[error(
        "you have {uploads} uploads of together {bytes} bytes unfinished; finish them first (what stands still is forgotten after an hour)"
    )]
    ShareUsed {
        /// Unfinished uploads.
        uploads: usize,
        /// Their announced sizes together.
        bytes: u64,
    },
    /// Nothing was begun.
    #[error("no upload of blob {0} was begun; ask for its state first")]
    NoUpload(BlobId),
    /// Bytes are missing before this offset.
    #[error("the upload of blob {blob} has {have} bytes, so it goes on there and not at {offset}")]
    Gap {
        /// Which blob.
        blob: BlobId,
        /// Bytes held.
        have: u64,
        /// Where the chunk was to go.
        offset: u64,
    },
    /// More bytes than were announced.
    #[error(
        "blob {blob} was announced with {bytes} bytes, but more were sent; begin again with its true size"
    )]
    TooLong {
        /// Which blob.
        blob: BlobId,
        /// Announced size.
        bytes: u64,
    },
    /// The whole upload has other contents than its name says.
    #[error("what was uploaded as blob {expected} is {found}; the upload was discarded, begin it again")]
    WrongHash {
        /// Its name.
        expected: BlobId,
        /// What its contents hash to.
        found: BlobId,
    },
    /// A stored blob does not fit its name any more.
    #[error("the stored blob {0} was damaged and has been removed; upload or fetch it again")]
    Damaged(BlobId),
    /// A blob that a manifest names is not here.
    #[error("blob {0} is not in the store; upload or fetch it first")]
    Missing(BlobId),
    /// A blob has another size than its manifest says.
    #[error("blob {blob} has {found} bytes, its manifest says {expected}; make the manifest again")]
    WrongSize {
        /// Which blob.
        blob: BlobId,
        /// According to the manifest.
        expected: u64,
        /// In truth.
        found: u64,
    },
    /// The folder belongs to a running process.
    #[error("the blob folder {} is in use by another process; stop that one or choose another folder", .0.display())]
    InUse(PathBuf),
    /// A folder that must be new has something in it.
    #[error("the folder {} is not empty; choose a new one", .0.display())]
    NotEmpty(PathBuf),
    /// A blocking piece of work was lost.
    #[error("work on the blob store was broken off; try again")]
    BrokenOff,
    /// The operating system refused.
    #[error("{} cannot be {doing}: {source}", .path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// `read`, `written`…
        doing: &'static str,
        /// What the operating system said.
        source: io::Error,
    },
}

impl BlobError {
    /// Nothing more can be written to the disk until somebody makes room.
    pub fn is_disk_full(&self) -> bool {
        let full =
            |e: &io::Error| matches!(e.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded);
        matches!(self, Self::Io { source, .. } if full(source))
    }

    /// For `map_err`: an operating system error with what was being done.
    pub(crate) fn io(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_path_buf();
        move |source| Self::Io { path, doing, source }
    }
}
