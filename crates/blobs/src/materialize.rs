//! Lays the files of a manifest out in a folder.

use crate::error::BlobError;
use crate::manifest::{Manifest, ManifestFile};
use crate::store::BlobStore;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;

/// How files get their bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Placing {
    /// Hard links where the file system has them, else copies: no bytes move, but whoever may write to the folder's
    /// files writes to the store. For folders that a sandbox mounts read-only.
    Link,
    /// Copies: for folders whose reader is not trusted or wants to change them.
    Copy,
}

/// Makes the folder `target`, which must not exist or be empty, and puts every file of `manifest` into it, read-only.
///
/// Each blob's contents and size are checked; no link is followed or made. After an error the folder may hold a part.
pub fn materialize(
    store: &BlobStore,
    manifest: &Manifest,
    target: &Path,
    placing: Placing,
) -> Result<(), BlobError> {
    make_new_folder(target)?;
    let mut folders = std::collections::HashSet::new();
    for file in manifest.files() {
        for (end, _) in file.path.match_indices('/') {
            // Parents come before children, and each is made once, by us: never a link.
            if folders.insert(&file.path[..end]) {
                let folder = target.join(&file.path[..end]);
                make_folder(&folder).map_err(BlobError::io("made", &folder))?;
            }
        }
        place(store, file, &target.join(&file.path), placing)?;
    }
    Ok(())
}

fn make_folder(folder: &Path) -> io::Result<()> {
    DirBuilder::new().mode(0o755).create(folder)
}

fn make_new_folder(target: &Path) -> Result<(), BlobError> {
    match make_folder(target) {
        Ok(()) => return Ok(()),
        Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {}
        Err(e) => return Err(BlobError::io("made", target)(e)),
    }
    let failed = || BlobError::io("read", target);
    let is_folder = fs::symlink_metadata(target).map_err(failed())?.is_dir();
    if is_folder && fs::read_dir(target).map_err(failed())?.next().is_none() {
        return Ok(());
    }
    Err(BlobError::NotEmpty(target.into()))
}

fn place(store: &BlobStore, file: &ManifestFile, at: &Path, placing: Placing) -> Result<(), BlobError> {
    let contents = store.open_blob(&file.blob)?.ok_or(BlobError::Missing(file.blob))?;
    let found = contents.metadata().map_err(BlobError::io("read", at))?.len();
    if found != file.bytes {
        return Err(BlobError::WrongSize { blob: file.blob, expected: file.bytes, found });
    }
    let linked = placing == Placing::Link && fs::hard_link(store.path(&file.blob), at).is_ok();
    if linked { Ok(()) } else { copy(contents, at).map_err(BlobError::io("written", at)) }
}

fn copy(mut contents: File, at: &Path) -> io::Result<()> {
    let mut copy = OpenOptions::new().write(true).create_new(true).mode(0o444).open(at)?;
    io::copy(&mut contents, &mut copy).map(drop)
}
