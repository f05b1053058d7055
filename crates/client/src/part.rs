//! The file that a download grows in, hashed as it grows. Both are done away from the async threads, a quarter of a megabyte at once.

use crate::ClientError;
use bytes::Bytes;
use std::{
    fs::{File, OpenOptions},
    io::{self, Read as _, Seek as _, Write as _},
    path::{Path, PathBuf},
};
use tatau_model::BlobId;
use tokio::task::JoinHandle;

/// Bytes that are gathered before they are written.
const GATHERED: usize = 256 << 10;

/// An unfinished download.
pub(crate) struct Part {
    path: PathBuf,
    /// Bytes of it, those that are not written yet included.
    pub(crate) have: u64,
    gathered: Vec<Bytes>,
    bytes: usize,
    /// The file, or whoever writes to it now.
    state: State,
}

enum State {
    Idle(Written),
    Busy(JoinHandle<io::Result<Written>>),
    /// An earlier call failed.
    Lost,
}

struct Written {
    file: File,
    hasher: Box<blake3::Hasher>,
}

impl Part {
    /// Opens or makes the file and hashes what it holds.
    pub(crate) async fn open(path: &Path) -> Result<Self, ClientError> {
        let name = path.to_owned();
        let opened = tokio::task::spawn_blocking(move || {
            let mut file =
                OpenOptions::new().read(true).write(true).create(true).truncate(false).open(name)?;
            let mut hasher = Box::new(blake3::Hasher::new());
            let mut buffer = vec![0; 256 << 10];
            loop {
                match file.read(&mut buffer) {
                    Ok(0) => return Ok(Written { file, hasher }),
                    Ok(n) => hasher.update(&buffer[..n]),
                    Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
                    Err(e) => return Err(e),
                };
            }
        });
        let written = opened.await.map_err(io::Error::other).flatten();
        let written = written.map_err(|e| ClientError::file("written", path, &e))?;
        let have = written.hasher.count();
        Ok(Self { path: path.into(), have, gathered: Vec::new(), bytes: 0, state: State::Idle(written) })
    }

    /// Adds what follows.
    pub(crate) async fn add(&mut self, piece: Bytes) -> Result<(), ClientError> {
        self.have += piece.len() as u64;
        self.bytes += piece.len();
        self.gathered.push(piece);
        if self.bytes >= GATHERED { self.hand_over().await } else { Ok(()) }
    }

    /// Begins to write what was gathered, once what went before is written.
    async fn hand_over(&mut self) -> Result<(), ClientError> {
        let mut written = self.idle().await?;
        self.bytes = 0;
        let pieces = std::mem::take(&mut self.gathered);
        self.state = State::Busy(tokio::task::spawn_blocking(move || {
            for piece in pieces {
                written.file.write_all(&piece)?;
                written.hasher.update(&piece);
            }
            Ok(written)
        }));
        Ok(())
    }

    async fn idle(&mut self) -> Result<Written, ClientError> {
        let written = match std::mem::replace(&mut self.state, State::Lost) {
            State::Idle(written) => Ok(written),
            State::Busy(writing) => writing.await.map_err(io::Error::other).flatten(),
            State::Lost => Err(io::Error::other("an earlier write failed")),
        };
        written.map_err(|e| ClientError::file("written", &self.path, &e))
    }

    /// Waits until everything is written.
    pub(crate) async fn flush(&mut self) -> Result<(), ClientError> {
        self.hand_over().await?;
        self.state = State::Idle(self.idle().await?);
        Ok(())
    }

    /// The name of what was written so far.
    pub(crate) async fn name(&mut self) -> Result<BlobId, ClientError> {
        let written = self.idle().await?;
        let name = BlobId(*written.hasher.finalize().as_bytes());
        self.state = State::Idle(written);
        Ok(name)
    }

    /// Begins anew.
    pub(crate) async fn empty(&mut self) -> Result<(), ClientError> {
        let mut written = self.idle().await?;
        let emptied = written.file.set_len(0).and_then(|()| written.file.rewind());
        emptied.map_err(|e| ClientError::file("written", &self.path, &e))?;
        written.hasher.reset();
        self.have = 0;
        self.state = State::Idle(written);
        Ok(())
    }
}
