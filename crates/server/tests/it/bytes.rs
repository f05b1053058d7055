//! Uploads, grants, downloads: resumed, verified, and only for those who may.
#![allow(clippy::unwrap_used)]

use crate::home::{Home, upload_scene};
use rand::{RngExt, SeedableRng};
use tatau_api::SubmitJob;
use tatau_client::{CHUNK_BYTES, Client};
use tatau_model::{Amount, BlobId, JobId, Strategy};

fn bytes(seed: u64, len: usize) -> Vec<u8> {
    let mut rng = rand_chacha::ChaCha20Rng::seed_from_u64(seed);
    (0..len).map(|_| rng.random()).collect()
}

fn name(bytes: &[u8]) -> BlobId {
    BlobId(*blake3::hash(bytes).as_bytes())
}

pub(crate) fn inspection(inputs: BlobId, key: &str) -> SubmitJob {
    SubmitJob {
        name: "look".into(),
        template: None,
        parameters: std::collections::BTreeMap::new(),
        inputs,
        scene: "scene.blend".into(),
        environment: "blender-5.0".into(),
        inspection: None,
        frames: String::new(),
        video: false,
        preview: false,
        class: None,
        device: tatau_model::Device::Cpu,
        strategy: Strategy::Balanced,
        fresh: false,
        tiles: String::new(),
        program: None,
        machines: tatau_model::Machines::default(),
        cap: Amount(50_000_000),
        request_key: key.into(),
    }
}

