//! Copies of a server's data: made beside a running server, put back into an empty folder.
//!
//! A backup is a folder: `market.sqlite` as of one moment, `blobs/` as they were found after that moment, `operator.token`, and
//! `backup.json`, written last: a folder without it is no whole backup. Blobs never change, so a later copy in the same folder adds
//! only what is new.

use serde::{Deserialize, Serialize};
use std::{
    fs::{self, File},
    io,
    path::{Path, PathBuf},
};
use tatau_blobs::{BlobError, hash_file};
use tatau_model::{BlobId, Clock, Millis, SystemClock};
use tatau_store::{Reader, StoreError};

const DATABASE: &str = "market.sqlite";
const TOKEN: &str = "operator.token";
const BLOBS: &str = "blobs";
const WHOLE: &str = "backup.json";

/// What a copy holds, or what a restore put back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Copied {
    /// The program that made the copy.
    pub version: String,
    /// When the database was copied.
    pub at: Millis,
    /// Blobs in all.
    pub blobs: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Of the blobs, those that were copied now; the others were there.
    pub copied: u64,
    /// Blobs that jobs need and that are not there.
    pub missing: u64,
}

/// Why there is no copy.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// A file.
    #[error("{path}: {source}; nothing that was there before is changed")]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A blob.
    #[error(transparent)]
    Blob(#[from] BlobError),
    /// The copied books are not sound.
    #[error("the books in the copy do not balance ({0}); keep the copy apart and stop the server")]
    Books(String),
    /// No backup, or not the place for one.
    #[error("{0}")]
    Place(String),
}

/// Blobs done, blobs in all.
pub type Progress<'a> = &'a mut dyn FnMut(u64, u64);

/// Copies the data folder of a server, which may be running, into `to`. A whole copy there before is brought up to date.
///
/// # Errors
/// Where a file cannot be read or written, `to` is no place for a backup, or the copy is not sound.
pub fn backup(data: &Path, to: &Path, progress: Progress<'_>) -> Result<Copied, BackupError> {
    let reader = Reader::open(data.join(DATABASE))?;
    let known = to.join(WHOLE);
    let empty = !to.exists() || fs::read_dir(to).map_err(at(to))?.next().is_none();
    if !empty && !known.is_file() && !to.join("unfinished").is_file() {
        return Err(BackupError::Place(format!(
            "{} holds something that is no backup; name an empty folder, or one with a backup",
            to.display()
        )));
    }
    private_folder(to)?;
    // What an earlier copy has stays whole until this one is: blobs are only added, the database changes places last.
    write(&to.join("unfinished"), b"a copy was begun here and is not whole\n")?;
    let moment = SystemClock.now();
    let draft = to.join("market.sqlite.draft");
    remove_if_there(&draft)?;
    reader.backup(&draft)?;
    check_books(&Reader::open(&draft)?)?;
    // Blobs after the database: whatever it names is there by now.
    let (blobs, bytes, copied) = copy_blobs(&data.join(BLOBS), &to.join(BLOBS), false, progress)?;
    copy(&data.join(TOKEN), &to.join(TOKEN))?;
    let missing = missing(&draft, &to.join(BLOBS))?;
    fs::rename(&draft, to.join(DATABASE)).map_err(at(&draft))?;
    let version = env!("CARGO_PKG_VERSION").to_owned();
    let whole = Copied { version, at: moment, blobs, bytes, copied, missing };
    let json = serde_json::to_vec_pretty(&whole).map_err(|e| BackupError::Place(e.to_string()))?;
    write(&known, &json)?;
    remove_if_there(&to.join("unfinished"))?;
    Ok(whole)
}

/// Puts a copy into `data`, which holds no server's data yet. Every blob is hashed on the way.
///
/// # Errors
/// Where `from` is no whole backup, `data` is in use, a blob is damaged, or a file cannot be read or written.
pub fn restore(from: &Path, data: &Path, progress: Progress<'_>) -> Result<Copied, BackupError> {
    let whole = match fs::read(from.join(WHOLE)) {
        Ok(json) => serde_json::from_slice::<Copied>(&json)
            .map_err(|e| BackupError::Place(format!("{} cannot be read: {e}", from.join(WHOLE).display())))?,
        Err(e) if e.kind() == io::ErrorKind::NotFound => {
            return Err(BackupError::Place(format!("{} holds no whole backup", from.display())));
        }
        Err(e) => return Err(at(&from.join(WHOLE))(e)),
    };
    if data.join(DATABASE).exists() {
        return Err(BackupError::Place(format!(
            "{} holds a server's data; move it away, or name another folder with --data",
            data.display()
        )));
    }
    private_folder(data)?;
    let (blobs, bytes, copied) = copy_blobs(&from.join(BLOBS), &data.join(BLOBS), true, progress)?;
    copy(&from.join(TOKEN), &data.join(TOKEN))?;
    let draft = data.join("market.sqlite.restored");
    copy(&from.join(DATABASE), &draft)?;
    check_books(&Reader::open(&draft)?)?;
    let missing = missing(&draft, &data.join(BLOBS))?;
    // Last: a folder with a database is a server's.
    fs::rename(&draft, data.join(DATABASE)).map_err(at(&draft))?;
    Ok(Copied { blobs, bytes, copied, missing, ..whole })
}

