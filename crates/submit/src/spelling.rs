//! Finding files whose path was written on another system: drives of Windows, and names whose case differs.
//!
//! Finds only; whether a file may be taken is decided in `assets`.

use std::path::{Path, PathBuf};

/// Most entries of a folder that are compared; a name in a larger one has to be exact.
const MAX_ENTRIES: usize = 20_000;
/// Most folders of a path.
const MAX_PARTS: usize = 64;

/// Where the Windows subsystem for Linux shows `C/textures/wood.png`, the path after a drive's letter.
pub(crate) fn on_a_drive(absolute: &str) -> Option<PathBuf> {
    let (drive, rest) = absolute.split_once('/')?;
    let letter = drive.chars().next().filter(|c| drive.len() == 1 && c.is_ascii_alphabetic())?;
    Some(Path::new("/mnt").join(letter.to_ascii_lowercase().to_string()).join(rest))
}

/// The file `rest` below `base`, whatever the case of its letters: an exact name first, else the only one that differs in case.
pub(crate) fn in_any_case(base: &Path, rest: &str) -> Option<PathBuf> {
    let mut path = base.to_path_buf();
    for (depth, part) in rest.split('/').enumerate() {
        if depth >= MAX_PARTS || part.is_empty() || part == "." || part == ".." {
            return None;
        }
        let exact = path.join(part);
        path = if exact.exists() { exact } else { path.join(the_only_alike(&path, part)?) };
    }
    path.is_file().then_some(path)
}

fn the_only_alike(folder: &Path, part: &str) -> Option<std::ffi::OsString> {
    let wanted = part.to_lowercase();
    let mut found = None;
    for (count, entry) in std::fs::read_dir(folder).ok()?.enumerate() {
        let name = entry.ok()?.file_name();
        if count >= MAX_ENTRIES || (found.is_some() && alike(&name, &wanted)) {
            return None;
        }
        if alike(&name, &wanted) {
            found = Some(name);
        }
    }
    found
}

fn alike(name: &std::ffi::OsStr, wanted: &str) -> bool {
    name.to_str().is_some_and(|name| name.to_lowercase() == wanted)
}
