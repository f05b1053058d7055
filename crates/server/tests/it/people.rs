//! Accounts, authentication, tokens, statements, limits, stop and restart: through the real client.
#![allow(clippy::unwrap_used)]

use crate::home::{Home, registration};
use rand::RngExt;
use tatau_client::Credentials;
use tatau_evidence::{Sent, SigningKey, sign_request};
use tatau_model::{Amount, Clock, Digest, Millis, SystemClock};

/// The Authorization line of a request to this server, signed now.
fn signed(home: &Home, key: &SigningKey, method: &str, path_and_query: &str, body: &str) -> String {
    signed_at(home, key, method, path_and_query, body, SystemClock.now())
}

fn signed_at(
    home: &Home,
    key: &SigningKey,
    method: &str,
    path_and_query: &str,
    body: &str,
    at: Millis,
) -> String {
    let sent = Sent { server: &home.ready.url, method, path_and_query, body: body.as_bytes() };
    sign_request(key, &sent, at, Digest(rand::rng().random()))
}

/// Sends a request with this Authorization line, by hand.
async fn raw(home: &Home, method: &str, path: &str, line: &str, body: &str) -> (u16, String) {
    let http = reqwest::Client::builder().http2_prior_knowledge().build().unwrap();
    let url = format!("{}{path}", home.ready.url);
    let request =
        http.request(method.parse().unwrap(), url).header("authorization", line).body(body.to_owned());
    let answer = request.send().await.unwrap();
    (answer.status().as_u16(), answer.text().await.unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_opens_once_with_starter_credit_and_the_statement_says_so() {
    let home = Home::open().await;
    let (key, client) = home.owner().await;
    let view = client.account().await.unwrap();
    assert_eq!(view.account.owner, key.address());
    assert_eq!(view.total, Amount::tatau(100));
    assert_eq!(client.open_account().await.unwrap().total, Amount::tatau(100));
    let staked = client.stake(Amount::tatau(3)).await.unwrap();
    assert_eq!(staked.balances.len(), 2, "{:?}", staked.balances);
    let lines = client.statement(0, 100).await.unwrap();
    let whys: Vec<_> = lines.iter().map(|l| l.why.as_str()).collect();
    assert_eq!(whys, ["credit", "stake", "stake"]);
    let too_much = client.stake(Amount::tatau(1_000)).await.unwrap_err();
    assert_eq!((too_much.status(), too_much.code()), (Some(402), Some("too_little")));
    let books = home.operator().admin_books().await.unwrap();
    assert!(books.balanced, "{:?}", books.problems);
    assert_eq!(books.sum, Amount::ZERO);
    home.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn strangers_old_clocks_replays_and_altered_requests_are_refused() {
    let home = Home::open().await;
    let (key, _) = home.owner().await;
    let path = "/v1/account";
    let now = SystemClock.now();

    let nobody = home.client(Credentials::None).account().await.unwrap_err();
    assert_eq!(nobody.code(), Some("unauthorized"));
    let stranger = SigningKey::generate(&mut rand::rng());
    let refused = home.as_key(&stranger).account().await.unwrap_err();
    assert_eq!(refused.code(), Some("forbidden"), "{refused}");
    let token = home.client(Credentials::Token("tatau_wrong".into())).account().await.unwrap_err();
    assert_eq!(token.code(), Some("unauthorized"));
    let books = home.as_key(&key).admin_books().await.unwrap_err();
    assert_eq!(books.code(), Some("forbidden"));

    let old = signed_at(&home, &key, "GET", path, "", Millis(now.0 - 61_000));
    let (status, body) = raw(&home, "GET", path, &old, "").await;
    assert_eq!(status, 401, "{body}");
    let early = signed_at(&home, &key, "GET", path, "", Millis(now.0 + 61_000 + 5_000));
    assert_eq!(raw(&home, "GET", path, &early, "").await.0, 401);

    let once = signed(&home, &key, "GET", path, "");
    assert_eq!(raw(&home, "GET", path, &once, "").await.0, 200);
    let (status, body) = raw(&home, "GET", path, &once, "").await;
    assert_eq!(status, 401);
    assert!(body.contains("used before"), "{body}");

    let line = signed(&home, &key, "POST", "/v1/account/stake", r#"{"amount":1}"#);
    assert_eq!(raw(&home, "POST", "/v1/account/stake", &line, r#"{"amount":9}"#).await.0, 401);
    let line = signed(&home, &key, "GET", "/v1/jobs?limit=1", "");
    assert_eq!(raw(&home, "GET", "/v1/jobs?limit=2", &line, "").await.0, 401);
    home.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_signed_for_one_server_is_refused_by_another() {
    let (dishonest, honest) = (Home::open().await, Home::open().await);
    let (key, client) = honest.owner().await;
    let stake = r#"{"amount":1000000000}"#;
    let line = signed(&dishonest, &key, "POST", "/v1/account/stake", stake);
    let (status, body) = raw(&honest, "POST", "/v1/account/stake", &line, stake).await;
    assert_eq!(status, 401, "{body}");
    assert!(body.contains(&dishonest.ready.url) && body.contains("--public-url"), "{body}");
    let renamed = line.replace(&dishonest.ready.url, &honest.ready.url);
    assert_eq!(raw(&honest, "POST", "/v1/account/stake", &renamed, stake).await.0, 401);
    assert_eq!(client.statement(0, 100).await.unwrap().len(), 1, "nothing was staked");
    let line = signed(&honest, &key, "POST", "/v1/account/stake", stake);
    assert_eq!(raw(&honest, "POST", "/v1/account/stake", &line, stake).await.0, 200);
    honest.close().await;
    dishonest.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_signed_before_a_restart_is_not_taken_after_it() {
    let home = Home::open().await;
    let (key, _) = home.owner().await;
    let line = signed(&home, &key, "GET", "/v1/account", "");
    assert_eq!(raw(&home, "GET", "/v1/account", &line, "").await.0, 200);
    let home = home.restart().await;
    assert_eq!(raw(&home, "GET", "/v1/account", &line, "").await.0, 503);
    assert!(home.as_key(&key).account().await.is_ok());
    home.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn tokens_act_for_their_account_but_make_no_tokens_and_survive_a_restart() {
    let home = Home::open().await;
    let (key, client) = home.owner().await;
    let token = client.open_token("laptop").await.unwrap();
    assert!(token.token.starts_with("tatau_"));
    let by_token = home.client(Credentials::Token(token.token.clone()));
    assert_eq!(by_token.account().await.unwrap().account.owner, key.address());
    assert_eq!(by_token.open_token("more").await.unwrap_err().code(), Some("forbidden"));
    let home = home.restart().await;
    let by_token = home.client(Credentials::Token(token.token));
    assert_eq!(by_token.account().await.unwrap().total, Amount::tatau(100));
    home.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_needs_its_owners_word_and_cannot_act_for_the_account() {
    let home = Home::open().await;
    let (owner, _) = home.owner().await;
    let (other, _) = home.owner().await;
    let key = SigningKey::generate(&mut rand::rng());
    let client = home.as_key(&key);
    let mut forged = registration(&other, &key, false);
    forged.owner = owner.address();
    assert_eq!(client.register_node(&forged).await.unwrap_err().code(), Some("forbidden"));
    let mut expired = registration(&owner, &key, false);
    expired.delegation_expires = Millis(1);
    expired.delegation = crate::home::delegation(&owner, &key, Millis(1));
    assert_eq!(client.register_node(&expired).await.unwrap_err().code(), Some("forbidden"));
    let node = client.register_node(&registration(&owner, &key, false)).await.unwrap();
    assert_eq!(node.cards[0].score_milli, None, "a node's word is never a score");
    assert_eq!(node.block, "127.0.0.0/24");
    assert_eq!(client.account().await.unwrap_err().code(), Some("forbidden"));
    assert_eq!(client.open_account().await.unwrap_err().code(), Some("conflict"));
    assert!(client.drain(true).await.unwrap().draining);
    let home = home.restart().await;
    assert!(home.as_key(&key).node().await.unwrap().draining);
    home.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn large_bodies_unknown_paths_and_garbage_get_the_one_error_shape() {
    let home = Home::open().await;
    let (key, _) = home.owner().await;
    let sign = |method: &str, path: &str, body: &str| signed(&home, &key, method, path, body);
    let huge = "x".repeat(70 << 10);
    let (status, body) = raw(&home, "POST", "/v1/tokens", &sign("POST", "/v1/tokens", &huge), &huge).await;
    assert_eq!(status, 413, "{body}");
    for (method, path, body, expected) in [
        ("POST", "/v1/tokens", "{", 400),
        ("GET", "/v1/nowhere", "", 404),
        ("DELETE", "/v1/account", "", 405),
        ("GET", "/v1/jobs/banana", "", 400),
        ("GET", "/v1/jobs/job-77", "", 404),
    ] {
        let (status, answer) = raw(&home, method, path, &sign(method, path, body), body).await;
        assert_eq!(status, expected, "{method} {path}: {answer}");
        let error: tatau_api::ErrorBody = serde_json::from_str(&answer).unwrap();
        assert!(!error.sentence.is_empty());
    }
    home.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_document_names_calls_that_are_there() {
    let home = Home::open().await;
    let (key, _) = home.owner().await;
    let (status, text) =
        raw(&home, "GET", "/openapi.json", &signed(&home, &key, "GET", "/openapi.json", ""), "").await;
    assert_eq!(status, 200);
    let document: serde_json::Value = serde_json::from_str(&text).unwrap();
    for call in tatau_api::CALLS {
        assert!(document["paths"][call.path][call.method].is_object(), "{call:?}");
        let path = call.path.replace("{id}", "7").replace("{task}", "7").replace("{blob}", &"0".repeat(64));
        let method = call.method.to_uppercase();
        let (status, body) = raw(&home, &method, &path, "Tatau nonsense", "").await;
        assert!(status != 405 && !body.contains("no such call"), "{method} {path}: {status} {body}");
    }
    home.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_server_on_the_same_folder_is_refused() {
    let home = Home::open().await;
    let options = crate::home::options(home.dir.path(), tatau_server::Config::local());
    let refused = tatau_server::serve(options, |_| {}, std::future::pending()).await;
    assert!(refused.unwrap_err().to_string().contains("in use"));
    home.close().await;
}
