use super::*;
use crate::Scene;

fn sample(scene: PathBuf) -> BundleFolder {
    BundleFolder {
        name: "film".into(),
        scene,
        frames: vec![1, 2, 3, 10],
        video: true,
        class: Some("rtx-3090".into()),
        device: Some(tatau_model::Device::Cuda),
        strategy: Strategy::Fastest,
        cap: Some(Amount::tatau(12)),
    }
}

fn written(dir: &Path) -> BundleFolder {
    let scene = dir.join("shots/film.blend");
    fs::create_dir_all(dir.join("shots")).unwrap();
    fs::write(&scene, b"BLENDER").unwrap();
    let bundle = sample(scene.clone());
    write_bundle(
        &dir.join("bundle"),
        &bundle,
        "shots/film.blend",
        &[("shots/film.blend".into(), scene)],
        "blender-4.5",
        Path::new("out"),
    )
    .unwrap();
    bundle
}

#[test]
fn what_is_written_is_read_back() {
    let dir = tempfile::tempdir().unwrap();
    let bundle = written(dir.path());
    assert_eq!(read_bundle(&dir.path().join("bundle")).unwrap(), bundle);
    let scene = Scene::open(&bundle.scene).unwrap();
    assert_eq!(scene.stem(), "film");
}

#[test]
fn strange_bundles_are_refused_with_a_reason() {
    let dir = tempfile::tempdir().unwrap();
    written(dir.path());
    let bundle = dir.path().join("bundle");
    let with = |file: &str, text: &str| {
        let before = fs::read(bundle.join(file)).unwrap();
        fs::write(bundle.join(file), text).unwrap();
        let error = read_bundle(&bundle).unwrap_err();
        assert_eq!(error.kind(), crate::Kind::Usage, "{error}");
        fs::write(bundle.join(file), before).unwrap();
        error.to_string()
    };
    assert!(
        !with("template.yaml", "specificationVersion: jobtemplate-2099-01\nname: x\nsteps: []\n").is_empty()
    );
    assert!(!with("template.yaml", "a: [").is_empty());
    let frames = |frames: &str, scene: &str| {
        format!("parameterValues:\n- name: Frames\n  value: '{frames}'\n- name: Scene\n  value: {scene}\n")
    };
    assert!(with("parameter_values.yaml", &frames("10-1", "shots/film.blend")).contains("backwards"));
    assert!(with("parameter_values.yaml", &frames("1-4", "../../etc/passwd")).contains("neither in"));
    assert!(with("tatau.yaml", "environment: octane\n").contains("octane"));
    assert!(with("tatau.yaml", "cap: lots\n").contains("cap"));
    assert!(read_bundle(&dir.path().join("none")).unwrap_err().to_string().contains("no bundle folder"));
    assert!(read_bundle(dir.path()).unwrap_err().to_string().contains("no template.yaml"));
}
