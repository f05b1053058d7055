//! Finished work that the platform has not taken yet, on disk: survives a crash of the node and a vanished network.
//!
//! One folder a piece of work, `<dir>/<holder>/files` with its outputs and `entry.json` with what is to be sent. A folder without an
//! entry was never finished and is removed at the next start.

use serde::{Serialize, de::DeserializeOwned};
use std::{
    fs::{self, File},
    io::{self, Write},
    marker::PhantomData,
    path::{Path, PathBuf},
};

const ENTRY: &str = "entry.json";
/// Largest entry, bytes.
const ENTRY_BYTES: u64 = 16 << 20;

/// The journal could not be read or written.
#[derive(Debug, thiserror::Error)]
#[error("the journal {} could not be {doing}: {source}; check the disk and the folder's permissions", .path.display())]
pub struct OutboxError {
    path: PathBuf,
    doing: &'static str,
    source: io::Error,
}

fn failed<'a>(path: &'a Path, doing: &'static str) -> impl FnOnce(io::Error) -> OutboxError + 'a {
    move |source| OutboxError { path: path.to_owned(), doing, source }
}

/// A folder of finished work with entries of type `T`.
#[derive(Debug, Clone)]
pub struct Outbox<T> {
    dir: PathBuf,
    kind: PhantomData<fn() -> T>,
}

impl<T: Serialize + DeserializeOwned> Outbox<T> {
    /// Opens or makes the outbox, and gives what was kept in it, oldest name first. Unfinished folders are removed; an entry that
    /// cannot be read is an error (it may be a promise that was signed).
    pub fn open(dir: &Path) -> Result<(Self, Vec<(String, T)>), OutboxError> {
        fs::create_dir_all(dir).map_err(failed(dir, "made"))?;
        let mut kept = Vec::new();
        for found in fs::read_dir(dir).map_err(failed(dir, "read"))? {
            let found = found.map_err(failed(dir, "read"))?;
            let entry = found.path().join(ENTRY);
            let bytes = match fs::metadata(&entry) {
                Ok(seen) if seen.len() <= ENTRY_BYTES => fs::read(&entry).map_err(failed(&entry, "read"))?,
                Ok(_) => return Err(failed(&entry, "read")(io::Error::other("it is too large"))),
                Err(e) if e.kind() == io::ErrorKind::NotFound || e.kind() == io::ErrorKind::NotADirectory => {
                    discard(&found.path())?;
                    continue;
                }
                Err(e) => return Err(failed(&entry, "read")(e)),
            };
            let value = serde_json::from_slice(&bytes).map_err(|e| failed(&entry, "read")(e.into()))?;
            kept.push((found.file_name().to_string_lossy().into_owned(), value));
        }
        kept.sort_by(|a, b| a.0.cmp(&b.0));
        Ok((Self { dir: dir.to_owned(), kind: PhantomData }, kept))
    }

    /// A new, empty folder for the outputs of `holder`.
    pub fn begin(&self, holder: &str) -> Result<PathBuf, OutboxError> {
        discard(&self.dir.join(holder))?;
        let files = self.files(holder);
        fs::create_dir_all(&files).map_err(failed(&files, "made"))?;
        Ok(files)
    }

    /// Where the outputs of `holder` lie.
    pub fn files(&self, holder: &str) -> PathBuf {
        self.dir.join(holder).join("files")
    }

    /// Keeps what is to be sent, durably; an earlier entry is replaced whole.
    pub fn keep(&self, holder: &str, entry: &T) -> Result<(), OutboxError> {
        let folder = self.dir.join(holder);
        let path = folder.join(ENTRY);
        let bytes = serde_json::to_vec(entry).map_err(|e| failed(&path, "written")(e.into()))?;
        let draft = folder.join(".entry.json");
        File::create(&draft)
            .and_then(|mut file| {
                file.write_all(&bytes)?;
                file.sync_all()
            })
            .and_then(|()| fs::rename(&draft, &path))
            .and_then(|()| File::open(&folder)?.sync_all())
            .and_then(|()| File::open(&self.dir)?.sync_all())
            .map_err(failed(&path, "written"))
    }

    /// How many entries are kept now.
    pub fn count(&self) -> Result<u64, OutboxError> {
        let mut count = 0;
        for found in fs::read_dir(&self.dir).map_err(failed(&self.dir, "read"))? {
            let entry = found.map_err(failed(&self.dir, "read"))?.path().join(ENTRY);
            count += u64::from(entry.try_exists().map_err(failed(&entry, "read"))?);
        }
        Ok(count)
    }

    /// Forgets `holder`: everything was taken, or nobody wants it.
    pub fn remove(&self, holder: &str) -> Result<(), OutboxError> {
        // The entry goes first: what is left after a crash counts as unfinished.
        let entry = self.dir.join(holder).join(ENTRY);
        match fs::remove_file(&entry) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(failed(&entry, "removed")(e)),
            _ => {}
        }
        discard(&self.dir.join(holder))
    }
}

fn discard(path: &Path) -> Result<(), OutboxError> {
    let gone = if path.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) };
    match gone {
        Err(e) if e.kind() != io::ErrorKind::NotFound => Err(failed(path, "removed")(e)),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finished_work_survives_and_unfinished_does_not() {
        let dir = tempfile::tempdir().unwrap();
        let (outbox, kept) = Outbox::<u32>::open(dir.path()).unwrap();
        assert!(kept.is_empty());
        for holder in ["attempt-1", "attempt-2", "attempt-3"] {
            fs::write(outbox.begin(holder).unwrap().join("a"), holder).unwrap();
        }
        outbox.keep("attempt-1", &10).unwrap();
        outbox.keep("attempt-3", &30).unwrap();
        outbox.keep("attempt-3", &31).unwrap();
        assert_eq!(outbox.count().unwrap(), 2);
        outbox.remove("attempt-1").unwrap();
        assert_eq!(outbox.count().unwrap(), 1);
        let (outbox, kept) = Outbox::<u32>::open(dir.path()).unwrap();
        assert_eq!(kept, [("attempt-3".to_owned(), 31)]);
        assert_eq!(fs::read_to_string(outbox.files("attempt-3").join("a")).unwrap(), "attempt-3");
        assert!(!outbox.files("attempt-2").exists() && !outbox.files("attempt-1").exists());
    }

    #[test]
    fn an_unreadable_entry_is_no_empty_one() {
        let dir = tempfile::tempdir().unwrap();
        let (outbox, _) = Outbox::<u32>::open(dir.path()).unwrap();
        outbox.begin("attempt-1").unwrap();
        fs::write(dir.path().join("attempt-1").join(ENTRY), "{").unwrap();
        let told = Outbox::<u32>::open(dir.path()).unwrap_err().to_string();
        assert!(told.contains("entry.json could not be read"), "{told}");
    }
}
