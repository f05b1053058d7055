//! The provider's page over plain HTTP: who may see and change it, what it says, what its forms do. A browser's own tests are elsewhere.
#![allow(clippy::unwrap_used)] // a test that cannot go on fails

use crate::support::{Fake, lease, options};
use reqwest::{Client, RequestBuilder, Response, StatusCode, header, redirect::Policy};
use serde_json::json;
use std::{path::Path, sync::Arc, time::Duration};
use tatau_agent::{Cockpit, ProvideError, ProvideOptions, board::Phase, page::Page, settings::Price};
use tatau_model::{Amount, AttemptId};
use tatau_worker::{Membership, Stop};
use tempfile::TempDir;
use tokio::{sync::watch, task::JoinHandle};

/// A provider with a page, and a browser.
struct House {
    fake: Fake,
    root: TempDir,
    cockpit: Arc<Cockpit>,
    stop: watch::Sender<Stop>,
    running: JoinHandle<Result<(), ProvideError>>,
    serving: JoinHandle<()>,
    base: String,
    link: String,
    http: Client,
}

impl House {
    async fn open() -> Self {
        let (fake, root) = (Fake::default(), tempfile::tempdir().unwrap());
        let options = ProvideOptions::new("http://nowhere".into(), options(root.path(), "agent-session"));
        let folder = options.node.data_dir.clone();
        let membership = Membership::open(&folder, &mut rand::rng()).unwrap();
        let cockpit = Cockpit::open(&folder, &folder, false).unwrap();
        let page = bind(&cockpit, &folder, "127.0.0.1:0").await.unwrap();
        let link = page.link.clone();
        let base = link.split("/open").next().unwrap().to_owned();
        let serving = tokio::spawn(page.serve());
        let (stop, signal) = watch::channel(Stop::Run);
        let (own, platform) = (Arc::clone(&cockpit), fake.clone());
        let running = tokio::spawn(async move { own.run(platform, membership, options, true, signal).await });
        // A client of ours sets up TLS for plain ones too.
        drop(tatau_client::Client::new(&base, tatau_client::Credentials::None).unwrap());
        let http = Client::builder().redirect(Policy::none()).build().unwrap();
        Self { fake, root, cockpit, stop, running, serving, base, link, http }
    }

    fn get(&self, path: &str, cookie: &str) -> RequestBuilder {
        self.http.get(format!("{}{path}", self.base)).header(header::COOKIE, cookie)
    }

    /// Opens the printed link: the cookie, and the word that forms send back.
    async fn enter(&self) -> (String, String) {
        let opened = self.http.get(&self.link).send().await.unwrap();
        assert_eq!(opened.status(), StatusCode::OK);
        let line = opened.headers()[header::SET_COOKIE].to_str().unwrap().to_owned();
        assert!(line.contains("HttpOnly") && line.contains("SameSite=Strict"), "{line}");
        let cookie = line.split(';').next().unwrap().to_owned();
        let page = text(self.get("/", &cookie)).await;
        let word = page.split("data-csrf=\"").nth(1).unwrap().split('"').next().unwrap().to_owned();
        (cookie, word)
    }

    fn post(&self, path: &str, cookie: &str, word: &str, form: &str) -> RequestBuilder {
        let request = self.http.post(format!("{}{path}", self.base));
        request
            .header(header::COOKIE, cookie)
            .header(header::ORIGIN, &self.base)
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(format!("csrf={word}&{form}"))
    }

    async fn close(self) {
        self.stop.send_replace(Stop::Finish);
        tokio::time::timeout(Duration::from_secs(30), self.running).await.unwrap().unwrap().unwrap();
        self.serving.abort();
    }
}

async fn bind(
    cockpit: &Arc<Cockpit>,
    folder: &Path,
    address: &str,
) -> Result<Page, tatau_agent::page::PageError> {
    Page::bind(Arc::clone(cockpit), folder, "http://nowhere", Some(address.parse().unwrap())).await
}

async fn sent(request: RequestBuilder) -> Response {
    request.send().await.unwrap()
}

async fn status(request: RequestBuilder) -> StatusCode {
    sent(request).await.status()
}

