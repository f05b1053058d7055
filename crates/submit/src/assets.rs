//! Which files of the buyer's disk belong to a scene, and where they lie in the inputs.
//!
//! The list of what a scene needs comes from a stranger's machine, made from a file that may itself be a stranger's. So a name
//! in it is a wish: what is uploaded lies in the scene's folder, or is a known kind of asset in the scene's reach (a few folders
//! up, never above the home folder), or lies in a folder that the buyer named. Nothing hidden is ever taken.

use crate::{Scene, SubmitError, spelling};
use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

/// The inputs' root lies at most so many folders above the scene's.
pub const MAX_UP: usize = 6;
/// Levels of the folder that the inspection's sandbox lays inputs out in; a path that climbs beyond them is cut there.
const SANDBOX_DEPTH: usize = 2;
/// Where absolute paths lie, beside the scene.
const ABSOLUTE: &str = "_absolute";
/// Kinds of files that scenes use; others are taken only from the scene's own folder.
const ASSET_ENDINGS: &str = " png jpg jpeg jpe tif tiff exr hdr tga bmp webp dds psd psb jp2 j2k cin dpx rgb rgba sgi iris gif tx \
     mp4 m4v mov avi mkv webm mpg mpeg ogv wmv flv dv mxf blend ttf otf ttc pfb woff woff2 \
     wav mp3 ogg oga flac aac m4a aif aiff opus abc usd usda usdc usdz pc2 mdd vdb bphys uni gz obj ply ies osl oso cube ";

/// A file that an inspection did not find.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// `image`, `library`, …
    pub kind: String,
    /// As the scene names it.
    pub path: String,
    /// Where it has to lie, relative to the scene's folder.
    pub resolved: String,
}

/// What became of a wish.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Lack {
    /// It cannot be had; the reason says what to do.
    Missing(String),
    /// The path climbs out of the sandbox's own folders: inspect again with the inputs laid out deeper.
    Deeper,
}

/// The files to upload.
#[derive(Debug, Clone)]
pub struct AssetSet {
    scene: Scene,
    /// The scene's folder and the ones above it that a relative path may reach, nearest first.
    reach: Vec<PathBuf>,
    allowed: Vec<PathBuf>,
    /// The scene lies in a folder made for it, not in the home folder or above: all of that folder may go along.
    own_folder: bool,
    /// How many folders above the scene's the root of the inputs lies.
    up: usize,
    /// (levels up, path from there) → file without links.
    files: BTreeMap<(usize, String), PathBuf>,
}

impl AssetSet {
    /// The scene alone. `allowed`: folders of the buyer's choice, where files may lie too, and where missing ones are looked for.
    pub fn alone(scene: &Scene, allowed: &[PathBuf]) -> Result<Self, SubmitError> {
        let home = std::env::var_os("HOME").map(PathBuf::from).and_then(|home| home.canonicalize().ok());
        let allowed = allowed
            .iter()
            .map(|dir| {
                let real = dir.canonicalize().ok().filter(|dir| dir.is_dir());
                real.ok_or_else(|| {
                    SubmitError::Usage(format!("there is no folder {}; name one that exists", dir.display()))
                })
            })
            .collect::<Result<_, _>>()?;
        let folder = &scene.folder;
        let own_folder =
            folder.parent().is_some() && !home.as_deref().is_some_and(|home| home.starts_with(folder));
        let reach = reach(folder, home.as_deref());
        Ok(Self { scene: scene.clone(), reach, allowed, own_folder, up: 0, files: BTreeMap::new() })
    }

    /// How many files it has, the scene included.
    pub fn len(&self) -> usize {
        self.files.len() + 1
    }

    /// Never: the scene is always there.
    pub fn is_empty(&self) -> bool {
        false
    }

    /// Takes in a file that an inspection wants. `Some` is where it lies when that is outside the scene's folder.
    pub fn take(&mut self, wanted: &Wanted) -> Result<Option<(PathBuf, String)>, Lack> {
        let missing = |reason: &str| Err(Lack::Missing(reason.to_owned()));
        let (up, rest) = split(&wanted.resolved);
        if tatau_blobs::check_path(rest).is_err() {
            return missing("its name cannot be carried over; rename the file and the folders above it");
        }
        if up > self.deepest() {
            return missing(
                "its path climbs out of the scene's reach; copy the file beside the scene and point the scene to it",
            );
        }
        if up >= self.up + SANDBOX_DEPTH && self.up < self.deepest() {
            self.up = up;
            return Err(Lack::Deeper);
        }
        let key = (up, rest.to_owned());
        if self.files.contains_key(&key) || (up == 0 && rest == self.scene.name) {
            return missing("it was uploaded, but the inspection does not find it; give it another name");
        }
        let file = match self.find(up, rest) {
            Ok(file) => file,
            Err(reason) => return missing(&reason),
        };
        self.up = self.up.max(up);
        let outside = !file.starts_with(&self.scene.folder);
        self.files.insert(key.clone(), file.clone());
        Ok(outside.then(|| (file, self.placed(&key))))
    }

    /// The scene's path in the inputs.
    pub fn scene_path(&self) -> String {
        self.placed(&(0, self.scene.name.clone()))
    }

