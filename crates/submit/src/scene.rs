//! The scene file on the buyer's disk, looked at from outside only.

use crate::SubmitError;
use std::{
    fs::File,
    io::Read,
    path::{Path, PathBuf},
};
use tatau_workload::blend;

/// First bytes of a .blend: plain, gzip (to Blender 2.93), zstd (since 3.0).
const MAGICS: [&[u8]; 3] = [b"BLENDER", &[0x1f, 0x8b], &[0x28, 0xb5, 0x2f, 0xfd]];

/// A file that may be a .blend.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scene {
    /// The folder that its relative paths count from, without links.
    pub folder: PathBuf,
    /// Plain name in it.
    pub name: String,
    /// The file itself, without links.
    pub file: PathBuf,
    /// The environment that shows it as the Blender that saved it does.
    pub environment: &'static str,
}

impl Scene {
    /// Looks at the file's first bytes; whether Blender can open it is for the inspection to say.
    pub fn open(path: &Path) -> Result<Self, SubmitError> {
        let shown = path.display();
        let usage = |sentence: String| SubmitError::Usage(sentence);
        let file = path.canonicalize().map_err(|e| match e.kind() {
            std::io::ErrorKind::NotFound => {
                usage(format!("there is no file {shown}; check its name and folder"))
            }
            _ => usage(format!("{shown} could not be read: {e}")),
        })?;
        if !file.is_file() {
            return Err(usage(format!("{shown} is no file; name a .blend file")));
        }
        let mut head = Vec::new();
        File::open(&file)
            .and_then(|file| file.take(blend::HEAD_BYTES as u64).read_to_end(&mut head))
            .map_err(|e| usage(format!("{shown} could not be read: {e}")))?;
        if !MAGICS.iter().any(|magic| head.starts_with(magic)) {
            return Err(usage(format!("{shown} is no Blender file; name a .blend that Blender has saved")));
        }
        let name = path
            .file_name()
            .and_then(|name| name.to_str())
            .ok_or_else(|| usage(format!("the name of {shown} is not UTF-8; rename the file")))?
            .to_owned();
        tatau_blobs::check_path(&name).map_err(|e| usage(e.to_string()))?;
        // Relative paths count from where the name is, also where it is a link.
        let folder = match path.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        };
        let folder = folder
            .canonicalize()
            .map_err(|e| usage(format!("the folder of {shown} could not be read: {e}")))?;
        Ok(Self { folder, name, file, environment: blend::environment(&head) })
    }

    /// The name without `.blend`, for people.
    pub fn stem(&self) -> &str {
        self.name.strip_suffix(".blend").filter(|stem| !stem.is_empty()).unwrap_or(&self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_blender_files_are_taken() {
        let dir = tempfile::tempdir().unwrap();
        for (name, bytes, good) in [
            ("plain.blend", &b"BLENDER-v500"[..], true),
            ("zstd.blend", &[0x28, 0xb5, 0x2f, 0xfd, 0][..], true),
            ("text.blend", &b"hello"[..], false),
            ("empty.blend", &b""[..], false),
        ] {
            let path = dir.path().join(name);
            std::fs::write(&path, bytes).unwrap();
            match Scene::open(&path) {
                Ok(scene) => assert!(good && scene.name == name, "{name}"),
                Err(e) => assert!(!good && e.kind() == crate::Kind::Usage, "{name}: {e}"),
            }
        }
        assert!(
            Scene::open(&dir.path().join("none.blend")).unwrap_err().to_string().contains("there is no file")
        );
        assert!(Scene::open(dir.path()).unwrap_err().to_string().contains("is no file"));
    }
}
