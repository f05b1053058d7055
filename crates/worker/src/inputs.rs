//! What a task starts from, laid out where its session sees it as `/in`.
//!
//! `/in/scene/**` is the inputs manifest, linked from the cache; `/in/requests/<holder>.json` and `/in/files/<holder>/*` belong
//! to one task. Equal sessions share one folder, so the second frame of a scene moves no bytes of it.

use crate::{Fault, Platform};
use std::{
    collections::HashMap,
    fs, io,
    os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError, Weak},
};
use tatau_blobs::{BlobError, Cache, Manifest, ManifestFile, Placing, manifest::MAX_BYTES, materialize};
use tatau_client::ClientError;
use tatau_model::{BlobId, JobId, Order, SessionOrder};
use tatau_sandbox::{Doors, Licence};
use tatau_workload::trace::is_output_name;

/// Blobs named in one request for grants; small, so that grants do not expire before they are used.
const GRANTS: usize = 256;
/// Most files that a task starts from besides its scene (a video: its pictures).
const MOST_FILES: usize = 100_000;
/// Largest request, bytes.
const REQUEST_BYTES: usize = 64 << 20;

/// One session's identity on this node.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct SessionKey {
    /// Its job: keeps buyers apart.
    pub job: JobId,
    /// What it runs.
    pub session: SessionOrder,
}

/// The input folder of one session; removed when nobody needs it any more.
#[derive(Debug)]
pub struct Room {
    key: SessionKey,
    dir: PathBuf,
    /// The ways to the licence server, where its sessions have one.
    doors: Mutex<Option<Doors>>,
}

impl Room {
    /// Whose it is.
    pub fn key(&self) -> &SessionKey {
        &self.key
    }
    /// The folder that the session sees as `/in`.
    pub fn dir(&self) -> &Path {
        &self.dir
    }
    /// Opens the ways to the licence server; once is enough, they stay as long as the room.
    pub fn open_doors(&self, licence: &Licence) -> io::Result<()> {
        let mut doors = self.doors.lock().unwrap_or_else(PoisonError::into_inner);
        if doors.is_none() {
            *doors = Some(Doors::open(licence, &self.dir)?);
        }
        Ok(())
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.dir) {
            tracing::warn!(%error, dir = %self.dir.display(), "an input folder stays until the next start");
        }
    }
}

/// A task whose inputs lie ready. Dropping it removes what belonged to it alone.
#[derive(Debug)]
pub struct Prepared {
    /// The folder of its session.
    pub room: Arc<Room>,
    /// `attempt-N` or `audit-N`.
    pub holder: String,
    /// The work.
    pub order: Order,
}

impl Prepared {
    /// Where its session sees the files that belong to it alone.
    pub fn files_inside(&self) -> String {
        format!("/in/files/{}", self.holder)
    }
}

impl Drop for Prepared {
    fn drop(&mut self) {
        let paths =
            [self.room.dir.join("files").join(&self.holder), request_at(&self.room.dir, &self.holder)];
        for path in paths {
            let gone = if path.is_dir() { fs::remove_dir_all(&path) } else { fs::remove_file(&path) };
            if let Err(error) = gone
                && error.kind() != io::ErrorKind::NotFound
            {
                tracing::warn!(%error, path = %path.display(), "an input stays until its session ends");
            }
        }
    }
}

fn request_at(dir: &Path, holder: &str) -> PathBuf {
    dir.join("requests").join(format!("{holder}.json"))
}