    /// Path in the inputs and file on this disk, the scene included.
    pub fn files(&self) -> Vec<(String, PathBuf)> {
        let scene = (self.scene_path(), self.scene.file.clone());
        std::iter::once(scene)
            .chain(self.files.iter().map(|(key, file)| (self.placed(key), file.clone())))
            .collect()
    }

    /// The folders between the root of the inputs and the scene keep their names, so that paths that climb and come back hold.
    fn placed(&self, (up, rest): &(usize, String)) -> String {
        let names: Vec<&str> = self.scene.folder.iter().filter_map(|name| name.to_str()).collect();
        let top = names.len().saturating_sub(self.up);
        let end = names.len().saturating_sub(*up).max(top);
        let mut path: String =
            names.get(top..end).unwrap_or_default().iter().flat_map(|name| [*name, "/"]).collect();
        path.push_str(rest);
        path
    }

    fn deepest(&self) -> usize {
        self.reach.len().saturating_sub(1)
    }

    /// The file on this disk, without links, or why it is not taken.
    fn find(&self, up: usize, rest: &str) -> Result<PathBuf, String> {
        let absolute = rest
            .strip_prefix(ABSOLUTE)
            .and_then(|rest| rest.strip_prefix('/'))
            .filter(|_| up == 0 && !self.scene.folder.join(rest).exists());
        let base = self.scene.folder.ancestors().nth(up);
        let stored = match absolute {
            Some(absolute) => Some(PathBuf::from("/").join(absolute)),
            None => base.map(|base| base.join(rest)),
        };
        let drive = || absolute.and_then(spelling::on_a_drive).and_then(|path| real_file(&path));
        let spelled =
            || base.filter(|_| absolute.is_none()).and_then(|base| spelling::in_any_case(base, rest));
        let found = stored
            .as_deref()
            .and_then(real_file)
            .or_else(|| spelled().and_then(|path| real_file(&path)))
            .or_else(drive)
            .or_else(|| self.look_for(rest, absolute.is_some()));
        match (found, stored) {
            (Some(real), _) => self.may_take(real),
            (None, Some(path)) => Err(format!("there is no file {}", path.display())),
            (None, None) => Err("its path leads out of the file system".into()),
        }
    }

    /// By the longest end of its path in one of the folders that the buyer named; an absolute path of another computer also in
    /// the scene's own.
    fn look_for(&self, rest: &str, elsewhere: bool) -> Option<PathBuf> {
        let own = self.reach.first().filter(|_| elsewhere && self.own_folder);
        let tails =
            std::iter::once(0).chain(rest.match_indices('/').map(|(at, _)| at + 1)).map(|at| &rest[at..]);
        tails
            .flat_map(|tail| self.allowed.iter().chain(own).map(move |dir| (dir, tail)))
            .find_map(|(dir, tail)| spelling::in_any_case(dir, tail).and_then(|path| real_file(&path)))
    }

    fn may_take(&self, real: PathBuf) -> Result<PathBuf, String> {
        let own = self.reach.first().filter(|_| self.own_folder);
        if let Some(base) = self.allowed.iter().chain(own).find(|base| real.starts_with(base)) {
            return if hidden(base, &real) { Err(hidden_words(&real)) } else { Ok(real) };
        }
        let Some(base) = self.reach.iter().find(|base| real.starts_with(base)) else {
            return Err(format!(
                "{} lies outside the scene's reach; allow its folder with --assets, or copy it beside the scene",
                real.display()
            ));
        };
        if hidden(base, &real) {
            return Err(hidden_words(&real));
        }
        let ending = real.extension().and_then(|ending| ending.to_str()).unwrap_or_default().to_lowercase();
        if ending.is_empty() || !ASSET_ENDINGS.contains(&format!(" {ending} ")) {
            return Err(format!(
                "{} lies outside the scene's folder and is no known kind of asset; allow its folder with --assets, or copy it beside the scene",
                real.display()
            ));
        }
        Ok(real)
    }
}

/// The path without links, where it is a file.
fn real_file(path: &Path) -> Option<PathBuf> {
    path.canonicalize().ok().filter(|path| path.is_file())
}

fn hidden_words(real: &Path) -> String {
    format!("{} is hidden; hidden files and folders are never uploaded, move it elsewhere", real.display())
}

fn hidden(base: &Path, real: &Path) -> bool {
    real.strip_prefix(base)
        .is_ok_and(|rest| rest.iter().any(|part| part.as_encoded_bytes().starts_with(b".")))
}

/// Levels up, and the path from there.
fn split(resolved: &str) -> (usize, &str) {
    let mut up = 0;
    let mut rest = resolved;
    while let Some(more) = rest.strip_prefix("../") {
        up += 1;
        rest = more;
    }
    (up, rest)
}

/// The scene's folder and those above it, up to [`MAX_UP`], the home folder, or the last one below the file system's root.
fn reach(folder: &Path, home: Option<&Path>) -> Vec<PathBuf> {
    let mut all = vec![folder.to_path_buf()];
    let above_home = |dir: &Path| home.is_some_and(|home| home != dir && home.starts_with(dir));
    all.extend(
        folder
            .ancestors()
            .skip(1)
            .take(MAX_UP)
            .take_while(|dir| dir.parent().is_some() && !above_home(dir))
            .map(Path::to_path_buf),
    );
    all
}

#[cfg(test)]
#[path = "../tests/unit/assets.rs"]
mod tests;
