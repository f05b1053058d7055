use super::*;
use std::fs;

const TEMPLATE: &str = "specificationVersion: jobtemplate-2023-09
name: Shot
parameterDefinitions:
  - {name: File, type: PATH, objectType: FILE, dataFlow: IN, default: shot.c4d}
  - {name: Extra, type: PATH, objectType: FILE, dataFlow: IN, default: \"\"}
  - {name: Out, type: PATH, objectType: DIRECTORY, dataFlow: OUT, default: out}
  - {name: CondaPackages, type: STRING, default: 'cinema4d=2025.*'}
steps: [{name: Render, script: {actions: {onRun: {command: cinema4d}}}}]
";

fn bundle(dir: &Path, values: &str) {
    fs::create_dir_all(dir.join("tex")).unwrap();
    for (name, text) in [
        ("template.yaml", TEMPLATE),
        ("parameter_values.yaml", values),
        ("shot.c4d", "scene"),
        ("tex/wood.png", "wood"),
        (".hidden", "no"),
    ] {
        fs::write(dir.join(name), text).unwrap();
    }
}

#[test]
fn files_values_and_the_program_are_found() {
    let home = tempfile::tempdir().unwrap();
    let (dir, far) = (home.path().join("bundle"), home.path().join("far/hdri.exr"));
    fs::create_dir_all(far.parent().unwrap()).unwrap();
    fs::write(&far, "sky").unwrap();
    let values = format!(
        "parameterValues:\n- {{name: Extra, value: {}}}\n- {{name: 'deadline:priority', value: 50}}\n",
        far.display()
    );
    bundle(&dir, &values);
    std::os::unix::fs::symlink("/etc/passwd", dir.join("link")).unwrap();
    let read = read_program(&dir).unwrap();
    let carried = format!("_absolute{}", far.display());
    let names: Vec<&str> = read.files.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, [carried.as_str(), "shot.c4d", "tex/wood.png"]);
    assert_eq!(read.values, BTreeMap::from([("Extra".to_owned(), carried)]));
    assert_eq!(read.asked.environment.as_deref(), Some("host:cinema4d@2025"));
    assert!(!is_render_bundle(&dir).unwrap());
    let sent = Sent { manifest: tatau_model::BlobId([7; 32]), files: 3, bytes: 9 };
    let key = |program: &Program, nonce: &str| program.request_key(&sent, "host:cinema4d", nonce);
    let mut other = read.clone();
    other.values.insert("Take".into(), "B".into());
    assert_eq!(key(&read, "a"), key(&read.clone(), "a"));
    assert!(key(&read, "a") != key(&other, "a") && key(&read, "a") != key(&read, "b"));
    assert!(key(&read, "a").len() <= 100);
    fs::remove_file(&far).unwrap();
    assert!(read_program(&dir).unwrap_err().to_string().contains("which is not there"));
    assert!(read_program(home.path()).is_err(), "no template");
}

#[test]
fn the_platforms_own_bundle_is_known() {
    let home = tempfile::tempdir().unwrap();
    fs::write(home.path().join("template.yaml"), template::RENDER).unwrap();
    assert!(is_render_bundle(home.path()).unwrap());
}
