//! The whole way on this machine: a real scene, a provider, two validators, real audits. One market serves both buyers. Needs
//! the environment (`tatau provide environment blender-5.0`); where it is not made yet, the test says so and passes over.

#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

use crate::support::{House, ran, signal};
use nix::sys::signal::Signal;
use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Duration,
};

const SCENE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../examples/demo-scene/make_scene.py");

/// The cache that holds the environment, and the environment.
fn environment() -> Option<(PathBuf, PathBuf)> {
    let cache = std::env::var_os("TATAU_CACHE")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../.cache"), PathBuf::from);
    let cache = cache.canonicalize().ok()?;
    let folder = tatau_worker::Recipe::by_name("blender-5.0").unwrap().folder(&cache);
    if !folder.is_dir() {
        eprintln!("passed over: no environment in {}", cache.display());
        return None;
    }
    Some((cache, folder))
}

/// A market with a provider whose card is measured.
fn market() -> Option<House> {
    let (cache, folder) = environment()?;
    let mut house = House::with_cache(cache);
    fs::create_dir(house.path("studio")).unwrap();
    let python = folder.join("bin/python");
    let made = Command::new(python).args(["-sE", SCENE]).arg(house.path("studio")).output().unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    house.serve(&[]);
    let node = ["--threads", "1", "--memory-mib", "2500"];
    for name in ["v1", "v2"] {
        house.run(name, &["wallet", "stake", "10"]).code(0);
        house.start(name, &[&["validate"], &node[..]].concat());
    }
    house.start("p1", &[&["provide", "--headless", "--ask", "250"], &node[..]].concat());
    house.wait("the benchmark", Duration::from_mins(4), |house| {
        // The benchmark's verdict is in the server's log; its attempt is the first.
        house.log("server").matches("attempt=attempt-1").count() >= 1
            && house.log("p1").contains("attempt-1: delivered")
    });
    Some(house)
}

#[test]
fn renders_are_quoted_paid_once_interrupted_and_synced_and_what_is_missing_is_named_before() {
    let Some(house) = market() else { return };
    a_render_is_quoted_paid_once_interrupted_and_synced(&house);
    what_is_there_costs_nothing_also_in_a_watched_folder(&house);
    what_is_missing_is_named_before_anything_is_paid_and_bundles_round_trip(&house);
}

