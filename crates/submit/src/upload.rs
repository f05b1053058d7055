//! Sends the asset set: every file once, several at a time, and the manifest last.

use crate::{AssetSet, Event, SubmitError, Watch};
use std::{
    collections::{HashMap, VecDeque},
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, SystemTime},
};
use tatau_blobs::{Manifest, ManifestFile};
use tatau_client::Client;
use tatau_model::BlobId;
use tokio::task::JoinSet;

/// Uploads at once.
const AT_ONCE: usize = 4;
/// How often progress is told.
const TELL_EVERY: Duration = Duration::from_millis(200);

/// Names of files that were hashed already, so that another round reads only what is new.
#[derive(Debug, Default)]
pub(crate) struct Hashed {
    known: HashMap<PathBuf, (SystemTime, ManifestFile)>,
    sent: std::collections::HashSet<BlobId>,
}

/// What lies on the server now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Inputs {
    /// The manifest's blob.
    pub manifest: BlobId,
    /// The scene's path in it.
    pub scene: String,
    /// Files.
    pub files: usize,
    /// Their sizes together.
    pub bytes: u64,
}

/// Uploads what the server lacks of the set, then its manifest.
pub(crate) async fn upload(
    client: &Client,
    set: &AssetSet,
    hashed: &mut Hashed,
    most_bytes: u64,
    watch: &mut dyn Watch,
) -> Result<Inputs, SubmitError> {
    let sent = upload_files(client, set.files(), hashed, most_bytes, watch).await?;
    Ok(Inputs { manifest: sent.manifest, scene: set.scene_path(), files: sent.files, bytes: sent.bytes })
}

/// Files that lie on the server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sent {
    /// The manifest's blob.
    pub manifest: BlobId,
    /// Files.
    pub files: usize,
    /// Their sizes together.
    pub bytes: u64,
}

/// Uploads what the server lacks of these files (their paths among the inputs, and on this disk), then their manifest.
pub(crate) async fn upload_files(
    client: &Client,
    all: Vec<(String, PathBuf)>,
    hashed: &mut Hashed,
    most_bytes: u64,
    watch: &mut dyn Watch,
) -> Result<Sent, SubmitError> {
    let mut entries = Vec::new();
    let mut waiting = VecDeque::new();
    for (path, file) in all {
        let known = hashed.name(&file).await?;
        if known.bytes > most_bytes {
            return Err(SubmitError::Usage(format!(
                "{} has {} bytes, the server takes files of up to {most_bytes}; make it smaller",
                file.display(),
                known.bytes
            )));
        }
        if hashed.sent.insert(known.blob) {
            waiting.push_back((file, known.blob, known.bytes));
        }
        entries.push(ManifestFile { path, ..known });
    }
    let manifest = Manifest::new(entries).map_err(|e| SubmitError::Usage(e.to_string()))?;
    if let Err(e) = send(client, waiting, watch).await {
        hashed.sent.clear();
        return Err(e);
    }
    let json = manifest.to_json().map_err(|e| SubmitError::Usage(e.to_string()))?;
    let blob = client.upload_bytes(json.into()).await?;
    Ok(Sent { manifest: blob, files: manifest.files().len(), bytes: manifest.total_bytes() })
}

impl Hashed {
    async fn name(&mut self, file: &Path) -> Result<ManifestFile, SubmitError> {
        let changed = file
            .metadata()
            .and_then(|meta| meta.modified())
            .map_err(|e| SubmitError::io("read", file, &e))?;
        if let Some((at, known)) = self.known.get(file)
            && *at == changed
        {
            return Ok(known.clone());
        }
        let path = file.to_path_buf();
        let (blob, bytes) = tokio::task::spawn_blocking(move || tatau_blobs::hash_file(&path))
            .await
            .map_err(|e| SubmitError::Local(format!("{} could not be read: {e}", file.display())))?
            .map_err(|e| SubmitError::Local(e.to_string()))?;
        let known = ManifestFile { path: String::new(), blob, bytes };
        self.known.insert(file.to_path_buf(), (changed, known.clone()));
        Ok(known)
    }
}

async fn send(
    client: &Client,
    mut waiting: VecDeque<(PathBuf, BlobId, u64)>,
    watch: &mut dyn Watch,
) -> Result<(), SubmitError> {
    let files_total = waiting.len();
    let total = waiting.iter().fold(0u64, |sum, (_, _, bytes)| sum.saturating_add(*bytes));
    let sent = Arc::new(AtomicU64::new(0));
    let mut files = 0;
    let mut running = JoinSet::new();
    let mut tick = tokio::time::interval(TELL_EVERY);
    loop {
        while running.len() < AT_ONCE
            && let Some((file, blob, bytes)) = waiting.pop_front()
        {
            let (client, sent) = (client.clone(), Arc::clone(&sent));
            running.spawn(async move {
                let mut before = 0;
                let mut on = |now: u64, _: u64| {
                    sent.fetch_add(now.saturating_sub(before), Ordering::Relaxed);
                    before = before.max(now);
                };
                client.upload_named(&file, blob, bytes, &mut on).await
            });
        }
        tokio::select! {
            done = running.join_next() => match done {
                None => break,
                Some(Ok(Ok(()))) => files += 1,
                Some(Ok(Err(e))) => return Err(e.into()),
                Some(Err(e)) => return Err(SubmitError::Local(format!("an upload broke off: {e}; try again"))),
            },
            _ = tick.tick() => {}
        }
        watch.tell(Event::Uploading {
            bytes: sent.load(Ordering::Relaxed).min(total),
            total,
            files,
            files_total,
        });
    }
    Ok(())
}
