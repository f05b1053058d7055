//! Uploads: by chunks, going on where an earlier try ended.

use crate::{Client, ClientError, Progress, send::Call};
use bytes::Bytes;
use reqwest::Method;
use std::{path::Path, time::Duration};
use tatau_api::UploadState;
use tatau_model::BlobId;
use tokio::io::{AsyncReadExt, AsyncSeekExt, SeekFrom};

/// Bytes of one chunk; the server takes up to 8 MiB.
pub const CHUNK_BYTES: usize = 4 << 20;
/// Time for one chunk on a slow line (4 MiB at 100 kbit/s take six minutes).
const CHUNK_TIMEOUT: Duration = Duration::from_mins(7);
/// How often the server may move the offset before the upload is given up.
const MOST_DETOURS: u32 = 64;

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
        let call = Call {
            method: Method::PUT,
            body: chunk,
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
        let mut state = self.upload_state(blob, bytes).await?;
        on(if state.complete { bytes } else { state.have }, bytes);
        if state.complete {
            return Ok(());
        }
        let mut file = tokio::fs::File::open(path).await.map_err(|e| ClientError::file("read", path, &e))?;
        let mut detours = 0;
        while !state.complete {
            let offset = state.have;
            let chunk = read_chunk(&mut file, path, offset, bytes).await?;
            let sent_to = offset + chunk.len() as u64;
            state = self.put_chunk(blob, bytes, offset, chunk).await?;
            if !state.complete && state.have != sent_to {
                detours += 1;
                if detours > MOST_DETOURS {
                    return Err(ClientError::Malformed(format!(
                        "the server keeps losing parts of {}; try again later",
                        path.display()
                    )));
                }
            }
            on(if state.complete { bytes } else { state.have }, bytes);
        }
        Ok(())
    }

    /// Uploads bytes from memory and gives their name.
    pub async fn upload_bytes(&self, data: Bytes) -> Result<BlobId, ClientError> {
        let blob = BlobId(*blake3::hash(&data).as_bytes());
        let bytes = data.len() as u64;
        let mut state = self.upload_state(blob, bytes).await?;
        let mut tries = 0;
        while !state.complete {
            let offset = usize::try_from(state.have).unwrap_or(usize::MAX).min(data.len());
            let end = (offset + CHUNK_BYTES).min(data.len());
            state = self.put_chunk(blob, bytes, offset as u64, data.slice(offset..end)).await?;
            tries += 1;
            if tries > data.len() / CHUNK_BYTES + 1 + MOST_DETOURS as usize {
                return Err(ClientError::Malformed(
                    "the server keeps losing parts of the upload; try again later".into(),
                ));
            }
        }
        Ok(blob)
    }
}

/// BLAKE3 and size of a file.
async fn hash_file(path: &Path) -> Result<(BlobId, u64), ClientError> {
    let mut file = tokio::fs::File::open(path).await.map_err(|e| ClientError::file("read", path, &e))?;
    let mut hasher = blake3::Hasher::new();
    let mut buffer = vec![0; 256 << 10];
    let mut bytes = 0;
    loop {
        let n = file.read(&mut buffer).await.map_err(|e| ClientError::file("read", path, &e))?;
        if n == 0 {
            return Ok((BlobId(*hasher.finalize().as_bytes()), bytes));
        }
        hasher.update(&buffer[..n]);
        bytes += n as u64;
    }
}

async fn read_chunk(
    file: &mut tokio::fs::File,
    path: &Path,
    offset: u64,
    bytes: u64,
) -> Result<Bytes, ClientError> {
    let left = bytes.checked_sub(offset).ok_or_else(|| {
        ClientError::Malformed(format!("the server claims to hold more of {} than there is", path.display()))
    })?;
    let len = usize::try_from(left).unwrap_or(usize::MAX).min(CHUNK_BYTES);
    let mut chunk = vec![0; len];
    file.seek(SeekFrom::Start(offset)).await.map_err(|e| ClientError::file("read", path, &e))?;
    file.read_exact(&mut chunk).await.map_err(|e| {
        ClientError::File(format!("{} changed while it was uploaded ({e}); start again", path.display()))
    })?;
    Ok(chunk.into())
}
