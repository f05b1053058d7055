//! Environments: a lock file of wheels with hashes, installed once into a folder named by its contents.
//!
//! Owns: the folder `<cache>/env/<name>-<hash>`, made under a temporary name and renamed when it is whole and checked,
//! under a file lock so that several agents of one machine share one. Refuses: packages without hashes, anything that is
//! no wheel (nothing of a package runs while it is installed), a machine that lacks a system library.

mod install;
mod libraries;
mod manifest;

pub use libraries::missing_packages;
pub use manifest::{Manifest, Need};

use std::{
    fs::{self, File},
    io,
    path::{Path, PathBuf},
};

/// Part of the folder's name, so that another way of installing makes another folder.
const METHOD: &str = "tatau-environment-1";

/// What an environment is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Recipe<'a> {
    /// Its name, such as `blender-5.0`.
    pub name: &'a str,
    /// The text of `manifest.json`.
    pub manifest: &'a str,
    /// The text of the lock file: every wheel with its SHA-256.
    pub lock: &'a str,
}

/// What is being done while an environment is made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stage {
    /// Another process of this machine is making it.
    Waiting,
    /// Looking at the machine, making the interpreter's folder.
    Preparing,
    /// Fetching and unpacking wheels; the installer's last line.
    Installing(String),
    /// Starting it once.
    Checking,
    /// It is there.
    Ready,
}

/// Why an environment cannot be had on this machine.
#[derive(Debug, thiserror::Error)]
pub enum EnvironmentError {
    /// The platform named one that this version does not know.
    #[error("the environment '{0}' is not known to this version; update tatau")]
    Unknown(String),
    /// The manifest cannot be read.
    #[error("the manifest of the environment '{name}' cannot be read ({reason}); reinstall tatau")]
    Manifest {
        /// The environment.
        name: String,
        /// What is wrong.
        reason: String,
    },
    /// System libraries are missing.
    #[error("the environment '{name}' needs system libraries that are missing here; run: apt-get install {}", .packages.join(" "))]
    Libraries {
        /// The environment.
        name: String,
        /// Debian packages that have them.
        packages: Vec<String>,
    },
    /// No Python of the right version that a sandbox can see, and no way to get one.
    #[error(
        "Python {0} is needed and was not found; run: apt-get install python{0} python{0}-venv, or install uv (https://docs.astral.sh/uv)"
    )]
    Python(String),
    /// Not enough disk.
    #[error("the environment '{name}' needs {needs_mib} MiB in {} and {free_mib} MiB are free; free some, or name another cache folder", .folder.display())]
    Disk {
        /// The environment.
        name: String,
        /// Where it goes.
        folder: PathBuf,
        /// MiB needed while it is made.
        needs_mib: u64,
        /// MiB free.
        free_mib: u64,
    },
    /// The installer failed.
    #[error(
        "the environment '{name}' could not be installed while {doing}: {reason}; it is tried again at the next start"
    )]
    Install {
        /// The environment.
        name: String,
        /// The step.
        doing: &'static str,
        /// Its last words.
        reason: String,
    },
    /// A file could not be read or written.
    #[error("{} could not be {doing}: {source}; check the disk and the folder's permissions", .path.display())]
    Io {
        /// Which.
        path: PathBuf,
        /// `made`, `read`, …
        doing: &'static str,
        /// The system's answer.
        source: io::Error,
    },
}

pub(crate) fn io_at<'a>(
    path: &'a Path,
    doing: &'static str,
) -> impl FnOnce(io::Error) -> EnvironmentError + 'a {
    move |source| EnvironmentError::Io { path: path.to_owned(), doing, source }
}

impl Recipe<'static> {
    /// The recipe that this version holds under that name.
    pub fn by_name(name: &str) -> Result<Self, EnvironmentError> {
        tatau_workload::runtime::environment(name)
            .map(|files| Self { name: files.name, manifest: files.manifest, lock: files.lock })
            .ok_or_else(|| EnvironmentError::Unknown(name.chars().take(80).collect()))
    }
}

impl Recipe<'_> {
    /// First 12 hex digits of the BLAKE3 over everything that decides what the folder holds.
    pub fn hash(&self) -> String {
        let mut hasher = blake3::Hasher::new();
        for part in [METHOD, self.name, self.manifest, self.lock] {
            hasher.update(&(part.len() as u64).to_le_bytes());
            hasher.update(part.as_bytes());
        }
        hasher.finalize().to_hex()[..12].to_owned()
    }

    /// Where it lies under `cache`.
    pub fn folder(&self, cache: &Path) -> PathBuf {
        cache.join("env").join(format!("{}-{}", self.name, self.hash()))
    }
}

/// The environment's folder under `cache`, made first where it is not there. Takes seconds to minutes the first time; another
/// process that is making it is waited for.
pub async fn provision(
    cache: &Path,
    recipe: &Recipe<'_>,
    on: &mut (dyn FnMut(Stage) + Send),
) -> Result<PathBuf, EnvironmentError> {
    let target = recipe.folder(cache);
    let manifest = Manifest::parse(recipe)?;
    let missing = missing_packages(&manifest.needs).await?;
    if !missing.is_empty() {
        return Err(EnvironmentError::Libraries { name: recipe.name.to_owned(), packages: missing });
    }
    if target.is_dir() {
        on(Stage::Ready);
        return Ok(target);
    }
    let parent = cache.join("env");
    open_folder(&parent)?;
    let lock = lock(&parent.join(format!(".{}-{}.lock", recipe.name, recipe.hash())), on).await?;
    if !target.is_dir() {
        on(Stage::Preparing);
        let draft = parent.join(format!(".{}-{}.draft", recipe.name, recipe.hash()));
        // Left by a crash: we hold the lock, so nobody works in it.
        remove(&draft)?;
        let made = install::install(recipe, &manifest, &draft, on).await;
        if let Err(error) = made {
            if let Err(left) = remove(&draft) {
                tracing::warn!(%left, "a half-made environment stays");
            }
            return Err(error);
        }
        fs::rename(&draft, &target).map_err(io_at(&target, "made"))?;
    }
    drop(lock);
    on(Stage::Ready);
    Ok(target)
}

/// Makes a folder that every user may read.
pub(crate) fn open_folder(path: &Path) -> Result<(), EnvironmentError> {
    use std::os::unix::fs::PermissionsExt;
    fs::create_dir_all(path).map_err(io_at(path, "made"))?;
    let mode = fs::metadata(path).map_err(io_at(path, "read"))?.permissions().mode();
    if mode & 0o055 != 0o055 {
        fs::set_permissions(path, fs::Permissions::from_mode(mode | 0o755)).map_err(io_at(path, "opened"))?;
    }
    Ok(())
}

fn remove(path: &Path) -> Result<(), EnvironmentError> {
    match fs::remove_dir_all(path) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => Err(io_at(path, "removed")(e)),
        _ => Ok(()),
    }
}

/// Takes the file lock, waiting for its holder; the kernel frees it when the holder dies.
async fn lock(path: &Path, on: &mut (dyn FnMut(Stage) + Send)) -> Result<File, EnvironmentError> {
    let file = File::create(path).map_err(io_at(path, "made"))?;
    match file.try_lock() {
        Ok(()) => return Ok(file),
        Err(fs::TryLockError::WouldBlock) => on(Stage::Waiting),
        Err(fs::TryLockError::Error(e)) => return Err(io_at(path, "locked")(e)),
    }
    let waited = tokio::task::spawn_blocking(move || file.lock().map(|()| file)).await;
    waited.map_err(io::Error::other).and_then(|locked| locked).map_err(io_at(path, "locked"))
}
