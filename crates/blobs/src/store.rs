//! The folder of blobs: `aa/bb…` by BLAKE3, unfinished uploads in `partial/`.

use crate::error::BlobError;
use crate::files::{hash_reader, open_plain, sync_folder};
use crate::open_uploads::OpenUploads;
use crate::pipeline::Pipeline;
use std::collections::HashMap;
use std::fs::{self, File, Metadata, Permissions, TryLockError};
use std::io::{self, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;
use tatau_model::{Address, BlobId};

/// The uploader of what a machine puts into its own store.
pub const LOCAL: Address = Address([0; 20]);

/// Blobs whose soundness is remembered at once.
const MAX_REMEMBERED: usize = 100_000;

/// How much a store takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Largest blob, bytes.
    pub max_blob_bytes: u64,
    /// All blobs and unfinished uploads together, bytes.
    pub quota_bytes: u64,
    /// Unfinished uploads at once.
    pub max_uploads: usize,
    /// Of these, places for uploaders whom the market waits for.
    pub kept_uploads: usize,
    /// Unfinished uploads of one uploader.
    pub max_uploads_each: usize,
    /// Announced sizes of one uploader's unfinished uploads together, bytes.
    pub max_upload_bytes_each: u64,
    /// A stored blob survives a power cut (costs a few milliseconds each).
    pub durable: bool,
}

impl Default for Limits {
    /// 16 GiB a blob, 1 TiB in all, 10,000 uploads of which 2,000 are kept, 64 and 128 GiB an uploader, durable.
    fn default() -> Self {
        Self {
            max_blob_bytes: 16 << 30,
            quota_bytes: 1 << 40,
            max_uploads: 10_000,
            kept_uploads: 2_000,
            max_uploads_each: 64,
            max_upload_bytes_each: 128 << 30,
            durable: true,
        }
    }
}

/// Content-addressed bytes in one folder, which one process holds at a time. Cloning is cheap.
///
/// All methods block on the disk; in async code go through [`BlobStore::run`].
#[derive(Clone)]
pub struct BlobStore {
    pub(crate) inner: Arc<Inner>,
}

pub(crate) struct Inner {
    pub(crate) dir: PathBuf,
    pub(crate) limits: Limits,
    state: Mutex<State>,
    pub(crate) pipeline: Pipeline,
    /// Held while the store is open.
    _lock: File,
}

pub(crate) struct State {
    /// Bytes of blobs and unfinished uploads.
    pub(crate) used: u64,
    /// Blobs that were hashed by this process, and how their files looked then.
    sound: HashMap<BlobId, Stamp>,
    pub(crate) uploads: OpenUploads,
}

type Stamp = (u64, SystemTime);

fn stamp(metadata: &Metadata) -> io::Result<Stamp> {
    Ok((metadata.len(), metadata.modified()?))
}

