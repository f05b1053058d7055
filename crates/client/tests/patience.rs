//! The client against servers that are away, busy or lying.
#![allow(clippy::unwrap_used)]

use axum::{
    Json, Router,
    body::Bytes,
    extract::State,
    http::{HeaderMap, StatusCode},
    response::IntoResponse,
    routing::{get, post},
};
use futures_util::StreamExt as _;
use std::{
    io::Write as _,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};
use tatau_api::ErrorBody;
use tatau_client::{Client, ClientError, Credentials, Patience};
use tatau_evidence::{SigningKey, check_request};
use tatau_model::{Amount, BlobId, Clock, Millis, SystemClock};
use tokio::net::TcpListener;

async fn serve(router: Router) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, router).await });
    format!("http://{address}")
}

fn client(url: &str, patience: Patience) -> Client {
    Client::new(url, Credentials::None).unwrap().with_patience(patience)
}

#[derive(Clone, Default)]
struct Flaky {
    seen: Arc<AtomicU32>,
}

/// Fails the first two times.
async fn flaky(State(flaky): State<Flaky>) -> axum::response::Response {
    if flaky.seen.fetch_add(1, Ordering::SeqCst) < 2 {
        let body = ErrorBody { code: "internal".into(), sentence: "try again".into() };
        return (StatusCode::INTERNAL_SERVER_ERROR, Json(body)).into_response();
    }
    Json(serde_json::json!([])).into_response()
}

#[tokio::test]
async fn what_may_be_repeated_is_and_what_may_not_is_not() {
    let state = Flaky::default();
    let router = Router::new()
        .route("/v1/jobs", get(flaky))
        .route("/v1/account/stake", post(flaky))
        .with_state(state.clone());
    let url = serve(router).await;
    assert!(client(&url, Patience::BRIEF).jobs(1).await.unwrap().is_empty());
    assert_eq!(state.seen.load(Ordering::SeqCst), 3);
    state.seen.store(0, Ordering::SeqCst);
    let error = client(&url, Patience::BRIEF).stake(Amount(1)).await.unwrap_err();
    assert_eq!(error.code(), Some("internal"));
    assert_eq!(state.seen.load(Ordering::SeqCst), 1, "money is not moved twice");
    state.seen.store(0, Ordering::SeqCst);
    assert!(client(&url, Patience::NONE).jobs(1).await.is_err());
    assert_eq!(state.seen.load(Ordering::SeqCst), 1);
}

/// A server two hours ahead: it takes only what was signed within a minute of its own time.
async fn ahead(State(seen): State<Flaky>, request: axum::extract::Request) -> axum::response::Response {
    seen.seen.fetch_add(1, Ordering::SeqCst);
    let there = std::time::SystemTime::now() + Duration::from_hours(2);
    let now = Millis(SystemClock.now().0 + 2 * 3_600_000);
    let line = request.headers()["authorization"].to_str().unwrap().to_owned();
    let body = axum::body::to_bytes(request.into_body(), 10_000).await.unwrap();
    let date = [("date", httpdate::fmt_http_date(there))];
    match check_request(&line, |_| true, "POST", "/v1/account/stake", &body, now, 60_000) {
        Ok(_) => {
            let body = ErrorBody { code: "too_little".into(), sentence: "no money".into() };
            (StatusCode::CONFLICT, date, Json(body)).into_response()
        }
        Err(error) => {
            let body = ErrorBody { code: "clock".into(), sentence: error.to_string() };
            (StatusCode::UNAUTHORIZED, date, Json(body)).into_response()
        }
    }
}

#[tokio::test]
async fn requests_are_signed_by_the_servers_clock_once_it_refused_ones_own() {
    let state = Flaky::default();
    let url = serve(Router::new().route("/v1/account/stake", post(ahead)).with_state(state.clone())).await;
    let key = SigningKey::generate(&mut rand::rng());
    let client = Client::new(&url, Credentials::Key(key)).unwrap().with_patience(Patience::NONE);
    let answered = client.stake(Amount(1)).await.unwrap_err();
    assert_eq!(answered.code(), Some("too_little"), "signed anew: {answered}");
    assert_eq!(state.seen.load(Ordering::SeqCst), 2);
    client.stake(Amount(1)).await.unwrap_err();
    assert_eq!(state.seen.load(Ordering::SeqCst), 3, "and from then on at once");
}

