//! Owners hear of their jobs: a call that is signed, a mail to an address that was confirmed; again where it failed, also over a restart.
#![allow(clippy::unwrap_used)]

use crate::home::Home;
use crate::studio::{Browser, Made, rewrite};
use axum::{Router, body::Bytes, extract::State, http::HeaderMap, http::StatusCode, routing::post};
use std::{fmt::Write, time::Duration};
use tatau_api::SetNotify;
use tatau_model::{JobId, JobState, Work};
use tatau_server::{MailOptions, ServeOptions};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::TcpListener,
    sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel},
};

const SOON: Duration = Duration::from_secs(30);

struct Call {
    signature: String,
    body: Vec<u8>,
}

async fn take(State(tell): State<UnboundedSender<Call>>, headers: HeaderMap, body: Bytes) -> StatusCode {
    let signature = headers["tatau-signature"].to_str().unwrap().to_owned();
    tell.send(Call { signature, body: body.to_vec() }).unwrap();
    StatusCode::NO_CONTENT
}

/// An address that takes every call.
async fn hook() -> (String, UnboundedReceiver<Call>) {
    let (tell, told) = unbounded_channel();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/hook", listener.local_addr().unwrap());
    let router = Router::new().route("/hook", post(take)).with_state(tell);
    tokio::spawn(async move { axum::serve(listener, router).await });
    (url, told)
}

/// Speaks as much SMTP as a sender needs; whole mails come out.
async fn post_office() -> (String, UnboundedReceiver<String>) {
    let (tell, told) = unbounded_channel();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("smtp://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let tell = tell.clone();
            tokio::spawn(async move {
                let (read, mut write) = stream.into_split();
                let mut lines = BufReader::new(read).lines();
                write.write_all(b"220 post\r\n").await.unwrap();
                while let Ok(Some(line)) = lines.next_line().await {
                    let answer = match line.split(' ').next().unwrap() {
                        "DATA" => {
                            write.write_all(b"354 go on\r\n").await.unwrap();
                            let mut mail = String::new();
                            while let Ok(Some(line)) = lines.next_line().await {
                                if line == "." {
                                    break;
                                }
                                mail.push_str(&line);
                                mail.push('\n');
                            }
                            tell.send(mail).unwrap();
                            "250 taken"
                        }
                        "QUIT" => "221 bye",
                        _ => "250 ok",
                    };
                    write.write_all(format!("{answer}\r\n").as_bytes()).await.unwrap();
                }
            });
        }
    });
    (url, told)
}

async fn next<T>(told: &mut UnboundedReceiver<T>) -> T {
    tokio::time::timeout(SOON, told.recv()).await.expect("somebody is told").unwrap()
}

