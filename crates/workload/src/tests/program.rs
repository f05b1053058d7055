use super::*;

const TEMPLATE: &str = r#"
specificationVersion: jobtemplate-2023-09
name: Shot
parameterDefinitions:
  - {name: C4DFile, type: PATH, objectType: FILE, dataFlow: IN, default: shot.c4d}
  - {name: Textures, type: PATH, objectType: DIRECTORY, dataFlow: IN, default: ""}
  - {name: OutputPath, type: PATH, objectType: DIRECTORY, dataFlow: OUT}
  - {name: Take, type: STRING, default: Main}
  - {name: CondaPackages, type: STRING, default: "cinema4d=2025.1.* cinema4d-openjd=0.6.*"}
steps:
  - name: Render
    script: {actions: {onRun: {command: cinema4d-openjd}}}
"#;

fn values(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect()
}

#[test]
fn paths_are_where_the_sandbox_has_them_and_the_rest_stays() {
    let there = |path: &str| ["shot.c4d", "_absolute/tex", "tex"].contains(&path);
    let placed = place(TEMPLATE, &values(&[("OutputPath", "/studio/out"), ("Take", "B")]), &there).unwrap();
    let expected = values(&[
        ("C4DFile", "/in/scene/shot.c4d"),
        ("OutputPath", "/work/out"),
        ("Take", "B"),
        ("Textures", ""),
    ]);
    assert_eq!(placed, expected);
    let placed = place(TEMPLATE, &values(&[("Textures", "tex/")]), &there).unwrap();
    assert_eq!(placed["Textures"], "/in/scene/tex");
    for bad in ["gone.c4d", "/etc/passwd", "../shot.c4d", "a\\b", "tex/../tex"] {
        let error = place(TEMPLATE, &values(&[("C4DFile", bad)]), &there).unwrap_err();
        assert!(error.sentence.contains("not among the files"), "{bad}: {error}");
    }
}

#[test]
fn the_program_is_the_first_package_with_its_version() {
    let of = |packages: &str| environment(TEMPLATE, &values(&[("CondaPackages", packages)])).unwrap();
    assert_eq!(environment(TEMPLATE, &BTreeMap::new()).unwrap().as_deref(), Some("host:cinema4d@2025.1"));
    assert_eq!(of("octane"), Some("host:octane".into()));
    assert_eq!(of("octane==2024.1"), Some("host:octane@2024.1".into()));
    assert_eq!(of("octane>=2024"), Some("host:octane".into()));
    assert_eq!(of(""), None);
    let bare = "specificationVersion: jobtemplate-2023-09\nname: x\nsteps: []\n";
    assert_eq!(environment(bare, &BTreeMap::new()).unwrap(), None);
}

#[test]
fn what_is_kept_is_read_back_and_nothing_else() {
    let kept = Kept::new(TEMPLATE.into(), values(&[("Take", "B")]));
    assert_eq!(Kept::from_json(&kept.to_json().unwrap()).unwrap(), kept);
    for bad in ["", "{}", r#"{"version":1,"template":"x","parameters":{}}"#] {
        assert!(Kept::from_json(bad.as_bytes()).is_err(), "{bad}");
    }
}
