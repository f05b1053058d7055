//! Lays the files of a comparison out under the comparator's `/in`, and removes them afterwards.

use std::{
    fs,
    io::{self, Write},
    path::{Path, PathBuf},
};
use tatau_blobs::BlobStore;
use tatau_model::{BlobId, OutputFile};

/// Removes its files when dropped.
pub(super) struct Laid {
    folder: PathBuf,
    /// Name, and path inside the sandbox, of each side's files.
    pub placed: [Vec<(String, String)>; 2],
}

impl Drop for Laid {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.folder) {
            tracing::debug!(%error, "files of a comparison stay until the next start");
        }
    }
}

/// Copies both sides' checked bytes to `inputs/files/<name>/<side>/`.
pub(super) async fn lay_out(
    blobs: &BlobStore,
    inputs: &Path,
    name: &str,
    sides: [(&str, &[OutputFile]); 2],
) -> Result<Laid, String> {
    let folder = inputs.join("files").join(name);
    let sides = sides.map(|(side, files)| (side.to_owned(), files.to_vec()));
    let (blobs, name) = (blobs.clone(), name.to_owned());
    let laid = tokio::task::spawn_blocking(move || {
        let mut laid = Laid { folder, placed: [Vec::new(), Vec::new()] };
        for (place, (side, files)) in sides.into_iter().enumerate() {
            let target = laid.folder.join(&side);
            fs::create_dir_all(&target)
                .map_err(|e| format!("{} could not be made: {e}", target.display()))?;
            for file in files {
                copy(&blobs, file.blob, &target.join(&file.name))?;
                let inside = format!("/in/files/{name}/{side}/{}", file.name);
                laid.placed[place].push((file.name, inside));
            }
        }
        Ok(laid)
    });
    laid.await.map_err(|e| e.to_string())?
}

fn copy(blobs: &BlobStore, blob: BlobId, to: &Path) -> Result<(), String> {
    let at = |e: io::Error| format!("{} could not be written: {e}", to.display());
    let opened = blobs.open_blob(&blob).map_err(|e| e.to_string())?;
    let mut from = opened.ok_or_else(|| format!("blob {blob} is gone"))?;
    match fs::remove_file(to) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(at(e)),
        _ => {}
    }
    let mut file = fs::OpenOptions::new().write(true).create_new(true).open(to).map_err(at)?;
    io::copy(&mut from, &mut file).map_err(at)?;
    file.flush().map_err(at)
}
