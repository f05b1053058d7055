//! A directory as a manifest of blobs: canonical JSON, itself a blob.

use crate::error::BlobError;
use crate::files::hash_file;
use crate::path::{PathError, check_path, printable};
use serde::{Deserialize, Serialize};
use std::collections::HashSet;
use std::path::Path;
use tatau_model::BlobId;

/// Most files of one manifest.
pub const MAX_FILES: usize = 100_000;
/// Largest manifest, bytes of JSON.
pub const MAX_BYTES: u64 = 64 << 20;
/// The one format there is.
const VERSION: u32 = 1;

/// One file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ManifestFile {
    /// Relative path; see [`check_path`].
    pub path: String,
    /// Its contents.
    pub blob: BlobId,
    /// Its size.
    pub bytes: u64,
}

/// Files with their paths, sorted by path (as bytes); always valid.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Manifest {
    files: Vec<ManifestFile>,
    total: u64,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Wire {
    version: u32,
    files: Vec<ManifestFile>,
}

/// Why a manifest was not accepted or made.
#[derive(Debug, thiserror::Error)]
pub enum ManifestError {
    /// Not JSON of the known format, or not in its one canonical form.
    #[error("the manifest is malformed ({0}); make it again with this program")]
    Malformed(String),
    /// A format of another time.
    #[error("the manifest has version {0}, this program reads version 1; update the program")]
    Version(u32),
    /// Too long.
    #[error("the manifest has {0} bytes, more than the 67108864 allowed; use fewer files")]
    TooLong(u64),
    /// Too many files.
    #[error("the manifest names more than 100000 files; pack some together")]
    TooManyFiles,
    /// Their sizes cannot be added.
    #[error("the files of the manifest are larger together than can be counted; check their sizes")]
    TooLarge,
    /// A bad path.
    #[error(transparent)]
    Path(#[from] PathError),
    /// A path given twice.
    #[error("the path '{0}' is there twice; name every file once")]
    Twice(String),
    /// A path that is file and folder.
    #[error("'{0}' is a file and also the folder of another; rename one of them")]
    FileAndFolder(String),
    /// A link, device or pipe in a scanned folder.
    #[error("'{0}' is no plain file or folder; replace links by what they point to")]
    NotPlain(String),
    /// A name that is no UTF-8.
    #[error("the name of '{0}' is not UTF-8; rename it")]
    NotText(String),
    /// A file could not be read.
    #[error(transparent)]
    Blob(#[from] BlobError),
}

impl Manifest {
    /// A manifest of these files, in any order.
    pub fn new(mut files: Vec<ManifestFile>) -> Result<Self, ManifestError> {
        files.sort_by(|a, b| a.path.as_bytes().cmp(b.path.as_bytes()));
        if files.len() > MAX_FILES {
            return Err(ManifestError::TooManyFiles);
        }
        if let Some(pair) = files.windows(2).find(|pair| pair[0].path == pair[1].path) {
            return Err(ManifestError::Twice(printable(&pair[0].path)));
        }
        let mut folders = HashSet::new();
        let mut total = 0u64;
        for file in &files {
            check_path(&file.path)?;
            total = total.checked_add(file.bytes).ok_or(ManifestError::TooLarge)?;
            folders.extend(file.path.match_indices('/').map(|(end, _)| &file.path[..end]));
        }
        if let Some(file) = files.iter().find(|file| folders.contains(file.path.as_str())) {
            return Err(ManifestError::FileAndFolder(printable(&file.path)));
        }
        Ok(Self { files, total })
    }

    /// Reads canonical JSON; anything that [`Self::to_json`] would not write is refused.
    pub fn parse(json: &[u8]) -> Result<Self, ManifestError> {
        if json.len() as u64 > MAX_BYTES {
            return Err(ManifestError::TooLong(json.len() as u64));
        }
        let wire: Wire =
            serde_json::from_slice(json).map_err(|e| ManifestError::Malformed(printable(&e.to_string())))?;
        if wire.version != VERSION {
            return Err(ManifestError::Version(wire.version));
        }
        let manifest = Self::new(wire.files)?;
        if manifest.to_json()? != json {
            return Err(ManifestError::Malformed("not in canonical form".into()));
        }
        Ok(manifest)
    }

    /// The canonical JSON: `{"version":1,"files":[{"path","blob","bytes"},…]}`, no spaces.
    pub fn to_json(&self) -> Result<Vec<u8>, ManifestError> {
        #[derive(Serialize)]
        struct Out<'a> {
            version: u32,
            files: &'a [ManifestFile],
        }
        let json = serde_json::to_vec(&Out { version: VERSION, files: &self.files })
            .map_err(|e| ManifestError::Malformed(e.to_string()))?;
        if json.len() as u64 > MAX_BYTES {
            return Err(ManifestError::TooLong(json.len() as u64));
        }
        Ok(json)
    }

    /// The manifest's own name: the BLAKE3 of its canonical JSON.
    pub fn id(&self) -> Result<BlobId, ManifestError> {
        Ok(BlobId(*blake3::hash(&self.to_json()?).as_bytes()))
    }

    /// Its files, sorted by path.
    pub fn files(&self) -> &[ManifestFile] {
        &self.files
    }

    /// The file at `path`.
    pub fn file(&self, path: &str) -> Option<&ManifestFile> {
        let at = self.files.binary_search_by(|file| file.path.as_bytes().cmp(path.as_bytes())).ok()?;
        self.files.get(at)
    }

    /// The blobs it needs, each once.
    pub fn blobs(&self) -> Vec<BlobId> {
        let mut ids: Vec<BlobId> = self.files.iter().map(|file| file.blob).collect();
        ids.sort_unstable();
        ids.dedup();
        ids
    }

    /// Sizes of all files together, bytes.
    pub fn total_bytes(&self) -> u64 {
        self.total
    }

    /// Hashes everything below `dir` where it lies; nothing is copied. Empty folders are left out, links refused.
    pub fn scan(dir: &Path) -> Result<Self, ManifestError> {
        let mut files = Vec::new();
        let mut waiting = vec![(dir.to_path_buf(), String::new())];
        while let Some((folder, prefix)) = waiting.pop() {
            let failed = || BlobError::io("read", &folder);
            for entry in std::fs::read_dir(&folder).map_err(failed())? {
                let entry = entry.map_err(failed())?;
                let name = entry.file_name();
                let name = name
                    .to_str()
                    .ok_or_else(|| ManifestError::NotText(printable(&name.to_string_lossy())))?;
                let path = if prefix.is_empty() { name.to_owned() } else { format!("{prefix}/{name}") };
                check_path(&path)?;
                let kind = entry.file_type().map_err(failed())?;
                if kind.is_dir() {
                    waiting.push((entry.path(), path));
                } else if kind.is_file() {
                    let (blob, bytes) = hash_file(&entry.path())?;
                    files.push(ManifestFile { path, blob, bytes });
                } else {
                    return Err(ManifestError::NotPlain(printable(&path)));
                }
                if files.len() + waiting.len() > MAX_FILES {
                    return Err(ManifestError::TooManyFiles);
                }
            }
        }
        Self::new(files)
    }
}
