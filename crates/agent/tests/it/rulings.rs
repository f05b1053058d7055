//! Changes of mind while the agent runs: cards that may not work, another offer, the owner's own command.
#![allow(clippy::unwrap_used)] // a test that cannot go on fails

use crate::node::Node;
use crate::support::{Fake, lease};
use serde_json::json;
use std::{collections::BTreeMap, sync::Arc};
use tatau_agent::{
    AgentEvent, Control, Wishes,
    decide::{Reason, Ruling},
    idle_command::{IdleRunner, IdleState, words},
};
use tatau_model::{Address, Amount, AttemptId};
use tatau_worker::Stop;
use tokio::sync::watch;

fn id(n: u64) -> AttemptId {
    AttemptId(n)
}

fn works(event: &AgentEvent) -> bool {
    matches!(event, AgentEvent::Progress { .. })
}

/// An agent whose only card is ruled over.
fn ruled(fake: &Fake, root: &std::path::Path) -> (Node, watch::Sender<BTreeMap<u16, Ruling>>) {
    let (tell, rulings) = watch::channel(BTreeMap::new());
    let node = Node::start_with(fake, root, |o| o.control = Control { rulings, ..Control::default() });
    (node, tell)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_card_that_must_stop_gives_back_at_once_and_takes_nothing_until_it_may() {
    let (fake, root) = (Fake::default(), tempfile::tempdir().unwrap());
    fake.change(|s| s.leases = vec![lease(1, 1, None, &json!({"sleep": 25})), lease(2, 2, None, &json!({}))]);
    let (node, tell) = ruled(&fake, root.path());
    node.until("the first task runs", works).await;
    tell.send_replace(BTreeMap::from([(0, Ruling::Stop(Reason::OnBattery))]));
    fake.until("it is given back", |s| s.failed.contains_key(&id(1))).await;
    fake.until("the platform does not count on it", |s| s.draining).await;
    {
        let s = fake.state();
        let report = &s.failed[&id(1)];
        assert_eq!((report.code.as_str(), report.sentence.contains("battery")), ("returned", true));
        assert!(s.receipts.is_empty(), "nothing was promised");
    }
    // It asks for nothing meanwhile, and keeps saying that it is there.
    fake.change(|s| s.leases.push(lease(3, 3, None, &json!({}))));
    let polls = fake.state().polls;
    tell.send_replace(BTreeMap::from([(0, Ruling::Wait(Reason::OnBattery))]));
    fake.until("it asks again", |s| s.polls > polls).await;
    assert!(fake.state().leases.iter().any(|l| l.attempt == id(3)));
    tell.send_replace(BTreeMap::new());
    fake.until("it works again", |s| s.delivered.contains_key(&id(3)) && !s.draining).await;
    node.end(Stop::Finish).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ruling_that_changes_while_the_platform_is_told_of_the_last_one_counts() {
    let (fake, root) = (Fake::default(), tempfile::tempdir().unwrap());
    let (node, tell) = ruled(&fake, root.path());
    fake.until("it asks", |s| s.polls > 0).await;
    fake.change(|s| s.hold_drains = true);
    tell.send_replace(BTreeMap::from([(0, Ruling::Stop(Reason::OnBattery))]));
    fake.until("the platform hears of it", |s| s.draining).await;
    tell.send_replace(BTreeMap::new());
    let polls = fake.state().polls;
    fake.change(|s| s.hold_drains = false);
    fake.until("the platform hears of the change", |s| !s.draining).await;
    assert_eq!(fake.state().told_after, polls, "no poll was waited out");
    node.end(Stop::Finish).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_card_that_must_wait_finishes_what_runs_and_gives_back_what_has_not_begun() {
    let (fake, root) = (Fake::default(), tempfile::tempdir().unwrap());
    fake.change(|s| {
        s.leases = (1..=3).map(|n| lease(n, n as i32, None, &json!({"sleep": 1}))).collect();
    });
    let (node, tell) = ruled(&fake, root.path());
    node.until("the first task runs", works).await;
    while node.heard(|e| matches!(e, AgentEvent::Leased { .. })) < 2 {
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    tell.send_replace(BTreeMap::from([(0, Ruling::Wait(Reason::OutsideHours { next: None }))]));
    fake.until("the second is given back", |s| s.failed.contains_key(&id(2))).await;
    fake.until("the first is delivered", |s| s.delivered.contains_key(&id(1))).await;
    {
        let s = fake.state();
        assert!(s.failed[&id(2)].sentence.contains("hours"), "{:?}", s.failed);
        assert_eq!((s.leases.len(), s.delivered.len(), s.failed.len()), (1, 1, 1));
    }
    node.end(Stop::Finish).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn another_offer_is_told_also_after_the_platform_was_away() {
    let (fake, root) = (Fake::default(), tempfile::tempdir().unwrap());
    let (tell, wishes) = watch::channel(Wishes::default());
    let node = Node::start_with(&fake, root.path(), |o| o.control = Control { wishes, ..Control::default() });
    fake.until("registered", |s| s.node.is_some()).await;
    let wish = Wishes { ask: Amount(77), blocked: vec![Address([3; 20])], refused: vec!["video".into()] };
    fake.change(|s| s.away = true);
    tell.send_replace(wish.clone());
    node.until("nobody is there", |e| matches!(e, AgentEvent::Waiting { .. })).await;
    fake.change(|s| s.away = false);
    let offered = |s: &crate::support::State| {
        let offer = &s.node.as_ref().unwrap().offer;
        (offer.ask_per_reference_hour, offer.blocked.clone(), offer.refused.clone())
    };
    let wanted = (wish.ask, wish.blocked, wish.refused);
    fake.until("the offer is changed", |s| offered(s) == wanted).await;
    assert!(fake.state().node.as_ref().unwrap().offer.provides, "the rest stays");
    node.end(Stop::Finish).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_owners_command_has_left_before_work_begins() {
    let (fake, root) = (Fake::default(), tempfile::tempdir().unwrap());
    let idle = Arc::new(IdleRunner::start(root.path().join("idle")));
    idle.want(words("sleep 600").unwrap());
    let control = Control { idle: Some(Arc::clone(&idle)), ..Control::default() };
    let node = Node::start_with(&fake, root.path(), |o| o.control = control);
    idle.watch().wait_for(|s| *s == IdleState::Running).await.unwrap();
    fake.until("registered", |s| s.node.is_some()).await;
    fake.change(|s| s.leases.push(lease(1, 1, None, &json!({}))));
    node.until("its task begins", |e| matches!(e, AgentEvent::Begun { .. })).await;
    assert_eq!(idle.state(), IdleState::Off);
    fake.until("delivered", |s| s.delivered.contains_key(&id(1))).await;
    node.end(Stop::Finish).await;
}
