//! The pages of a job over plain HTTP: what is shown, to whom, and what strangers' texts do to it (nothing).
#![allow(clippy::unwrap_used)]

use crate::home::Home;
use crate::studio::{Browser, Made, machine, output, png, rewrite, told};
use futures_util::StreamExt;
use reqwest::StatusCode;
use std::time::Duration;
use tatau_client::Credentials;
use tatau_evidence::SigningKey;
use tatau_model::{Amount, AttemptState, BundleSpec, BundleStep, JobId, JobKind, JobState, TaskState, Work};

const EVIL: &str = "<script>alert(1)</script>";
const JOB: JobId = JobId(50);

/// A running job of three frames: one is there, one was cheated at, one is rendered now.
async fn a_job() -> (Home, SigningKey, Browser) {
    let home = Home::open().await;
    let (key, _) = home.owner().await;
    let (home, node) = machine(home).await;
    let picture = png(640, 320, [10, 120, 200]);
    let raw = b"EXR of frame 1".to_vec();
    let client = home.client(tatau_client::Credentials::Key(key.clone()));
    let (picture_blob, raw_blob) = (
        client.upload_bytes(picture.clone().into()).await.unwrap(),
        client.upload_bytes(raw.clone().into()).await.unwrap(),
    );
    let report = client.upload_bytes(b"{}".to_vec().into()).await.unwrap();
    let mut made = Made::render(JOB, key.address(), EVIL, &[1, 2, 3], JobState::Running);
    let rejected = AttemptState::Rejected {
        code: "wrong_result".into(),
        sentence: format!("two say {EVIL}"),
        slashed: Amount::tatau(1),
    };
    let files = vec![output("frame_0001.exr", raw_blob, &raw), output("result.json", report, b"{}")];
    let first = made.task(
        node,
        Work::Render { frame: 1, tile: None },
        TaskState::Accepted,
        vec![(AttemptState::Accepted, files)],
    );
    made.task(node, Work::Render { frame: 2, tile: None }, TaskState::Ready, vec![(rejected, vec![])]);
    made.task(
        node,
        Work::Render { frame: 3, tile: None },
        TaskState::Leased,
        vec![(AttemptState::Leased, vec![])],
    );
    let files = vec![output("frame_0001.png", picture_blob, &picture)];
    made.task(node, Work::Finish { frame: 1 }, TaskState::Accepted, vec![(AttemptState::Accepted, files)]);
    let home = rewrite(home, |store| {
        store.commit(&made.changes).unwrap();
        store.put_log(first[0], &format!("Fra:1 {EVIL}\r\n\u{1b}[31mred")).unwrap();
    })
    .await;
    let browser = Browser::of(&home, &key).await;
    (home, key, browser)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_is_shown_to_its_owner_and_strangers_texts_stay_texts() {
    let (home, _, browser) = a_job().await;
    let list = browser.text(&home, "/jobs").await;
    assert!(list.contains("&#60;script&#62;alert(1)") && !list.contains(EVIL), "{list}");
    assert!(!list.contains("benchmark"), "the platform's own work is nobody's purchase");
    let page = browser.text(&home, "/jobs/job-50").await;
    for wanted in ["1 of 3 frames", "/jobs/job-50/thumbs/1?v="] {
        assert!(page.contains(wanted), "{wanted}: {page}");
    }
    assert!(
        page.contains("Frame 2: a provider sent a result that was refused")
            || page.contains("wrong or cheaper"),
        "{page}"
    );
    assert!(page.contains("lost 1.00 TATAU of its own"), "{page}");
    assert!(
        page.contains("&#60;i&#62;rig&#60;/i&#62;") && page.contains("CPU cores"),
        "who works where: {page}"
    );
    assert!(!page.contains(EVIL) && !page.contains("<i>rig"), "{page}");
    assert!(page.contains("data-around"), "twice as wide as high");
    let frame = browser.text(&home, "/jobs/job-50/frames/2").await;
    assert!(frame.contains("1.00 TATAU were taken from it") && !frame.contains(EVIL), "{frame}");
    let frame = browser.text(&home, "/jobs/job-50/frames/1").await;
    let task = frame.split("/tasks/").nth(1).unwrap().split('/').next().unwrap().to_owned();
    let log = browser.text(&home, &format!("/jobs/job-50/tasks/{task}/log")).await;
    assert!(
        log.contains("Fra:1 &#60;script&#62;") && !log.contains(EVIL) && !log.contains('\u{1b}'),
        "{log}"
    );
    for absent in ["/jobs/job-51", "/jobs/job-50/frames/99", "/jobs/job-50/tasks/task-1/log", "/jobs/x"] {
        assert!(browser.get(&home, absent).await.status().is_client_error(), "{absent}");
    }
    home.close().await;
}

/// A bundle's tasks name their files alike; its results are one archive with a folder for each task.
#[tokio::test(flavor = "multi_thread")]
async fn results_of_a_bundle_are_one_archive_of_the_folders_that_sync_makes() {
    let home = Home::open().await;
    let (key, _) = home.owner().await;
    let (home, node) = machine(home).await;
    let (one, two) = (b"of task 1".to_vec(), b"of task 2".to_vec());
    let mut blobs = Vec::new();
    for bytes in [&one, &two] {
        blobs.push(
            home.client(Credentials::Key(key.clone())).upload_bytes(bytes.clone().into()).await.unwrap(),
        );
    }
    let mut made = Made::render(JOB, key.address(), "turntable", &[1], JobState::Running);
    let step = BundleStep { name: "Main Take/..".into(), tasks: 3, after: Vec::new() };
    made.change_job(|job| job.kind = JobKind::Bundle(BundleSpec { steps: vec![step], reproducible: true }));
    for (index, (blob, bytes)) in (0..).zip(blobs.into_iter().zip([&one, &two])) {
        let files = vec![output("deep/note.txt", blob, bytes)];
        let accepted = vec![(AttemptState::Accepted, files)];
        made.task(node, Work::Task { step: 0, index }, TaskState::Accepted, accepted);
    }
    let home = rewrite(home, |store| {
        store.commit(&made.changes).unwrap();
    })
    .await;
    let browser = Browser::of(&home, &key).await;
    let page = browser.text(&home, "/jobs/job-50").await;
    assert!(page.contains("2 of 3 tasks") && page.contains("/jobs/job-50/results.zip"), "{page}");
    let answer = browser.get(&home, "/jobs/job-50/results.zip").await;
    assert_eq!(told(&answer, "content-disposition"), "attachment; filename=\"job-50-results.zip\"");
    let bytes = answer.bytes().await.unwrap();
    let mut zip = zip::ZipArchive::new(std::io::Cursor::new(&bytes[..])).unwrap();
    for (name, wanted) in
        [("1-Main_Take_../0001/deep/note.txt", &one), ("1-Main_Take_../0002/deep/note.txt", &two)]
    {
        let mut text = Vec::new();
        std::io::Read::read_to_end(&mut zip.by_name(name).unwrap(), &mut text).unwrap();
        assert_eq!(&text, wanted);
    }
    assert_eq!(zip.len(), 2);
    for absent in ["pictures.zip", "raw.zip"] {
        let path = format!("/jobs/job-50/{absent}");
        assert_eq!(browser.get(&home, &path).await.status(), StatusCode::NOT_FOUND, "{absent}");
    }
    home.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_else_sees_anything_of_it() {
    let (home, _, _) = a_job().await;
    let (other, _) = home.owner().await;
    let other = Browser::of(&home, &other).await;
    assert!(!other.text(&home, "/jobs").await.contains("job-50"));
    for path in [
        "",
        "/live",
        "/frames/1",
        "/files/frame_0001.png",
        "/files/frame_0001.exr",
        "/thumbs/1",
        "/pictures.zip",
        "/raw.zip",
        "/results.zip",
        "/tasks/task-50001/log",
    ] {
        let path = format!("/jobs/job-50{path}");
        assert_eq!(other.get(&home, &path).await.status(), StatusCode::NOT_FOUND, "{path}");
        let nobody = Browser::nobody().get(&home, &path).await;
        assert_eq!(nobody.status(), StatusCode::SEE_OTHER, "{path}");
        assert!(told(&nobody, "location").starts_with("/sign-in?next="), "{path}");
    }
    for act in ["pause", "resume", "cancel", "edit"] {
        let path = format!("/jobs/job-50/{act}");
        assert_eq!(other.form(&home, &path, &other.csrf, "").await.status(), StatusCode::NOT_FOUND, "{path}");
    }
    home.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn results_are_sent_as_what_they_are_and_run_nothing() {
    let (home, _, browser) = a_job().await;
    let picture = browser.get(&home, "/jobs/job-50/files/frame_0001.png").await;
    assert_eq!(picture.status(), StatusCode::OK);
    for (name, value) in [
        ("content-type", "image/png"),
        ("content-disposition", "inline"),
        ("content-security-policy", tatau_ui::headers::FILE_POLICY),
        ("x-content-type-options", "nosniff"),
        ("x-frame-options", "DENY"),
    ] {
        assert_eq!(told(&picture, name), value, "{name}");
    }
    assert!(told(&picture, "cache-control").starts_with("private"));
    assert_eq!(picture.bytes().await.unwrap()[..], png(640, 320, [10, 120, 200])[..]);
    let raw = browser.get(&home, "/jobs/job-50/files/frame_0001.exr").await;
    assert_eq!(told(&raw, "content-disposition"), "attachment; filename=\"job-50-frame_0001.exr\"");
    let thumb = browser.get(&home, "/jobs/job-50/thumbs/1?v=x").await;
    assert_eq!(told(&thumb, "content-type"), "image/jpeg");
    let bytes = thumb.bytes().await.unwrap();
    assert!(bytes.starts_with(&[0xff, 0xd8]) && bytes.len() < 4_000, "{}", bytes.len());
    assert_eq!(browser.get(&home, "/jobs/job-50/thumbs/1").await.bytes().await.unwrap(), bytes, "kept");
    for absent in
        ["result.json", "frame_0002.png", "..%2f..%2foperator.token", "video.mp4", "frame_0001.tiles"]
    {
        let answer = browser.get(&home, &format!("/jobs/job-50/files/{absent}")).await;
        assert_eq!(answer.status(), StatusCode::NOT_FOUND, "{absent}");
    }
    let zip = browser.get(&home, "/jobs/job-50/pictures.zip").await;
    assert_eq!(told(&zip, "content-disposition"), "attachment; filename=\"job-50-pictures.zip\"");
    let bytes = zip.bytes().await.unwrap();
    let mut archive = zip::ZipArchive::new(std::io::Cursor::new(bytes)).unwrap();
    assert_eq!(archive.len(), 1);
    let mut file = archive.by_name("frame_0001.png").unwrap();
    let mut whole = Vec::new();
    std::io::Read::read_to_end(&mut file, &mut whole).unwrap();
    assert_eq!(whole, png(640, 320, [10, 120, 200]));
    home.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn buttons_need_the_sessions_word_and_the_page_follows_by_itself() {
    let (home, _, browser) = a_job().await;
    let page = browser.text(&home, "/jobs/job-50").await;
    let live = page.split("data-live=\"").nth(1).unwrap().split('"').next().unwrap().to_owned();
    let stream = browser.get(&home, &live).await;
    assert_eq!(told(&stream, "content-type"), "text/event-stream");
    let mut stream = stream.bytes_stream();

    let refused = browser.form(&home, "/jobs/job-50/pause", "wrong", "").await;
    assert_eq!(refused.status(), StatusCode::FORBIDDEN);
    let paused = browser.form(&home, "/jobs/job-50/pause", &browser.csrf, "").await;
    assert_eq!(told(&paused, "hx-redirect"), "/jobs/job-50");
    let mut seen = String::new();
    let waited = tokio::time::timeout(Duration::from_secs(10), async {
        while !seen.contains("you paused it") && !seen.contains("You paused it") {
            seen.push_str(&String::from_utf8_lossy(&stream.next().await.unwrap().unwrap()));
        }
    });
    waited.await.unwrap();
    assert!(seen.contains("event: changes") && seen.contains("id=\"job-status\""), "{seen}");
    assert!(!seen.contains("id=\"job-news\""), "only what changed: {seen}");

    let garbage = browser.form(&home, "/jobs/job-50/resume", &browser.csrf, "more=lots").await;
    assert_eq!(garbage.status(), StatusCode::UNPROCESSABLE_ENTITY);
    assert!(garbage.text().await.unwrap().contains("role=\"alert\""));
    let poor = browser.form(&home, "/jobs/job-50/resume", &browser.csrf, "more=5000").await;
    assert_eq!(poor.status(), StatusCode::PAYMENT_REQUIRED);
    let resumed = browser.form(&home, "/jobs/job-50/resume", &browser.csrf, "more=1.5").await;
    assert_eq!(told(&resumed, "hx-redirect"), "/jobs/job-50");
    assert!(browser.text(&home, "/jobs/job-50").await.contains("of at most 3.50 TATAU"));
    home.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_statement_is_exact_on_the_page_and_in_the_file() {
    let home = Home::open().await;
    let (key, client) = home.owner().await;
    client.stake(Amount(1_234_567_891)).await.unwrap();
    let browser = Browser::of(&home, &key).await;
    let page = browser.text(&home, "/account/statement").await;
    assert!(page.contains("98.765432109") && page.contains("+1.234567891"), "{page}");
    let file = browser.get(&home, "/account/statement.csv").await;
    assert!(told(&file, "content-type").starts_with("text/csv"));
    let text = file.text().await.unwrap();
    let lines: Vec<&str> = text.split("\r\n").filter(|l| !l.is_empty()).collect();
    assert_eq!(lines.len(), 4, "{text}");
    assert!(lines[0].starts_with("entry,time_utc,why,text,account,amount_tatau"));
    assert!(lines[2].contains(",stake,") && text.contains("-1.234567891,98.765432109"), "{text}");
    home.close().await;
}