impl BlobStore {
    /// Opens or makes the store in `dir`.
    pub fn open(dir: &Path, limits: Limits) -> Result<Self, BlobError> {
        let partial = dir.join("partial");
        fs::create_dir_all(&partial).map_err(BlobError::io("made", &partial))?;
        let lock_path = dir.join("lock");
        let lock = File::create(&lock_path).map_err(BlobError::io("written", &lock_path))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(BlobError::InUse(dir.into())),
            Err(TryLockError::Error(source)) => return Err(BlobError::io("locked", &lock_path)(source)),
        }
        let state = State { used: 0, sound: HashMap::new(), uploads: OpenUploads::default() };
        let inner = Inner {
            dir: dir.into(),
            limits,
            state: Mutex::new(state),
            pipeline: Pipeline::default(),
            _lock: lock,
        };
        let store = Self { inner: Arc::new(inner) };
        let blobs: u64 = store.stored()?.iter().map(|blob| blob.bytes).sum();
        let unfinished = store.load_uploads()?;
        store.state().used = blobs.saturating_add(unfinished);
        Ok(store)
    }

    /// Runs blocking work on the store away from the async threads.
    pub async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Self) -> Result<T, BlobError> + Send + 'static,
    ) -> Result<T, BlobError> {
        let store = self.clone();
        tokio::task::spawn_blocking(move || work(&store)).await.map_err(|_| BlobError::BrokenOff)?
    }

    /// What this store takes.
    pub fn limits(&self) -> Limits {
        self.inner.limits
    }

    /// Bytes held, unfinished uploads included.
    pub fn used_bytes(&self) -> u64 {
        self.state().used
    }

    /// Where blob `id` lies, or would. Readers of the path must not trust the bytes: [`Self::open_blob`] checks them.
    pub fn path(&self, id: &BlobId) -> PathBuf {
        let name = hex::encode(id.0);
        self.inner.dir.join(&name[..2]).join(&name[2..])
    }

    /// Size in bytes, where the blob is here.
    pub fn size(&self, id: &BlobId) -> Result<Option<u64>, BlobError> {
        Ok(self.metadata(id)?.map(|metadata| metadata.len()))
    }

    /// Is the blob here?
    pub fn contains(&self, id: &BlobId) -> Result<bool, BlobError> {
        Ok(self.metadata(id)?.is_some())
    }

    fn metadata(&self, id: &BlobId) -> Result<Option<Metadata>, BlobError> {
        let path = self.path(id);
        match fs::symlink_metadata(&path) {
            Ok(metadata) if metadata.is_file() => Ok(Some(metadata)),
            Ok(_) => Err(BlobError::Damaged(*id)),
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(e) => Err(BlobError::io("read", &path)(e)),
        }
    }

    /// The blob for reading, from its start, or `None` where it is not here.
    ///
    /// The first time in this process, and again after its file changed, its contents are hashed; damaged ones are
    /// removed and never handed out.
    pub fn open_blob(&self, id: &BlobId) -> Result<Option<File>, BlobError> {
        let path = self.path(id);
        let file = match open_plain(&path) {
            Ok(file) => file,
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(e) => return Err(BlobError::io("read", &path)(e)),
        };
        let failed = || BlobError::io("read", &path);
        let before = file.metadata().and_then(|m| stamp(&m)).map_err(failed())?;
        if self.state().sound.get(id) == Some(&before) {
            return Ok(Some(file));
        }
        let (found, _) = hash_reader(&file).map_err(failed())?;
        if found != *id {
            self.remove(id)?;
            return Err(BlobError::Damaged(*id));
        }
        self.state().remember(*id, before);
        io::Seek::rewind(&mut &file).map_err(failed())?;
        Ok(Some(file))
    }

    /// The whole blob, at most `limit` bytes of it, checked.
    pub fn read(&self, id: &BlobId, limit: u64) -> Result<Option<Vec<u8>>, BlobError> {
        let Some(file) = self.open_blob(id)? else { return Ok(None) };
        let path = self.path(id);
        let bytes = file.metadata().map_err(BlobError::io("read", &path))?.len();
        if bytes > limit {
            return Err(BlobError::TooLarge { bytes, limit });
        }
        let mut contents = Vec::with_capacity(bytes as usize);
        file.take(limit).read_to_end(&mut contents).map_err(BlobError::io("read", &path))?;
        Ok(Some(contents))
    }

    /// Hashes the blob now, whatever is remembered; its size, or `None` where it is not here. A damaged one is removed.
    pub fn verify(&self, id: &BlobId) -> Result<Option<u64>, BlobError> {
        self.state().sound.remove(id);
        match self.open_blob(id)? {
            Some(file) => Ok(Some(file.metadata().map_err(BlobError::io("read", &self.path(id)))?.len())),
            None => Ok(None),
        }
    }

    /// Stores `contents` and gives their name; once is enough, however often it is called.
    pub fn put_bytes(&self, contents: &[u8]) -> Result<BlobId, BlobError> {
        let id = BlobId(*blake3::hash(contents).as_bytes());
        self.put_reader(contents, contents.len() as u64, Some(id)).map(|(id, _)| id)
    }

    /// Stores a copy of the plain file at `path`; its name and size.
    pub fn put_file(&self, path: &Path) -> Result<(BlobId, u64), BlobError> {
        let file = open_plain(path).map_err(BlobError::io("read", path))?;
        let bytes = file.metadata().map_err(BlobError::io("read", path))?.len();
        self.put_reader(file, bytes, None)
    }

    /// Copies `bytes` bytes (fewer if the source ends early) and names what was copied.
    fn put_reader(
        &self,
        source: impl Read,
        bytes: u64,
        known: Option<BlobId>,
    ) -> Result<(BlobId, u64), BlobError> {
        if bytes > self.inner.limits.max_blob_bytes {
            return Err(BlobError::TooLarge { bytes, limit: self.inner.limits.max_blob_bytes });
        }
        if let Some(id) = known
            && self.touch(&id)?
        {
            return Ok((id, bytes));
        }
        self.reserve(bytes)?;
        let copied = self.copy_in(source.take(bytes));
        match copied {
            Ok((id, written, draft)) => {
                self.release(bytes - written);
                self.install(&draft, &id, written)?;
                Ok((id, written))
            }
            Err(e) => {
                self.release(bytes);
                Err(e)
            }
        }
    }

    /// Writes a draft while hashing it.
    fn copy_in(&self, source: impl Read) -> Result<(BlobId, u64, tempfile::TempPath), BlobError> {
        struct Tee<R, W>(R, W);
        impl<R: Read, W: Write> Read for Tee<R, W> {
            fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
                let n = self.0.read(buffer)?;
                self.1.write_all(&buffer[..n])?;
                Ok(n)
            }
        }
        let folder = self.inner.dir.join("partial");
        let failed = || BlobError::io("written", &folder);
        let draft = tempfile::Builder::new().prefix("draft-").tempfile_in(&folder).map_err(failed())?;
        let (id, written) = hash_reader(Tee(source, draft.as_file())).map_err(failed())?;
        if self.inner.limits.durable {
            draft.as_file().sync_all().map_err(failed())?;
        }
        Ok((id, written, draft.into_temp_path()))
    }

    /// Gives the finished, checked file at `draft`, whose bytes are reserved already, its name.
    pub(crate) fn install(&self, draft: &Path, id: &BlobId, bytes: u64) -> Result<(), BlobError> {
        let path = self.path(id);
        let folder = path.parent().unwrap_or(&self.inner.dir);
        let installed = self.install_at(draft, id, &path, folder);
        if installed.is_err() && fs::remove_file(draft).is_ok() {
            // Not renamed: its bytes are gone, and whoever made it begins again.
            self.release(bytes);
        }
        installed.map_err(BlobError::io("written", &path))
    }

    fn install_at(&self, draft: &Path, id: &BlobId, path: &Path, folder: &Path) -> io::Result<()> {
        fs::set_permissions(draft, Permissions::from_mode(0o444))?;
        let new_folder = match fs::create_dir(folder) {
            Ok(()) => true,
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists => false,
            Err(e) => return Err(e),
        };
        {
            // What is here already gives way: this copy was hashed a moment ago, that one perhaps long ago.
            let mut state = self.state();
            let before = fs::symlink_metadata(path).map_or(0, |metadata| metadata.len());
            fs::rename(draft, path)?;
            state.used = state.used.saturating_sub(before);
            let now = stamp(&fs::symlink_metadata(path)?)?;
            state.remember(*id, now);
        }
        if self.inner.limits.durable {
            sync_folder(folder)?;
            if new_folder {
                sync_folder(&self.inner.dir)?;
            }
        }
        Ok(())
    }

    /// Notes that the blob is wanted now, so that neither garbage collection nor eviction takes it soon; false where
    /// it is not here.
    pub fn touch(&self, id: &BlobId) -> Result<bool, BlobError> {
        let path = self.path(id);
        let mut state = self.state();
        let file = match open_plain(&path) {
            Ok(file) => file,
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(false),
            Err(e) => return Err(BlobError::io("read", &path)(e)),
        };
        let touched = (|| {
            let before = stamp(&file.metadata()?)?;
            file.set_modified(SystemTime::now())?;
            if state.sound.get(id) == Some(&before) {
                let after = stamp(&file.metadata()?)?;
                state.remember(*id, after);
            }
            Ok(())
        })();
        touched.map(|()| true).map_err(BlobError::io("touched", &path))
    }

    /// Removes the blob; false where it was not here.
    pub fn remove(&self, id: &BlobId) -> Result<bool, BlobError> {
        let mut state = self.state();
        self.remove_locked(&mut state, id)
    }

    pub(crate) fn remove_locked(&self, state: &mut State, id: &BlobId) -> Result<bool, BlobError> {
        let Some(metadata) = self.metadata(id)? else { return Ok(false) };
        let path = self.path(id);
        fs::remove_file(&path).map_err(BlobError::io("removed", &path))?;
        state.used = state.used.saturating_sub(metadata.len());
        state.sound.remove(id);
        Ok(true)
    }

    /// Counts `bytes` as used before they are written, or refuses.
    pub(crate) fn reserve(&self, bytes: u64) -> Result<(), BlobError> {
        let mut state = self.state();
        let quota = self.inner.limits.quota_bytes;
        let after = state.used.checked_add(bytes).filter(|after| *after <= quota);
        state.used = after.ok_or(BlobError::Quota { used: state.used, quota, needed: bytes })?;
        Ok(())
    }

    pub(crate) fn release(&self, bytes: u64) {
        let mut state = self.state();
        state.used = state.used.saturating_sub(bytes);
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.inner.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn remember(&mut self, id: BlobId, stamp: Stamp) {
        if self.sound.len() >= MAX_REMEMBERED {
            self.sound.clear();
        }
        self.sound.insert(id, stamp);
    }
}

impl std::fmt::Debug for BlobStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "BlobStore({})", self.inner.dir.display())
    }
}
