//! The demo's folder: made new, or cleared of an earlier demo and of nothing else.

use crate::exit::Ended;
use anyhow::Context as _;
use std::{
    fs, io,
    path::{Path, PathBuf},
};

/// Says that a demo made the folder.
const MARK: &str = ".tatau-demo";
/// What a demo leaves; an earlier one's is removed before the next.
const LEFT: &[&str] = &["frames", "logs", "video.mp4", "statement.txt", "statement.json", ".tatau-sync.json"];

/// An empty folder at `path` (its absolute name).
pub fn fresh(path: &Path) -> anyhow::Result<PathBuf> {
    let failed = || format!("{} cannot be made ready", path.display());
    fs::create_dir_all(path).with_context(failed)?;
    let path = fs::canonicalize(path).with_context(failed)?;
    if path.join(MARK).is_file() {
        for name in LEFT {
            remove(&path.join(name)).with_context(failed)?;
        }
    } else if fs::read_dir(&path).with_context(failed)?.next().is_some() {
        let full = Ended::usage(format!("{} holds something else than an earlier demo", path.display()));
        return Err(full.hint("name an empty folder, or one that is not there yet, with --out").into());
    }
    fs::write(path.join(MARK), "A demo of Tatau made this folder; the next one clears it.\n")
        .with_context(failed)?;
    Ok(path)
}

fn remove(path: &Path) -> io::Result<()> {
    let gone = match fs::symlink_metadata(path) {
        Ok(found) if found.is_dir() => fs::remove_dir_all(path),
        Ok(_) => fs::remove_file(path),
        Err(error) => Err(error),
    };
    gone.or_else(|error| if error.kind() == io::ErrorKind::NotFound { Ok(()) } else { Err(error) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_earlier_demo_is_cleared() {
        let root = tempfile::tempdir().unwrap();
        let out = root.path().join("a/b");
        let out = fresh(&out).unwrap();
        fs::create_dir(out.join("frames")).unwrap();
        fs::write(out.join("mine.txt"), "kept").unwrap();
        fresh(&out).unwrap();
        assert!(!out.join("frames").exists() && out.join("mine.txt").exists());
        let other = root.path().join("other");
        fs::create_dir(&other).unwrap();
        fs::write(other.join("thesis.txt"), "no").unwrap();
        assert!(fresh(&other).is_err() && other.join("thesis.txt").exists());
    }
}
