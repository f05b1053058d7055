//! The buyer's folder: what is in it already, and of which job. Nothing is ever written outside it.
//!
//! `.tatau-sync.json` remembers the job, a nonce that makes its request key, and the files that were verified. Losing it loses
//! nothing: files are then read again and compared.

use crate::SubmitError;
use rand::RngExt;
use serde::{Deserialize, Serialize};
use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::Write,
    path::{Path, PathBuf},
    time::SystemTime,
};
use tatau_model::{BlobId, JobId, Work};
use tatau_workload::trace;

const STATE: &str = ".tatau-sync.json";
const DRAFT: &str = ".tatau-sync.json.new";
const VERSION: u32 = 1;
/// Larger than the state of a job with 100,000 frames.
const MAX_STATE_BYTES: u64 = 128 << 20;

/// A verified file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SavedFile {
    /// Its contents.
    pub blob: BlobId,
    /// Its size.
    pub bytes: u64,
    /// When it was last written, ms since 1970: changed since, it is read again.
    pub modified_ms: u64,
}

/// What `.tatau-sync.json` holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TargetState {
    /// Of this format: 1.
    pub version: u32,
    /// Part of the job's request key: the same folder asks for the same job.
    pub nonce: String,
    /// The server that the job is on.
    pub server: Option<String>,
    /// The job.
    pub job: Option<JobId>,
    /// Path below the folder → what was verified there.
    pub files: BTreeMap<String, SavedFile>,
}

/// A folder, held by this process alone.
#[derive(Debug)]
pub struct Target {
    dir: PathBuf,
    state: TargetState,
    /// Holds the lock.
    _lock: File,
}

impl Target {
    /// Opens the folder, making it where it is not there. Refuses one that cannot be written, or that another process writes to.
    pub fn open(dir: &Path) -> Result<Self, SubmitError> {
        make_folder(dir)?;
        let dir = dir.canonicalize().map_err(|e| SubmitError::io("read", dir, &e))?;
        let lock = File::open(&dir).map_err(|e| SubmitError::io("read", &dir, &e))?;
        lock.try_lock().map_err(|e| match e {
            fs::TryLockError::WouldBlock => SubmitError::Local(format!(
                "another tatau is writing to {}; wait for it, stop it, or choose another folder",
                dir.display()
            )),
            fs::TryLockError::Error(e) => SubmitError::io("locked", &dir, &e),
        })?;
        let draft = dir.join(DRAFT);
        File::create(&draft).and_then(|_| fs::remove_file(&draft)).map_err(|e| unwritable(&dir, &e))?;
        let state = match read_state(&dir)? {
            Some(state) => state,
            None => fresh(),
        };
        Ok(Self { dir, state, _lock: lock })
    }

    /// The folder, without links.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// What is known of it.
    pub fn state(&self) -> &TargetState {
        &self.state
    }

    /// Binds the folder to a job. Refuses where it holds another one's results.
    pub fn bind(&mut self, server: &str, job: JobId) -> Result<(), SubmitError> {
        if let Some(other) = self.state.job
            && (other != job || self.state.server.as_deref() != Some(server))
        {
            return Err(SubmitError::Usage(format!(
                "{} holds the results of {other} on {}; choose another folder",
                self.dir.display(),
                self.state.server.as_deref().unwrap_or("another server")
            )));
        }
        self.state.server = Some(server.to_owned());
        self.state.job = Some(job);
        self.store()
    }

    /// Forgets the job, so that the folder may ask for another; its files stay until they are replaced.
    pub fn forget_job(&mut self) -> Result<(), SubmitError> {
        let files = std::mem::take(&mut self.state.files);
        self.state = TargetState { files, ..fresh() };
        self.store()
    }

    /// Writes the state, whole or not at all. Call it now and then, and at the end.
    pub fn store(&self) -> Result<(), SubmitError> {
        let path = self.dir.join(STATE);
        let draft = self.dir.join(DRAFT);
        let json = serde_json::to_vec(&self.state)
            .map_err(|e| SubmitError::Local(format!("{} could not be written: {e}", path.display())))?;
        let write = || -> std::io::Result<()> {
            let mut file = File::create(&draft)?;
            file.write_all(&json)?;
            file.sync_all()?;
            fs::rename(&draft, &path)
        };
        write().map_err(|e| SubmitError::io("written", &path, &e))
    }

