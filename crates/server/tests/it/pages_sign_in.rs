//! Signing up and in, passwords, tokens, browsers, stake: over plain HTTP, as a browser and as somebody who is up to no good.
#![allow(clippy::unwrap_used)]

use crate::browser::{Browser, Page, read};
use crate::home::Home;
use reqwest::{StatusCode, header};
use tatau_client::Credentials;
use tatau_evidence::SigningKey;

const GOOD: &str = "three red boats";

async fn sign_up(home: &Home, name: &str) -> (Browser, Page) {
    let mut browser = Browser::new(home);
    let page = browser.send("/sign-up", &[("name", name), ("password", GOOD)]).await;
    assert_eq!(page.status, StatusCode::OK, "{}", page.text);
    browser.cookie.clone_from(&page.cookie);
    (browser, page)
}

async fn sign_in(home: &Home, name: &str, password: &str, next: &str) -> Page {
    Browser::new(home).send("/sign-in", &[("name", name), ("password", password), ("next", next)]).await
}

#[tokio::test(flavor = "multi_thread")]
async fn somebody_new_gets_an_account_a_key_and_is_signed_in() {
    let home = Home::open().await;
    Browser::new(&home).get("/sign-up").await.says(&["You start with 100.00 TATAU", "new-password"]);
    let (browser, page) = sign_up(&home, "Ana").await;
    page.says(&["Welcome, ana", "download=\"owner.key\""]);
    // The download is a key file: its key is the account's.
    let line = page.text.split("octet-stream,").nth(1).unwrap().split('"').next().unwrap();
    let key = SigningKey::from_hex(line.strip_suffix("%0A").unwrap()).unwrap();
    let account = home.as_key(&key).account().await.unwrap();
    browser.get("/account").await.says(&["100.00 TATAU", &account.account.owner.to_string(), "<b>ana</b>"]);
    for file in ["market.sqlite", "market.sqlite-wal"] {
        let kept = std::fs::read(home.dir.path().join("data").join(file)).unwrap_or_default();
        let holds = |what: &str| kept.windows(what.len()).any(|w| w == what.as_bytes());
        assert!(!holds(&key.to_hex()) && !holds(GOOD), "{file} keeps neither key nor password");
    }
    // The name is taken, bad names and passwords are refused, and what was typed is shown as text.
    let again = Browser::new(&home).send("/sign-up", &[("name", "ANA"), ("password", GOOD)]).await;
    assert_eq!(again.status, StatusCode::CONFLICT);
    again.says(&["is taken"]);
    let evil = "<script>alert(1)</script>";
    let page = Browser::new(&home).send("/sign-up", &[("name", evil), ("password", GOOD)]).await;
    assert_eq!(page.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(!page.text.contains("<script>alert"), "{}", page.text);
    let page = Browser::new(&home).send("/sign-up", &[("name", "ben"), ("password", "short")]).await;
    page.says(&["A password has 10 to 200"]);
    home.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn name_and_password_sign_in_and_lead_only_to_this_servers_pages() {
    let home = Home::open().await;
    sign_up(&home, "ana").await;
    for (next, to) in [
        ("/fleet?find=x", "/fleet?find=x"),
        ("", "/account"),
        ("//evil.example", "/account"),
        ("/\\evil.example", "/account"),
        ("https://evil.example/", "/account"),
        ("/sign-out", "/account"),
    ] {
        let page = sign_in(&home, " Ana ", GOOD, next).await;
        assert_eq!((page.status, page.location.as_str()), (StatusCode::SEE_OTHER, to), "{next}");
        assert!(!page.cookie.is_empty());
    }
    let asked = Browser::new(&home).get("/fleet?find=x").await;
    assert_eq!(
        (asked.status, asked.location.as_str()),
        (StatusCode::SEE_OTHER, "/sign-in?next=/fleet%3Ffind%3Dx")
    );
    let shown = Browser::new(&home).get("/sign-in?next=%22%3E%3Cscript%3E").await;
    assert!(!shown.text.contains("<script>"), "{}", shown.text);
    home.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_password_and_an_unknown_name_are_the_same_refusal_and_few() {
    let home = Home::open().await;
    sign_up(&home, "ana").await;
    sign_up(&home, "ben").await;
    let wrong = sign_in(&home, "ana", "three red goats", "/fleet").await;
    let nobody = sign_in(&home, "nobody", GOOD, "/fleet").await;
    let no_name = sign_in(&home, "<b>", GOOD, "/fleet").await;
    for page in [&wrong, &nobody, &no_name] {
        assert_eq!((page.status, page.cookie.as_str()), (StatusCode::UNAUTHORIZED, ""));
        page.says(&["Name and password do not fit", "value=\"/fleet\""]);
    }
    for _ in 0..9 {
        sign_in(&home, "ana", "wrong wrong wrong", "").await;
    }
    let shut = sign_in(&home, "ana", GOOD, "").await;
    assert_eq!((shut.status, shut.cookie.as_str()), (StatusCode::TOO_MANY_REQUESTS, ""));
    shut.says(&["wait 15 minutes", "tatau open"]);
    assert_eq!(
        sign_in(&home, "ben", GOOD, "").await.status,
        StatusCode::SEE_OTHER,
        "others are not shut out"
    );
    home.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn another_site_signs_nobody_in_or_up() {
    let home = Home::open().await;
    sign_up(&home, "ana").await;
    let browser = Browser::new(&home);
    for path in ["/sign-in", "/sign-up", "/sign-in/operator"] {
        for (name, value) in
            [("origin", "http://evil.example"), ("sec-fetch-site", "cross-site"), ("origin", "null")]
        {
            let body = format!("name=ana&password={}&token=x", GOOD.replace(' ', "+"));
            let sent = browser.request("POST", path).header(name, value).body(body).send().await.unwrap();
            let page = read(sent).await;
            assert_eq!(
                (page.status, page.cookie.as_str()),
                (StatusCode::FORBIDDEN, ""),
                "{path} {name}: {value}"
            );
        }
    }
    home.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_operator_signs_in_by_the_token_and_not_by_another() {
    let home = Home::open().await;
    let token = std::fs::read_to_string(&home.ready.operator_token).unwrap();
    let mut browser = Browser::new(&home);
    let wrong = browser.send("/sign-in/operator", &[("token", &"0".repeat(64)), ("next", "/operator")]).await;
    assert_eq!(wrong.status, StatusCode::UNAUTHORIZED);
    wrong.says(&["operator.token"]);
    let right = browser.send("/sign-in/operator", &[("token", &token), ("next", "//evil.example")]).await;
    assert_eq!((right.status, right.location.as_str()), (StatusCode::SEE_OTHER, "/operator"));
    browser.cookie = right.cookie;
    assert_eq!(browser.get("/operator").await.status, StatusCode::OK);
    assert_eq!(browser.get("/account").await.status, StatusCode::FORBIDDEN);
    home.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_password_needs_the_old_one_and_signs_other_browsers_out() {
    let home = Home::open().await;
    let (browser, _) = sign_up(&home, "ana").await;
    let mut other = Browser::new(&home);
    other.cookie = sign_in(&home, "ana", GOOD, "").await.cookie;
    browser.get("/account").await.says(&["Sign out all others"]);
    let change =
        |current: &'static str, new: &'static str| [("name", "ana"), ("current", current), ("password", new)];
    let unsent = browser.send("/account/password", &change(GOOD, "four blue boats")).await;
    assert_eq!(unsent.status, StatusCode::FORBIDDEN, "without the page's word");
    let wrong =
        browser.post("/account", "/account/password", &change("not this one", "four blue boats")).await;
    assert_eq!(wrong.status, StatusCode::FORBIDDEN);
    wrong.says(&["This is not your current password"]);
    assert_eq!(other.get("/account").await.status, StatusCode::OK);
    let right = browser.post("/account", "/account/password", &change(GOOD, "four blue boats")).await;
    assert_eq!((right.status, right.location.as_str()), (StatusCode::SEE_OTHER, "/account?done=password"));
    assert_eq!(browser.get("/account").await.status, StatusCode::OK, "this one stays");
    assert_eq!(other.get("/account").await.status, StatusCode::SEE_OTHER, "the other is out");
    assert_eq!(sign_in(&home, "ana", GOOD, "").await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(sign_in(&home, "ana", "four blue boats", "").await.status, StatusCode::SEE_OTHER);
    home.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_owner_key_sets_a_password_and_a_token_does_not() {
    let home = Home::open().await;
    let (_, client) = home.owner().await;
    let token = client.open_token("farm").await.unwrap().token;
    let by_token = home.client(Credentials::Token(token));
    assert_eq!(by_token.set_password("ana", GOOD).await.unwrap_err().code(), Some("forbidden"));
    client.set_password("Ana", GOOD).await.unwrap();
    assert_eq!(sign_in(&home, "ana", GOOD, "").await.status, StatusCode::SEE_OTHER);
    // Forgotten: the key sets another, without the old one.
    client.set_password("ana", "five green boats").await.unwrap();
    assert_eq!(sign_in(&home, "ana", GOOD, "").await.status, StatusCode::UNAUTHORIZED);
    let (_, other) = home.owner().await;
    assert_eq!(other.set_password("ana", GOOD).await.unwrap_err().code(), Some("conflict"));
    home.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn tokens_are_made_shown_once_listed_and_removed() {
    let home = Home::open().await;
    let (_, client) = home.owner().await;
    let browser = Browser::of(&home, &client).await;
    let evil = "<img src=x onerror=alert(1)>";
    let made = browser.post("/account", "/account/tokens", &[("name", evil)]).await;
    assert_eq!(made.status, StatusCode::OK);
    assert!(!made.text.contains("<img src=x"), "{}", made.text);
    let token = made.text.split("id=\"token\">").nth(1).unwrap().split('<').next().unwrap().to_owned();
    let program = home.client(Credentials::Token(token.clone()));
    program.account().await.unwrap();
    let page = browser.get("/account").await;
    assert!(!page.text.contains(&token) && !page.text.contains("<img src=x"), "{}", page.text);
    let id = page.text.split("name=\"id\" value=\"").nth(1).unwrap().split('"').next().unwrap();
    let removed = browser.post("/account", "/account/tokens/remove", &[("id", id)]).await;
    assert_eq!(removed.status, StatusCode::SEE_OTHER);
    assert!(program.account().await.is_err());
    home.close().await;
}

/// A token that leaks must not become the whole account by way of a browser.
#[tokio::test(flavor = "multi_thread")]
async fn a_browser_that_a_token_let_in_may_do_no_more_than_the_token() {
    let home = Home::open().await;
    let (_, client) = home.owner().await;
    let token = client.open_token("farm").await.unwrap().token;
    let browser = Browser::of(&home, &home.client(Credentials::Token(token))).await;
    let page = browser.get("/account").await;
    page.says(&["let in by an API token"]);
    let password: &[(&str, &str)] = &[("name", "thief"), ("password", GOOD)];
    for (path, fields) in [
        ("/account/password", password),
        ("/account/tokens", &[("name", "more")]),
        ("/account/tokens/remove", &[("id", "00")]),
        ("/account/browsers", &[]),
        ("/fleet/join", &[("uses", "1")]),
    ] {
        let page = browser.post("/account", path, fields).await;
        assert_eq!(page.status, StatusCode::FORBIDDEN, "{path}: {}", page.text);
    }
    // Nor by a link that such a browser asks for.
    let word = browser.word("/account").await;
    let link =
        browser.request("POST", "/v1/sessions").header("x-csrf", word).body("{}").send().await.unwrap();
    let link: serde_json::Value = serde_json::from_str(&link.text().await.unwrap()).unwrap();
    let mut second = Browser::new(&home);
    second.enter(link["path"].as_str().unwrap()).await;
    let page = second.post("/account", "/account/tokens", &[("name", "more")]).await;
    assert_eq!(page.status, StatusCode::FORBIDDEN);
    // A browser that the key let in may.
    let whole = Browser::of(&home, &client).await;
    assert_eq!(whole.post("/account", "/account/browsers", &[]).await.status, StatusCode::SEE_OTHER);
    assert_eq!(browser.get("/account").await.status, StatusCode::SEE_OTHER, "the token's browser is out");
    home.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn stake_goes_up_and_comes_back_as_people_write_it() {
    let home = Home::open().await;
    let (_, client) = home.owner().await;
    let browser = Browser::of(&home, &client).await;
    let up = browser.post("/account", "/account/stake", &[("amount", "2,5")]).await;
    assert_eq!(up.location, "/account?done=stake");
    browser.get("/account?done=stake").await.says(&["The stake is up", "2.50 TATAU free", "97.50 TATAU"]);
    let back = browser.post("/account", "/account/unstake", &[("amount", "1")]).await;
    assert_eq!(back.location, "/account?done=unstake");
    browser.get("/account").await.says(&["1.00 TATAU on the way back", "data-until"]);
    for (amount, word) in [("much", "no amount"), ("-1", "more than zero"), ("1000", "97.50")] {
        let page = browser.post("/account", "/account/stake", &[("amount", amount)]).await;
        assert!(page.status.is_client_error(), "{amount}");
        page.says(&[word]);
    }
    // Words in the page's address are not shown.
    assert!(!browser.get("/account?done=%3Cb%3Ehello").await.text.contains("hello"));
    home.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn hosts_named_by_http_2_are_seen_too() {
    let home = Home::open().await;
    drop(home.operator());
    let http = reqwest::Client::builder().http2_prior_knowledge().redirect(reqwest::redirect::Policy::none());
    let sent = http.build().unwrap().post(format!("{}/sign-in", home.ready.url));
    let sent = sent.header(header::ORIGIN, &home.ready.url).body("name=ana&password=x").send().await.unwrap();
    assert_eq!(sent.status(), StatusCode::UNAUTHORIZED, "its own origin is not another site");
    home.close().await;
}
