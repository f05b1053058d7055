//! Orders that cannot be put together: one lost blob spoils one lease, not the poll that names it.
#![allow(clippy::unwrap_used)]

use crate::home::{Home, registration};
use std::time::{Duration, Instant};
use tatau_api::Poll;
use tatau_evidence::SigningKey;
use tatau_model::{BlobId, Change, JobId};
use tatau_store::Store;

#[tokio::test(flavor = "multi_thread")]
async fn an_order_that_cannot_be_read_is_given_back_and_spoils_no_other() {
    let home = Home::open().await;
    let (owner, _) = home.owner().await;
    let key = SigningKey::generate(&mut rand::rng());
    let node = home.as_key(&key);
    let mut asked = registration(&owner, &key, false);
    asked.cards.push(asked.cards[0].clone());
    node.register_node(&asked).await.unwrap();
    let poll = |cards: &[u16]| Poll { cards: cards.to_vec(), wait_ms: 10_000, ..Poll::default() };
    let mut leases = node.poll(&poll(&[0, 1])).await.unwrap().leases;
    assert_eq!(leases.len(), 2, "each card is measured");
    let (spoilt, good) = (leases.remove(0), leases.remove(0));

    // The job of one of them names a bundle that is gone.
    let (dir, config) = home.close().await;
    spoil(&dir.path().join("data/market.sqlite"), spoilt.order.job);
    let home = Home::in_dir(dir, config).await;
    let node = home.as_key(&key);
    let began = Instant::now();
    let answer = node.poll(&poll(&[])).await.unwrap();
    assert_eq!(answer.leases, vec![good.clone()], "the other comes again");
    // It is not this node's any more; asked for again it is drawn and given back again, at the node's own pace.
    let named = Poll { running: vec![good.attempt, spoilt.attempt], ..poll(&[]) };
    assert_eq!(node.poll(&named).await.unwrap().stop, vec![spoilt.attempt]);
    let named = Poll { running: vec![good.attempt], ..poll(&[0, 1]) };
    assert_eq!(node.poll(&named).await.unwrap(), tatau_api::PollAnswer::default());
    assert!(began.elapsed() < Duration::from_secs(8), "answered at once: {:?}", began.elapsed());
    assert_eq!(node.node().await.unwrap().id, key.address());
    let faults = home.as_key(&owner).account().await.unwrap().account.stake_faults;
    assert_eq!(faults, 0, "not the provider's fault");
    home.close().await;
}

fn spoil(database: &std::path::Path, job: JobId) {
    let mut store = Store::open(database).unwrap();
    let mut changes = Vec::new();
    for record in store.load().unwrap().into_records() {
        if let Change::Job(mut found) = record
            && found.id == job
        {
            found.bundle = Some(BlobId([7; 32]));
            changes.push(Change::Job(found));
        }
    }
    assert_eq!(changes.len(), 1);
    store.commit(&changes).unwrap();
}