    /// Where a file of `work` goes: its path below the folder. The names are this program's own, whatever the platform says.
    pub(crate) fn place(work: &Work) -> Option<(String, String)> {
        let picture = |frame: &i32| trace::frame_name(*frame) + ".png";
        match work {
            Work::Render { tile: None, .. } | Work::Stitch { .. } => {
                trace::raw_file(work).map(|name| (format!("frames/{name}"), name))
            }
            Work::Finish { frame } => Some((format!("frames/{}", picture(frame)), picture(frame))),
            Work::Video => Some((trace::VIDEO.to_owned(), trace::VIDEO.to_owned())),
            // Of tiles a buyer gets the frame that is joined from them.
            Work::Render { tile: Some(_), .. } | Work::Inspect | Work::Benchmark | Work::Task { .. } => None,
        }
    }

    /// Why nothing may be put at `file`, if so: a folder is there, or a file that came neither from this job nor from one before it
    /// in this folder.
    pub(crate) fn taken(&self, file: &str) -> Option<&'static str> {
        let there = fs::symlink_metadata(self.dir.join(file)).ok()?;
        if there.is_dir() {
            Some("a folder of that name is there; move it away, or choose another folder")
        } else if self.state.files.contains_key(file) {
            None
        } else {
            Some("another file of that name is there and is kept; move it away, or choose another folder")
        }
    }

    /// The file's place on the disk; makes the folder above it.
    pub(crate) fn path(&self, file: &str) -> Result<PathBuf, SubmitError> {
        let path = self.dir.join(file);
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder).map_err(|e| SubmitError::io("made", folder, &e))?;
        }
        Ok(path)
    }

    /// Is this file there, with these contents? Reads it where it changed since it was verified.
    pub(crate) async fn holds(&mut self, file: &str, blob: BlobId, bytes: u64) -> Result<bool, SubmitError> {
        let path = self.path(file)?;
        let Some((size, modified_ms)) = look(&path) else { return Ok(false) };
        if size != bytes {
            return Ok(false);
        }
        let now = SavedFile { blob, bytes, modified_ms };
        if self.state.files.get(file) == Some(&now) {
            return Ok(true);
        }
        let read = tokio::task::spawn_blocking(move || tatau_blobs::hash_file(&path)).await;
        let same = matches!(read, Ok(Ok((found, _))) if found == blob);
        if same {
            self.state.files.insert(file.to_owned(), now);
        }
        Ok(same)
    }

    /// Notes a file that was just verified and renamed into place.
    pub(crate) fn note(&mut self, file: &str, blob: BlobId, bytes: u64) {
        if let Some((_, modified_ms)) = look(&self.dir.join(file)) {
            self.state.files.insert(file.to_owned(), SavedFile { blob, bytes, modified_ms });
        }
    }
}

/// Makes a folder of the buyer's choice, and those above it; one that cannot be made is a wrong choice ([`SubmitError::Usage`]).
pub fn make_folder(dir: &Path) -> Result<(), SubmitError> {
    fs::create_dir_all(dir).map_err(|e| unwritable(dir, &e))
}

fn unwritable(dir: &Path, e: &std::io::Error) -> SubmitError {
    SubmitError::Usage(format!(
        "the folder {} cannot be made or written ({e}); choose another one",
        dir.display()
    ))
}

fn fresh() -> TargetState {
    let nonce: [u8; 16] = rand::rng().random();
    let nonce = format!("{:032x}", u128::from_le_bytes(nonce));
    TargetState { version: VERSION, nonce, server: None, job: None, files: BTreeMap::new() }
}

/// Size and time of a plain file.
fn look(path: &Path) -> Option<(u64, u64)> {
    let meta = fs::symlink_metadata(path).ok().filter(fs::Metadata::is_file)?;
    let since = meta.modified().ok()?.duration_since(SystemTime::UNIX_EPOCH).ok()?;
    Some((meta.len(), u64::try_from(since.as_millis()).ok()?))
}

fn read_state(dir: &Path) -> Result<Option<TargetState>, SubmitError> {
    let path = dir.join(STATE);
    let size = match fs::symlink_metadata(&path) {
        Ok(meta) => meta.len(),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(SubmitError::io("read", &path, &e)),
    };
    let bad = || {
        SubmitError::Local(format!(
            "{} cannot be read; remove it to fetch again what changed, or choose another folder",
            path.display()
        ))
    };
    if size > MAX_STATE_BYTES {
        return Err(bad());
    }
    let text = fs::read(&path).map_err(|e| SubmitError::io("read", &path, &e))?;
    let state: TargetState = serde_json::from_slice(&text).map_err(|_| bad())?;
    if state.version == VERSION && !state.nonce.is_empty() && state.nonce.len() <= 64 {
        Ok(Some(state))
    } else {
        Err(bad())
    }
}

#[cfg(test)]
#[path = "../tests/unit/target.rs"]
mod tests;
