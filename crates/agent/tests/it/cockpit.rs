//! The person's side: the button, settings that take hold while it runs, failures that are shown.
#![allow(clippy::unwrap_used)] // a test that cannot go on fails

use crate::support::{Fake, lease, options};
use serde_json::json;
use std::{path::Path, sync::Arc, time::Duration};
use tatau_agent::{
    Cockpit, ProvideError, ProvideOptions,
    board::{Phase, Status},
    decide::{Reason, Ruling},
    settings::{Price, Settings},
};
use tatau_model::{Amount, AttemptId, Work};
use tatau_worker::{Membership, Stop};
use tokio::{sync::watch, task::JoinHandle};

struct Person {
    cockpit: Arc<Cockpit>,
    stop: watch::Sender<Stop>,
    running: JoinHandle<Result<(), ProvideError>>,
}

impl Person {
    fn sits_down(fake: &Fake, root: &Path, begin: bool, change: impl FnOnce(&mut ProvideOptions)) -> Self {
        let mut options = ProvideOptions::new("http://nowhere".into(), options(root, "agent-session"));
        change(&mut options);
        let folder = options.node.data_dir.clone();
        let membership = Membership::open(&folder, &mut rand::rng()).unwrap();
        let cockpit = Cockpit::open(&folder, &folder, begin).unwrap();
        let (stop, signal) = watch::channel(Stop::Run);
        let (own, platform) = (Arc::clone(&cockpit), fake.clone());
        let running = tokio::spawn(async move { own.run(platform, membership, options, true, signal).await });
        Self { cockpit, stop, running }
    }

    async fn sees(&self, what: &str, is: impl Fn(&Status) -> bool) {
        let mut changes = self.cockpit.board.watch();
        let waiting = async {
            while !self.cockpit.board.look(&is) {
                changes.changed().await.unwrap();
            }
        };
        let seen = tokio::time::timeout(Duration::from_secs(30), waiting).await;
        assert!(seen.is_ok(), "never: {what}; {:#?}", self.cockpit.board.now());
    }

    async fn leaves(self) {
        self.stop.send_replace(Stop::Finish);
        tokio::time::timeout(Duration::from_secs(30), self.running).await.unwrap().unwrap().unwrap();
    }
}

