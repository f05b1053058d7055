//! What everybody sees (home, market, the install line), what the operator sees, and what Prometheus reads.
#![allow(clippy::unwrap_used)]

use crate::browser::{Browser, Page, read};
use crate::home::Home;
use reqwest::{StatusCode, header};
use std::time::Duration;

#[tokio::test(flavor = "multi_thread")]
async fn home_and_market_are_open_and_say_what_to_do_first() {
    let home = Home::open().await;
    let visitor = Browser::new(&home);
    visitor.get("/").await.says(&["tatau open", "/new", "/fleet", "/operator", "cards online now"]);
    visitor.get("/market").await.says(&["Nobody offers anything yet", "frames verified in 24 hours"]);
    let (owner, _) = home.owner().await;
    home.node(&owner, false).await;
    // A card that is not measured yet is no supply.
    tokio::time::sleep(Duration::from_secs(5)).await;
    visitor.get("/market/live").await.says(&["Nobody offers anything yet"]);
    for span in ["week", "month", "year", "nonsense", "%3Cb%3E"] {
        let page = visitor.get(&format!("/market?span={span}&class=%3Cb%3Ecpu")).await;
        assert_eq!(page.status, StatusCode::OK);
        assert!(!page.text.contains("<b>cpu"), "{}", page.text);
    }
    for (name, value) in tatau_ui::headers::SECURITY {
        let page = visitor.request("GET", "/market").send().await.unwrap();
        assert_eq!(page.headers()[*name], *value);
    }
    home.close().await;
}

