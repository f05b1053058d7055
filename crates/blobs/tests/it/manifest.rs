//! Manifests: one form, no way out of the folder, laid out as scanned.

use proptest::prelude::*;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use tatau_blobs::{
    BlobError, BlobStore, Limits, Manifest, ManifestError, ManifestFile, Placing, check_path, materialize,
};
use tatau_model::BlobId;

fn file(path: &str) -> ManifestFile {
    ManifestFile { path: path.into(), blob: BlobId([1; 32]), bytes: 5 }
}

#[test]
fn paths_that_lead_out_or_astray_are_refused() {
    let long_part = "x".repeat(256);
    let deep = vec!["d"; 33].join("/");
    let long = vec!["x".repeat(200); 6].join("/");
    for path in [
        "",
        "/",
        "/etc/passwd",
        "..",
        "../x",
        "a/../b",
        "a/..",
        "./a",
        "a/./b",
        "a//b",
        "a/",
        "a\\b",
        "..\\x",
        "a\0b",
        "a\nb",
        "a\u{85}b",
        &long_part,
        &deep,
        &long,
    ] {
        let error = check_path(path).unwrap_err();
        assert!(!error.to_string().chars().any(char::is_control));
        assert!(matches!(Manifest::new(vec![file(path)]), Err(ManifestError::Path(_))), "{path:?}");
    }
    for path in ["a", "a/b.png", "...", "..a/b..", ".hidden", "Ünï/ço dé", &vec!["d"; 32].join("/")] {
        check_path(path).unwrap();
    }
}

#[test]
fn files_are_named_once_and_are_no_folders() {
    assert!(matches!(Manifest::new(vec![file("a"), file("a")]), Err(ManifestError::Twice(_))));
    for other in ["a/b", "a/b/c"] {
        let clash = Manifest::new(vec![file(other), file("a"), file("a-b"), file("a.c")]);
        assert!(matches!(clash, Err(ManifestError::FileAndFolder(path)) if path == "a"));
    }
    let huge = ManifestFile { bytes: u64::MAX, ..file("b") };
    assert!(matches!(Manifest::new(vec![file("a"), huge]), Err(ManifestError::TooLarge)));
    let many = (0..100_001).map(|i| file(&i.to_string())).collect();
    assert!(matches!(Manifest::new(many), Err(ManifestError::TooManyFiles)));
}