fn id(n: u64) -> AttemptId {
    AttemptId(n)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_button_starts_stops_and_is_remembered() {
    let (fake, root) = (Fake::default(), tempfile::tempdir().unwrap());
    fake.change(|s| s.leases = vec![lease(1, 1, None, &json!({"sleep": 1})), lease(2, 2, None, &json!({}))]);
    let person = Person::sits_down(&fake, root.path(), false, |_| {});
    assert_eq!(person.cockpit.board.now().phase, Phase::Stopped);
    assert_eq!(fake.state().registrations, 0, "nothing happens before it is pressed");
    person.cockpit.press(true).unwrap();
    person.sees("a task runs", |s| s.cards.get(&0).is_some_and(|c| c.running().is_some())).await;
    let task = person.cockpit.board.look(|s| s.cards[&0].running().cloned().unwrap());
    assert_eq!((task.attempt, task.work), (id(1), Work::Render { frame: 1, tile: None }));
    person.cockpit.press(false).unwrap();
    person.sees("it finishes", |s| s.phase == Phase::Finishing).await;
    person.sees("it has stopped", |s| s.phase == Phase::Stopped).await;
    assert!(fake.state().delivered.contains_key(&id(1)), "what ran was finished");
    person.cockpit.press(true).unwrap();
    fake.until("it works again", |s| s.delivered.contains_key(&id(2)) || s.failed.contains_key(&id(2))).await;
    person.cockpit.press(false).unwrap();
    person.sees("it has stopped again", |s| s.phase == Phase::Stopped).await;
    person.leaves().await;
    // The next start of the program knows.
    let again = Cockpit::open(&root.path().join("node"), root.path(), true).unwrap();
    assert!(!again.wants_work());
}

#[tokio::test(flavor = "multi_thread")]
async fn pressed_twice_it_ends_what_runs() {
    let (fake, root) = (Fake::default(), tempfile::tempdir().unwrap());
    fake.change(|s| s.leases = vec![lease(1, 1, None, &json!({"sleep": 25}))]);
    let person = Person::sits_down(&fake, root.path(), true, |_| {});
    person.sees("a task runs", |s| s.cards.get(&0).is_some_and(|c| c.running().is_some())).await;
    person.cockpit.press(false).unwrap();
    person.sees("it finishes", |s| s.phase == Phase::Finishing).await;
    person.cockpit.press(false).unwrap();
    let began = std::time::Instant::now();
    person.sees("it has stopped", |s| s.phase == Phase::Stopped).await;
    assert!(began.elapsed() < Duration::from_secs(10));
    assert!(fake.state().receipts.is_empty());
    person.leaves().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn settings_take_hold_while_it_runs() {
    let (fake, root) = (Fake::default(), tempfile::tempdir().unwrap());
    fake.change(|s| s.middle_ask = Some(Amount(7)));
    let person = Person::sits_down(&fake, root.path(), true, |_| {});
    let asks = |s: &crate::support::State| s.node.as_ref().map(|n| n.offer.ask_per_reference_hour);
    fake.until("it follows the market", |s| asks(s) == Some(Amount(7))).await;
    let change = |change: fn(&mut Settings)| person.cockpit.change(change).unwrap();
    change(|s| s.price = Price::AtLeast(Amount(50)));
    fake.until("down to its floor", |s| asks(s) == Some(Amount(50))).await;
    change(|s| s.cards_off = [0].into());
    person
        .sees("the card rests", |s| {
            s.cards.get(&0).is_some_and(|c| c.ruling == Some(Ruling::Wait(Reason::Off)))
        })
        .await;
    fake.until("the platform does not count on it", |s| s.draining).await;
    change(|s| s.cards_off.clear());
    fake.change(|s| s.leases.push(lease(1, 1, None, &json!({}))));
    fake.until("it works again", |s| s.delivered.contains_key(&id(1))).await;
    assert!(person.cockpit.change(|s| s.cache_gib = 0).is_err(), "nonsense is refused");
    person.leaves().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_start_that_fails_is_shown_and_tried_again_at_the_next_press() {
    let (fake, root) = (Fake::default(), tempfile::tempdir().unwrap());
    let person = Person::sits_down(&fake, root.path(), true, |o| o.node.slots = Some(1_000_000));
    person.sees("it says why", |s| matches!(&s.phase, Phase::Failed(why) if why.contains("fewer"))).await;
    let notes = |s: &Status| s.notes.len();
    assert_eq!(person.cockpit.board.look(notes), 1);
    let before = person.cockpit.board.look(|s| s.notes[0].at);
    person.cockpit.press(true).unwrap();
    person.sees("it was tried again", |s| s.notes[0].at > before).await;
    person.leaves().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_it_earned_is_asked_and_a_platform_that_is_away_keeps_the_last_answer() {
    let (fake, root) = (Fake::default(), tempfile::tempdir().unwrap());
    let earnings: tatau_api::Earnings = serde_json::from_value(json!({
        "owner": tatau_model::Address([1; 20]), "day": 1, "month": 0, "cards": [],
        "node": {"earned": {"today": 5, "month": 6, "all": 7}, "paid": {"today": 1, "month": 2, "all": 3}, "pending": 4,
                 "forfeited": 0, "slashed": 0, "accepted": 2, "rejected": 0, "lost": 0},
        "account": {"earned": 7, "paid": 3, "pending": 4, "forfeited": 0, "slashed": 0},
        "earn_in": {"complete": false, "stake": 3, "stake_needed": 10, "accepted": 2, "accepted_needed": 3, "faults": 0, "barred": false}
    }))
    .unwrap();
    fake.change(|s| s.earnings = Some(earnings.clone()));
    let person = Person::sits_down(&fake, root.path(), true, |_| {});
    let _watching = person.cockpit.watching();
    person.sees("its money", |s| s.earnings.as_ref() == Some(&earnings)).await;
    fake.change(|s| s.away = true);
    person.sees("why there is no news", |s| s.earnings_away.is_some() && s.earnings.is_some()).await;
    fake.change(|s| s.away = false);
    person.sees("news", |s| s.earnings_away.is_none()).await;
    person.leaves().await;
}