/// A crowd before the market page costs one look at the market.
#[tokio::test(flavor = "multi_thread")]
async fn a_crowd_asks_the_market_once() {
    let home = Home::open().await;
    let operator = Browser::of(&home, &home.operator()).await;
    Browser::new(&home).get("/market").await;
    let visitors: Vec<_> = (0..200)
        .map(|_| {
            let visitor = Browser::new(&home);
            tokio::spawn(async move { visitor.get("/market/live").await.status })
        })
        .collect();
    for visitor in visitors {
        assert_eq!(visitor.await.unwrap(), StatusCode::OK);
    }
    let looks = metric(&metrics(&operator).await, "market_looks_total");
    assert!((1.0..=4.0).contains(&looks), "{looks} looks for 200 visitors");
    home.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_operators_page_is_the_operators_and_tells_what_to_mend() {
    let home = Home::open().await;
    let asked = Browser::new(&home).get("/operator").await;
    assert_eq!((asked.status, asked.location.as_str()), (StatusCode::SEE_OTHER, "/sign-in?next=/operator"));
    let (_, client) = home.owner().await;
    let account = Browser::of(&home, &client).await;
    for path in ["/operator", "/operator/live"] {
        assert_eq!(account.get(path).await.status, StatusCode::FORBIDDEN);
    }
    for path in ["/operator/books", "/operator/bar"] {
        let page = account.post("/account", path, &[("account", "0x"), ("what", "bar")]).await;
        assert_eq!(page.status, StatusCode::FORBIDDEN, "{path}");
    }
    let operator = Browser::of(&home, &home.operator()).await;
    let page = operator.get("/operator").await;
    page.says(&["without a comparator", "start it again without --no-judge", "not audited on this page yet"]);
    assert_eq!(operator.send("/operator/books", &[]).await.status, StatusCode::FORBIDDEN, "no word");
    let begun = operator.post("/operator", "/operator/books", &[]).await;
    assert_eq!(begun.location, "/operator?done=books");
    let sound = wait(&operator, "/operator/live", "sound").await;
    sound.says(&["all accounts sum to 0"]);
    let home = home.restart().await;
    let operator = Browser::of(&home, &home.operator()).await;
    operator.get("/operator").await.says(&["all accounts sum to 0"]);
    home.close().await;
}

async fn wait(browser: &Browser, path: &str, part: &str) -> Page {
    for _ in 0..100 {
        let page = browser.get(path).await;
        if page.text.contains(part) {
            return page;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("{path} never says {part}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_operator_bars_an_account_and_lets_it_in_again() {
    let home = Home::open().await;
    let (owner, client) = home.owner().await;
    let (_, node, _) = home.node(&owner, false).await;
    let operator = Browser::of(&home, &home.operator()).await;
    let account = owner.address().to_string();
    let say = |what: &'static str| {
        let (operator, account) = (&operator, account.clone());
        async move {
            operator
                .post("/operator", "/operator/bar", &[("account", account.as_str()), ("what", what)])
                .await
        }
    };
    assert_eq!(say("bar").await.location, "/operator?done=barred");
    let ask = tatau_api::Poll { cards: vec![0], ..tatau_api::Poll::default() };
    assert_eq!(node.poll(&ask).await.unwrap_err().code(), Some("barred"));
    operator.get("/operator").await.says(&[&account, "Let in again"]);
    Browser::of(&home, &client).await.get("/account").await.says(&["takes no more work"]);
    assert_eq!(say("unbar").await.location, "/operator?done=unbarred");
    assert_eq!(node.poll(&ask).await.unwrap().leases.len(), 1, "its benchmark");
    for wrong in ["0x12", "<script>", &"0x".repeat(500)] {
        let page = operator.post("/operator", "/operator/bar", &[("account", wrong), ("what", "bar")]).await;
        assert_eq!(page.status, StatusCode::UNPROCESSABLE_ENTITY);
        assert!(!page.text.contains("<script>\""), "{}", page.text);
    }
    let nobody = tatau_model::Address([9; 20]).to_string();
    let page = operator.post("/operator", "/operator/bar", &[("account", &nobody), ("what", "bar")]).await;
    assert_eq!(page.status, StatusCode::NOT_FOUND);
    home.close().await;
}

async fn metrics(browser: &Browser) -> String {
    let page = browser.get("/metrics").await;
    assert_eq!(page.status, StatusCode::OK);
    page.text
}

fn metric(text: &str, name: &str) -> f64 {
    let line = text.lines().find(|line| line.starts_with(&format!("tatau_{name} "))).unwrap();
    line.rsplit(' ').next().unwrap().parse().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn metrics_are_for_this_machine_and_the_operator() {
    let home = Home::open().await;
    let (owner, client) = home.owner().await;
    home.node(&owner, true).await;
    let here = Browser::new(&home);
    let text = metrics(&here).await;
    assert_eq!(metric(&text, "accounts"), 1.0);
    assert!(text.contains("tatau_money_nano_tatau{purpose=\"available\"} 100000000000"), "{text}");
    assert!(text.contains("tatau_alarm{name=\"comparator\"} 1"), "{text}");
    // Through a proxy it is anybody.
    for proxy in ["x-forwarded-for", "forwarded", "via"] {
        let sent = here.request("GET", "/metrics").header(proxy, "203.0.113.9").send().await.unwrap();
        assert_eq!(sent.status(), StatusCode::UNAUTHORIZED);
    }
    let token = std::fs::read_to_string(&home.ready.operator_token).unwrap();
    let sent = here.request("GET", "/metrics").header("x-forwarded-for", "203.0.113.9");
    let sent = sent.header(header::AUTHORIZATION, format!("Bearer {}", token.trim())).send().await.unwrap();
    assert_eq!(sent.status(), StatusCode::OK);
    let account = Browser::of(&home, &client).await;
    assert_eq!(account.get("/metrics").await.status, StatusCode::FORBIDDEN);
    home.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_install_line_names_this_server_and_nothing_else() {
    let home = Home::open().await;
    let visitor = Browser::new(&home);
    visitor.get("/install.sh").await.says(&[&format!("server='{}'", home.ready.url), "#!/bin/sh"]);
    for evil in ["a';touch${IFS}x;'", "$(touch x)", "a b"] {
        let sent =
            visitor.request("GET", "/install.sh").header("x-forwarded-host", evil).send().await.unwrap();
        read(sent).await.says(&[&format!("server='{}'", home.ready.url)]);
    }
    // The program is this very one; the test's own file stands in for it.
    let sent = visitor.request("GET", "/download/tatau").send().await.unwrap();
    let own = std::fs::metadata(std::env::current_exe().unwrap()).unwrap().len();
    assert_eq!(sent.headers()[header::CONTENT_LENGTH].to_str().unwrap(), own.to_string());
    home.close().await;
}
