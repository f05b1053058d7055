//! Measurements, run by hand: `cargo nextest run -p tatau-server --run-ignored only --no-capture measure::`.
#![allow(clippy::unwrap_used)]

use crate::home::Home;
use std::time::{Duration, Instant};
use tatau_model::Amount;

#[tokio::test(flavor = "multi_thread")]
#[ignore = "a measurement, not a check"]
async fn signed_requests_a_second() {
    let home = Home::open().await;
    for (what, writes) in [("signed reads", false), ("signed durable writes", true)] {
        let mut workers = Vec::new();
        for _ in 0..64 {
            let (_, client) = home.owner().await;
            workers.push(tokio::spawn(async move {
                let until = Instant::now() + Duration::from_secs(3);
                let mut done = 0u32;
                while Instant::now() < until {
                    if writes {
                        client.stake(Amount(1)).await.unwrap();
                    } else {
                        client.account().await.unwrap();
                    }
                    done += 1;
                }
                done
            }));
        }
        let mut all = 0;
        for worker in workers {
            all += worker.await.unwrap();
        }
        println!("{what}: {} a second (client and server on one machine)", all / 3);
    }
    assert!(home.operator().admin_books().await.unwrap().balanced);
    home.close().await;
}
