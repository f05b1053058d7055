//! `GET /jobs/{id}/pictures.zip`, `/raw.zip` and, of a bundle, `/results.zip`: all accepted results as one file, stored as they are, made while it is read.

use super::files::{Kind, kind};
use crate::{
    app::App,
    error::ApiError,
    pages::{Member, PageError},
    view,
};
use axum::{
    body::{Body, Bytes},
    extract::{Path, State},
    http::{HeaderValue, header},
    response::{IntoResponse, Response},
};
use futures_util::stream;
use std::{
    io::{self, Write},
    sync::Arc,
};
use tatau_blobs::BlobStore;
use tatau_model::{JobId, JobKind, OutputFile};
use tokio::sync::{Semaphore, mpsc};
use zip::{CompressionMethod, ZipWriter, write::SimpleFileOptions};

/// Archives that are made at once.
static ROOM: Semaphore = Semaphore::const_new(8);
/// Bytes that are handed over at once, and how many such pieces may wait for a slow reader.
const PIECE_BYTES: usize = 256 << 10;
const PIECES: usize = 8;

pub(crate) async fn pictures(
    state: State<Arc<App>>,
    Path(id): Path<String>,
    member: Member,
) -> Result<Response, PageError> {
    archive(state.0, &id, member, "pictures", |kind| kind == Kind::Picture).await
}

pub(crate) async fn raw(
    state: State<Arc<App>>,
    Path(id): Path<String>,
    member: Member,
) -> Result<Response, PageError> {
    archive(state.0, &id, member, "raw", |kind| kind == Kind::Raw).await
}

/// What a bundle's tasks left, in the folders that `tatau sync` makes.
pub(crate) async fn results(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    member: Member,
) -> Result<Response, PageError> {
    let id: JobId = crate::routes::id(&id)?;
    let job = view::own_job(&app, id, member.owner).await?;
    let JobKind::Bundle(spec) = job.kind.clone() else {
        return Err(ApiError::not_found(format!("{id} is no bundle; its page has its pictures")).into());
    };
    let watched = app.boards.of(&app, job).await?;
    let files = watched.board.lock().await.placed(&spec);
    stream_all(&app, id, "results", files).map_err(Into::into)
}

async fn archive(
    app: Arc<App>,
    id: &str,
    member: Member,
    what: &str,
    wanted: impl Fn(Kind) -> bool,
) -> Result<Response, PageError> {
    let id: JobId = crate::routes::id(id)?;
    let job = view::own_job(&app, id, member.owner).await?;
    if !matches!(job.kind, JobKind::Render(_)) {
        return Err(ApiError::not_found(format!("{id} has no frames")).into());
    }
    let watched = app.boards.of(&app, job).await?;
    let files: Vec<OutputFile> = {
        let board = watched.board.lock().await;
        board.files().filter(|file| kind(&file.name).is_some_and(&wanted)).cloned().collect()
    };
    stream_all(&app, id, what, files).map_err(Into::into)
}

fn stream_all(app: &App, id: JobId, what: &str, mut files: Vec<OutputFile>) -> Result<Response, ApiError> {
    if files.is_empty() {
        return Err(ApiError::not_found(format!(
            "{id} has no results yet; they appear as they pass their checks"
        )));
    }
    files.sort_by(|a, b| a.name.cmp(&b.name));
    let room = ROOM.try_acquire().map_err(|_| {
        ApiError::too_many("many archives are being made; try again in a minute, or use `tatau sync`")
    })?;
    let (pieces, received) = mpsc::channel::<io::Result<Bytes>>(PIECES);
    let blobs = app.blobs.clone();
    tokio::task::spawn_blocking(move || {
        let told = pieces.clone();
        // A reader that leaves ends it; any other end breaks the download off, so that it is not taken for whole.
        if let Err(error) = write(&blobs, &files, Pipe { pieces, buffer: Vec::new() }) {
            let _ = told.blocking_send(Err(error));
        }
        drop(room);
    });
    let body = stream::unfold(received, |mut received| async move {
        received.recv().await.map(|piece| (piece, received))
    });
    let mut answer = Body::from_stream(body).into_response();
    let name = format!("attachment; filename=\"{id}-{what}.zip\"");
    let headers = answer.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/zip"));
    headers.insert(
        header::CONTENT_DISPOSITION,
        HeaderValue::from_str(&name).map_err(|e| ApiError::internal(&e))?,
    );
    Ok(answer)
}

fn write(blobs: &BlobStore, files: &[OutputFile], pipe: Pipe) -> io::Result<()> {
    let options = SimpleFileOptions::default().compression_method(CompressionMethod::Stored);
    let mut zip = ZipWriter::new_stream(pipe);
    for file in files {
        let opened = blobs.open_blob(&file.blob).map_err(io::Error::other)?;
        let mut opened =
            opened.ok_or_else(|| io::Error::other(format!("{} is not kept any more", file.name)))?;
        // Larger ones need wider fields, which must be known before.
        let large = file.bytes > u64::from(u32::MAX) / 2;
        zip.start_file(&file.name[..], options.large_file(large))?;
        io::copy(&mut opened, &mut zip)?;
    }
    zip.finish()?.into_inner().flush()
}

/// Hands bytes over to the answer's body.
struct Pipe {
    pieces: mpsc::Sender<io::Result<Bytes>>,
    buffer: Vec<u8>,
}

impl Write for Pipe {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.buffer.extend_from_slice(bytes);
        if self.buffer.len() >= PIECE_BYTES {
            self.flush()?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.buffer.is_empty() {
            return Ok(());
        }
        let piece = Bytes::from(std::mem::take(&mut self.buffer));
        self.pieces
            .blocking_send(Ok(piece))
            .map_err(|_| io::Error::new(io::ErrorKind::BrokenPipe, "the reader left"))
    }
}
