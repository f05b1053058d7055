//! Scenes whose Python wants the host's files, the network, and all of the disk, the memory and the processes.

use crate::market::{Market, SMALL, below, job_of};
use std::{
    fs,
    io::ErrorKind,
    net::TcpStream,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

/// What it would do, seen once: without a sandbox, with scripts allowed, the harm left out. Shows that the traces that the
/// other cases look for are the right ones.
pub fn rehearsal(market: &Market) {
    let scene = market.path("scenes/hostile-mild.blend");
    let open = format!("import bpy; bpy.ops.wm.open_mainfile(filepath={scene:?}, use_scripts=True)");
    let done = Command::new(&market.python)
        .args(["-sE", "-c", &open])
        .env_clear()
        .env("HOME", market.house.path("traces"))
        .env("SECRET", market.secret())
        .current_dir(market.house.path("traces"))
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&done.stdout);
    assert!(said.contains("HOSTILE PYTHON RAN") && !said.contains("STOLE 0"), "{done:?}");
    assert!(said.contains("HOSTILE PYTHON STOLE"), "{done:?}");
    assert!(!traces(market).is_empty(), "it left no trace: {done:?}");
    for trace in traces(market) {
        fs::remove_file(trace).unwrap();
    }
    market.port.accept().unwrap_or_else(|e| panic!("it did not call: {e}: {done:?}"));
    while market.port.accept().is_ok() {}
}

/// The same Python, really run: by a provider who has switched off what keeps Blender from running it. The sandbox alone stands
/// between it and the host.
pub fn let_loose(market: &Market) {
    // Another name is another inspection.
    let wild = market.path("scenes/wild.blend");
    fs::copy(market.house.path("scenes/hostile-registered.blend"), &wild).unwrap();
    let render = |scene| ["render", scene, "--frames", "1", "--out", "loose", "--yes"];
    market.refused_cheaply(&render(&wild), 3, &["Blender crashed", "memory"], SMALL);
    no_trace(market);
    let bomb = format!("sleep\0600.{}", market.port.local_addr().unwrap().port());
    market.house.wait("an end of all forks", Duration::from_secs(20), |_| {
        let all = fs::read_dir("/proc").unwrap().flatten();
        !all.filter_map(|entry| fs::read(entry.path().join("cmdline")).ok())
            .any(|line| String::from_utf8_lossy(&line).starts_with(&bomb))
    });

    // It runs (the camera is gone, a text block is new), sees no secret and reaches nobody. Its provider is still there to do it,
    // and loses its stake for the false report.
    let mild = market.path("scenes/mild.blend");
    fs::copy(market.house.path("scenes/hostile-mild.blend"), &mild).unwrap();
    let ended = market.refused("ana", &render(&mild), 3, &["no camera", "stolen 0 calls 0"]);
    no_trace(market);
    let _ = market.run("ana", &["cancel", &job_of(&ended, "inspecting")]);
    market.money("ana");
}

fn traces(market: &Market) -> Vec<PathBuf> {
    let name = market.trace_name();
    let mut found = below(market.house.dir.path());
    found.extend(fs::read_dir("/tmp").unwrap().flatten().map(|entry| entry.path()));
    found.retain(|path: &PathBuf| {
        path.file_name().is_some_and(|file| file.as_encoded_bytes().starts_with(name.as_bytes()))
    });
    found.extend(Some(Path::new("/").join(&name)).filter(|path| path.exists()));
    found
}

/// Nothing of it on the host.
#[track_caller]
pub fn no_trace(market: &Market) {
    assert_eq!(traces(market), Vec::<PathBuf>::new());
    let called = market.port.accept();
    assert!(matches!(&called, Err(e) if e.kind() == ErrorKind::WouldBlock), "somebody called: {called:?}");
    // The listener does hear whoever calls.
    TcpStream::connect(market.port.local_addr().unwrap()).unwrap();
    market.house.wait("a call", Duration::from_secs(5), |_| market.port.accept().is_ok());
}

/// Neither did it run where nobody looks, nor did the environment of an agent get into a log.
#[track_caller]
fn did_not_run(market: &Market, job: &str) {
    for task in market.run("ana", &["logs", job, "--json"]).lines() {
        let log = task["log"].as_str().unwrap_or_default();
        assert!(!log.contains("HOSTILE") && !log.contains("TATAU_DATA"), "{log}");
    }
}

pub fn refused(market: &Market) {
    for (scene, words) in [
        ("hostile-registered", &["start.py", "switch off Text > Register"][..]),
        ("hostile-drivers", &["A driver of Cube", "A driver of Camera", "bake it"]),
        ("hostile-metaball", &["needs Python", "bake it"]),
    ] {
        let file = market.path(&format!("scenes/{scene}.blend"));
        let arguments = ["render", &file, "--frames", "1-2", "--out", scene, "--yes"];
        let ended = market.refused_cheaply(&arguments, 3, words, SMALL);
        did_not_run(market, &job_of(&ended, "inspecting"));
        no_trace(market);
    }
}

/// Python that lies in the file without being started: it is rendered, and it stays asleep.
pub fn asleep(market: &Market) {
    let file = market.path("scenes/hostile-asleep.blend");
    let arguments = ["render", &file, "--frames", "1", "--out", "asleep", "--yes", "--no-video", "--json"];
    let done = market.run("ana", &arguments).code(0);
    assert!(market.house.path("asleep/frames/frame_0001.png").is_file());
    for event in ["inspecting", "paid"] {
        let job = job_of(&done, event);
        let view = market.run("ana", &["job", &job, "--json"]).code(0).json();
        for task in view["tasks"].as_array().unwrap() {
            let id = task["id"].to_string();
            let log = market.run("ana", &["logs", &job, &id, "--json"]).code(0).out;
            assert!(!log.contains("HOSTILE"), "{log}");
        }
    }
    no_trace(market);
}