fn check_books(reader: &Reader) -> Result<(), BackupError> {
    let books = reader.audit_books()?;
    match books.problems.first() {
        None if books.balanced() => Ok(()),
        problem => {
            Err(BackupError::Books(problem.cloned().unwrap_or_else(|| "their sum is not zero".into())))
        }
    }
}

/// How many blobs open jobs need that are not in the folder.
fn missing(database: &Path, blobs: &Path) -> Result<u64, BackupError> {
    let used = Reader::open(database)?.blobs_in_use(Millis(i64::MAX))?;
    let here = |id: &&BlobId| !path_of(blobs, id).is_file();
    Ok(used.manifests.iter().chain(&used.blobs).filter(here).count() as u64)
}

fn path_of(blobs: &Path, id: &BlobId) -> PathBuf {
    let name = id.to_string();
    let (folder, rest) = name.split_at(2);
    blobs.join(folder).join(rest)
}

/// Blobs in all, their bytes, and how many were copied now. `check`: their contents are compared with their names.
fn copy_blobs(
    from: &Path,
    to: &Path,
    check: bool,
    progress: Progress<'_>,
) -> Result<(u64, u64, u64), BackupError> {
    let all = names(from)?;
    let (mut bytes, mut copied, mut gone) = (0, 0, 0);
    for (done, id) in all.iter().enumerate() {
        progress(done as u64, all.len() as u64);
        let (source, target) = (path_of(from, id), path_of(to, id));
        let size = match fs::metadata(&source) {
            Ok(metadata) => metadata.len(),
            // Removed by the running server since.
            Err(e) if e.kind() == io::ErrorKind::NotFound => {
                gone += 1;
                continue;
            }
            Err(e) => return Err(at(&source)(e)),
        };
        bytes += size;
        if fs::metadata(&target).is_ok_and(|there| there.len() == size) {
            continue;
        }
        if check && hash_file(&source)?.0 != *id {
            return Err(BackupError::Place(format!(
                "{} is damaged: its contents are not what its name says; restore another backup, or remove the file and restore without it",
                source.display()
            )));
        }
        if let Some(folder) = target.parent() {
            fs::create_dir_all(folder).map_err(at(folder))?;
        }
        copy(&source, &target)?;
        copied += 1;
    }
    progress(all.len() as u64, all.len() as u64);
    Ok((all.len() as u64 - gone, bytes, copied))
}

fn names(blobs: &Path) -> Result<Vec<BlobId>, BackupError> {
    let mut all = Vec::new();
    let folders = match fs::read_dir(blobs) {
        Ok(folders) => folders,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(all),
        Err(e) => return Err(at(blobs)(e)),
    };
    for folder in folders {
        let folder = folder.map_err(at(blobs))?;
        let Some(prefix) = folder.file_name().to_str().filter(|name| name.len() == 2).map(str::to_owned)
        else {
            continue;
        };
        let path = folder.path();
        for file in fs::read_dir(&path).map_err(at(&path))? {
            let file = file.map_err(at(&path))?;
            all.extend(format!("{prefix}{}", file.file_name().to_string_lossy()).parse::<BlobId>());
        }
    }
    all.sort_unstable();
    Ok(all)
}

/// Whole or not at all, for this user only.
fn copy(from: &Path, to: &Path) -> Result<(), BackupError> {
    let folder = to.parent().unwrap_or(Path::new("."));
    let mut draft = tempfile::NamedTempFile::new_in(folder).map_err(at(folder))?;
    let mut source = File::open(from).map_err(at(from))?;
    io::copy(&mut source, draft.as_file_mut()).map_err(at(to))?;
    draft.as_file().sync_all().map_err(at(to))?;
    draft.persist(to).map_err(|e| at(to)(e.error))?;
    Ok(())
}

fn write(path: &Path, contents: &[u8]) -> Result<(), BackupError> {
    let folder = path.parent().unwrap_or(Path::new("."));
    let draft = tempfile::NamedTempFile::new_in(folder).map_err(at(folder))?;
    fs::write(draft.path(), contents).map_err(at(path))?;
    draft.as_file().sync_all().map_err(at(path))?;
    draft.persist(path).map_err(|e| at(path)(e.error))?;
    Ok(())
}

fn remove_if_there(path: &Path) -> Result<(), BackupError> {
    match fs::remove_file(path) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => Err(at(path)(e)),
        _ => Ok(()),
    }
}

fn private_folder(path: &Path) -> Result<(), BackupError> {
    use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
    fs::DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(at(path))?;
    fs::set_permissions(path, fs::Permissions::from_mode(0o700)).map_err(at(path))
}

fn at(path: &Path) -> impl FnOnce(io::Error) -> BackupError + '_ {
    move |source| BackupError::File { path: path.to_owned(), source }
}
