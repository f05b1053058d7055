//! The fleet page: joining by a line, names, settings that reach the machine, removal; and strangers kept out of all of it.
#![allow(clippy::unwrap_used)]

use crate::browser::{Browser, Page};
use crate::home::{Home, registration};
use reqwest::StatusCode;
use tatau_api::{Poll, RegisterNode};
use tatau_client::{Client, ClientError};
use tatau_evidence::SigningKey;
use tatau_model::{Address, Amount, Node};

/// The code in the line that the page shows.
fn code(page: &Page) -> String {
    assert_eq!(page.status, StatusCode::OK, "{}", page.text);
    let line = page.text.split("id=\"line\">").nth(1).unwrap().split('<').next().unwrap();
    assert!(line.starts_with("tatau provide --server http://127.0.0.1:"), "{line}");
    line.split("--join ").nth(1).unwrap().to_owned()
}

/// A machine with a key of its own, and what it says to join.
fn machine(home: &Home, join: Option<&str>) -> (SigningKey, Client, RegisterNode) {
    let key = SigningKey::generate(&mut rand::rng());
    let (client, nobody) = (home.as_key(&key), SigningKey::generate(&mut rand::rng()));
    let mut node = registration(&nobody, &key, false);
    (node.owner, node.delegation, node.join) = (Address::default(), String::new(), join.map(str::to_owned));
    (key, client, node)
}

fn refused(answer: Result<Node, ClientError>) -> String {
    answer.unwrap_err().code().unwrap_or_default().to_owned()
}