async fn submit(client: &Client, inputs: BlobId) -> JobId {
    client.submit_job(&inspection(inputs, "one")).await.unwrap().job.id
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_goes_on_after_a_restart_of_the_server() {
    let home = Home::open().await;
    let (key, client) = home.owner().await;
    let data = bytes(1, CHUNK_BYTES + 70_000);
    let (blob, len) = (name(&data), data.len() as u64);
    let begun = client.upload_state(blob, len).await.unwrap();
    assert_eq!((begun.have, begun.complete), (0, false));
    let first = client.put_chunk(blob, len, 0, data[..100_000].to_vec().into()).await.unwrap();
    assert_eq!(first.have, 100_000);
    // A chunk from the wrong place is answered with the right one.
    let lost = client.put_chunk(blob, len, 500_000, data[500_000..600_000].to_vec().into()).await.unwrap();
    assert_eq!(lost.have, 100_000);
    let home = home.restart().await;
    let client = home.as_key(&key);
    assert_eq!(client.upload_state(blob, len).await.unwrap().have, 100_000);
    let file = home.dir.path().join("upload");
    std::fs::write(&file, &data).unwrap();
    let mut seen = Vec::new();
    let (got, size) = client.upload_file(&file, &mut |done, _| seen.push(done)).await.unwrap();
    assert_eq!((got, size), (blob, len));
    assert_eq!(seen.first(), Some(&100_000));
    assert_eq!(seen.last(), Some(&len));
    assert!(client.upload_state(blob, len).await.unwrap().complete);
    home.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn bytes_under_a_wrong_name_too_large_or_from_nobody_are_refused() {
    let home = Home::open().await;
    let (_, client) = home.owner().await;
    let data = bytes(2, 1_000);
    let wrong = client.upload_state(name(b"other"), 1_000).await.unwrap();
    assert!(!wrong.complete);
    let refused = client.put_chunk(name(b"other"), 1_000, 0, data.clone().into()).await.unwrap_err();
    assert_eq!(refused.code(), Some("invalid"), "{refused}");
    assert!(!client.upload_state(name(b"other"), 1_000).await.unwrap().complete);
    let large = client.upload_state(name(&data), 1 << 40).await.unwrap_err();
    assert_eq!(large.code(), Some("too_large"));
    let stranger = tatau_evidence::SigningKey::generate(&mut rand::rng());
    let refused = home.as_key(&stranger).upload_state(name(&data), 1_000).await.unwrap_err();
    assert_eq!(refused.code(), Some("forbidden"));
    let chunk = vec![0; (8 << 20) + 1];
    let refused = client.put_chunk(name(&chunk), chunk.len() as u64, 0, chunk.into()).await.unwrap_err();
    assert_eq!(refused.status(), Some(413));
    home.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_account_cannot_take_every_place_for_uploads() {
    let home = Home::open().await;
    let (_, greedy) = home.owner().await;
    let partial = home.dir.path().join("data/blobs/partial");
    let left = || std::fs::read_dir(&partial).unwrap().count();
    for n in 0..70u8 {
        assert_eq!(greedy.upload_state(name(&[n, n]), 2).await.unwrap().have, 0);
    }
    assert_eq!(left(), 0, "asking takes no place");
    for n in 0..64u8 {
        assert_eq!(greedy.put_chunk(name(&[n, n]), 2, 0, vec![n].into()).await.unwrap().have, 1);
    }
    let refused = greedy.put_chunk(name(&[64, 64]), 2, 0, vec![64].into()).await.unwrap_err();
    assert_eq!((refused.status(), refused.code()), (Some(429), Some("too_many")), "{refused}");
    assert!(refused.to_string().contains("64 uploads"), "{refused}");
    assert_eq!(left(), 64);
    // Begun ones go on, and others are not hindered.
    assert_eq!(greedy.upload_bytes(b"\x05\x05"[..].into()).await.unwrap(), name(&[5, 5]));
    let (_, other) = home.owner().await;
    other.upload_bytes(b"a scene"[..].into()).await.unwrap();
    assert_eq!(other.upload_bytes(bytes::Bytes::new()).await.unwrap(), name(b""));
    home.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn grants_open_a_jobs_blobs_to_its_owner_alone_and_downloads_resume() {
    let home = Home::open().await;
    let (_, client) = home.owner().await;
    let (_, other) = home.owner().await;
    let inputs = upload_scene(&client, b"BLENDER scene").await;
    let scene = name(b"BLENDER scene");
    let secret = client.upload_bytes(b"of another job"[..].into()).await.unwrap();
    let job = submit(&client, inputs).await;
    let granted = client.grants(&job.to_string(), &[scene, inputs]).await.unwrap();
    let refused = other.grants(&job.to_string(), &[scene]).await.unwrap_err();
    assert_eq!(refused.code(), Some("not_found"));
    let refused = client.grants(&job.to_string(), &[secret]).await.unwrap_err();
    assert_eq!(refused.code(), Some("forbidden"));

    let to = home.dir.path().join("scene.blend");
    std::fs::write(home.dir.path().join("scene.blend.part"), b"BLEND").unwrap();
    let mut steps = Vec::new();
    let url = &granted.urls[0];
    assert_eq!(client.download(url, &to, scene, 100, &mut |d, t| steps.push((d, t))).await.unwrap(), 13);
    assert_eq!(std::fs::read(&to).unwrap(), b"BLENDER scene");
    assert_eq!(steps, [(13, 13)], "only the rest was sent");
    // A damaged part is thrown away and fetched anew.
    std::fs::write(home.dir.path().join("scene.blend.part"), b"XXXXX").unwrap();
    let patient = client.with_patience(tatau_client::Patience::BRIEF);
    assert_eq!(patient.download(url, &to, scene, 100, &mut |_, _| {}).await.unwrap(), 13);
    assert!(client.download_bytes(url, scene, 12).await.is_err(), "more than was allowed");
    assert_eq!(client.download_bytes(url, scene, 13).await.unwrap(), b"BLENDER scene");
    // Another blob under this grant, or a changed limit.
    let forged = url.replace(&scene.to_string(), &secret.to_string());
    assert_eq!(client.download_bytes(&forged, secret, 100).await.unwrap_err().status(), Some(403));
    let bare = format!("/v1/blobs/{scene}");
    assert_eq!(client.download_bytes(&bare, scene, 100).await.unwrap_err().status(), Some(403));
    home.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn jobs_that_cannot_work_are_refused_before_money_moves() {
    let home = Home::open().await;
    let (_, client) = home.owner().await;
    let inputs = upload_scene(&client, b"BLENDER scene").await;
    let refuse = async |change: &dyn Fn(&mut SubmitJob)| {
        let mut job = inspection(inputs, "refused");
        change(&mut job);
        let error = client.submit_job(&job).await.unwrap_err();
        error.code().unwrap_or("none").to_owned()
    };
    assert_eq!(refuse(&|j| j.cap = Amount(0)).await, "invalid");
    assert_eq!(refuse(&|j| j.cap = Amount::tatau(50)).await, "invalid");
    assert_eq!(refuse(&|j| j.environment = "maya".into()).await, "invalid");
    assert_eq!(refuse(&|j| j.scene = "../etc/passwd".into()).await, "invalid");
    assert_eq!(refuse(&|j| j.scene = "other.blend".into()).await, "invalid");
    assert_eq!(refuse(&|j| j.class = Some("abacus".into())).await, "invalid");
    assert_eq!(refuse(&|j| j.inputs = name(b"nothing")).await, "conflict");
    assert_eq!(refuse(&|j| j.template = Some("x".into())).await, "invalid");
    assert_eq!(refuse(&|j| j.request_key = String::new()).await, "invalid");
    // A manifest whose file never came.
    let file = tatau_blobs::ManifestFile { path: "scene.blend".into(), blob: name(b"never"), bytes: 5 };
    let json = tatau_blobs::Manifest::new(vec![file]).unwrap().to_json().unwrap();
    let open = client.upload_bytes(json.into()).await.unwrap();
    let error = client.submit_job(&inspection(open, "open")).await.unwrap_err();
    assert_eq!(error.code(), Some("conflict"));
    assert!(error.to_string().contains("scene.blend"), "{error}");
    assert_eq!(client.account().await.unwrap().balances.len(), 1, "no escrow was made");

    let job = client.submit_job(&inspection(inputs, "good")).await.unwrap();
    let again = client.submit_job(&inspection(inputs, "good")).await.unwrap();
    assert_eq!(job.job.id, again.job.id);
    assert_eq!(client.jobs(10).await.unwrap().len(), 1);
    let stopped = client.cancel_job(job.job.id).await.unwrap();
    assert_eq!(stopped.job.state.name(), "cancelled");
    assert_eq!(client.account().await.unwrap().total, Amount::tatau(100));
    // The same request after the end gives the same job, not a second one.
    assert_eq!(client.submit_job(&inspection(inputs, "good")).await.unwrap().job.id, job.job.id);
    home.close().await;
}

/// A small disk of memory, gone at the end.
struct SmallDisk(std::path::PathBuf);

impl SmallDisk {
    fn at(path: &std::path::Path) -> Option<Self> {
        std::fs::create_dir_all(path).unwrap();
        // Only root may; others see the test pass without it.
        let made = std::process::Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=3m", "tatau"])
            .arg(path)
            .output();
        made.is_ok_and(|made| made.status.success()).then(|| Self(path.to_owned()))
    }

    fn grow(&self) {
        let grown =
            std::process::Command::new("mount").args(["-o", "remount,size=64m"]).arg(&self.0).status();
        assert!(grown.unwrap().success());
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = std::process::Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_is_said_loses_nothing_and_the_upload_goes_on_once_there_is_room() {
    let dir = tempfile::tempdir().unwrap();
    let Some(disk) = SmallDisk::at(&dir.path().join("data/blobs")) else {
        eprintln!("skipped: a small disk can be mounted by root only");
        return;
    };
    let home = Home::in_dir(dir, tatau_server::Config::local()).await;
    let (_, client) = home.owner().await;
    let small = client.upload_bytes(bytes(7, 1_000).into()).await.unwrap();
    let large = bytes(8, 5 << 20);
    let (blob, len) = (name(&large), large.len() as u64);
    let first = client.put_chunk(blob, len, 0, large[..2 << 20].to_vec().into()).await.unwrap();
    assert_eq!(first.have, 2 << 20);
    let rest = || large[2 << 20..].to_vec().into();
    let full = client.put_chunk(blob, len, 2 << 20, rest()).await.unwrap_err();
    assert_eq!((full.status(), full.code()), (Some(507), Some("full")), "{full}");
    assert!(full.to_string().contains("disk is full"), "{full}");
    assert!(client.upload_state(small, 1_000).await.unwrap().complete, "what is there stays");
    disk.grow();
    let have = client.upload_state(blob, len).await.unwrap().have;
    assert!(have >= 2 << 20, "{have}");
    let done =
        client.put_chunk(blob, len, have, large[usize::try_from(have).unwrap()..].to_vec().into()).await;
    assert!(done.unwrap().complete);
    let (dir, _) = home.close().await;
    drop(disk);
    drop(dir);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_that_uploads_too_much_in_a_day_is_stopped_and_others_are_not() {
    let home = Home::open().await;
    let home = home.restart_with(|o| tatau_server::ServeOptions { upload_day_bytes: 3_000, ..o }).await;
    let (_, one) = home.owner().await;
    let (_, other) = home.owner().await;
    one.upload_bytes(bytes(1, 2_000).into()).await.unwrap();
    let refused = one.upload_bytes(bytes(2, 2_000).into()).await.unwrap_err();
    assert_eq!((refused.status(), refused.code()), (Some(507), Some("full")), "{refused}");
    assert!(refused.to_string().contains("go on in 24 h"), "{refused}");
    one.upload_bytes(bytes(1, 2_000).into()).await.expect("what is there already costs nothing");
    other.upload_bytes(bytes(2, 2_000).into()).await.unwrap();
    home.close().await;
}
