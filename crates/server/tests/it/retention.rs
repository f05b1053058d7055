//! What an operator does not want to keep for ever goes; what somebody needs stays.
#![allow(clippy::unwrap_used)]

use crate::home::{Home, upload_scene};
use crate::studio::{Browser, Made, machine, output, rewrite};
use std::{
    fs::File,
    path::PathBuf,
    time::{Duration, SystemTime},
};
use tatau_client::Credentials;
use tatau_model::{AttemptState, BlobId, Change, JobId, JobState, TaskState, Work};

fn place(home: &Home, blob: BlobId) -> PathBuf {
    let name = blob.to_string();
    home.dir.path().join("data/blobs").join(&name[..2]).join(&name[2..])
}

/// As if nobody had asked for it for so long.
fn age(home: &Home, blob: BlobId, days: u64) {
    let file = File::options().append(true).open(place(home, blob)).unwrap();
    file.set_modified(SystemTime::now() - Duration::from_hours(24 * days)).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn files_of_jobs_that_ended_long_ago_go_and_all_others_stay() {
    let home = Home::open().await;
    let (key, _) = home.owner().await;
    let (home, node) = machine(home).await;
    let client = home.client(Credentials::Key(key.clone()));
    let mut blobs = Vec::new();
    for text in ["old frame", "new frame", "frame of a job that runs", "just uploaded"] {
        blobs.push(client.upload_bytes(text.as_bytes().to_vec().into()).await.unwrap());
    }
    let scenes = [
        upload_scene(&client, b"an old scene").await,
        upload_scene(&client, b"a scene that is needed").await,
    ];
    let needed = BlobId(*blake3::hash(b"a scene that is needed").as_bytes());
    let old_scene = BlobId(*blake3::hash(b"an old scene").as_bytes());
    let home = rewrite(home, |store| {
        for (n, state, ended_days) in [
            (0, JobState::Finished, Some(40)),
            (1, JobState::Finished, Some(20)),
            (2, JobState::Running, None),
        ] {
            let id = JobId(50 + n);
            let mut made = Made::render(id, key.address(), "shot", &[1], state);
            let files = vec![output("frame_0001.exr", blobs[usize::try_from(n).unwrap()], b"frame")];
            let accepted = vec![(AttemptState::Accepted, files)];
            made.task(node, Work::Render { frame: 1, tile: None }, TaskState::Accepted, accepted);
            made.change_job(|job| {
                job.inputs = Some(scenes[usize::from(n > 0)]);
                job.ended =
                    ended_days.map(|days: i64| tatau_model::Millis(job.created.0 - days * 86_400_000));
            });
            if ended_days.is_some() {
                made.changes.push(Change::CloseJob(id));
            }
            store.commit(&made.changes).unwrap();
        }
    })
    .await;
    for blob in blobs[..3].iter().chain(&scenes).chain([&needed, &old_scene]) {
        age(&home, *blob, 60);
    }
    age(&home, blobs[3], 0);
    let home = home
        .restart_with(|o| tatau_server::ServeOptions { keep: Some(Duration::from_hours(24 * 30)), ..o })
        .await;
    let started = tokio::time::Instant::now();
    while [blobs[0], old_scene, scenes[0]].iter().any(|blob| place(&home, *blob).exists()) {
        tokio::time::sleep(Duration::from_millis(20)).await;
        assert!(started.elapsed() < Duration::from_secs(20), "the old job's files are still here");
    }
    // The scene of the job of 20 days ago is the one of the job that runs.
    for blob in [blobs[1], blobs[2], blobs[3], scenes[1], needed] {
        assert!(place(&home, blob).is_file(), "{blob}");
    }
    let browser = Browser::of(&home, &key).await;
    let page = browser.text(&home, "/jobs/job-50").await;
    assert!(page.contains("these are gone now"), "{page}");
    let page = browser.text(&home, "/jobs/job-51").await;
    assert!(page.contains("Kept until"), "{page}");
    let gone = browser.get(&home, "/jobs/job-50/files/frame_0001.exr").await;
    assert_eq!(gone.status(), reqwest::StatusCode::NOT_FOUND);
    assert!(gone.text().await.unwrap().contains("kept for 30 days"));

    // Their owner may want them gone sooner; nobody else may, and not while the job runs.
    let client = home.client(Credentials::Key(key.clone()));
    let (_, stranger) = home.owner().await;
    assert_eq!(stranger.forget_job(JobId(51)).await.unwrap_err().code(), Some("not_found"));
    let running = client.forget_job(JobId(52)).await.unwrap_err();
    assert_eq!(running.code(), Some("conflict"), "{running}");
    for _ in 0..2 {
        client.forget_job(JobId(51)).await.unwrap();
    }
    let page = browser.text(&home, "/jobs/job-51").await;
    assert!(page.contains("these are gone now"), "{page}");
    for blob in [blobs[1], scenes[1], needed] {
        age(&home, blob, 2);
    }
    let home = home
        .restart_with(|o| tatau_server::ServeOptions { keep: Some(Duration::from_hours(24 * 30)), ..o })
        .await;
    let started = tokio::time::Instant::now();
    while place(&home, blobs[1]).exists() {
        tokio::time::sleep(Duration::from_millis(20)).await;
        assert!(started.elapsed() < Duration::from_secs(20), "the forgotten job's files are still here");
    }
    for blob in [blobs[2], scenes[1], needed] {
        assert!(place(&home, blob).is_file(), "{blob}: the job that runs needs it");
    }
    home.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_holds_too_much_brings_nothing_new_until_something_is_given_up() {
    let home = Home::open().await;
    let (key, _) = home.owner().await;
    let (home, node) = machine(home).await;
    let client = home.client(Credentials::Key(key.clone()));
    let (other, _) = home.owner().await;
    let frame = client.upload_bytes(b"a frame".to_vec().into()).await.unwrap();
    let scene = upload_scene(&client, b"a scene of many bytes").await;
    let home = rewrite(home, |store| {
        // Two jobs on the same scene: it counts once.
        for n in [60, 61] {
            let mut made = Made::render(JobId(n), key.address(), "shot", &[1], JobState::Finished);
            let files = vec![output("frame_0001.exr", frame, b"a frame")];
            let accepted = vec![(AttemptState::Accepted, files)];
            made.task(node, Work::Render { frame: 1, tile: None }, TaskState::Accepted, accepted);
            made.change_job(|job| {
                job.inputs = Some(scene);
                job.ended = Some(job.created);
            });
            made.changes.push(Change::CloseJob(JobId(n)));
            store.commit(&made.changes).unwrap();
        }
    })
    .await;
    let held = (b"a frame".len() + b"a scene of many bytes".len()) as u64;
    let limits = |most: u64| {
        move |o: tatau_server::ServeOptions| tatau_server::ServeOptions {
            account_bytes: most,
            keep: Some(Duration::from_hours(24)),
            ..o
        }
    };
    let more = |n: usize| vec![7u8; 100 + n].into();
    let home = home.restart_with(limits(held + 1)).await;
    let client = home.client(Credentials::Key(key.clone()));
    // The first count is made beside the start.
    for n in 0..20 {
        client.upload_bytes(more(n)).await.expect("one byte is left");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let home = home.restart_with(limits(held)).await;
    let client = home.client(Credentials::Key(key.clone()));
    let started = tokio::time::Instant::now();
    let mut n = 100;
    let refused = loop {
        n += 1;
        match client.upload_bytes(more(n)).await {
            Err(refused) => break refused,
            Ok(_) => assert!(started.elapsed() < Duration::from_secs(20), "it is never refused"),
        }
    };
    assert_eq!(refused.status(), Some(507), "{refused}");
    assert!(refused.to_string().contains("tatau forget"), "{refused}");
    let other = home.client(Credentials::Key(other));
    other.upload_bytes(more(500)).await.expect("others go on");
    client.forget_job(JobId(60)).await.unwrap();
    client.forget_job(JobId(61)).await.unwrap();
    let started = tokio::time::Instant::now();
    while client.upload_bytes(more(1_000)).await.is_err() {
        tokio::time::sleep(Duration::from_millis(50)).await;
        assert!(started.elapsed() < Duration::from_secs(20), "it is refused for ever");
    }
    home.close().await;
}
