//! Scenes of the tests' own.

use super::House;
use std::{
    path::{Path, PathBuf},
    process::Command,
};

impl House {
    /// Makes the tiny scene.
    pub fn tiny_scene(&self, frames: u32) -> PathBuf {
        self.scene("studio", frames, (96, 54))
    }

    /// A scene with so many frames of that size, in a folder of that name.
    pub fn scene(&self, name: &str, frames: u32, (width, height): (u32, u32)) -> PathBuf {
        self.scene_by(&self.python, name, frames, (width, height))
    }

    /// The same, saved by the Blender of this interpreter.
    pub fn scene_by(&self, python: &Path, name: &str, frames: u32, (width, height): (u32, u32)) -> PathBuf {
        let folder = self.home.path().join(name);
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/house/tiny_scene.py");
        let mut command = Command::new(python);
        let numbers = [frames, width, height].map(|number| number.to_string());
        let made = command.arg("-sE").arg(script).arg(&folder).args(numbers).output().unwrap();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        folder.join("scene.blend")
    }
}
