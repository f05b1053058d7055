use super::*;
use std::fs;

struct Place {
    dir: tempfile::TempDir,
    set: AssetSet,
}

/// `project/shots/scene.blend` with neighbours.
fn place(allowed: &[&str]) -> Place {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().canonicalize().unwrap();
    for file in [
        "project/shots/scene.blend",
        "project/shots/textures/wood.png",
        "project/shots/notes.txt",
        "project/shots/.secret/key.png",
        "project/library/props.blend",
        "project/secret.pem",
        "elsewhere/sky.hdr",
    ] {
        let path = root.join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, b"BLENDER").unwrap();
    }
    let scene = Scene::open(&root.join("project/shots/scene.blend")).unwrap();
    let allowed: Vec<PathBuf> = allowed.iter().map(|dir| root.join(dir)).collect();
    let mut set = AssetSet::alone(&scene, &allowed).unwrap();
    // As if the temporary folder were a home: nothing above it is in reach.
    set.reach = reach(&scene.folder, Some(&root));
    Place { dir, set }
}

fn want(resolved: &str) -> Wanted {
    Wanted { kind: "image".into(), path: format!("//{resolved}"), resolved: resolved.into() }
}

fn reason(got: Result<Option<(PathBuf, String)>, Lack>) -> String {
    match got {
        Err(Lack::Missing(reason)) => reason,
        other => panic!("{other:?}"),
    }
}

#[test]
fn files_in_the_scenes_folder_are_taken() {
    let mut place = place(&[]);
    assert_eq!(place.set.take(&want("textures/wood.png")), Ok(None));
    assert_eq!(place.set.take(&want("notes.txt")), Ok(None));
    assert_eq!(place.set.scene_path(), "scene.blend");
    let files: Vec<String> = place.set.files().into_iter().map(|(path, _)| path).collect();
    assert_eq!(files, ["scene.blend", "notes.txt", "textures/wood.png"]);
}

#[test]
fn a_file_above_lays_the_inputs_out_from_the_common_folder() {
    let mut place = place(&[]);
    assert_eq!(place.set.take(&want("textures/wood.png")), Ok(None));
    let (_, placed) = place.set.take(&want("../library/props.blend")).unwrap().unwrap();
    assert_eq!(placed, "library/props.blend");
    assert_eq!(place.set.scene_path(), "shots/scene.blend");
    assert!(place.set.files().iter().any(|(path, _)| path == "shots/textures/wood.png"));
}

#[test]
fn a_path_that_climbs_out_of_the_sandbox_is_looked_at_again() {
    let mut place = place(&[]);
    assert_eq!(place.set.take(&want("../../elsewhere/sky.hdr")), Err(Lack::Deeper));
    assert_eq!(place.set.scene_path(), "project/shots/scene.blend");
    let (_, placed) = place.set.take(&want("../../elsewhere/sky.hdr")).unwrap().unwrap();
    assert_eq!(placed, "elsewhere/sky.hdr");
}

#[test]
fn what_a_stranger_should_not_get_is_not_taken() {
    let mut place = place(&[]);
    let root = place.dir.path().canonicalize().unwrap();
    assert!(reason(place.set.take(&want("../secret.pem"))).contains("no known kind of asset"));
    assert!(reason(place.set.take(&want(".secret/key.png"))).contains("hidden"));
    assert!(reason(place.set.take(&want("../../../../../../etc/passwd"))).contains("climbs out"));
    assert!(reason(place.set.take(&want("_absolute/etc/passwd"))).contains("outside the scene's reach"));
    assert!(reason(place.set.take(&want("a/../../b.png"))).contains("cannot be carried over"));
    assert!(reason(place.set.take(&want("/etc/passwd"))).contains("cannot be carried over"));
    std::os::unix::fs::symlink("/etc/passwd", root.join("project/shots/textures/link.png")).unwrap();
    assert!(reason(place.set.take(&want("textures/link.png"))).contains("outside the scene's reach"));
    std::os::unix::fs::symlink(root.join("project/shots/.secret"), root.join("project/shots/open")).unwrap();
    assert!(reason(place.set.take(&want("open/key.png"))).contains("hidden"));
    assert_eq!(place.set.len(), 1);
}

#[test]
fn missing_files_say_where_they_were_looked_for() {
    let mut place = place(&[]);
    assert!(reason(place.set.take(&want("textures/none.png"))).contains("there is no file"));
    assert!(reason(place.set.take(&want("scene.blend"))).contains("was uploaded"));
}

#[test]
fn absolute_paths_go_beside_the_scene() {
    let mut place = place(&[]);
    let file = place.dir.path().canonicalize().unwrap().join("project/shots/textures/wood.png");
    let resolved = format!("_absolute{}", file.display());
    assert_eq!(place.set.take(&want(&resolved)), Ok(None));
    assert_eq!(place.set.files().last().unwrap(), &(resolved, file));
}

#[test]
fn named_folders_are_searched_by_the_end_of_the_path() {
    let mut place = place(&["elsewhere"]);
    let (file, placed) = place.set.take(&want("_absolute/C/textures/sky.hdr")).unwrap().unwrap();
    assert!(file.ends_with("elsewhere/sky.hdr"));
    assert_eq!(placed, "_absolute/C/textures/sky.hdr");
}

#[test]
fn paths_of_another_computer_are_found_beside_the_scene() {
    let mut place = place(&[]);
    let (path, stored) = ("project/shots/textures/wood.png", "_absolute/C/film/Textures/Wood.PNG");
    assert_eq!(place.set.take(&want(stored)), Ok(None));
    let file = place.dir.path().canonicalize().unwrap().join(path);
    assert_eq!(place.set.files().last().unwrap(), &(stored.to_owned(), file));
    assert!(reason(place.set.take(&want("_absolute/C/film/other.png"))).contains("there is no file"));
    assert!(reason(place.set.take(&want("_absolute/C/.secret/key.png"))).contains("hidden"));
    assert_eq!(spelling::on_a_drive("C/film/wood.png").as_deref(), Some(Path::new("/mnt/c/film/wood.png")));
    assert_eq!(spelling::on_a_drive("server/share/wood.png"), None);
}

#[test]
fn names_may_differ_in_case_where_only_one_fits() {
    let mut place = place(&[]);
    let root = place.dir.path().canonicalize().unwrap();
    assert_eq!(place.set.take(&want("Textures/WOOD.png")), Ok(None));
    assert_eq!(
        place.set.files().last().unwrap().0,
        "Textures/WOOD.png",
        "it lies where the scene looks for it"
    );
    fs::write(root.join("project/shots/textures/Wood.png"), b"another").unwrap();
    assert!(reason(place.set.take(&want("textures/WOOD.PNG"))).contains("there is no file"), "two would fit");
    assert!(reason(place.set.take(&want(".SECRET/key.png"))).contains("hidden"));
}

#[test]
fn reach_ends_at_home_and_below_the_root() {
    let up = |folder: &str, home: Option<&str>| {
        reach(Path::new(folder), home.map(Path::new)).last().cloned().unwrap()
    };
    assert_eq!(up("/home/ana/work/film", Some("/home/ana")), Path::new("/home/ana"));
    assert_eq!(up("/data/film/shots", Some("/home/ana")), Path::new("/data"));
    assert_eq!(up("/a/b/c/d/e/f/g/h", None), Path::new("/a/b"));
    assert_eq!(up("/home/bob/x", Some("/home/ana")), Path::new("/home/bob"));
}
