//! Pages over plain HTTP: sign-in by link, cookies, the session's word, headers. The browser's own tests are elsewhere.
#![allow(clippy::unwrap_used)]

use crate::home::Home;
use reqwest::{Client, Response, StatusCode, header, redirect::Policy};

fn browser() -> Client {
    Client::builder().redirect(Policy::none()).build().unwrap()
}

async fn get(home: &Home, path: &str, cookie: &str) -> Response {
    browser().get(format!("{}{path}", home.ready.url)).header(header::COOKIE, cookie).send().await.unwrap()
}

fn told(response: &Response, name: header::HeaderName) -> String {
    response.headers().get(name).map(|v| v.to_str().unwrap().to_owned()).unwrap_or_default()
}

/// Follows a one-time link: the cookie to send.
async fn enter(home: &Home, path: &str) -> String {
    let entered = get(home, path, "").await;
    assert_eq!(entered.status(), StatusCode::SEE_OTHER);
    let line = told(&entered, header::SET_COOKIE);
    assert!(line.contains("HttpOnly") && line.contains("SameSite=Lax"), "{line}");
    line.split(';').next().unwrap().to_owned()
}

fn csrf(page: &str) -> String {
    page.split("data-csrf=\"").nth(1).unwrap().split('"').next().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_signs_one_browser_in_once_and_signing_out_ends_it() {
    let home = Home::open().await;
    let (key, client) = home.owner().await;
    let link = client.open_session().await.unwrap().path;
    let cookie = enter(&home, &link).await;
    let again = get(&home, &link, "").await;
    assert_eq!(again.status(), StatusCode::UNAUTHORIZED);
    assert!(again.text().await.unwrap().contains("tatau open"));

    let page = get(&home, "/", &cookie).await;
    for (name, value) in tatau_ui::headers::SECURITY {
        assert_eq!(page.headers()[*name], *value);
    }
    let page = page.text().await.unwrap();
    assert!(page.contains(&key.address().to_string()[..8]) && page.contains("100.00 TATAU"), "{page}");
    let word = csrf(&page);
    assert_eq!(word.len(), 32);

    // The cookie reads the API; it changes something only with the word, and only from here.
    let account = get(&home, "/v1/account", &cookie).await;
    assert_eq!(account.status(), StatusCode::OK);
    let stake = |word: &str, origin: Option<&str>| {
        let request = browser().post(format!("{}/v1/account/stake", home.ready.url));
        let request = request.header(header::COOKIE, &cookie).header("x-csrf", word).body(r#"{"amount":5}"#);
        match origin {
            Some(origin) => request.header(header::ORIGIN, origin),
            None => request,
        }
        .send()
    };
    assert_eq!(stake("", None).await.unwrap().status(), StatusCode::FORBIDDEN);
    assert_eq!(stake(&word, Some("http://evil.example")).await.unwrap().status(), StatusCode::FORBIDDEN);
    assert_eq!(stake(&word, Some(&home.ready.url)).await.unwrap().status(), StatusCode::OK);

    let out = |form: String| {
        let request = browser().post(format!("{}/sign-out", home.ready.url)).header(header::COOKIE, &cookie);
        request.header(header::CONTENT_TYPE, "application/x-www-form-urlencoded").body(form).send()
    };
    assert_eq!(out("csrf=wrong".into()).await.unwrap().status(), StatusCode::FORBIDDEN);
    assert_eq!(out(format!("csrf={word}")).await.unwrap().status(), StatusCode::SEE_OTHER);
    assert_eq!(get(&home, "/v1/account", &cookie).await.status(), StatusCode::UNAUTHORIZED);
    home.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_operator_enters_with_its_token_and_has_no_account() {
    let home = Home::open().await;
    let link = home.operator().open_session().await.unwrap().path;
    let cookie = enter(&home, &link).await;
    assert_eq!(get(&home, "/v1/admin/books", &cookie).await.status(), StatusCode::OK);
    assert_eq!(get(&home, "/v1/account", &cookie).await.status(), StatusCode::FORBIDDEN);
    home.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn assets_are_kept_by_browsers_and_strange_names_are_not_found() {
    let home = Home::open().await;
    // Making a client of ours sets up TLS for the plain one too.
    drop(home.operator());
    let style = get(&home, tatau_ui::url("style.css"), "").await;
    assert_eq!(style.status(), StatusCode::OK);
    assert!(told(&style, header::CACHE_CONTROL).contains("immutable"));
    for path in ["/assets/style.css", "/assets/..%2f..%2fetc%2fpasswd", "/assets/absent"] {
        assert_eq!(get(&home, path, "").await.status(), StatusCode::NOT_FOUND, "{path}");
    }
    home.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn programs_that_are_too_old_are_told_what_to_do() {
    let home = Home::open().await;
    // The first client of the process brings the TLS provider along.
    home.owner().await;
    let http = browser();
    let ask = |version: &'static str| {
        let request = http.get(format!("{}/v1/platform", home.ready.url)).header("tatau-protocol", version);
        async move { request.send().await.unwrap() }
    };
    let old = ask("1").await;
    assert_eq!(old.status(), 426);
    let words = old.text().await.unwrap();
    assert!(words.contains("\"too_old\"") && words.contains("/install.sh"), "{words}");
    assert_eq!(ask("nonsense").await.status(), 400);
    assert_eq!(ask("2").await.status(), 200);
    assert_eq!(ask("7").await.status(), 200, "newer programs know what they may say");
    home.close().await;
}
