//! Bytes that go packed over slow lines.
#![allow(clippy::unwrap_used)]

use crate::{bytes::inspection, home::Home};
use flate2::{Compression, read::ZlibDecoder, write::ZlibEncoder};
use reqwest::StatusCode;
use std::io::{Read as _, Write as _};
use tatau_blobs::{Manifest, ManifestFile};
use tatau_client::Client;
use tatau_evidence::{Sent, SigningKey, sign_request};
use tatau_model::{BlobId, Clock, Digest, SystemClock};

fn packed(bytes: &[u8]) -> Vec<u8> {
    let mut packer = ZlibEncoder::new(Vec::new(), Compression::fast());
    packer.write_all(bytes).unwrap();
    packer.finish().unwrap()
}

fn name(bytes: &[u8]) -> BlobId {
    BlobId(*blake3::hash(bytes).as_bytes())
}

/// One chunk as a client sends it that packs.
async fn put(home: &Home, key: &SigningKey, path: &str, how: &str, body: Vec<u8>) -> reqwest::Response {
    let sent = Sent { server: &home.ready.url, method: "PUT", path_and_query: path, body: &body };
    let line = sign_request(key, &sent, SystemClock.now(), Digest(rand::random()));
    let request = reqwest::Client::new().put(format!("{}{path}", home.ready.url)).body(body.clone());
    request.header("authorization", line).header("tatau-packed", how).send().await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_packed_chunk_is_unpacked_within_the_limit_of_a_chunk() {
    let home = Home::open().await;
    let (key, client) = home.owner().await;
    let text: Vec<u8> = (0..2_000_000u32).map(|i| (i / 1_000) as u8).collect();
    let (blob, bytes) = (name(&text), text.len());
    let path = |offset: usize| format!("/v1/uploads/{blob}?bytes={bytes}&offset={offset}");
    let first = put(&home, &key, &path(0), "deflate", packed(&text[..1_500_000])).await;
    assert_eq!(first.status(), StatusCode::OK);
    assert!(first.text().await.unwrap().contains("\"have\":1500000"));
    for (how, body) in [
        ("deflate", text[1_500_000..].to_vec()),
        ("deflate", packed(&vec![0; (8 << 20) + 1])),
        ("deflate", packed(&text[1_500_000..])[..100].to_vec()),
        ("brotli", packed(&text[1_500_000..])),
    ] {
        let refused = put(&home, &key, &path(1_500_000), how, body).await;
        assert_eq!(refused.status(), StatusCode::UNPROCESSABLE_ENTITY);
    }
    let last = put(&home, &key, &path(1_500_000), "deflate", packed(&text[1_500_000..])).await;
    assert!(last.text().await.unwrap().contains("\"complete\":true"));
    assert!(client.upload_state(blob, bytes as u64).await.unwrap().complete);
    home.close().await;
}

/// The address of a blob that a job of this client uses.
async fn address(client: &Client, contents: &[u8]) -> String {
    let blob = client.upload_bytes(contents.to_vec().into()).await.unwrap();
    let file = ManifestFile { path: "scene.blend".into(), blob, bytes: contents.len() as u64 };
    let manifest = Manifest::new(vec![file]).unwrap().to_json().unwrap();
    let inputs = client.upload_bytes(manifest.into()).await.unwrap();
    let job = client.submit_job(&inspection(inputs, &blob.to_string())).await.unwrap().job.id;
    client.grants(&job.to_string(), &[blob]).await.unwrap().urls.remove(0)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_download_is_packed_where_that_is_asked_for_and_makes_it_smaller() {
    let home = Home::open().await;
    let (_, client) = home.owner().await;
    let text: Vec<u8> = (0..2_000_000u32).map(|i| (i / 1_000) as u8).collect();
    let mut noise = vec![0; 2_000_000];
    blake3::Hasher::new().finalize_xof().fill(&mut noise);
    for (contents, smaller) in [(text, true), (noise, false)] {
        let url = format!("{}{}", home.ready.url, address(&client, &contents).await);
        for from in [0, 1_234_567] {
            let request = reqwest::Client::new().get(&url).header("tatau-packed", "deflate");
            let answer = request.header("range", format!("bytes={from}-")).send().await.unwrap();
            let told = |name: &str| answer.headers().get(name).map(|v| v.to_str().unwrap().to_owned());
            assert_eq!(told("tatau-bytes").as_deref(), Some("2000000"));
            assert_eq!(told("tatau-packed").is_some(), smaller);
            assert_eq!(told("content-length").is_none(), smaller);
            let mut body = answer.bytes().await.unwrap().to_vec();
            if smaller {
                assert!(body.len() < 50_000, "{}", body.len());
                let mut whole = Vec::new();
                ZlibDecoder::new(&body[..]).read_to_end(&mut whole).unwrap();
                body = whole;
            }
            assert!(body == contents[from..], "from {from}");
        }
    }
    home.close().await;
}
