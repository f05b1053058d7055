//! Open Job Description bundles: the render bundle, and what is accepted of strangers' ones.
//!
//! A stranger's template is only ever compared with ours; what runs is our own text, so that two YAML parsers that read it
//! differently cannot be played against each other.

use crate::frames::{self, FramesError};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use tatau_model::{Amount, Device, Strategy};

/// Renders frames: parameters Name, Scene, Frames, Request, OutputDir; a task parameter Frame.
pub const RENDER: &str = include_str!("../templates/render.yaml");
/// Its step.
pub const RENDER_STEP: &str = "Render";
/// Answers requests: parameter Scene (a path inside the sandbox, or `-`); a task parameter Request.
pub const REQUEST: &str = include_str!("../templates/request.yaml");
/// Its step.
pub const REQUEST_STEP: &str = "Run";

/// Longest template, bytes.
pub const MAX_TEMPLATE_BYTES: usize = 256 * 1024;
/// Longest canonical bundle, bytes.
pub const MAX_BUNDLE_BYTES: usize = 512 * 1024;
const MAX_DEPTH: usize = 32;
const MAX_PARAMETERS: usize = 64;
const MAX_PATH_BYTES: usize = 1_024;
const MAX_NAME_CHARS: usize = 100;
/// Version of the canonical form.
const VERSION: u32 = 1;

/// Why a bundle is refused: a code for programs, a sentence for people.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{sentence}")]
pub struct BundleError {
    /// `too_large`, `not_a_template`, `other_version`, `other_bundle`, `parameter`, `scene`, `frames`, `not_a_bundle`, `bundle_file`, `internal`.
    pub code: &'static str,
    /// What is wrong and what to do.
    pub sentence: String,
}

impl BundleError {
    fn new(code: &'static str, sentence: impl Into<String>) -> Self {
        Self { code, sentence: sentence.into() }
    }
}

impl From<FramesError> for BundleError {
    fn from(error: FramesError) -> Self {
        Self::new("frames", error.to_string())
    }
}

/// A job's template and parameter values; its canonical JSON is the job's bundle blob.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Bundle {
    version: u32,
    template: String,
    parameters: BTreeMap<String, String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Stored {
    version: u32,
    template: String,
    parameters: BTreeMap<String, String>,
}

impl Bundle {
    /// The template's text.
    pub fn template(&self) -> &str {
        &self.template
    }
    /// Job parameter values.
    pub fn parameters(&self) -> &BTreeMap<String, String> {
        &self.parameters
    }
    /// Canonical JSON: the same bytes for the same bundle.
    pub fn to_json(&self) -> Result<Vec<u8>, BundleError> {
        serde_json::to_vec(self)
            .map_err(|e| BundleError::new("internal", format!("the bundle cannot be written: {e}")))
    }
    /// Reads canonical JSON, with the checks of [`check_render_bundle`].
    pub fn from_json(bytes: &[u8]) -> Result<Self, BundleError> {
        if bytes.len() > MAX_BUNDLE_BYTES {
            return Err(BundleError::new(
                "too_large",
                format!("a bundle has at most {MAX_BUNDLE_BYTES} bytes; make it smaller"),
            ));
        }
        let stored: Stored = serde_json::from_slice(bytes).map_err(|_| {
            BundleError::new("not_a_bundle", "the stored bundle cannot be read; submit the job again")
        })?;
        if stored.version != VERSION {
            return Err(BundleError::new(
                "not_a_bundle",
                "the stored bundle has another version; submit the job again",
            ));
        }
        check_render_bundle(&stored.template, &stored.parameters)?;
        Ok(Self { version: VERSION, template: RENDER.to_owned(), parameters: stored.parameters })
    }
}

/// The bundle that renders `frames` of `scene` (its path relative to the buyer's folder).
pub fn render_bundle(name: &str, scene: &str, frames: &[i32]) -> Result<Bundle, BundleError> {
    check_scene(scene)?;
    if frames.is_empty() {
        return Err(FramesError::Empty.into());
    }
    if frames.len() > frames::MAX_FRAMES {
        return Err(FramesError::TooMany.into());
    }
    let name: String = name.chars().filter(|c| !c.is_control()).take(MAX_NAME_CHARS).collect();
    let name = if name.trim().is_empty() { "Render".to_owned() } else { name };
    let parameters = [
        ("Name", name),
        ("Scene", scene.to_owned()),
        ("Frames", frames::format(frames)),
        ("OutputDir", "output".to_owned()),
    ];
    let parameters = parameters.into_iter().map(|(k, v)| (k.to_owned(), v)).collect();
    Ok(Bundle { version: VERSION, template: RENDER.to_owned(), parameters })
}

/// What a render bundle asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RenderBundle {
    /// A name for people.
    pub name: String,
    /// Path of the scene, relative to the buyer's folder.
    pub scene: String,
    /// Frames in the buyer's order.
    pub frames: Vec<i32>,
}

