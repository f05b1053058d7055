//! Bundles for programs that the platform knows nothing of: which program, which of their parameters are paths, and what these are
//! inside the sandbox. The template itself is not changed: what other farms run is run.

use crate::template::{self, BundleError};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;
use tatau_model::environment::HOST;

/// Where a bundle's outputs belong inside the sandbox.
const OUT: &str = "/work/out";
/// Where its inputs lie inside the sandbox.
const IN: &str = "/in/scene";
/// The parameter by which bundles for other farms name the packages that they need.
const PACKAGES: &str = "CondaPackages";
/// Version of the stored form.
const VERSION: u32 = 2;

/// A path among a template's job parameters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PathParameter {
    /// Its name.
    pub name: String,
    /// Where results go, and not where inputs come from.
    pub out: bool,
    /// Its default, as the template has it.
    pub default: Option<String>,
}

/// The paths among the job parameters of a template (YAML or JSON).
pub fn path_parameters(template: &str) -> Result<Vec<PathParameter>, BundleError> {
    let document = template::parse(template)?;
    let text = |of: &Value, key: &str| of.get(key).and_then(Value::as_str).map(str::to_owned);
    let all = document.get("parameterDefinitions").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    let paths = all.iter().filter(|p| text(p, "type").is_some_and(|kind| kind.eq_ignore_ascii_case("PATH")));
    Ok(paths
        .filter_map(|p| {
            Some(PathParameter {
                name: text(p, "name")?,
                out: text(p, "dataFlow").is_some_and(|flow| flow.eq_ignore_ascii_case("OUT")),
                default: text(p, "default"),
            })
        })
        .collect())
}

/// The program that a bundle for other farms asks for, as an environment: the first of its packages, `cinema4d=2025.1.* …` as
/// `host:cinema4d@2025.1`. `None` where it names no packages.
pub fn environment(template: &str, values: &BTreeMap<String, String>) -> Result<Option<String>, BundleError> {
    let document = template::parse(template)?;
    let named = values.get(PACKAGES).cloned().or_else(|| template::default_of(&document, PACKAGES));
    let Some(named) = named else { return Ok(None) };
    let Some(first) = named.split_whitespace().next() else { return Ok(None) };
    let (name, version) = first.split_once(['=', '<', '>', '!', '~']).unwrap_or((first, ""));
    let version = version.trim_start_matches('=').trim_end_matches('*').trim_end_matches('.');
    let plain = first.find(['<', '>', '!', '~']).is_none() && !version.is_empty();
    Ok(Some(if plain { format!("{HOST}{name}@{version}") } else { format!("{HOST}{name}") }))
}

/// What becomes of path values: outputs go to the sandbox's own folder, inputs lie where the manifest has them, below the folder of
/// inputs. `is_input`: is there such a file or folder among the inputs? Values that are no paths stay as they are.
pub fn place(
    template: &str,
    values: &BTreeMap<String, String>,
    is_input: &dyn Fn(&str) -> bool,
) -> Result<BTreeMap<String, String>, BundleError> {
    let mut placed = values.clone();
    for path in path_parameters(template)? {
        let value = values.get(&path.name).or(path.default.as_ref()).map(String::as_str).unwrap_or_default();
        if path.out {
            placed.insert(path.name, OUT.to_owned());
            continue;
        }
        let value = value.trim_end_matches('/');
        if value.is_empty() || value == "." {
            placed.insert(path.name, if value.is_empty() { String::new() } else { IN.to_owned() });
            continue;
        }
        if template::check_scene(value).is_err() || !is_input(value) {
            let shown: String = value.chars().filter(|c| !c.is_control()).take(100).collect();
            return Err(BundleError {
                code: "parameter",
                sentence: format!(
                    "the parameter {} is '{shown}', which is not among the files of the bundle; add it to asset_references.yaml, or put it into the bundle's folder",
                    path.name.chars().filter(|c| !c.is_control()).take(64).collect::<String>()
                ),
            });
        }
        placed.insert(path.name, format!("{IN}/{value}"));
    }
    Ok(placed)
}

/// A bundle as it is kept: the template as it came, the values as the sandbox gets them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Kept {
    version: u32,
    /// The template.
    pub template: String,
    /// Job parameters.
    pub parameters: BTreeMap<String, String>,
}

impl Kept {
    /// What was checked.
    pub fn new(template: String, parameters: BTreeMap<String, String>) -> Self {
        Self { version: VERSION, template, parameters }
    }

    /// Canonical JSON: the same bytes for the same bundle.
    pub fn to_json(&self) -> Result<Vec<u8>, BundleError> {
        serde_json::to_vec(self).map_err(|e| BundleError {
            code: "internal",
            sentence: format!("the bundle cannot be written: {e}"),
        })
    }

    /// Reads it back.
    pub fn from_json(bytes: &[u8]) -> Result<Self, BundleError> {
        let kept: Option<Self> = serde_json::from_slice(bytes).ok();
        kept.filter(|kept| kept.version == VERSION).ok_or_else(|| BundleError {
            code: "not_a_bundle",
            sentence: "the stored bundle cannot be read; submit the job again".into(),
        })
    }
}

#[cfg(test)]
#[path = "tests/program.rs"]
mod tests;
