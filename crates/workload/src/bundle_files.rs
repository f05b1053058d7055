//! The files of a bundle folder beside its assets, as texts: what they ask for, checked as the server will check it.

use crate::{
    runtime,
    template::{self, BundleError},
};
use serde::Deserialize;
use std::collections::BTreeMap;
use tatau_model::{Amount, Device, Strategy};

/// Most parameters.
pub const MAX_ENTRIES: usize = 100_000;

/// What a bundle asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    /// A name for people.
    pub name: String,
    /// The scene as the bundle writes it: a path of any kind, or a name. Check before use.
    pub scene: String,
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

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Values {
    parameter_values: Vec<Value>,
}

#[derive(Debug, Deserialize)]
struct Value {
    name: String,
    value: Plain,
}

/// Other tools write numbers as numbers.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Plain {
    Text(String),
    Whole(i64),
    Number(f64),
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Terms {
    environment: Option<String>,
    class: Option<String>,
    device: Option<Device>,
    #[serde(default)]
    strategy: Strategy,
    cap: Option<String>,
    #[serde(default)]
    video: bool,
    task_minutes: Option<f64>,
    reproducible: Option<bool>,
}

/// Reads `template.yaml`, and `parameter_values.yaml` and `tatau.yaml` where they are there (YAML or JSON).
pub fn read(template: &str, values: Option<&str>, terms: Option<&str>) -> Result<Asked, BundleError> {
    let (mut parameters, terms) = (values_of(values)?, terms_of(terms)?);
    // Where the scene lies is the caller's business; the rest of the bundle is judged as the server judges it.
    let given = parameters.get("Scene").cloned().unwrap_or_default();
    if !given.is_empty() && template::check_scene(&given).is_err() {
        let name = given.rsplit(['/', '\\']).next().unwrap_or_default();
        parameters.insert("Scene".into(), name.to_owned());
    }
    let render = template::check_render_bundle(template, &parameters)?;
    if let Some(name) = terms.environment.as_ref().filter(|name| runtime::environment(name).is_none()) {
        let offered: Vec<_> = runtime::ENVIRONMENTS.iter().map(|e| e.name).collect();
        return Err(bad(format!(
            "the bundle asks for the environment '{}'; only {} is offered",
            shown(name),
            offered.join(", ")
        )));
    }
    let cap = cap_of(&terms)?;
    Ok(Asked {
        name: render.name,
        scene: if given.is_empty() { render.scene } else { given },
        frames: render.frames,
        video: terms.video,
        class: terms.class,
        device: terms.device,
        strategy: terms.strategy,
        cap,
    })
}

/// What a bundle for another program asks for.
#[derive(Debug, Clone, PartialEq)]
pub struct AskedProgram {
    /// A name for people.
    pub name: String,
    /// Values of job parameters, as written.
    pub values: BTreeMap<String, String>,
    /// Where the program comes from.
    pub environment: Option<String>,
    /// Card class; `None` is any.
    pub class: Option<String>,
    /// How offers are chosen.
    pub strategy: Strategy,
    /// The most it may cost, where the bundle says so.
    pub cap: Option<Amount>,
    /// Minutes that one task takes on the reference card, where the bundle says so.
    pub task_minutes: Option<f64>,
    /// Whether a task gives the same files everywhere, where the bundle says so.
    pub reproducible: Option<bool>,
}

/// Reads the files of a bundle for another program. Values for other farms' own queues (`deadline:…`) are none of its parameters.
pub fn read_program(
    template: &str,
    values: Option<&str>,
    terms: Option<&str>,
) -> Result<AskedProgram, BundleError> {
    let (values, terms) = (values_of(values)?, terms_of(terms)?);
    let values = values.into_iter().filter(|(name, _)| !name.contains(':')).collect();
    let document = template::parse(template)?;
    let name = document.get("name").and_then(serde_json::Value::as_str).unwrap_or("bundle");
    let environment = match &terms.environment {
        Some(name) => Some(name.clone()),
        None => crate::program::environment(template, &values)?,
    };
    Ok(AskedProgram {
        name: shown(name),
        environment,
        class: terms.class.clone(),
        strategy: terms.strategy,
        cap: cap_of(&terms)?,
        task_minutes: terms.task_minutes,
        reproducible: terms.reproducible,
        values,
    })
}

fn values_of(values: Option<&str>) -> Result<BTreeMap<String, String>, BundleError> {
    let values: Option<Values> = values.map(|text| parse("parameter_values.yaml", text)).transpose()?;
    let values = values.map_or_else(Vec::new, |values| values.parameter_values);
    if values.len() > MAX_ENTRIES {
        return Err(bad(format!("the bundle has more than {MAX_ENTRIES} entries; split it")));
    }
    Ok(values.into_iter().map(|v| (v.name, plain(v.value))).collect())
}

fn terms_of(terms: Option<&str>) -> Result<Terms, BundleError> {
    Ok(terms.map(|text| parse("tatau.yaml", text)).transpose()?.unwrap_or_default())
}

fn cap_of(terms: &Terms) -> Result<Option<Amount>, BundleError> {
    let cap = terms.cap.as_deref().map(|cap| match cap.parse::<Amount>() {
        Ok(cap) if cap < Amount::ZERO => Err(bad("the cap in tatau.yaml is negative; write 0 for none")),
        Ok(cap) => Ok(cap),
        Err(e) => Err(bad(format!("the cap in tatau.yaml is wrong: {e}"))),
    });
    Ok(cap.transpose()?.filter(|cap| cap.is_positive()))
}

/// YAML (or JSON) of a bundle's file; the parser keeps its own limits of repetition.
pub fn parse<T: serde::de::DeserializeOwned>(file: &str, text: &str) -> Result<T, BundleError> {
    if text.len() > template::MAX_BUNDLE_BYTES {
        let most = template::MAX_BUNDLE_BYTES;
        return Err(bad(format!("{file} of the bundle has more than {most} bytes; make it smaller")));
    }
    serde_norway::from_str(text)
        .map_err(|e| bad(format!("{file} of the bundle cannot be read: {}", shown(&e.to_string()))))
}

fn plain(value: Plain) -> String {
    match value {
        Plain::Text(text) => text,
        Plain::Whole(number) => number.to_string(),
        Plain::Number(number) => number.to_string(),
    }
}

fn bad(sentence: impl Into<String>) -> BundleError {
    BundleError { code: "bundle_file", sentence: sentence.into() }
}

fn shown(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(200).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_read_and_what_cannot_be_read_is_refused() {
        let values =
            "parameterValues:\n- name: Scene\n  value: /studio/shot.blend\n- name: Frames\n  value: 1-4\n";
        let asked = read(template::RENDER, Some(values), Some("video: true\ncap: '2.5'\n")).unwrap();
        assert_eq!((asked.scene.as_str(), asked.frames.len()), ("/studio/shot.blend", 4));
        assert_eq!((asked.video, asked.cap), (true, "2.5".parse().ok()));
        for (terms, word) in
            [("environment: octane\n", "octane"), ("cap: lots\n", "cap"), ("x: 1\n", "tatau.yaml")]
        {
            let error = read(template::RENDER, Some(values), Some(terms)).unwrap_err();
            assert!(error.sentence.contains(word), "{error}");
        }
        assert!(read(template::RENDER, None, None).is_err(), "no frames, no scene");
        assert!(read("a: [", Some(values), None).is_err());
    }
}