/// Accepts a bundle whose steps are those of [`RENDER`], whatever its comments, descriptions and order of keys.
pub fn check_render_bundle(
    template: &str,
    parameters: &BTreeMap<String, String>,
) -> Result<RenderBundle, BundleError> {
    let document = parse(template)?;
    let ours = parse(RENDER)?;
    let version = |of: &Value| of.get("specificationVersion").cloned();
    if version(&document) != version(&ours) {
        return Err(other_version(version(&document).as_ref(), version(&ours).as_ref()));
    }
    let same = |key: &str| document.get(key) == ours.get(key);
    let extra = document.get("jobEnvironments").is_some() || document.get("extensions").is_some();
    if !same("steps") || extra {
        return Err(BundleError::new(
            "other_bundle",
            "this bundle has other steps than the render bundle; for now only bundles that `tatau render` writes are taken, others come later",
        ));
    }
    if parameters.len() > MAX_PARAMETERS {
        return Err(BundleError::new(
            "parameter",
            format!("a bundle has at most {MAX_PARAMETERS} parameters; leave some out"),
        ));
    }
    let value = |name: &str| {
        parameters.get(name).cloned().or_else(|| default_of(&document, name)).ok_or_else(|| {
            BundleError::new(
                "parameter",
                format!("the bundle gives no value for {name}; add it to parameter_values.yaml"),
            )
        })
    };
    let scene = value("Scene")?;
    check_scene(&scene)?;
    let frames = frames::parse(&value("Frames")?)?;
    let name = value("Name").unwrap_or_else(|_| "Render".to_owned());
    Ok(RenderBundle {
        name: name.chars().filter(|c| !c.is_control()).take(MAX_NAME_CHARS).collect(),
        scene,
        frames,
    })
}

/// Has this template the step of [`RENDER`]? What cannot be read has not.
pub fn is_render(template: &str) -> bool {
    let steps = |text: &str| parse(text).ok().and_then(|document| document.get("steps").cloned());
    let theirs = steps(template);
    theirs.is_some() && theirs == steps(RENDER)
}

fn other_version(given: Option<&Value>, ours: Option<&Value>) -> BundleError {
    let text = |version: Option<&Value>| -> String {
        let text = version.and_then(Value::as_str).unwrap_or("none");
        text.chars().filter(|c| !c.is_control()).take(60).collect()
    };
    BundleError::new(
        "other_version",
        format!(
            "the template's specificationVersion is '{}'; only '{}' is understood, export it for that one",
            text(given),
            text(ours)
        ),
    )
}

pub(crate) fn default_of(document: &Value, name: &str) -> Option<String> {
    let definitions = document.get("parameterDefinitions")?.as_array()?;
    let definition = definitions.iter().find(|d| d.get("name").and_then(Value::as_str) == Some(name))?;
    definition.get("default")?.as_str().map(str::to_owned)
}

/// YAML (or JSON) to a value, with limits; aliases are expanded by the parser within its own repetition limit.
pub(crate) fn parse(template: &str) -> Result<Value, BundleError> {
    if template.len() > MAX_TEMPLATE_BYTES {
        return Err(BundleError::new(
            "too_large",
            format!("a template has at most {MAX_TEMPLATE_BYTES} bytes; make it smaller"),
        ));
    }
    let bad = || {
        BundleError::new(
            "not_a_template",
            "the template is no Open Job Description template in YAML or JSON; export it again",
        )
    };
    let document: Value = serde_norway::from_str(template).map_err(|_| bad())?;
    if !document.is_object() || deeper_than(&document, MAX_DEPTH) {
        return Err(bad());
    }
    Ok(document)
}

fn deeper_than(value: &Value, left: usize) -> bool {
    let Some(left) = left.checked_sub(1) else { return true };
    match value {
        Value::Array(items) => items.iter().any(|v| deeper_than(v, left)),
        Value::Object(fields) => fields.values().any(|v| deeper_than(v, left)),
        _ => false,
    }
}

/// Is this a path inside the buyer's folder, as the input manifest writes it?
pub fn check_scene(scene: &str) -> Result<(), BundleError> {
    let plain = |part: &str| !part.is_empty() && part != "." && part != "..";
    let odd = |c: char| c.is_control() || c == '\\';
    if scene.len() <= MAX_PATH_BYTES && !scene.contains(odd) && scene.split('/').all(plain) {
        return Ok(());
    }
    let shown: String = scene.chars().filter(|c| !c.is_control()).take(100).collect();
    Err(BundleError::new(
        "scene",
        format!(
            "the scene '{shown}' is not a path inside the submitted folder; write it relative to the folder, with /"
        ),
    ))
}

/// What `tatau.yaml` beside a bundle says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Terms {
    /// Environment, such as `blender-5.0`.
    pub environment: String,
    /// Card class; absent is any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub class: Option<String>,
    /// What renders; absent is what the class usually does, or the processor.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub device: Option<Device>,
    /// How offers are chosen.
    pub strategy: Strategy,
    /// Price cap, decimal TATAU.
    #[serde(serialize_with = "decimal")]
    pub cap: Amount,
    /// Encode a video at the end.
    pub video: bool,
}

#[allow(clippy::trivially_copy_pass_by_ref)] // serde's signature
fn decimal<S: serde::Serializer>(amount: &Amount, s: S) -> Result<S::Ok, S::Error> {
    s.collect_str(amount)
}

/// Text of `tatau.yaml`.
pub fn tatau_yaml(terms: &Terms) -> Result<String, BundleError> {
    yaml(terms)
}

/// Text of `parameter_values.yaml`.
pub fn parameter_values(bundle: &Bundle) -> Result<String, BundleError> {
    let values: Vec<Value> = bundle.parameters.iter().map(|(k, v)| json!({"name": k, "value": v})).collect();
    yaml(&json!({"parameterValues": values}))
}

/// Text of `asset_references.yaml`: the files that the scene needs, and where outputs go.
pub fn asset_references(inputs: &[String], output_directory: &str) -> Result<String, BundleError> {
    yaml(&json!({"assetReferences": {
        "inputs": {"filenames": inputs, "directories": []},
        "outputs": {"directories": [output_directory]},
        "referencedPaths": [],
    }}))
}

fn yaml(value: &impl Serialize) -> Result<String, BundleError> {
    serde_norway::to_string(value)
        .map_err(|e| BundleError::new("internal", format!("the file cannot be written: {e}")))
}

#[cfg(test)]
#[path = "tests/template.rs"]
mod tests;