/// Why inputs could not be laid out.
#[derive(Debug, thiserror::Error)]
pub enum InputsError {
    /// The platform did not answer, or refused.
    #[error(transparent)]
    Platform(#[from] ClientError),
    /// The order or its inputs are not as they must be, or do not fit on this machine.
    #[error(transparent)]
    Fault(#[from] Fault),
}

impl From<BlobError> for InputsError {
    fn from(error: BlobError) -> Self {
        let code = match error {
            BlobError::TooLarge { .. } | BlobError::CacheFull { .. } | BlobError::WrongSize { .. } => {
                "bad_inputs"
            }
            _ => "disk",
        };
        Self::Fault(Fault::new(code, error.to_string()))
    }
}

fn disk<'a>(path: &'a Path, doing: &'static str) -> impl FnOnce(io::Error) -> InputsError + 'a {
    move |e| Fault::new("disk", format!("{} could not be {doing}: {e}", path.display())).into()
}

/// Fetches and lays out inputs; one for all cards of a node.
#[derive(Debug)]
pub struct Inputs<P> {
    platform: P,
    cache: Cache,
    root: PathBuf,
    rooms: Mutex<Rooms>,
    /// Two cards that need the same blob must not write the same file.
    fetching: tokio::sync::Mutex<()>,
}

#[derive(Debug, Default)]
struct Rooms {
    known: HashMap<SessionKey, Weak<Room>>,
    made: u64,
}

impl<P: Platform> Inputs<P> {
    /// Works below `dir`: `blobs` (a cache of `cap_bytes`), `fetch`, `in`. What an earlier run left in `in` is removed.
    pub fn open(platform: P, dir: &Path, cap_bytes: u64) -> Result<Self, InputsError> {
        let root = dir.join("in");
        match fs::remove_dir_all(&root) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(disk(&root, "removed")(e)),
            _ => {}
        }
        let fetch = dir.join("fetch");
        for folder in [&root, &fetch] {
            fs::create_dir_all(folder).map_err(disk(folder, "made"))?;
        }
        let cache = Cache::open(&dir.join("blobs"), cap_bytes)?;
        Ok(Self {
            platform,
            cache,
            root: dir.to_owned(),
            rooms: Mutex::default(),
            fetching: tokio::sync::Mutex::default(),
        })
    }

    /// Brings everything that `order` starts from. `holder` is `attempt-N` or `audit-N`.
    pub async fn prepare(&self, holder: &str, order: &Order) -> Result<Prepared, InputsError> {
        check(holder, order)?;
        let key = SessionKey { job: order.job, session: order.session.clone() };
        let room = {
            let _one = self.fetching.lock().await;
            match self.known(&key) {
                Some(room) => room,
                None => self.make_room(holder, key).await?,
            }
        };
        let prepared = Prepared { room, holder: holder.to_owned(), order: order.clone() };
        if !order.files.is_empty() {
            self.place_files(&prepared).await?;
        }
        if let Some(request) = &order.request {
            let path = request_at(&prepared.room.dir, holder);
            write_open(&path, request.as_bytes()).map_err(disk(&path, "written"))?;
        }
        Ok(prepared)
    }

    fn known(&self, key: &SessionKey) -> Option<Arc<Room>> {
        self.rooms.lock().unwrap_or_else(PoisonError::into_inner).known.get(key)?.upgrade()
    }

    async fn make_room(&self, holder: &str, key: SessionKey) -> Result<Arc<Room>, InputsError> {
        let number = {
            let mut rooms = self.rooms.lock().unwrap_or_else(PoisonError::into_inner);
            rooms.known.retain(|_, room| room.strong_count() > 0);
            rooms.made += 1;
            rooms.made
        };
        let inputs = key.session.inputs;
        // From here on a failure removes the folder again.
        let dir = self.root.join("in").join(number.to_string());
        let room = Room { key: key.clone(), dir, doors: Mutex::default() };
        for part in ["", "requests", "files"] {
            let folder = room.dir.join(part);
            open_folder(&folder).map_err(disk(&folder, "made"))?;
        }
        if let Some(inputs) = inputs {
            let manifest = self.manifest(holder, inputs).await?;
            if manifest.total_bytes() > self.cache.store().limits().quota_bytes {
                let sentence = format!(
                    "the inputs have {} MiB, more than this node's cache holds",
                    manifest.total_bytes() >> 20
                );
                return Err(Fault::new("bad_inputs", sentence).into());
            }
            self.lay_out(holder, manifest, room.dir.join("scene")).await?;
        }
        let room = Arc::new(room);
        let mut rooms = self.rooms.lock().unwrap_or_else(PoisonError::into_inner);
        rooms.known.insert(key, Arc::downgrade(&room));
        Ok(room)
    }

    async fn manifest(&self, holder: &str, id: BlobId) -> Result<Manifest, InputsError> {
        self.fetch(holder, &[(id, MAX_BYTES)]).await?;
        let bytes = self
            .cache
            .run(move |cache| {
                let mut file = cache.open_blob(&id)?.ok_or(BlobError::Missing(id))?;
                let mut bytes = Vec::new();
                io::Read::read_to_end(&mut file, &mut bytes).map_err(|_| BlobError::Damaged(id))?;
                Ok(bytes)
            })
            .await?;
        Manifest::parse(&bytes).map_err(|e| Fault::new("bad_inputs", e.to_string()).into())
    }

    async fn place_files(&self, task: &Prepared) -> Result<(), InputsError> {
        let files = task.order.files.iter();
        let files =
            files.map(|f| ManifestFile { path: f.name.clone(), blob: f.blob, bytes: f.bytes }).collect();
        let manifest = Manifest::new(files).map_err(|e| Fault::new("bad_order", e.to_string()))?;
        let _one = self.fetching.lock().await;
        self.lay_out(&task.holder, manifest, task.room.dir.join("files").join(&task.holder)).await
    }

    /// Fetches what the cache lacks and links everything into the new folder `target`.
    async fn lay_out(&self, holder: &str, manifest: Manifest, target: PathBuf) -> Result<(), InputsError> {
        let _pins = self.cache.pin(manifest.blobs());
        let mut wanted: Vec<_> = manifest.files().iter().map(|f| (f.blob, f.bytes)).collect();
        wanted.sort_unstable();
        wanted.dedup_by_key(|(blob, _)| *blob);
        // A blob that was damaged on disk is noticed while it is laid out, and fetched once more.
        for again in [true, false] {
            self.fetch(holder, &wanted).await?;
            let (manifest, to) = (manifest.clone(), target.clone());
            let placed = self.cache.run(move |c| materialize(c.store(), &manifest, &to, Placing::Link)).await;
            match placed {
                Err(BlobError::Damaged(_) | BlobError::Missing(_)) if again => {
                    fs::remove_dir_all(&target).map_err(disk(&target, "removed"))?;
                }
                other => return Ok(other?),
            }
        }
        Ok(())
    }

    /// Brings the blobs that are not here into the cache.
    async fn fetch(&self, holder: &str, wanted: &[(BlobId, u64)]) -> Result<(), InputsError> {
        let mut missing = Vec::new();
        for (blob, bytes) in wanted {
            if !self.cache.touch(blob)? {
                missing.push((*blob, *bytes));
            }
        }
        let folder = self.root.join("fetch");
        for part in missing.chunks(GRANTS) {
            let blobs: Vec<BlobId> = part.iter().map(|(blob, _)| *blob).collect();
            let granted = self.platform.grants(holder, &blobs).await?;
            if granted.urls.len() != part.len() {
                return Err(ClientError::Malformed(
                    "the server granted another number of blobs than was asked for".into(),
                )
                .into());
            }
            for ((blob, bytes), url) in part.iter().zip(&granted.urls) {
                let to = folder.join(blob.to_string());
                self.platform.download(url, &to, *blob, *bytes).await?;
                let from = to.clone();
                self.cache.run(move |cache| cache.put_file(&from)).await?;
                fs::remove_file(&to).map_err(disk(&to, "removed"))?;
            }
        }
        Ok(())
    }
}

/// Nothing of an order may name a place outside of its own.
fn check(holder: &str, order: &Order) -> Result<(), Fault> {
    let bad = |sentence: &str| Err(Fault::new("bad_order", sentence));
    let plain = |name: &str| {
        (1..=128).contains(&name.len())
            && !name.starts_with('.')
            && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b))
    };
    if !plain(holder)
        || order.files.len() > MOST_FILES
        || !order.files.iter().all(|f| is_output_name(&f.name))
    {
        return bad("the order names its files in a way that this node refuses");
    }
    let Some(request) = &order.request else { return Ok(()) };
    let at = format!("/in/requests/{holder}.json");
    if order.parameters.get("Request") != Some(&at) {
        return bad("the order's request is not where this task looks for it");
    }
    if request.len() > REQUEST_BYTES {
        return bad("the order's request is too large");
    }
    Ok(())
}

/// A folder that the session's user may read, whatever the umask is.
fn open_folder(path: &Path) -> io::Result<()> {
    fs::DirBuilder::new().recursive(true).mode(0o755).create(path)?;
    fs::set_permissions(path, fs::Permissions::from_mode(0o755))
}

fn write_open(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o644).open(path)?;
    io::Write::write_all(&mut file, bytes)?;
    fs::set_permissions(path, fs::Permissions::from_mode(0o644))
}