async fn join(home: &Home, browser: &Browser, uses: &str) -> (Client, Node) {
    let code = code(&browser.post("/fleet", "/fleet/join", &[("uses", uses)]).await);
    let (_, client, said) = machine(home, Some(&code));
    let node = client.register_node(&said).await.unwrap();
    (client, node)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pasted_line_adds_so_many_machines_and_no_more() {
    let home = Home::open().await;
    let (owner, client) = home.owner().await;
    let browser = Browser::of(&home, &client).await;
    browser.get("/fleet").await.says(&["No machine yet", "install.sh"]);
    let code = code(&browser.post("/fleet", "/fleet/join", &[("uses", "2")]).await);
    assert!(!browser.get("/fleet").await.text.contains(&code), "it is shown once");

    let (_, first, said) = machine(&home, Some(&code));
    assert_eq!(first.register_node(&said).await.unwrap().owner, owner.address());
    assert_eq!(first.register_node(&said).await.unwrap().owner, owner.address(), "again uses nothing up");
    let (_, second, more) = machine(&home, Some(&code.to_uppercase()));
    second.register_node(&more).await.unwrap();
    browser.get("/fleet").await.says(&["2 of 2", "test rig"]);
    let (_, third, more) = machine(&home, Some(&code));
    assert_eq!(refused(third.register_node(&more).await), "forbidden");

    // It comes back without the code, as itself and for its owner only.
    let again = RegisterNode { join: None, owner: owner.address(), ..said.clone() };
    first.register_node(&again).await.unwrap();
    let (other, _) = home.owner().await;
    let stray = RegisterNode { owner: other.address(), ..again.clone() };
    assert_eq!(refused(first.register_node(&stray).await), "not_yours");
    assert_eq!(refused(third.register_node(&again).await), "not_yours");
    for nonsense in ["", "join-", "' OR 1=1 --", &"x".repeat(10_000)] {
        let said = RegisterNode { join: Some(nonsense.into()), ..said.clone() };
        assert_eq!(refused(first.register_node(&said).await), "forbidden");
    }
    for wrong in ["0", "1001", "many", "-1"] {
        let page = browser.post("/fleet", "/fleet/join", &[("uses", wrong)]).await;
        assert_eq!(page.status, StatusCode::UNPROCESSABLE_ENTITY, "{wrong}");
    }
    home.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_line_that_is_revoked_adds_nothing_and_only_its_maker_revokes_it() {
    let home = Home::open().await;
    let (_, client) = home.owner().await;
    let browser = Browser::of(&home, &client).await;
    let code = code(&browser.post("/fleet", "/fleet/join", &[("uses", "1")]).await);
    let page = browser.get("/fleet").await;
    let id =
        page.text.split("/fleet/join/remove").nth(1).unwrap().split("name=\"id\" value=\"").nth(1).unwrap();
    let id = id.split('"').next().unwrap();
    let (_, stranger) = home.owner().await;
    let strange = Browser::of(&home, &stranger).await;
    strange.post("/fleet", "/fleet/join/remove", &[("id", id)]).await;
    let (_, first, said) = machine(&home, Some(&code));
    first.register_node(&said).await.unwrap();
    assert_eq!(
        browser.post("/fleet", "/fleet/join/remove", &[("id", id)]).await.status,
        StatusCode::SEE_OTHER
    );
    let (_, second, said) = machine(&home, Some(&code));
    assert_eq!(refused(second.register_node(&said).await), "forbidden");
    browser.get("/fleet").await.says(&["test rig"]);
    home.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_owner_sets_counts_at_once_and_reaches_the_machine() {
    let home = Home::open().await;
    let (_, client) = home.owner().await;
    let browser = Browser::of(&home, &client).await;
    let (machine, node) = join(&home, &browser, "1").await;
    let (_, other) = join(&home, &browser, "1").await;
    let (id, second) = (node.id.to_string(), other.id.to_string());
    let set = |what: &'static str, floor: &'static str| {
        let (id, second) = (id.clone(), second.clone());
        let browser = &browser;
        async move {
            let fields = [("node", id.as_str()), ("node", second.as_str()), ("what", what), ("floor", floor)];
            browser.post("/fleet", "/fleet/set", &fields).await
        }
    };
    set("drain", "").await.says(&["2 machines will finish what they run and then pause", "paused"]);
    assert!(machine.node().await.unwrap().draining);
    let word = |heard| {
        let (machine, poll) = (machine.clone(), Poll { heard, wait_ms: 20_000, ..Poll::default() });
        async move { machine.poll(&poll).await.unwrap().settings.unwrap() }
    };
    let settings = word(0).await;
    assert!(settings.draining && settings.revision == 1);
    browser.get("/fleet").await.says(&["your word is on its way"]);

    // A poll that waits hears the next word without waiting on.
    let waiting = tokio::spawn(word(1));
    set("floor", "2,5").await.says(&["hold to the new least price"]);
    let settings = tokio::time::timeout(std::time::Duration::from_secs(8), waiting).await.unwrap().unwrap();
    assert_eq!(settings.floor, Some(Amount(2_500_000_000)));
    assert_eq!(machine.node().await.unwrap().offer.ask_per_reference_hour, Amount(2_500_000_000));
    machine.poll(&Poll { heard: settings.revision, ..Poll::default() }).await.unwrap();
    assert_eq!(machine.node().await.unwrap().heard, 2);

    set("resume", "").await.says(&["will take work again"]);
    set("floor", "").await;
    assert_eq!(machine.node().await.unwrap().settings.floor, None);
    let none = browser.post("/fleet", "/fleet/set", &[("what", "drain")]).await;
    assert_eq!(none.status, StatusCode::UNPROCESSABLE_ENTITY);
    none.says(&["Tick the machines first"]);
    set("floor", "cheap").await.says(&["That is no price"]);
    home.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn strangers_see_and_set_nothing_and_other_sites_neither() {
    let home = Home::open().await;
    let (_, client) = home.owner().await;
    let browser = Browser::of(&home, &client).await;
    let (machine, node) = join(&home, &browser, "1").await;
    let path = format!("/fleet/machine/{}", node.id);
    let (_, stranger) = home.owner().await;
    let strange = Browser::of(&home, &stranger).await;
    assert_eq!(strange.get(&path).await.status, StatusCode::NOT_FOUND);
    assert_eq!(strange.get(&format!("{path}/live")).await.status, StatusCode::NOT_FOUND);
    let page = strange.post("/fleet", &path, &[("what", "drain")]).await;
    assert_eq!(page.status, StatusCode::NOT_FOUND);
    let id = node.id.to_string();
    strange
        .post("/fleet", "/fleet/set", &[("node", id.as_str()), ("what", "drain")])
        .await
        .says(&["0 machines were set"]);
    assert_eq!(browser.send(&path, &[("what", "drain")]).await.status, StatusCode::FORBIDDEN, "no word");
    assert_eq!(
        browser.send("/fleet/set", &[("node", &id), ("what", "drain")]).await.status,
        StatusCode::FORBIDDEN
    );
    assert!(!machine.node().await.unwrap().draining);
    assert_eq!(Browser::new(&home).get(&path).await.status, StatusCode::SEE_OTHER);
    let operator = Browser::of(&home, &home.operator()).await;
    assert_eq!(operator.get("/fleet").await.status, StatusCode::FORBIDDEN);
    home.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn names_of_machines_are_text_whatever_they_hold() {
    let home = Home::open().await;
    let (owner, client) = home.owner().await;
    let browser = Browser::of(&home, &client).await;
    let evil = "\"><img src=x onerror=alert(1)>";
    let key = SigningKey::generate(&mut rand::rng());
    let mut said = registration(&owner, &key, false);
    (said.name, said.version) = (evil.into(), evil.into());
    said.offer.environments = vec![evil.into()];
    let node = home.as_key(&key).register_node(&said).await.unwrap();
    let path = format!("/fleet/machine/{}", node.id);
    let operator = Browser::of(&home, &home.operator()).await;
    for (browser, page) in [(&browser, "/fleet"), (&browser, path.as_str()), (&operator, "/operator")] {
        let text = browser.get(page).await.text;
        assert!(text.contains("onerror") && !text.contains("<img src=x"), "{page}: {text}");
    }
    let renamed = browser.post("/fleet", &path, &[("what", "name"), ("label", " <script>x</script> ")]).await;
    assert_eq!(renamed.status, StatusCode::SEE_OTHER);
    for page in ["/fleet", path.as_str(), "/fleet?find=%3Cscript%3E"] {
        let text = browser.get(page).await.text;
        assert!(text.contains("&#60;script&#62;x") && !text.contains("<script>x"), "{page}: {text}");
    }
    for wrong in [&"x".repeat(101), "two\nlines"] {
        let page = browser.post("/fleet", &path, &[("what", "name"), ("label", wrong)]).await;
        assert_eq!(page.status, StatusCode::UNPROCESSABLE_ENTITY);
    }
    home.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_removed_machine_is_gone_until_it_gets_a_new_line() {
    let home = Home::open().await;
    let (owner, client) = home.owner().await;
    let browser = Browser::of(&home, &client).await;
    let (machine, node) = join(&home, &browser, "1").await;
    let path = format!("/fleet/machine/{}", node.id);
    let removed = browser.post("/fleet", &path, &[("what", "remove")]).await;
    assert_eq!(removed.location, "/fleet?done=removed");
    browser.get("/fleet?done=removed").await.says(&["No machine yet", "out of your fleet"]);
    assert_eq!(browser.get(&path).await.status, StatusCode::NOT_FOUND);
    let again = RegisterNode {
        owner: owner.address(),
        delegation: String::new(),
        join: None,
        delegation_expires: tatau_model::Millis(0),
        name: node.name.clone(),
        cards: node.cards.clone(),
        offer: node.offer.clone(),
        version: "1".into(),
    };
    assert_eq!(refused(machine.register_node(&again).await), "not_yours");
    let settings = machine.poll(&Poll { wait_ms: 1, ..Poll::default() }).await.unwrap().settings.unwrap();
    assert!(settings.removed, "it is told");
    let code = code(&browser.post("/fleet", "/fleet/join", &[("uses", "1")]).await);
    let back = machine.register_node(&RegisterNode { join: Some(code), ..again }).await.unwrap();
    assert!(!back.settings.removed && !back.draining);
    browser.get("/fleet").await.says(&["test rig"]);
    home.close().await;
}
