//! Opening without following links, hashing, durable folders.

use crate::error::BlobError;
use nix::fcntl::OFlag;
use std::fs::{File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use tatau_model::BlobId;

/// Bytes read at once.
const CHUNK: usize = 256 * 1024;

/// Opens a regular file for reading; a link, device or pipe in its place is an error (a pipe does not block).
pub fn open_plain(path: &Path) -> io::Result<File> {
    let flags = OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK | OFlag::O_CLOEXEC;
    let file = OpenOptions::new().read(true).custom_flags(flags.bits()).open(path)?;
    if !file.metadata()?.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is not a plain file"));
    }
    Ok(file)
}

/// Name and size of what `reader` yields.
pub fn hash_reader(mut reader: impl Read) -> io::Result<(BlobId, u64)> {
    let mut hasher = blake3::Hasher::new();
    let mut buffer = vec![0; CHUNK];
    loop {
        match reader.read(&mut buffer) {
            Ok(0) => return Ok((BlobId(*hasher.finalize().as_bytes()), hasher.count())),
            Ok(n) => hasher.update(&buffer[..n]),
            Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
            Err(e) => return Err(e),
        };
    }
}

/// Name and size of the plain file at `path`, which is not copied.
pub fn hash_file(path: &Path) -> Result<(BlobId, u64), BlobError> {
    open_plain(path).and_then(hash_reader).map_err(BlobError::io("read", path))
}

/// Makes a new name in `folder` survive a power cut.
pub(crate) fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}