async fn text(request: RequestBuilder) -> String {
    let answer = sent(request).await;
    assert_eq!(answer.status(), StatusCode::OK);
    answer.text().await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn only_the_holder_of_the_link_sees_the_page() {
    let house = House::open().await;
    let (cookie, _) = house.enter().await;
    for path in ["/", "/settings", "/live", "/cards/0/picture"] {
        assert_eq!(status(house.get(path, "")).await, StatusCode::UNAUTHORIZED, "{path}");
        let last = if cookie.ends_with('0') { '1' } else { '0' };
        let forged = format!("{}{last}", &cookie[..cookie.len() - 1]);
        assert_eq!(status(house.get(path, &forged)).await, StatusCode::UNAUTHORIZED, "{path}");
    }
    let secret = house.link.split("key=").nth(1).unwrap();
    let by_secret = format!("{}={secret}", cookie.split('=').next().unwrap());
    assert_eq!(
        status(house.get("/", &by_secret)).await,
        StatusCode::UNAUTHORIZED,
        "the link's secret is no cookie"
    );
    for wrong in ["/open", "/open?key=", "/open?key=00", &format!("/open?key={}0", &secret[1..])] {
        let answer = sent(house.get(wrong, "")).await;
        assert_eq!(answer.status(), StatusCode::UNAUTHORIZED, "{wrong}");
        assert!(answer.headers().get(header::SET_COOKIE).is_none());
    }
    let page = sent(house.get("/", &cookie)).await;
    for (name, value) in tatau_ui::headers::SECURITY {
        assert_eq!(page.headers()[*name], *value);
    }
    assert_eq!(status(house.get("/nothing", &cookie)).await, StatusCode::NOT_FOUND);
    assert_eq!(status(house.get(tatau_ui::url("style.css"), "")).await, StatusCode::OK);
    house.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_foreign_name_that_leads_here_is_refused() {
    let house = House::open().await;
    let (cookie, word) = house.enter().await;
    let port = house.base.rsplit(':').next().unwrap();
    for (host, fine) in [
        (format!("127.0.0.1:{port}"), true),
        (format!("localhost:{port}"), true),
        (format!("evil.example:{port}"), false),
        ("127.0.0.1".into(), false),
        (format!("127.0.0.1.evil.example:{port}"), false),
        ("127.0.0.1:1".into(), false),
    ] {
        let seen = status(house.get("/", &cookie).header(header::HOST, &host)).await;
        assert_eq!(seen == StatusCode::OK, fine, "{host}: {seen}");
        if !fine {
            assert_eq!(seen, StatusCode::MISDIRECTED_REQUEST);
            let refused = sent(house.get("/", &cookie).header(header::HOST, &host)).await;
            assert_eq!(refused.headers()["x-frame-options"], "DENY", "refusals are pages, too");
            let opened = house.http.get(&house.link).header(header::HOST, &host);
            assert_eq!(status(opened).await, StatusCode::MISDIRECTED_REQUEST, "not even the link");
            let posted = house.post("/work", &cookie, &word, "on=true").header(header::HOST, &host);
            assert_eq!(status(posted).await, StatusCode::MISDIRECTED_REQUEST);
        }
    }
    assert!(!house.cockpit.wants_work());
    house.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn changes_come_from_the_page_itself_with_its_word() {
    let house = House::open().await;
    let (cookie, word) = house.enter().await;
    let press = || {
        let request = house.http.post(format!("{}/work", house.base)).header(header::COOKIE, &cookie);
        request.header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
    };
    let form = |word: &str| format!("csrf={word}&on=true");
    let port: u16 = house.base.rsplit(':').next().unwrap().parse().unwrap();
    for (why, request) in [
        ("no origin", press().body(form(&word))),
        ("another site", press().header(header::ORIGIN, "http://evil.example").body(form(&word))),
        (
            "another port",
            press().header(header::ORIGIN, format!("http://127.0.0.1:{}", port ^ 1)).body(form(&word)),
        ),
        ("no origin to speak of", press().header(header::ORIGIN, "null").body(form(&word))),
        ("no word", press().header(header::ORIGIN, &house.base).body("on=true")),
        ("a wrong word", press().header(header::ORIGIN, &house.base).body(form(&"0".repeat(32)))),
        (
            "the browser says it is from elsewhere",
            press()
                .header(header::ORIGIN, &house.base)
                .header("sec-fetch-site", "same-site")
                .body(form(&word)),
        ),
    ] {
        assert_eq!(status(request).await, StatusCode::FORBIDDEN, "{why}");
    }
    let big = form(&word) + &"&x=".repeat(30_000);
    let big = press().header(header::ORIGIN, &house.base).body(big);
    assert_eq!(status(big).await, StatusCode::PAYLOAD_TOO_LARGE);
    assert!(!house.cockpit.wants_work(), "none of these started it");
    assert_eq!(
        status(house.get("/", &cookie).header("sec-fetch-site", "cross-site")).await,
        StatusCode::FORBIDDEN
    );
    let led =
        house.get("/", &cookie).header("sec-fetch-site", "cross-site").header("sec-fetch-mode", "navigate");
    assert_eq!(status(led).await, StatusCode::OK, "a link may lead here");
    assert_eq!(status(house.post("/work", &cookie, &word, "on=true")).await, StatusCode::SEE_OTHER);
    assert!(house.cockpit.wants_work());
    house.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_press_earns_and_the_page_follows_it_live() {
    let house = House::open().await;
    let earnings = json!({
        "owner": tatau_model::Address([1; 20]), "day": 1, "month": 0,
        "cards": [],
        "node": {"earned": {"today": 1_000_000_007, "month": 2_000_000_000, "all": 7}, "paid": {"today": 1, "month": 2, "all": 123_456_789},
                 "pending": 40_000_000, "forfeited": 0, "slashed": 0, "accepted": 2, "rejected": 0, "lost": 0},
        "account": {"earned": 7, "paid": 3, "pending": 4, "forfeited": 0, "slashed": 0},
        "earn_in": {"complete": false, "stake": 100_000, "stake_needed": 200_000, "accepted": 2, "accepted_needed": 3, "faults": 0, "barred": false}
    });
    house.fake.change(|s| {
        s.earnings = Some(serde_json::from_value(earnings).unwrap());
        s.leases.push(lease(1, 12, None, &json!({"sleep": 2})));
    });
    let (cookie, word) = house.enter().await;
    let page = text(house.get("/", &cookie)).await;
    assert!(page.contains("Start earning") && page.contains("You need no deposit"), "{page}");
    let mut live = sent(house.get("/live", &cookie)).await;
    let pressed = house.post("/work", &cookie, &word, "on=true").header("hx-request", "true");
    let part = text(pressed).await;
    assert!(part.contains("Stop") && !part.contains("<html"), "only the part: {part}");
    let mut heard = String::new();
    let all = ["Earning", "Frame 12 of job-1", "1.000000007", "0.123456789", "0.04", "2 of 3 tasks"];
    let waiting = async {
        while !all.iter().all(|words| heard.contains(words)) {
            heard.push_str(&String::from_utf8_lossy(&live.chunk().await.unwrap().unwrap()));
        }
    };
    let seen = tokio::time::timeout(Duration::from_secs(30), waiting).await;
    assert!(seen.is_ok(), "{:?} of {heard}", all.iter().filter(|w| !heard.contains(**w)).collect::<Vec<_>>());
    for event in ["event: button", "event: money", "event: cards", "event: card-0", "event: news"] {
        assert!(heard.contains(event), "{event}");
    }
    drop(live);
    house.fake.until("delivered", |s| s.delivered.contains_key(&AttemptId(1))).await;
    assert_eq!(status(house.post("/work", &cookie, &word, "on=false")).await, StatusCode::SEE_OTHER);
    let mut changes = house.cockpit.board.watch();
    while house.cockpit.board.look(|s| s.phase != Phase::Stopped) {
        changes.changed().await.unwrap();
    }
    assert!(text(house.get("/", &cookie)).await.contains("all yours"));
    house.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn forms_change_settings_and_say_what_cannot_be() {
    let house = House::open().await;
    let (cookie, word) = house.enter().await;
    let buyer = tatau_model::Address([0xab; 20]);
    for (path, form) in [
        ("/settings/money", "currency=eur&rate=0,25".to_owned()),
        ("/settings/price", "price=at_least&at_least=0.8&fixed=1".into()),
        ("/settings/power", "per_kwh=0.30&margin=&unit=display&watts=120".into()),
        ("/settings/hours", "day=fri&day=sat&from=22%3A00&to=07%3A00".into()),
        ("/settings/idle", "hands=1&minutes=9&battery=1".into()),
        ("/settings/limits", "processor=80&graphics=&watts=300".into()),
        ("/settings/taken", format!("kind=render&kind=inspect&blocked={buyer}%0A{buyer}&cache_gib=7")),
        ("/settings/command", "command=miner+--go".into()),
        ("/settings/mining", "currency=USD&class=rtx-3080&a_day=0.5&source=my+rig&date=2026-02-03".into()),
    ] {
        let saved = text(house.post(path, &cookie, &word, &form).header("hx-request", "true")).await;
        assert!(!saved.contains("bad"), "{path}: {saved}");
    }
    let s = house.cockpit.settings.now();
    assert_eq!(s.price, Price::AtLeast(Amount(800_000_000)));
    assert_eq!((s.display.as_ref().unwrap().currency.as_str(), s.power.watts), ("EUR", Some(120)));
    assert_eq!((s.hours.len(), s.hours[0].days.len(), s.idle.hands_off_minutes), (1, 2, Some(9)));
    assert!(s.idle.battery && !s.idle.graphics, "an empty box is a no");
    assert_eq!(
        (s.limits.processor_celsius, s.limits.graphics_celsius, s.limits.watts),
        (Some(80), None, Some(300))
    );
    assert_eq!((s.blocked.as_slice(), s.cache_gib), ([buyer].as_slice(), 7));
    assert_eq!(s.refused.iter().collect::<Vec<_>>(), ["finish", "video"]);
    assert_eq!((s.idle_command.as_str(), s.mining.rows.len()), ("miner --go", 1));
    let page = text(house.get("/settings", &cookie)).await;
    for words in
        ["Friday, Saturday: 22:00 to 07:00", "miner --go", &buyer.to_string(), "my rig", "0.25", "EUR"]
    {
        assert!(page.contains(words), "{words}");
    }
    for (path, form) in [
        ("/settings/price", "price=fixed&fixed=%3Cscript%3E"),
        ("/settings/money", "currency=&rate="),
        ("/settings/limits", "processor=999&graphics=&watts="),
        ("/settings/taken", "blocked=&cache_gib=1"),
        ("/settings/command", "command=miner+'x"),
        ("/settings/mining", "currency=USD&class=rtx-3080&class=cpu&a_day=0.5&source=&date=2026-02-03"),
    ] {
        let refused = sent(house.post(path, &cookie, &word, form).header("hx-request", "true")).await;
        assert_eq!(refused.status(), StatusCode::UNPROCESSABLE_ENTITY, "{path}");
        let said = refused.text().await.unwrap();
        assert!(said.contains("Not saved") && !said.contains("<script>"), "{said}");
    }
    assert_eq!(house.cockpit.settings.now(), s, "a refused form changes nothing");
    let removed =
        text(house.post("/settings/hours/0/remove", &cookie, &word, "").header("hx-request", "true")).await;
    assert!(removed.contains("around the clock"));
    house.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_card_is_switched_and_its_picture_is_a_pictures_bytes_and_nothing_else() {
    let house = House::open().await;
    let (cookie, word) = house.enter().await;
    assert_eq!(status(house.post("/cards/0", &cookie, &word, "")).await, StatusCode::NOT_FOUND);
    house.cockpit.press(true).unwrap();
    let mut changes = house.cockpit.board.watch();
    while house.cockpit.board.look(|s| s.cards.is_empty()) {
        changes.changed().await.unwrap();
    }
    assert_eq!(status(house.post("/cards/0", &cookie, &word, "")).await, StatusCode::SEE_OTHER);
    assert_eq!(house.cockpit.settings.now().cards_off, [0].into());
    house.fake.until("the platform does not count on it", |s| s.draining).await;
    assert_eq!(status(house.post("/cards/0", &cookie, &word, "on=1")).await, StatusCode::SEE_OTHER);
    assert!(house.cockpit.settings.now().cards_off.is_empty());

    let file = house.root.path().join("card.png");
    let event = tatau_agent::AgentEvent::Picture { attempt: AttemptId(1), card: 0, file: file.clone() };
    house.cockpit.board.hear(&event, tatau_model::Millis(1));
    for (bytes, shown) in [(b"\x89PNG\r\n\x1a\n and so on".as_slice(), true), (b"<html><script>", false)] {
        std::fs::write(&file, bytes).unwrap();
        let answer = sent(house.get("/cards/0/picture", &cookie)).await;
        assert_eq!(answer.status() == StatusCode::OK, shown);
        if shown {
            assert_eq!(answer.headers()[header::CONTENT_TYPE], "image/png");
            assert_eq!(answer.headers()["content-security-policy"], tatau_ui::headers::FILE_POLICY);
            assert_eq!(answer.headers()["x-content-type-options"], "nosniff");
        }
    }
    house.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_listens_here_alone_and_its_link_outlives_a_restart() {
    let house = House::open().await;
    let folder = house.root.path().join("node");
    for address in ["0.0.0.0:0", "192.0.2.1:0", "[::]:0"] {
        let refused = bind(&house.cockpit, &folder, address).await.unwrap_err().to_string();
        assert!(refused.contains("this machine alone"), "{refused}");
    }
    let kept = tatau_agent::page::PageLink::read(&folder).unwrap().unwrap();
    assert_eq!(kept.link, house.link);
    let again = bind(&house.cockpit, &folder, "127.0.0.1:0").await.unwrap();
    let key = |link: &str| link.split("key=").nth(1).unwrap().to_owned();
    assert_eq!(key(&again.link), key(&house.link));
    // Two that are left to choose do not get into each other's way.
    let one = Page::bind(Arc::clone(&house.cockpit), &folder, "s", None).await.unwrap();
    let two = Page::bind(Arc::clone(&house.cockpit), &folder, "s", None).await.unwrap();
    assert_ne!(one.link, two.link);
    house.close().await;
}
