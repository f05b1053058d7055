use super::*;
use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};

/// Where a session starts.
const ENTRIES: &[&str] = &["up", "run", "down", "daemon"];

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../runtimes/blender")
}

/// Modules that a program names: in imports, and as quoted words (the resident process looks its tasks up by name).
fn named(text: &str) -> BTreeSet<String> {
    let word = |c: char| !(c.is_alphanumeric() || c == '_');
    text.split(word).map(str::to_owned).collect()
}

#[test]
fn every_program_that_a_session_can_reach_is_embedded_as_it_is() {
    let there = |name: &str| folder().join(format!("{name}.py")).is_file();
    let mut reached: BTreeSet<String> = BTreeSet::new();
    let mut open: Vec<String> = ENTRIES.iter().map(|name| (*name).to_owned()).collect();
    while let Some(name) = open.pop() {
        let text = std::fs::read_to_string(folder().join(format!("{name}.py"))).unwrap();
        let lines = text.lines().filter(|line| line.contains("import") || line.contains('"'));
        let code: String = lines.flat_map(|line| [line, "\n"]).collect();
        if reached.insert(name) {
            open.extend(named(&code).into_iter().filter(|word| there(word) && !reached.contains(word)));
        }
    }
    let reached: Vec<String> = reached.into_iter().map(|name| name + ".py").collect();
    let embedded: Vec<&str> = BLENDER.iter().map(|file| file.name).collect();
    assert_eq!(embedded, reached, "list in runtime.rs, sorted, what a session can reach of runtimes/blender");
    for file in BLENDER {
        assert_eq!(file.text, std::fs::read_to_string(folder().join(file.name)).unwrap());
    }
}

#[test]
fn environments_are_known_by_name_and_pin_every_wheel() {
    let blender = environment("blender-5.0").unwrap();
    let manifest: serde_json::Value = serde_json::from_str(blender.manifest).unwrap();
    assert_eq!(manifest["name"], blender.name);
    assert!(blender.lock.contains("bpy==5.0.1") && blender.lock.contains("--hash=sha256:"));
    assert!(environment("blender-9").is_none());
}
