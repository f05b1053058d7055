//! What is looked at in the raw document, before anything is built from it.

use std::collections::{BTreeMap, BTreeSet};

use openjd_model::ModelError;
use serde_json::Value;

use super::{BundleError, BundleLimits, Parameter, ParameterKind};
use crate::text::clean;

/// The one version that is understood.
const VERSION: &str = "jobtemplate-2023-09";
/// Longest foreign sentence that is passed on, in characters.
const SENTENCE_CHARS: usize = 300;

/// A library's report of many lines as one clean sentence.
pub(super) fn one_sentence(error: &ModelError) -> String {
    let text = match error {
        ModelError::ModelValidation(errors) => errors
            .errors
            .first()
            .map_or_else(|| error.to_string(), |first| format!("{}: {}", place(&first.path), first.message)),
        other => other.to_string(),
    };
    let words: Vec<&str> = text.split_whitespace().collect();
    let line = clean(&words.join(" "));
    match line.char_indices().nth(SENTENCE_CHARS) {
        Some((end, _)) => format!("the template is not valid: {}…", &line[..end]),
        None => format!("the template is not valid: {line}"),
    }
}

fn place(path: &[openjd_model::PathElement]) -> String {
    use openjd_model::PathElement;
    let mut text = String::new();
    for element in path {
        match element {
            PathElement::Field(name) if text.is_empty() => text.push_str(name),
            PathElement::Field(name) => text.extend([".", name]),
            PathElement::Index(index) => text.extend(["[", &index.to_string(), "]"]),
        }
    }
    text
}

fn list<'a>(of: &'a Value, key: &str) -> &'a [Value] {
    of.get(key).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

fn text<'a>(of: &'a Value, key: &str) -> &'a str {
    of.get(key).and_then(Value::as_str).unwrap_or_default()
}

/// Everything that can be said of the raw document.
pub(super) fn document(document: &Value, limits: &BundleLimits) -> Result<(), BundleError> {
    if deeper_than(document, limits.depth) {
        let sentence = format!("the template is nested more than {} deep; flatten it", limits.depth);
        return Err(BundleError::new("too_deep", sentence));
    }
    match document.get("specificationVersion").and_then(Value::as_str) {
        Some(VERSION) => {}
        Some(other) => {
            let other: String = clean(other).chars().take(64).collect();
            let sentence = format!("the specificationVersion {other:?} is not known; use {VERSION}");
            return Err(BundleError::new("unknown_version", sentence));
        }
        None => {
            let sentence =
                format!("the template has no specificationVersion; add `specificationVersion: {VERSION}`");
            return Err(BundleError::new("unknown_version", sentence));
        }
    }
    let (parameters, steps) = (list(document, "parameterDefinitions"), list(document, "steps"));
    count("too_many_parameters", "job parameters", parameters.len(), limits.parameters)?;
    count("too_many_steps", "steps", steps.len(), limits.steps)?;
    let in_steps: usize = steps.iter().map(|s| list(s, "stepEnvironments").len()).sum();
    let environments = list(document, "jobEnvironments").len() + in_steps;
    count("too_many_environments", "environments", environments, limits.environments)?;
    paths(parameters, steps)?;
    acyclic(steps)
}

fn count(code: &'static str, what: &str, found: usize, most: usize) -> Result<(), BundleError> {
    if found <= most {
        return Ok(());
    }
    Err(BundleError::new(code, format!("the template has {found} {what}; the limit is {most}")))
}

fn deeper_than(value: &Value, left: usize) -> bool {
    let Some(left) = left.checked_sub(1) else { return true };
    match value {
        Value::Array(items) => items.iter().any(|v| deeper_than(v, left)),
        Value::Object(fields) => fields.values().any(|v| deeper_than(v, left)),
        _ => false,
    }
}

/// Whether a path leaves the folder it is relative to. Both separators count: bundles come from Windows too.
fn leaves(path: &str) -> bool {
    path.split(['/', '\\']).any(|part| part == "..")
}

fn outside(what: &str, path: &str) -> BundleError {
    let path: String = clean(path).chars().take(100).collect();
    let sentence = format!("{what} is {path:?}, which leaves the bundle; remove the `..` from it");
    BundleError::new("outside_path", sentence)
}

fn paths(parameters: &[Value], steps: &[Value]) -> Result<(), BundleError> {
    for parameter in parameters.iter().filter(|p| text(p, "type").eq_ignore_ascii_case("PATH")) {
        if leaves(text(parameter, "default")) {
            return Err(outside(
                &format!("the default of {}", clean(text(parameter, "name"))),
                text(parameter, "default"),
            ));
        }
    }
    let spaces = steps.iter().filter_map(|s| s.get("parameterSpace"));
    for parameter in spaces.flat_map(|s| list(s, "taskParameterDefinitions")) {
        if text(parameter, "type").eq_ignore_ascii_case("PATH")
            && let Some(path) = list(parameter, "range").iter().filter_map(Value::as_str).find(|p| leaves(p))
        {
            return Err(outside(&format!("a value of {}", clean(text(parameter, "name"))), path));
        }
    }
    Ok(())
}

/// Refuses steps that wait for each other, and names them.
fn acyclic(steps: &[Value]) -> Result<(), BundleError> {
    let mut waiting: BTreeMap<&str, BTreeSet<&str>> = steps
        .iter()
        .map(|s| (text(s, "name"), list(s, "dependencies").iter().map(|d| text(d, "dependsOn")).collect()))
        .collect();
    loop {
        let free: Vec<&str> = waiting
            .iter()
            .filter(|(_, on)| on.iter().all(|o| !waiting.contains_key(o)))
            .map(|(name, _)| *name)
            .collect();
        if waiting.is_empty() {
            return Ok(());
        }
        if free.is_empty() {
            let names: Vec<String> = waiting.keys().take(5).map(|n| clean(n)).collect();
            let sentence =
                format!("the steps {} wait for each other; remove one dependency", names.join(", "));
            return Err(BundleError::new("cycle", sentence));
        }
        for name in free {
            waiting.remove(name);
        }
    }
}

/// Parameter values before they are typed.
pub(super) fn values(
    definitions: &[Parameter],
    values: &BTreeMap<String, String>,
    limits: &BundleLimits,
) -> Result<(), BundleError> {
    count("too_many_parameters", "parameter values", values.len(), limits.parameters)?;
    for (name, value) in values {
        let shown: String = clean(name).chars().take(64).collect();
        let Some(definition) = definitions.iter().find(|d| d.name == *name) else {
            return Err(BundleError::new(
                "parameter",
                format!("the template has no job parameter {shown:?}"),
            ));
        };
        if value.len() > limits.value_bytes {
            let sentence = format!("the value of {shown} is longer than {} bytes", limits.value_bytes);
            return Err(BundleError::new("too_large", sentence));
        }
        if definition.kind == ParameterKind::Path && leaves(value) {
            return Err(outside(&format!("the value of {shown}"), value));
        }
    }
    Ok(())
}