#[test]
fn there_is_one_form_only() {
    let manifest = Manifest::new(vec![file("b"), file("a/c")]).unwrap();
    let json = String::from_utf8(manifest.to_json().unwrap()).unwrap();
    let id = BlobId([1; 32]);
    let expected = format!(
        r#"{{"version":1,"files":[{{"path":"a/c","blob":"{id}","bytes":5}},{{"path":"b","blob":"{id}","bytes":5}}]}}"#
    );
    assert_eq!(json, expected);
    assert_eq!(Manifest::parse(json.as_bytes()).unwrap(), manifest);
    assert_eq!(manifest.id().unwrap(), BlobId(*blake3::hash(json.as_bytes()).as_bytes()));
    assert_eq!((manifest.total_bytes(), manifest.blobs().len()), (10, 1));
    assert_eq!(manifest.file("a/c").unwrap().bytes, 5);
    assert!(manifest.file("c").is_none());
    let entry = format!(r#"{{"path":"a","blob":"{id}","bytes":5}}"#);
    for bad in [
        String::new(),
        "[]".into(),
        format!(r#"{{"version":1, "files":[{entry}]}}"#),
        format!(r#"{{"files":[{entry}],"version":1}}"#),
        format!(r#"{{"version":1,"files":[{entry}],"x":1}}"#),
        format!(r#"{{"version":1,"files":[{entry}]}}{{}}"#),
        format!(r#"{{"version":1,"files":[{}]}}"#, entry.replace("\"bytes\":5", "\"bytes\":5,\"mode\":7")),
        format!(r#"{{"version":1,"files":[{}]}}"#, entry.replace('a', "\\u0061")),
        json.replace("a/c", "z"),
        "[".repeat(100_000),
    ] {
        assert!(Manifest::parse(bad.as_bytes()).is_err(), "{}", &bad[..bad.len().min(200)]);
    }
    let future = format!(r#"{{"version":2,"files":[{entry}]}}"#);
    assert!(matches!(Manifest::parse(future.as_bytes()), Err(ManifestError::Version(2))));
    let traversal = format!(r#"{{"version":1,"files":[{}]}}"#, entry.replace("\"a\"", "\"../a\""));
    assert!(matches!(Manifest::parse(traversal.as_bytes()), Err(ManifestError::Path(_))));
}

#[test]
fn a_folder_comes_out_as_it_went_in() {
    let dir = tempfile::tempdir().unwrap();
    let source = dir.path().join("source");
    fs::create_dir_all(source.join("tex/deep")).unwrap();
    fs::write(source.join("scene.blend"), b"BLENDER").unwrap();
    fs::write(source.join("tex/a.png"), b"same").unwrap();
    fs::write(source.join("tex/deep/b.png"), b"same").unwrap();
    let manifest = Manifest::scan(&source).unwrap();
    let paths: Vec<&str> = manifest.files().iter().map(|f| f.path.as_str()).collect();
    assert_eq!(paths, ["scene.blend", "tex/a.png", "tex/deep/b.png"]);

    let store = BlobStore::open(&dir.path().join("store"), Limits::default()).unwrap();
    for file in manifest.files() {
        store.put_file(&source.join(&file.path)).unwrap();
    }
    for (name, placing) in [("linked", Placing::Link), ("copied", Placing::Copy)] {
        let target = dir.path().join(name);
        materialize(&store, &manifest, &target, placing).unwrap();
        assert_eq!(Manifest::scan(&target).unwrap(), manifest);
        let metadata = fs::metadata(target.join("scene.blend")).unwrap();
        assert_eq!(metadata.permissions().mode() & 0o222, 0, "read-only");
        assert_eq!(metadata.nlink() > 1, placing == Placing::Link);
        let again = materialize(&store, &manifest, &target, placing).unwrap_err();
        assert!(matches!(again, BlobError::NotEmpty(_)), "{again}");
    }
}

#[test]
fn links_are_neither_scanned_nor_followed() {
    let dir = tempfile::tempdir().unwrap();
    let source = dir.path().join("source");
    fs::create_dir(&source).unwrap();
    symlink("/etc/passwd", source.join("link")).unwrap();
    assert!(matches!(Manifest::scan(&source), Err(ManifestError::NotPlain(path)) if path == "link"));

    let store = BlobStore::open(&dir.path().join("store"), Limits::default()).unwrap();
    let blob = store.put_bytes(b"hello").unwrap();
    let manifest = Manifest::new(vec![ManifestFile { blob, ..file("a/b") }]).unwrap();
    let elsewhere = dir.path().join("elsewhere");
    fs::create_dir(&elsewhere).unwrap();
    let target = dir.path().join("target");
    symlink(&elsewhere, &target).unwrap();
    assert!(matches!(materialize(&store, &manifest, &target, Placing::Copy), Err(BlobError::NotEmpty(_))));
    assert_eq!(fs::read_dir(&elsewhere).unwrap().count(), 0);
}

#[test]
fn missing_lying_and_damaged_blobs_are_told_apart() {
    let dir = tempfile::tempdir().unwrap();
    let store = BlobStore::open(&dir.path().join("store"), Limits::default()).unwrap();
    let blob = store.put_bytes(b"hello").unwrap();
    let lay_out = |name: &str, blob, bytes| {
        let manifest = Manifest::new(vec![ManifestFile { path: "a".into(), blob, bytes }]).unwrap();
        materialize(&store, &manifest, &dir.path().join(name), Placing::Link).unwrap_err()
    };
    assert!(matches!(lay_out("1", BlobId([9; 32]), 5), BlobError::Missing(_)));
    assert!(matches!(lay_out("2", blob, 6), BlobError::WrongSize { expected: 6, found: 5, .. }));
    let path = store.path(&blob);
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
    fs::write(&path, b"jello").unwrap();
    let then = std::time::SystemTime::now() - std::time::Duration::from_hours(1);
    fs::File::open(&path).unwrap().set_modified(then).unwrap();
    assert!(matches!(lay_out("3", blob, 5), BlobError::Damaged(_)));
}

proptest! {
    #[test]
    fn what_is_accepted_stays_inside(path in "[a./\\\\]{0,12}") {
        if check_path(&path).is_ok() {
            let joined = std::path::Path::new("/root").join(&path);
            let plain = joined.components().skip(2).all(|c| matches!(c, std::path::Component::Normal(_)));
            prop_assert!(joined.starts_with("/root") && plain);
            let manifest = Manifest::new(vec![file(&path)])?;
            prop_assert_eq!(Manifest::parse(&manifest.to_json()?)?, manifest);
        }
    }

    #[test]
    fn no_bytes_make_it_panic(json: Vec<u8>) {
        prop_assert!(Manifest::parse(&json).is_err());
    }
}
