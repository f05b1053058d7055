//! Bundle folders: a job as Open Job Description files, for keeping, for versioning, for other farms' tools.
//!
//! `template.yaml`, `parameter_values.yaml`, `asset_references.yaml` as other farms write them, and `tatau.yaml` beside them.

use crate::{SubmitError, target::make_folder};
use serde::Deserialize;
use std::{
    fs,
    path::{Component, Path, PathBuf},
};
use tatau_model::{Amount, Device, Strategy};
use tatau_workload::{
    bundle_files,
    template::{self, BundleError},
};

/// No file of a bundle is larger.
const MAX_BYTES: u64 = 512 * 1024;

/// What a bundle folder asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BundleFolder {
    /// A name for people.
    pub name: String,
    /// The scene on this disk.
    pub scene: PathBuf,
    /// Frames, in the order written.
    pub frames: Vec<i32>,
    /// Encode a video at the end.
    pub video: bool,
    /// Card class; `None` is any.
    pub class: Option<String>,
    /// What renders, where the bundle says so.
    pub device: Option<Device>,
    /// How offers are chosen.
    pub strategy: Strategy,
    /// The most it may cost, where the bundle says so.
    pub cap: Option<Amount>,
}

/// Writes the folder; `scene_path` and `inputs` are paths in the inputs and files on this disk.
pub fn write_bundle(
    dir: &Path,
    bundle: &BundleFolder,
    scene_path: &str,
    inputs: &[(String, PathBuf)],
    environment: &str,
    out: &Path,
) -> Result<(), SubmitError> {
    let made = template::render_bundle(&bundle.name, scene_path, &bundle.frames).map_err(|e| refused(&e))?;
    let files: Vec<String> = inputs.iter().map(|(_, file)| file.display().to_string()).collect();
    let terms = template::Terms {
        environment: environment.into(),
        class: bundle.class.clone(),
        device: bundle.device,
        strategy: bundle.strategy,
        cap: bundle.cap.unwrap_or(Amount::ZERO),
        video: bundle.video,
    };
    make_folder(dir)?;
    for (name, text) in [
        ("template.yaml", made.template().to_owned()),
        ("parameter_values.yaml", template::parameter_values(&made).map_err(|e| refused(&e))?),
        (
            "asset_references.yaml",
            template::asset_references(&files, &out.display().to_string()).map_err(|e| refused(&e))?,
        ),
        ("tatau.yaml", template::tatau_yaml(&terms).map_err(|e| refused(&e))?),
    ] {
        let path = dir.join(name);
        fs::write(&path, text).map_err(|e| SubmitError::io("written", &path, &e))?;
    }
    Ok(())
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct References {
    #[serde(default)]
    asset_references: Assets,
}

#[derive(Debug, Default, Deserialize)]
struct Assets {
    #[serde(default)]
    inputs: Inputs,
}

#[derive(Debug, Default, Deserialize)]
struct Inputs {
    #[serde(default)]
    filenames: Vec<String>,
    #[serde(default)]
    directories: Vec<String>,
}

/// The files that describe a bundle.
pub(crate) struct Texts {
    pub template: String,
    pub values: Option<String>,
    /// Files and folders that the bundle names beside its own.
    pub references: Vec<String>,
    pub terms: Option<String>,
}

/// Reads a bundle folder and checks it as the server will. Nothing is sent.
pub fn read_bundle(dir: &Path) -> Result<BundleFolder, SubmitError> {
    let Texts { template, values, references, terms } = texts(dir)?;
    let asked =
        bundle_files::read(&template, values.as_deref(), terms.as_deref()).map_err(|e| refused(&e))?;
    let scene = find_scene(dir, &asked.scene, &references)?;
    Ok(BundleFolder {
        name: asked.name,
        scene,
        frames: asked.frames,
        video: asked.video,
        class: asked.class,
        device: asked.device,
        strategy: asked.strategy,
        cap: asked.cap,
    })
}

/// Reads the describing files of a bundle folder.
pub(crate) fn texts(dir: &Path) -> Result<Texts, SubmitError> {
    if !dir.is_dir() {
        return Err(SubmitError::Usage(format!(
            "{} is no bundle folder; name one with a template.yaml in it",
            dir.display()
        )));
    }
    let template = text(dir, &["template.yaml", "template.yml", "template.json"])?.ok_or_else(|| {
        SubmitError::Usage(format!("{} holds no template.yaml; name a bundle folder", dir.display()))
    })?;
    let values = text(dir, &["parameter_values.yaml", "parameter_values.yml", "parameter_values.json"])?;
    let references = text(dir, &["asset_references.yaml", "asset_references.yml", "asset_references.json"])?;
    let terms = text(dir, &["tatau.yaml", "tatau.yml"])?;
    let references: References = references
        .map(|text| bundle_files::parse("asset_references.yaml", &text))
        .transpose()
        .map_err(|e| refused(&e))?
        .unwrap_or_default();
    let Inputs { mut filenames, directories } = references.asset_references.inputs;
    filenames.extend(directories);
    if filenames.len() > bundle_files::MAX_ENTRIES {
        return Err(SubmitError::Usage(format!(
            "the bundle {} has more than {} entries; split it",
            dir.display(),
            bundle_files::MAX_ENTRIES
        )));
    }
    Ok(Texts { template, values, references: filenames, terms })
}

/// In the bundle's folder, as an absolute path, or among the asset references by the end of its path.
fn find_scene(dir: &Path, given: &str, references: &[String]) -> Result<PathBuf, SubmitError> {
    let path = Path::new(given);
    let beside = dir.join(path);
    if beside.is_file() && (path.is_absolute() || !path.components().any(|part| part == Component::ParentDir))
    {
        return Ok(beside);
    }
    let mut ends = references.iter().map(PathBuf::from).filter(|file| file.ends_with(path) && file.is_file());
    ends.next().ok_or_else(|| {
        SubmitError::Usage(format!(
            "the bundle's scene {} is neither in {} nor among its asset references; put it there",
            shown(given),
            dir.display()
        ))
    })
}

fn text(dir: &Path, names: &[&str]) -> Result<Option<String>, SubmitError> {
    for name in names {
        let path = dir.join(name);
        let size = match path.metadata() {
            Ok(meta) => meta.len(),
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => continue,
            Err(e) => return Err(SubmitError::io("read", &path, &e)),
        };
        if size > MAX_BYTES {
            return Err(SubmitError::Usage(format!(
                "{} has more than {MAX_BYTES} bytes; make it smaller",
                path.display()
            )));
        }
        return fs::read_to_string(&path).map(Some).map_err(|e| SubmitError::io("read", &path, &e));
    }
    Ok(None)
}

fn refused(e: &BundleError) -> SubmitError {
    SubmitError::Usage(e.sentence.clone())
}

fn shown(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(200).collect()
}

#[cfg(test)]
#[path = "../tests/unit/bundle.rs"]
mod tests;
