//! The key file: one line of hex that only its owner may read. The only IO of this crate.

use crate::key::SigningKey;
use rand::CryptoRng;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

/// More than any key file holds.
const MAX_BYTES: u64 = 1024;

/// Why a key file could not be used.
#[derive(Debug, thiserror::Error)]
pub enum KeyFileError {
    /// The file is not there.
    #[error("there is no key file {}; make a key first, or name the right file", .0.display())]
    Missing(PathBuf),
    /// Other users of the machine may read or write the file.
    #[error("the key file {} is open to other users (mode {mode:04o}); run chmod 600 on it, and make a new key if others may have read it", .path.display())]
    Exposed {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// The file holds something else.
    #[error("the file {} holds no secret key (64 hex digits on one line); restore it from its backup", .0.display())]
    Malformed(PathBuf),
    /// The operating system refused.
    #[error("the key file {} cannot be {doing}: {source}", .path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// `read` or `written`.
        doing: &'static str,
        /// What the operating system said.
        source: io::Error,
    },
}

/// Reads the key in `path`.
pub fn load(path: &Path) -> Result<SigningKey, KeyFileError> {
    let failed = |source| KeyFileError::Io { path: path.into(), doing: "read", source };
    let file = match File::open(path) {
        Ok(file) => file,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Err(KeyFileError::Missing(path.into())),
        Err(e) => return Err(failed(e)),
    };
    refuse_exposed(path, &file.metadata().map_err(failed)?)?;
    let mut text = String::new();
    match file.take(MAX_BYTES).read_to_string(&mut text) {
        Ok(_) => {}
        Err(e) if e.kind() == io::ErrorKind::InvalidData => return Err(KeyFileError::Malformed(path.into())),
        Err(e) => return Err(failed(e)),
    }
    SigningKey::from_hex(text.trim()).map_err(|_| KeyFileError::Malformed(path.into()))
}

/// Reads the key in `path`, or makes one there (mode 0600, folders above it mode 0700).
///
/// Safe when two processes do it at once: both end up with the same key. A crash leaves the whole file or none.
pub fn load_or_create(path: &Path, rng: &mut (impl CryptoRng + ?Sized)) -> Result<SigningKey, KeyFileError> {
    match load(path) {
        Err(KeyFileError::Missing(_)) => {}
        other => return other,
    }
    let key = SigningKey::generate(rng);
    match create(path, &key, rng) {
        Ok(()) => Ok(key),
        // Another process was faster: its key counts.
        Err(e) if e.kind() == io::ErrorKind::AlreadyExists => load(path),
        Err(source) => Err(KeyFileError::Io { path: path.into(), doing: "written", source }),
    }
}

/// Writes beside `path`, then links the complete file to its name, which fails if the name exists.
fn create(path: &Path, key: &SigningKey, rng: &mut (impl CryptoRng + ?Sized)) -> io::Result<()> {
    let folder = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let mut folders = fs::DirBuilder::new();
    folders.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut folders, 0o700);
    folders.create(folder)?;
    let draft = folder.join(format!(".key-{:016x}", rng.next_u64()));
    let written = write_draft(&draft, key).and_then(|()| fs::hard_link(&draft, path));
    let removed = fs::remove_file(&draft);
    written?;
    removed?;
    File::open(folder)?.sync_all()
}

fn write_draft(draft: &Path, key: &SigningKey) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(draft)?;
    file.write_all(format!("{}\n", key.to_hex()).as_bytes())?;
    file.sync_all()
}

#[cfg(unix)]
fn refuse_exposed(path: &Path, metadata: &fs::Metadata) -> Result<(), KeyFileError> {
    let mode = std::os::unix::fs::PermissionsExt::mode(&metadata.permissions()) & 0o7777;
    if mode & 0o077 != 0 {
        return Err(KeyFileError::Exposed { path: path.into(), mode });
    }
    Ok(())
}

#[cfg(not(unix))]
fn refuse_exposed(_: &Path, _: &fs::Metadata) -> Result<(), KeyFileError> {
    Ok(())
}
