//! Interrupts, repetitions, folders that hold something already, and jobs that are not one's own.

use crate::{
    market::{Market, below, job_of, text},
    support::{ran, signal},
};
use nix::sys::signal::Signal;
use std::{
    fs::{self, File},
    process::Output,
    time::Duration,
};

/// A folder whose name a shell would take apart.
const OUT: &str = "my 'best' frames";

pub fn interrupted(market: &Market) {
    let good = market.path("scenes/good.blend");
    let render =
        ["render", &good, "--frames", "1-5", "--out", OUT, "--yes", "--no-video", "--fresh", "--json"];
    let (out, err) = (market.house.path("stdout-cut"), market.house.path("stderr-cut"));
    let mut command = market.house.command("ana", &render);
    command.stdout(File::create(&out).unwrap()).stderr(File::create(&err).unwrap());
    let mut child = command.spawn().unwrap();
    market.house.wait("payment", Duration::from_mins(1), |_| {
        fs::read_to_string(&out).is_ok_and(|said| said.contains("\"event\":\"paid\""))
    });
    signal(child.id(), Signal::SIGINT);
    market.house.wait("the end", Duration::from_secs(10), |_| child.try_wait().unwrap().is_some());
    let status = child.wait().unwrap();
    let cut =
        ran(Output { status, stdout: fs::read(&out).unwrap(), stderr: fs::read(&err).unwrap() }).code(130);
    let job = job_of(&cut, "paid");
    let last = cut.lines().pop().unwrap();
    assert!(text(&last["error"], "sentence").contains(&format!("job-{job} goes on without you")), "{last}");
    let hint = text(&last["error"], "hint");
    let (_, line) = hint.split_once(": ").unwrap_or_else(|| panic!("no command in {hint}"));
    assert!(line.starts_with(&format!("tatau sync job-{job} ")), "{line}");

    // As a person would: the line is copied into a shell.
    market.shell("ana", line).code(0);
    let frames = |ending: &str| {
        let all = below(&market.house.path(OUT).join("frames"));
        all.iter().filter(|file| file.extension().is_some_and(|e| e == ending)).count()
    };
    assert_eq!((frames("exr"), frames("png")), (5, 5));

    // The same again, twice: the same job, nothing paid, nothing fetched.
    let before = market.money("ana");
    for _ in 0..2 {
        let again = market.run("ana", &render).code(0);
        assert_eq!(job_of(&again, "paid"), job);
        let lines = again.lines();
        assert!(lines.iter().any(|line| line["event"] == "paid" && line["again"] == true), "{}", again.out);
        assert!(lines.iter().all(|line| line["event"] != "saved" || line["kept"] == true), "{}", again.out);
        assert_eq!(lines.last().unwrap()["frames_done"], 5);
    }
    assert_eq!(market.money("ana"), before);
    // Other frames, the same folder: nothing is mixed.
    let other = ["render", &good, "--frames", "9", "--out", OUT, "--yes"];
    market.refused_cheaply(&other, 2, &["holds the results of", "choose another folder", "tatau sync"], 0);
}

/// The newest render of the account that is finished.
fn finished(market: &Market) -> String {
    let jobs = market.run("ana", &["jobs", "--json"]).code(0).json();
    let jobs = jobs.as_array().unwrap();
    let job = jobs.iter().find(|job| job["kind"] == "render" && job["state"] == "finished");
    job.unwrap_or_else(|| panic!("no finished render: {jobs:?}"))["id"].to_string()
}

pub fn foreign_files(market: &Market) {
    let job = finished(market);
    let dir = market.house.path("full");
    fs::create_dir_all(dir.join("frames/frame_0002.exr")).unwrap();
    fs::write(dir.join("holiday.txt"), b"mine").unwrap();
    fs::write(dir.join("frames/frame_0001.png"), b"my own first frame").unwrap();
    fs::write(market.house.path("elsewhere"), b"mine too").unwrap();
    std::os::unix::fs::symlink(market.house.path("elsewhere"), dir.join("frames/frame_0003.png")).unwrap();
    let words = ["3 files could not be saved", "try again with: tatau sync job-"];
    let ended = market.refused("ana", &["sync", &job, "full"], 1, &words);
    let mut left: Vec<_> = ended
        .lines()
        .iter()
        .filter(|line| line["event"] == "not_saved")
        .map(|line| (text(line, "file").to_owned(), text(line, "reason").contains("move it away")))
        .collect();
    left.sort();
    let expected = ["frames/frame_0001.png", "frames/frame_0002.exr", "frames/frame_0003.png"];
    assert_eq!(left, expected.map(|file| (file.to_owned(), true)));
    assert_eq!(fs::read(dir.join("holiday.txt")).unwrap(), b"mine");
    assert_eq!(fs::read(dir.join("frames/frame_0001.png")).unwrap(), b"my own first frame");
    assert_eq!(fs::read(market.house.path("elsewhere")).unwrap(), b"mine too");
    assert!(dir.join("frames/frame_0001.exr").is_file() && dir.join("frames/frame_0005.png").is_file());

    // Done as it was told.
    fs::rename(dir.join("frames/frame_0001.png"), dir.join("mine.png")).unwrap();
    fs::remove_dir(dir.join("frames/frame_0002.exr")).unwrap();
    fs::remove_file(dir.join("frames/frame_0003.png")).unwrap();
    market.run("ana", &["sync", &job, "full", "--json"]).code(0).lines();
    assert_eq!(fs::read(dir.join("mine.png")).unwrap(), b"my own first frame");

    fs::create_dir(market.house.path("garbled")).unwrap();
    fs::write(market.house.path("garbled/.tatau-sync.json"), b"{\"version\": 1, garbage").unwrap();
    market.refused("ana", &["sync", &job, "garbled"], 1, &[".tatau-sync.json cannot be read", "remove it"]);
}

pub fn others_jobs(market: &Market) {
    let job = finished(market);
    let before = market.money("ana");
    for (who, words) in [("newcomer", "no account here yet; `tatau wallet`"), ("mallory", "tatau jobs")] {
        if who == "mallory" {
            market.run(who, &["wallet", "--json"]).code(0);
        }
        for verb in [
            &["job", &job][..],
            &["sync", &job, "stolen"],
            &["logs", &job],
            &["cancel", &job],
            &["resume", &job],
        ] {
            market.refused(who, verb, 3, &[words]);
        }
    }
    assert_eq!(below(&market.house.path("stolen")).len(), 0);
    for verb in
        [&["job", "job-999"][..], &["sync", "job-999", "stolen"], &["logs", "999"], &["cancel", "999"]]
    {
        market.refused("ana", verb, 3, &["you have no job-999", "tatau jobs"]);
    }
    market.refused("ana", &["job", "18446744073709551615"], 3, &["you have no job-", "tatau jobs"]);
    market.refused("ana", &["job", "18446744073709551616"], 2, &["not a job number"]);
    assert_eq!(market.money("ana"), before);
}
