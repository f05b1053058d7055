//! A node asks what it earned, and what others ask. Whole runs with pay are in `cli/tests/market.rs`.
#![allow(clippy::unwrap_used)]

use crate::home::{Home, registration};
use tatau_api::{Earned, Totals};
use tatau_evidence::SigningKey;
use tatau_model::{Amount, Offer};

#[tokio::test(flavor = "multi_thread")]
async fn a_node_sees_its_earnings_and_how_far_earn_in_is() {
    let home = Home::open().await;
    let (owner, money) = home.owner().await;
    let (_, node, _) = home.node(&owner, false).await;
    let earnings = node.earnings(0).await.unwrap();
    assert_eq!(
        (earnings.owner, earnings.node, earnings.account),
        (owner.address(), Earned::default(), Totals::default())
    );
    assert!(earnings.cards.is_empty() && !earnings.earn_in.complete);
    assert_eq!(earnings.earn_in.stake_needed, home.config.earn_in_stake);
    assert_eq!(earnings.earn_in.accepted_needed, home.config.earn_in_accepted);
    assert_eq!((earnings.day.0 % 86_400_000, earnings.month.0 % 86_400_000), (0, 0));
    assert!(earnings.month <= earnings.day);
    money.stake(Amount(70)).await.unwrap();
    assert_eq!(node.earnings(0).await.unwrap().earn_in.stake, Amount(70));
    let india = node.earnings(330).await.unwrap();
    assert_eq!(india.day.0.rem_euclid(86_400_000), 86_400_000 - 330 * 60_000);
    assert_eq!(node.earnings(7).await.unwrap_err().code(), Some("invalid"));
    assert_eq!(money.earnings(0).await.unwrap_err().code(), Some("forbidden"), "an account is no node");
    home.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_middle_ask_is_one_voice_an_owner_and_of_those_who_offer() {
    let home = Home::open().await;
    let (_, reader) = home.owner().await;
    for (asks, draining) in [(&[5, 9][..], false), (&[7], false), (&[100], false), (&[1], true)] {
        let (owner, _) = home.owner().await;
        for ask in asks {
            let key = SigningKey::generate(&mut rand::rng());
            let mut node = registration(&owner, &key, false);
            node.offer = Offer { ask_per_reference_hour: Amount(*ask), ..node.offer };
            let client = home.as_key(&key);
            client.register_node(&node).await.unwrap();
            client.drain(draining).await.unwrap();
        }
    }
    assert_eq!(reader.platform().await.unwrap().middle_ask, Some(Amount(7)), "of 5, 7 and 100");
    home.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_offer_that_blocks_too_many_is_refused() {
    let home = Home::open().await;
    let (owner, _) = home.owner().await;
    let (_, client, node) = home.node(&owner, false).await;
    let mut offer = Offer { blocked: vec![owner.address()], refused: vec!["video".into()], ..node.offer };
    assert_eq!(client.set_offer(&offer, None).await.unwrap().offer, offer);
    offer.blocked = (0..=u8::MAX).chain([0]).map(|n| tatau_model::Address([n; 20])).collect();
    assert_eq!(client.set_offer(&offer, None).await.unwrap_err().code(), Some("invalid"));
    offer.blocked = Vec::new();
    offer.refused = vec!["x".repeat(101)];
    assert_eq!(client.set_offer(&offer, None).await.unwrap_err().code(), Some("invalid"));
    home.close().await;
}
