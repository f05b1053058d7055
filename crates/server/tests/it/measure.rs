//! Measurements, run by hand: `cargo nextest run -p tatau-server --run-ignored only --no-capture measure::`.
#![allow(clippy::unwrap_used)]

use crate::home::Home;
use std::time::{Duration, Instant};
use tatau_model::Amount;

#[tokio::test(flavor = "multi_thread")]
#[ignore = "a measurement, not a check"]
async fn signed_requests_a_second() {
    let home = Home::open().await;
    for (what, writes) in [("signed reads", false), ("signed durable writes", true)] {
        let mut workers = Vec::new();
        for _ in 0..64 {
            let (_, client) = home.owner().await;
            workers.push(tokio::spawn(async move {
                let until = Instant::now() + Duration::from_secs(3);
                let mut done = 0u32;
                while Instant::now() < until {
                    if writes {
                        client.stake(Amount(1)).await.unwrap();
                    } else {
                        client.account().await.unwrap();
                    }
                    done += 1;
                }
                done
            }));
        }
        let mut all = 0;
        for worker in workers {
            all += worker.await.unwrap();
        }
        println!("{what}: {} a second (client and server on one machine)", all / 3);
    }
    assert!(home.operator().admin_books().await.unwrap().balanced);
    home.close().await;
}

/// What is sent in a turn: the file `TRANSFER_FILE` with the turn's number behind it, or noise, `TRANSFER_MIB` MiB of it, else 512.
fn cargo(turn: u8) -> Vec<u8> {
    if let Ok(file) = std::env::var("TRANSFER_FILE") {
        let mut bytes = std::fs::read(file).unwrap();
        bytes.push(turn);
        return bytes;
    }
    let mib = std::env::var("TRANSFER_MIB").map_or(512, |n| n.parse::<usize>().unwrap());
    let mut bytes = vec![turn; mib << 20];
    rand::Rng::fill_bytes(&mut rand::rng(), &mut bytes);
    bytes
}

/// Takes a body into a file, as a plain server does.
async fn sink(body: axum::body::Body) {
    use futures_util::StreamExt;
    use tokio::io::AsyncWriteExt;
    let folder = tempfile::tempdir().unwrap();
    let mut file = tokio::fs::File::create(folder.path().join("body")).await.unwrap();
    let mut stream = body.into_data_stream();
    while let Some(piece) = stream.next().await {
        file.write_all(&piece.unwrap()).await.unwrap();
    }
    file.sync_all().await.unwrap();
}

async fn curl(arguments: &[&str]) -> f64 {
    let begun = Instant::now();
    let done = tokio::process::Command::new("curl").args(["-fsS"]).args(arguments).output().await.unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    begun.elapsed().as_secs_f64()
}

/// Ours hash every byte on both ends, go on where they were cut, and are durable; curl does none of it.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "a measurement, not a check"]
async fn transfers_beside_curl() {
    let home = Home::open().await;
    let home = home
        .restart_with(|o| tatau_server::ServeOptions {
            blobs: tatau_blobs::Limits::default(),
            upload_day_bytes: 1 << 40,
            account_bytes: 1 << 40,
            ..o
        })
        .await;
    let (_, client) = home.owner().await;
    let router = axum::Router::new()
        .route("/sink", axum::routing::put(sink))
        .layer(axum::extract::DefaultBodyLimit::disable());
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let plain = format!("http://{}/sink", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await });
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let text = |path: &std::path::Path| path.to_str().unwrap().to_owned();
    for turn in 0..3u8 {
        let file = path("file");
        std::fs::write(&file, cargo(turn)).unwrap();
        let begun = Instant::now();
        let (blob, len) = client.upload_file(&file, &mut |_, _| {}).await.unwrap();
        let ours = begun.elapsed().as_secs_f64();
        let theirs = curl(&["-T", &text(&file), &plain]).await;
        println!("up: {:.2} s, curl {theirs:.2} s: {:.2} of curl's speed", ours, theirs / ours);

        let manifest = tatau_blobs::Manifest::new(vec![tatau_blobs::ManifestFile {
            path: "scene.blend".into(),
            blob,
            bytes: len,
        }]);
        let inputs = client.upload_bytes(manifest.unwrap().to_json().unwrap().into()).await.unwrap();
        let job = client
            .submit_job(&crate::bytes::inspection(inputs, &format!("turn {turn}")))
            .await
            .unwrap()
            .job
            .id;
        let url = client.grants(&job.to_string(), &[blob]).await.unwrap().urls.remove(0);
        let begun = Instant::now();
        client.download(&url, &path("ours"), blob, len, &mut |_, _| {}).await.unwrap();
        let ours = begun.elapsed().as_secs_f64();
        let whole = format!("{}{url}", home.ready.url);
        let theirs = curl(&["-o", &text(&path("theirs")), &whole]).await;
        println!("down: {:.2} s, curl {theirs:.2} s: {:.2} of curl's speed", ours, theirs / ours);
        std::fs::remove_file(path("ours")).unwrap();
    }
    home.close().await;
}