fn a_render_is_quoted_paid_once_interrupted_and_synced(house: &House) {
    let scene = house.path("studio/scene.blend").display().to_string();
    let render = ["render", &scene, "--frames", "1-2", "--out", "out"];

    let quoted = house.run("ana", &[&render[..], &["--json"]].concat()).code(3);
    let quote = quoted.lines().into_iter().find(|line| line["event"] == "quote").expect("a quote");
    assert!(quote["cap"].as_i64().unwrap() > 0);
    assert!(quoted.err.contains("add --yes"), "{}", quoted.err);
    let dear = house.run("ana", &[&render[..], &["--yes", "--max-price", "0.000001"]].concat()).code(3);
    assert!(dear.err.contains("above the 0.000001 allowed"), "{}", dear.err);
    let none = house.run("ana", &[&render[..], &["--yes", "--class", "rtx-4090"]].concat()).code(3);
    assert!(none.err.contains("no card of class rtx-4090"), "{}", none.err);

    let child = house
        .command("ana", &[&render[..], &["--yes", "--priority", "-3", "--deadline", "2h"]].concat())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    house.wait("the first frame", Duration::from_mins(2), |house| {
        house.path("out/frames/frame_0001.exr").is_file()
    });
    signal(child.id(), Signal::SIGINT);
    let stopped = ran(child.wait_with_output().unwrap()).code(130);
    assert!(stopped.err.contains("hint: bring its frames in with: tatau sync job-"), "{}", stopped.err);

    // Its terms can be changed, by its owner.
    let job = stopped.err.rsplit("tatau sync ").next().unwrap().split(' ').next().unwrap();
    let before = house.run("ana", &["job", job, "--json"]).code(0).json();
    assert!(before["priority"] == -3 && before["deadline"].as_i64().is_some(), "{before}");
    let edit = ["edit", job, "--max-price", "50", "--priority", "7", "--deadline", "none"];
    let edited = house.run("ana", &[&edit[..], &["--json"]].concat()).code(0).json();
    assert_eq!((&edited["cap"], &edited["priority"]), (&50_000_000_000_i64.into(), &7.into()), "{edited}");
    assert_eq!(edited["deadline"], serde_json::Value::Null, "{edited}");
    let poor = house.run("ana", &["edit", job, "--max-price", "1000000"]).code(3);
    assert!(poor.err.contains("are needed"), "{}", poor.err);
    let nothing = house.run("ana", &["edit", job]).code(2);
    assert!(nothing.err.contains("say what to change"), "{}", nothing.err);
    house.run("bob", &["wallet"]).code(0);
    let stranger = house.run("bob", &edit).code(3);
    assert!(stranger.err.contains("you have no job-"), "{}", stranger.err);

    // The same command finds the same job; nothing is paid twice.
    let again = house.run("ana", &[&render[..], &["--yes", "--json"]].concat()).code(0);
    let lines = again.lines();
    let paid = lines.iter().find(|line| line["event"] == "paid").expect("paid");
    assert_eq!(paid["again"], true);
    let done = lines.last().unwrap();
    assert_eq!(
        (&done["state"], &done["files"], &done["frames_done"]),
        (&"finished".into(), &5.into(), &2.into())
    );
    let jobs = house.run("ana", &["jobs", "--json"]).code(0).json();
    assert_eq!(jobs.as_array().unwrap().iter().filter(|job| job["kind"] == "render").count(), 1, "{jobs}");
    let id = done["job"].to_string();

    // Damage and loss are mended, nothing else is fetched, and nothing else lies there.
    fs::write(house.path("out/frames/frame_0002.png"), b"damage").unwrap();
    fs::remove_file(house.path("out/video.mp4")).unwrap();
    let synced = house.run("ana", &["sync", &id, "out", "--json"]).code(0);
    let fetched: Vec<_> =
        synced.lines().into_iter().filter(|l| l["event"] == "saved" && l["kept"] == false).collect();
    assert_eq!(fetched.len(), 2, "{fetched:?}");
    let mut names: Vec<String> = ["out", "out/frames"]
        .iter()
        .flat_map(|dir| fs::read_dir(house.path(dir)).unwrap())
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    let expected = [
        ".tatau-sync.json",
        "frame_0001.exr",
        "frame_0001.png",
        "frame_0002.exr",
        "frame_0002.png",
        "frames",
        "video.mp4",
    ];
    assert_eq!(names, expected);

    // The folder is one job's.
    let other = house.run("ana", &["render", &scene, "--frames", "3", "--out", "out", "--yes"]).code(2);
    assert!(other.err.contains("holds the results of"), "{}", other.err);
    let shown = house.run("ana", &["job", &id]).code(0);
    assert!(shown.out.contains("finished") && shown.out.contains("picture of frame 2"), "{}", shown.out);
    let books = house.run("server", &["admin", "audit-books", "--json"]).code(0).json();
    assert_eq!(books["balanced"], true, "{books}");
}

