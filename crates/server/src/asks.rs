//! The middle of what providers ask now, looked up at most every few seconds.

use crate::{error::ApiError, writer::Writer};
use std::{
    collections::HashMap,
    time::{Duration, Instant},
};
use tatau_market::unit_price_limit;
use tatau_model::{Address, Amount, Clock, Strategy, SystemClock};
use tokio::sync::Mutex;

/// So long an answer is good: looking walks all nodes.
const FRESH: Duration = Duration::from_secs(5);

/// Answers for everybody who asks.
#[derive(Debug, Default)]
pub(crate) struct Asks {
    known: Mutex<Option<(Instant, Option<Amount>)>>,
}

impl Asks {
    /// The middle ask of the owners who offer now, each at its lowest; `None` where nobody does.
    pub(crate) async fn middle(&self, writer: &Writer) -> Result<Option<Amount>, ApiError> {
        let mut known = self.known.lock().await;
        if let Some((at, ask)) = *known
            && at.elapsed() < FRESH
        {
            return Ok(ask);
        }
        let now = SystemClock.now();
        let asks: Vec<Amount> = writer
            .read(move |state| {
                let mut lowest: HashMap<Address, Amount> = HashMap::new();
                for node in state.nodes() {
                    if node.offer.provides && !node.draining && state.is_online(&node.id, now) {
                        let ask = node.offer.ask_per_reference_hour;
                        lowest.entry(node.owner).and_modify(|a| *a = ask.min(*a)).or_insert(ask);
                    }
                }
                lowest.into_values().collect()
            })
            .await?;
        let ask = unit_price_limit(Strategy::Balanced, &asks);
        *known = Some((Instant::now(), ask));
        Ok(ask)
    }
}