/// HMAC-SHA-256 by the key's own owner, with Python's library.
fn expected(secret: &str, at: &str, body: &[u8]) -> String {
    let program = "import hmac, sys; print(hmac.new(sys.argv[1].encode(), sys.argv[2].encode() + b'.' + \
                   bytes.fromhex(sys.argv[3]), 'sha256').hexdigest())";
    let mut hex = String::new();
    for byte in body {
        write!(hex, "{byte:02x}").unwrap();
    }
    let done =
        std::process::Command::new("python3").args(["-c", program, secret, at, &hex]).output().unwrap();
    String::from_utf8(done.stdout).unwrap().trim().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn owners_hear_of_their_jobs_where_they_want_to() {
    let (url, mut calls) = hook().await;
    let (smtp, mut mails) = post_office().await;
    let home = Home::open().await;
    let (key, _) = home.owner().await;
    let mut made = Made::render(JobId(50), key.address(), "night shot", &[1, 2], JobState::Running);
    made.task(
        (key.address(), key.address()),
        Work::Render { frame: 1, tile: None },
        tatau_model::TaskState::Ready,
        vec![],
    );
    let home = rewrite(home, |store| store.commit(&made.changes).unwrap()).await;
    let mail = || Some(MailOptions { url: smtp.clone(), from: "Tatau <farm@tatau.example>".into() });
    let home = home.restart_with(|options| ServeOptions { mail: mail(), ..options }).await;
    let client = home.as_key(&key);

    // A call, tried out at once.
    let wanted = SetNotify { webhook: Some(url.clone()), test: true, ..SetNotify::default() };
    let stands = client.set_notify(&wanted).await.unwrap();
    let secret = stands.secret.unwrap();
    let call = next(&mut calls).await;
    let (at, mark) = call.signature.strip_prefix("t=").unwrap().split_once(",v1=").unwrap();
    assert_eq!(mark, expected(&secret, at, &call.body));
    assert!(String::from_utf8(call.body).unwrap().contains("\"event\":\"test\""));

    // An address gets a code; a wrong one does not count, the right one does.
    let set = |wanted: SetNotify| {
        let client = client.clone();
        async move { client.set_notify(&wanted).await }
    };
    let stands =
        set(SetNotify { mail: Some("ana@studio.example".into()), ..SetNotify::default() }).await.unwrap();
    assert!(!stands.mail_confirmed && stands.webhook == Some(url));
    let first = next(&mut mails).await;
    assert!(first.contains("To: ana@studio.example") && first.contains("From: "), "{first}");
    let code: String = first.split("the code is ").nth(1).unwrap().chars().take(8).collect();
    let wrong = set(SetNotify { code: Some("nonsense".into()), ..SetNotify::default() }).await.unwrap_err();
    assert_eq!(wrong.code(), Some("invalid"));
    let stands = set(SetNotify { code: Some(code), ..SetNotify::default() }).await.unwrap();
    assert!(stands.mail_confirmed);

    // The job pauses: both are told, once.
    client.pause_job(JobId(50)).await.unwrap();
    let call: serde_json::Value = serde_json::from_slice(&next(&mut calls).await.body).unwrap();
    assert_eq!((&call["event"], &call["name"]), (&"job.paused".into(), &"night shot".into()), "{call}");
    let news = next(&mut mails).await;
    assert!(news.contains("night shot (job-50) is paused") && news.contains("0 of 2 frames"), "{news}");

    // What is not told yet survives a restart, under its number; mail does not wait for a call that nobody takes.
    client
        .set_notify(&SetNotify { webhook: Some("http://127.0.0.1:1/".into()), ..SetNotify::default() })
        .await
        .unwrap();
    client.resume_job(JobId(50), tatau_model::Amount::ZERO).await.unwrap();
    client.pause_job(JobId(50)).await.unwrap();
    assert!(next(&mut mails).await.contains("is paused"));
    let (again, mut calls) = hook().await;
    let home = home.restart_with(|options| ServeOptions { mail: mail(), ..options }).await;
    let client = home.as_key(&key);
    client.set_notify(&SetNotify { webhook: Some(again), ..SetNotify::default() }).await.unwrap();
    let call: serde_json::Value = serde_json::from_slice(&next(&mut calls).await.body).unwrap();
    assert_eq!(call["event"], "job.paused");

    // The page shows it, to its owner.
    let browser = Browser::of(&home, &key).await;
    let page = browser.text(&home, "/account").await;
    assert!(page.contains("ana@studio.example") && page.contains("(webhook)"), "{page}");
    // Nobody is told any more.
    let none = SetNotify { webhook: Some(String::new()), mail: Some(String::new()), ..SetNotify::default() };
    let stands = client.set_notify(&none).await.unwrap();
    assert_eq!((stands.webhook, stands.mail), (None, None));
    // Setting and taking away an address does not bring more codes.
    let mut sent = 1;
    let refused = loop {
        let one = SetNotify { mail: Some(format!("x{sent}@studio.example")), ..SetNotify::default() };
        match client.set_notify(&one).await {
            Ok(_) => sent += 1,
            Err(refused) => break refused,
        }
        client.set_notify(&SetNotify { mail: Some(String::new()), ..SetNotify::default() }).await.unwrap();
        assert!(sent <= 5, "{sent} codes in a day");
    };
    assert_eq!((refused.code(), sent), (Some("too_many"), 5));
    home.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_is_told_at_places_that_are_not_theirs() {
    let dir = tempfile::tempdir().unwrap();
    let home = Home::in_dir(dir, tatau_server::Config::local()).await;
    let (key, _) = home.owner().await;
    let home = home.restart_with(|options| ServeOptions { local: false, ..options }).await;
    let client = home.as_key(&key);
    for bad in [
        "http://127.0.0.1:1/x",
        "http://169.254.169.254/latest/meta-data",
        "http://[::1]/",
        "gopher://a",
        "nonsense",
    ] {
        let refused = client
            .set_notify(&SetNotify { webhook: Some(bad.into()), ..SetNotify::default() })
            .await
            .unwrap_err();
        assert_eq!(refused.code(), Some("invalid"), "{bad}: {refused}");
    }
    // A name of this machine is looked at when it is called.
    let named =
        SetNotify { webhook: Some("http://localhost:1/x".into()), test: true, ..SetNotify::default() };
    let refused = client.set_notify(&named).await.unwrap_err();
    assert!(refused.to_string().contains("not on the public internet"), "{refused}");
    let mail = SetNotify { mail: Some("ana@studio.example".into()), ..SetNotify::default() };
    assert!(client.set_notify(&mail).await.unwrap_err().to_string().contains("sends no mail"));
    home.close().await;
}