fn what_is_there_costs_nothing_also_in_a_watched_folder(house: &House) {
    let scene = house.path("studio/scene.blend").display().to_string();
    // A longer cut of the same scene: what is there already is taken over, and costs nothing.
    let longer =
        house.run("ana", &["render", &scene, "--frames", "1-3", "--out", "longer", "--yes", "--json"]);
    let lines = longer.code(0).lines();
    assert_eq!(lines.iter().find(|line| line["event"] == "quote").expect("a quote")["quote"]["known"], 2);
    let last = lines.last().unwrap();
    assert_eq!((&last["frames_done"], &last["files"]), (&3.into(), &7.into()), "{last}");
    // Asked again, in a hurry, after its end: nothing is left to hurry.
    let late = ["render", &scene, "--frames", "1-3", "--out", "longer", "--yes", "--deadline", "2h"];
    house.run("ana", &late).code(0);
    let view = house.run("ana", &["job", &last["job"].to_string(), "--json"]).code(0).json();
    let tasks = view["tasks"].as_array().unwrap();
    let free = |task: &&serde_json::Value| task["story"].to_string().contains("taken over from attempt-");
    assert_eq!(tasks.iter().filter(free).count(), 4, "two frames, two pictures: {view}");
    assert!(tasks.iter().filter(free).all(|task| task["paid"] == 0), "{view}");
    for frame in ["out/frames/frame_0002.exr", "longer/frames/frame_0002.exr"] {
        assert_eq!(
            fs::read(house.path(frame)).unwrap(),
            fs::read(house.path("out/frames/frame_0002.exr")).unwrap()
        );
    }

    // A watched folder: what is saved there is rendered once, and frames that are known cost nothing.
    let watch = ["watch", "studio", "--out", "watched", "--once", "--settle", "1", "--json", "--"];
    let watch = [&watch[..], &["--max-price", "9", "--frames", "1-3", "--no-video"]].concat();
    // The key is the one of the folder that the command names.
    let data = house.path("ana").display().to_string();
    let elsewhere = [&["--data", &data][..], &watch].concat();
    let watched = house.run("nobody", &elsewhere).code(0).lines();
    let done: Vec<_> = watched.iter().filter(|line| line["state"] == "done").collect();
    assert_eq!(done.len(), 1, "{watched:?}");
    assert_eq!(done[0]["words"], "3 of 3 frames");
    let spent = watched.iter().find(|line| line["said"]["event"] == "done").expect("an end");
    assert_eq!(spent["said"]["spent"], 0, "{spent}");
    let once_more = house.run("ana", &watch).code(0).lines();
    assert!(once_more.is_empty(), "{once_more:?}");
}

fn what_is_missing_is_named_before_anything_is_paid_and_bundles_round_trip(house: &House) {
    let scene = house.path("studio/scene.blend").display().to_string();
    fs::create_dir(house.path("elsewhere")).unwrap();
    fs::rename(house.path("studio/textures/globe.png"), house.path("elsewhere/globe.png")).unwrap();
    let lacking = house.run("bob", &["render", &scene, "--frames", "1", "--out", "bob-out", "--yes"]).code(3);
    assert!(lacking.err.contains("globe.png") && lacking.err.contains("--assets"), "{}", lacking.err);
    let jobs = house.run("bob", &["jobs", "--json"]).code(0).json();
    assert!(jobs.as_array().unwrap().iter().all(|job| job["kind"] == "inspect"), "{jobs}");

    let bundle = [
        "render",
        &scene,
        "--frames",
        "1",
        "--out",
        "bob-out",
        "--assets",
        "elsewhere",
        "--no-video",
        "--bundle",
        "bundle",
    ];
    house.run("bob", &bundle).code(0);
    for name in ["template.yaml", "parameter_values.yaml", "asset_references.yaml", "tatau.yaml"] {
        assert!(house.path("bundle").join(name).is_file(), "{name}");
    }
    house.run("bob", &["submit", "bundle", "--out", "bob-out", "--assets", "elsewhere", "--yes"]).code(0);
    assert!(
        house.path("bob-out/frames/frame_0001.png").is_file() && !house.path("bob-out/video.mp4").exists()
    );

    fs::write(house.path("broken.blend"), b"BLENDER-v500 and nothing more").unwrap();
    let broken =
        house.run("bob", &["render", "broken.blend", "--frames", "1", "--out", "bob-out2", "--yes"]).code(3);
    assert!(broken.err.contains("error: "), "{}", broken.err);
}
