//! Uploads: by chunks of which several are on their way, going on where an earlier try ended.

use crate::{Client, ClientError, Progress, packing::Packing, send::Call};
use bytes::Bytes;
use futures_util::{StreamExt as _, stream::FuturesOrdered};
use reqwest::Method;
use std::{
    fs::File,
    io::Read as _,
    os::unix::fs::FileExt as _,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};
use tatau_api::UploadState;
use tatau_model::BlobId;

/// Most bytes of one chunk; the server takes up to 8 MiB.
pub const CHUNK_BYTES: usize = 4 << 20;
/// Least bytes of one chunk, on a slow line: a person sees it go on, and little is sent again after a cut.
const LEAST_CHUNK: usize = 256 << 10;
/// Bytes of the first chunk.
const FIRST_CHUNK: usize = 1 << 20;
/// Chunks get larger while each takes less than this…
const QUICK: Duration = Duration::from_secs(1);
/// …and smaller while each takes more than this.
const SLOW: Duration = Duration::from_secs(4);
/// Chunks on their way at once.
const IN_FLIGHT: usize = 4;
/// Time for one chunk on a slow line (four of 256 KiB at 20 kbit/s take as long).
const CHUNK_TIMEOUT: Duration = Duration::from_mins(7);
/// How often in a row the server may move the offset before the upload is given up.
const MOST_DETOURS: u32 = 64;

/// Where the bytes of an upload come from.
enum Source {
    File(Arc<File>, PathBuf),
    Memory(Bytes),
}

impl Client {
    /// `GET /v1/uploads/{blob}?bytes=N`: how much of the blob the server holds.
    pub async fn upload_state(&self, blob: BlobId, bytes: u64) -> Result<UploadState, ClientError> {
        self.json(Call::get(format!("/v1/uploads/{blob}?bytes={bytes}"))).await
    }

    /// `PUT /v1/uploads/{blob}?bytes=N&offset=O`: one chunk of at most 8 MiB. The answer's `have` is where the next one
    /// starts, also when the server had another offset in mind.
    pub async fn put_chunk(
        &self,
        blob: BlobId,
        bytes: u64,
        offset: u64,
        chunk: Bytes,
    ) -> Result<UploadState, ClientError> {
        self.put(blob, bytes, offset, chunk, false).await
    }

    async fn put(
        &self,
        blob: BlobId,
        bytes: u64,
        offset: u64,
        body: Bytes,
        packed: bool,
    ) -> Result<UploadState, ClientError> {
        let call = Call {
            method: Method::PUT,
            body,
            packed,
            timeout: CHUNK_TIMEOUT,
            ..Call::get(format!("/v1/uploads/{blob}?bytes={bytes}&offset={offset}"))
        };
        self.json(call).await
    }

    /// Uploads a file, going on where an earlier try ended, and gives its name and size. A blob that the server holds
    /// already costs one request.
    pub async fn upload_file(&self, path: &Path, on: Progress<'_>) -> Result<(BlobId, u64), ClientError> {
        let (blob, bytes) = hash_file(path).await?;
        self.upload_named(path, blob, bytes, on).await?;
        Ok((blob, bytes))
    }

    /// As [`Self::upload_file`], where name and size are known.
    pub async fn upload_named(
        &self,
        path: &Path,
        blob: BlobId,
        bytes: u64,
        on: Progress<'_>,
    ) -> Result<(), ClientError> {
        let file = File::open(path).map_err(|e| ClientError::file("read", path, &e))?;
        self.upload(&Source::File(Arc::new(file), path.into()), blob, bytes, on).await
    }

    /// Uploads bytes from memory and gives their name.
    pub async fn upload_bytes(&self, data: Bytes) -> Result<BlobId, ClientError> {
        let blob = BlobId(*blake3::hash(&data).as_bytes());
        let bytes = data.len() as u64;
        self.upload(&Source::Memory(data), blob, bytes, &mut |_, _| {}).await?;
        Ok(blob)
    }