#[tokio::test]
async fn a_server_that_comes_up_late_is_waited_for_and_one_that_does_not_is_named() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let url = format!("http://{address}");
    let error = client(&url, Patience::of(Duration::from_millis(300))).jobs(1).await.unwrap_err();
    assert!(matches!(&error, ClientError::Unreachable(s) if s.contains(&url)), "{error}");
    let waiting = tokio::spawn(async move { client(&url, Patience::BRIEF).jobs(1).await });
    tokio::time::sleep(Duration::from_millis(400)).await;
    let listener = TcpListener::bind(address).await.unwrap();
    let router = Router::new().route("/v1/jobs", get(async || Json(serde_json::json!([]))));
    tokio::spawn(async move { axum::serve(listener, router).await });
    assert!(waiting.await.unwrap().unwrap().is_empty());
}

#[tokio::test]
async fn answers_that_cannot_be_read_are_errors() {
    let router = Router::new()
        .route("/v1/jobs", get(async || "<html>hello</html>"))
        .route("/v1/account", get(async || (StatusCode::FORBIDDEN, "no")));
    let url = serve(router).await;
    let client = client(&url, Patience::NONE);
    assert!(matches!(client.jobs(1).await.unwrap_err(), ClientError::Malformed(_)));
    let refused = client.account().await.unwrap_err();
    assert_eq!((refused.status(), refused.code()), (Some(403), Some("forbidden")));
}

#[tokio::test]
async fn bytes_that_are_not_the_blob_never_get_its_name() {
    let router = Router::new().route("/v1/blobs/x", get(async || "not it"));
    let url = serve(router).await;
    let dir = tempfile::tempdir().unwrap();
    let to = dir.path().join("file");
    let expected = BlobId(*blake3::hash(b"it").as_bytes());
    let client = client(&url, Patience::of(Duration::from_millis(200)));
    let error = client.download("/v1/blobs/x", &to, expected, 100, &mut |_, _| {}).await.unwrap_err();
    assert!(matches!(error, ClientError::Malformed(_)), "{error}");
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0, "nothing is left");
    assert!(client.download_bytes("/v1/blobs/x", expected, 100).await.is_err());
    assert!(client.download_bytes("ftp://x", expected, 100).await.is_err());
}

/// Sends the start of what is wanted slowly, and the rest only to whom asks for it packed.
async fn slow_line(State(wanted): State<Bytes>, headers: HeaderMap) -> axum::response::Response {
    if headers.get("tatau-packed").is_none() {
        let first = wanted.slice(..100_000);
        let second = wanted.slice(100_000..200_000);
        let body = futures_util::stream::iter([first, second]).then(async |piece| {
            tokio::time::sleep(Duration::from_millis(600)).await;
            Ok::<_, std::io::Error>(piece)
        });
        let body = axum::body::Body::from_stream(body.chain(futures_util::stream::pending()));
        return ([("tatau-bytes", wanted.len().to_string())], body).into_response();
    }
    let range = headers.get("range").unwrap().to_str().unwrap();
    let from: usize = range.strip_prefix("bytes=").unwrap().strip_suffix('-').unwrap().parse().unwrap();
    assert!((100_001..=200_000).contains(&from), "goes on where it was: {from}");
    let mut packer = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::fast());
    packer.write_all(&wanted[from..]).unwrap();
    let told = [("tatau-bytes", wanted.len().to_string()), ("tatau-packed", "deflate".into())];
    (StatusCode::PARTIAL_CONTENT, told, packer.finish().unwrap()).into_response()
}

#[tokio::test]
async fn on_a_slow_line_the_rest_is_asked_for_packed() {
    let wanted: Vec<u8> = (0..3_000_000u32).map(|i| (i / 1_000) as u8).collect();
    let expected = BlobId(*blake3::hash(&wanted).as_bytes());
    let bytes = wanted.len() as u64;
    let url =
        serve(Router::new().route("/v1/blobs/x", get(slow_line)).with_state(Bytes::from(wanted.clone())))
            .await;
    let dir = tempfile::tempdir().unwrap();
    let to = dir.path().join("file");
    let mut last = (0, 0);
    let client = client(&url, Patience::BRIEF);
    client.download("/v1/blobs/x", &to, expected, bytes, &mut |d, t| last = (d, t)).await.unwrap();
    assert!(std::fs::read(&to).unwrap() == wanted);
    assert_eq!(last, (bytes, bytes));
}
