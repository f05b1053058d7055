//! The programs that run inside sandboxes and the environments that they need, embedded so that one binary suffices.

/// One file of the runtime.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RuntimeFile {
    /// Plain name; all lie in one folder.
    pub name: &'static str,
    /// Its text.
    pub text: &'static str,
}

macro_rules! file {
    ($name:literal) => {
        RuntimeFile { name: $name, text: include_str!(concat!("../../../runtimes/blender/", $name)) }
    };
}

/// The Blender runtime, mounted at `/runtime`; what only measures or tests it is not part of it.
pub const BLENDER: &[RuntimeFile] = &[
    file!("assets.py"),
    file!("benchmark.py"),
    file!("blender.py"),
    file!("blind.py"),
    file!("camera.py"),
    file!("compare.py"),
    file!("compositor.py"),
    file!("crops.py"),
    file!("daemon.py"),
    file!("decoded.py"),
    file!("device_check.py"),
    file!("devices.py"),
    file!("down.py"),
    file!("exr.py"),
    file!("exr_write.py"),
    file!("faults.py"),
    file!("finish.py"),
    file!("frozen.py"),
    file!("inspection.py"),
    file!("laid_out.py"),
    file!("passes.py"),
    file!("pixels.py"),
    file!("refusals.py"),
    file!("render.py"),
    file!("run.py"),
    file!("scenes.py"),
    file!("simulations.py"),
    file!("tiles.py"),
    file!("up.py"),
    file!("versions.py"),
    file!("video.py"),
];

/// Recipe of one environment, mounted at `/env`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EnvironmentFiles {
    /// Its name.
    pub name: &'static str,
    /// `manifest.json`: Python version, system libraries, disk space.
    pub manifest: &'static str,
    /// `requirements.lock`: every wheel with its hash.
    pub lock: &'static str,
}

/// Every environment that this version knows.
pub const ENVIRONMENTS: &[EnvironmentFiles] = &[
    EnvironmentFiles {
        name: "blender-5.0",
        manifest: include_str!("../../../environments/blender-5.0/manifest.json"),
        lock: include_str!("../../../environments/blender-5.0/requirements.lock"),
    },
    EnvironmentFiles {
        name: "blender-4.5",
        manifest: include_str!("../../../environments/blender-4.5/manifest.json"),
        lock: include_str!("../../../environments/blender-4.5/requirements.lock"),
    },
];

/// The environment of that name.
pub fn environment(name: &str) -> Option<&'static EnvironmentFiles> {
    ENVIRONMENTS.iter().find(|environment| environment.name == name)
}

#[cfg(test)]
#[path = "tests/runtime.rs"]
mod tests;