    /// The first chunk goes alone and opens the upload; then several are on their way at once, and their size follows the
    /// line's speed.
    async fn upload(
        &self,
        source: &Source,
        blob: BlobId,
        bytes: u64,
        on: Progress<'_>,
    ) -> Result<(), ClientError> {
        let mut state = self.upload_state(blob, bytes).await?;
        let (mut size, mut at_once, mut detours) = (FIRST_CHUNK, 1, 0);
        let mut packing = Packing::default();
        // Where the next chunk starts, and the most that the server ever held.
        let (mut next, mut most) = (state.have, state.have);
        let mut flying = FuturesOrdered::new();
        on(if state.complete { bytes } else { most }, bytes);
        while !state.complete {
            while flying.len() < at_once && (next < bytes || flying.is_empty()) {
                let (offset, chunk) = (next, source.read(next, size, bytes).await?);
                next += chunk.len() as u64;
                let (body, packed) =
                    if packing.next() { packing.try_on(chunk).await } else { (chunk, false) };
                let (end, sent, begun) = (next, body.len(), Instant::now());
                flying.push_back(async move {
                    let answer = self.put(blob, bytes, offset, body, packed).await;
                    (answer, end, sent, begun.elapsed())
                });
            }
            let Some((answer, end, sent, took)) = flying.next().await else { continue };
            state = answer?;
            // Those under way at the same time shared the line.
            packing.learn(sent * (flying.len() + 1), took);
            if state.have >= end || state.complete {
                at_once = (at_once + 1).min(IN_FLIGHT);
                size = match took {
                    took if took < QUICK => (size * 2).min(CHUNK_BYTES),
                    took if took > SLOW => (size / 2).max(LEAST_CHUNK),
                    _ => size,
                };
            } else {
                // A chunk before this one did not arrive: what is on its way is for nothing.
                (next, at_once) = (state.have, 1);
                flying = FuturesOrdered::new();
            }
            detours = if state.have > most || state.complete { 0 } else { detours + 1 };
            if detours > MOST_DETOURS {
                return Err(ClientError::Malformed(format!(
                    "the server keeps losing parts of {}; try again later",
                    source.name()
                )));
            }
            most = most.max(state.have);
            on(if state.complete { bytes } else { state.have }, bytes);
        }
        Ok(())
    }
}

impl Source {
    /// What it is called in a sentence.
    fn name(&self) -> String {
        match self {
            Self::File(_, path) => path.display().to_string(),
            Self::Memory(_) => "the upload".into(),
        }
    }

    /// At most `size` bytes from `offset` on, of `bytes` bytes.
    async fn read(&self, offset: u64, size: usize, bytes: u64) -> Result<Bytes, ClientError> {
        let left = bytes.checked_sub(offset).ok_or_else(|| {
            ClientError::Malformed(format!("the server claims to hold more of {} than there is", self.name()))
        })?;
        let len = usize::try_from(left).unwrap_or(usize::MAX).min(size);
        match self {
            Self::Memory(data) => {
                let start = usize::try_from(offset).unwrap_or(usize::MAX).min(data.len());
                Ok(data.slice(start..start + len))
            }
            Self::File(file, path) => {
                let file = Arc::clone(file);
                let read = blocking(move || {
                    let mut chunk = vec![0; len];
                    file.read_exact_at(&mut chunk, offset).map(|()| chunk)
                });
                read.await.map(Bytes::from).map_err(|e| {
                    ClientError::File(format!(
                        "{} changed while it was uploaded ({e}); start again",
                        path.display()
                    ))
                })
            }
        }
    }
}

/// BLAKE3 and size of a file.
async fn hash_file(path: &Path) -> Result<(BlobId, u64), ClientError> {
    let file = path.to_owned();
    let hashed = blocking(move || {
        let mut hasher = blake3::Hasher::new();
        let mut file = File::open(file)?;
        let mut buffer = vec![0; 256 << 10];
        loop {
            match file.read(&mut buffer) {
                Ok(0) => return Ok((BlobId(*hasher.finalize().as_bytes()), hasher.count())),
                Ok(n) => hasher.update(&buffer[..n]),
                Err(e) if e.kind() == std::io::ErrorKind::Interrupted => continue,
                Err(e) => return Err(e),
            };
        }
    });
    hashed.await.map_err(|e| ClientError::file("read", path, &e))
}

/// Work on the disk, away from the async threads.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> std::io::Result<T> + Send + 'static,
) -> std::io::Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(std::io::Error::other)?
}
