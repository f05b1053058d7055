//! The runtime's programs, written from this binary into a folder named by their contents.

use crate::environment::{EnvironmentError, io_at, open_folder};
use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

/// The folder with exactly these files under `cache`, made first where it is not there; readable by every user. Safe when
/// several processes do it at once.
pub fn write_runtime(cache: &Path, files: &[(&str, &[u8])]) -> Result<PathBuf, EnvironmentError> {
    let mut hasher = blake3::Hasher::new();
    for (name, bytes) in files {
        for part in [name.as_bytes(), bytes] {
            hasher.update(&(part.len() as u64).to_le_bytes());
            hasher.update(part);
        }
    }
    let parent = cache.join("runtime");
    let target = parent.join(&hasher.finalize().to_hex()[..12]);
    if target.is_dir() {
        return Ok(target);
    }
    open_folder(&parent)?;
    let draft = tempfile::Builder::new()
        .prefix(".draft-")
        .tempdir_in(&parent)
        .map_err(io_at(&parent, "written to"))?;
    for (name, bytes) in files {
        let path = draft.path().join(name);
        if let Some(folder) = path.parent() {
            open_folder(folder)?;
        }
        fs::write(&path, bytes).map_err(io_at(&path, "written"))?;
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).map_err(io_at(&path, "opened"))?;
    }
    open_folder(draft.path())?;
    match fs::rename(draft.path(), &target) {
        Ok(()) => {
            // It has another name now; nothing is left to remove.
            let _ = draft.keep();
        }
        // Another process was faster; its folder has the same contents.
        Err(_) if target.is_dir() => {}
        Err(e) => return Err(io_at(&target, "made")(e)),
    }
    Ok(target)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_folder_is_named_by_its_contents_and_made_once() {
        let cache = tempfile::tempdir().unwrap();
        let one = write_runtime(cache.path(), &[("up.py", b"1"), ("run.py", b"2")]).unwrap();
        assert_eq!(fs::read(one.join("run.py")).unwrap(), b"2");
        assert_eq!(write_runtime(cache.path(), &[("up.py", b"1"), ("run.py", b"2")]).unwrap(), one);
        assert_ne!(write_runtime(cache.path(), &[("up.py", b"1"), ("run.py", b"3")]).unwrap(), one);
        assert_eq!(fs::read_dir(cache.path().join("runtime")).unwrap().count(), 2);
        assert_eq!(fs::metadata(&one).unwrap().permissions().mode() & 0o055, 0o055);
    }
}
