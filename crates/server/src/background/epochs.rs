//! Closes epochs of the receipt log with the next value of the pre-committed hash chain.

use crate::app::App;
use std::{sync::Arc, time::Duration};
use tatau_engine::Event;
use tatau_evidence::{
    BeaconError, HashChain,
    beacon::{CHAIN_LENGTH, place_of_epoch},
};
use tatau_model::Digest;

const EVERY_LOCAL: Duration = Duration::from_millis(500);
const EVERY: Duration = Duration::from_secs(5);

/// The values, generation after generation.
pub(crate) struct Beacon {
    seed: Digest,
    generation: u64,
    chain: HashChain,
}

impl Beacon {
    /// The chain of `seed` that holds the value of epoch `next`. Takes a second of hashing.
    pub(crate) fn new(seed: Digest, next: u64) -> Result<Self, BeaconError> {
        let generation = place_of_epoch(next.max(1), CHAIN_LENGTH).map_or(0, |(generation, _)| generation);
        Ok(Self { seed, generation, chain: HashChain::new(&seed, generation, CHAIN_LENGTH)? })
    }

    /// What was published before the first value.
    pub(crate) fn anchor(&self) -> Digest {
        self.chain.anchor()
    }

    fn value(&mut self, epoch: u64) -> Result<Digest, BeaconError> {
        let (generation, place) = place_of_epoch(epoch.max(1), CHAIN_LENGTH).unwrap_or((0, 1));
        if generation != self.generation {
            self.chain = HashChain::new(&self.seed, generation, CHAIN_LENGTH)?;
            self.generation = generation;
        }
        self.chain.value(place)
    }
}

/// Until the server stops. The only one who closes epochs, so the next number stays the next.
pub(crate) async fn run(app: Arc<App>, mut beacon: Beacon) {
    let every = if app.local { EVERY_LOCAL } else { EVERY };
    let mut stopping = app.stopping.clone();
    loop {
        tokio::select! {
            () = tokio::time::sleep(every) => {}
            _ = stopping.wait_for(|stop| *stop) => return,
        }
        let look = |state: &tatau_engine::State| {
            state.has_unsealed_receipts().then(|| state.last_epoch.as_ref().map_or(0, |e| e.id.0) + 1)
        };
        let next = match app.writer.read(look).await {
            Ok(Some(next)) => next,
            Ok(None) => continue,
            // Busy: the receipts are sealed a moment later. At the end of the server the loop ends by itself.
            Err(error) => {
                tracing::warn!(sentence = error.sentence, "the receipt log could not be looked at");
                continue;
            }
        };
        let value = tokio::task::spawn_blocking(move || {
            let value = beacon.value(next);
            (beacon, value)
        });
        let (kept, value) = match value.await {
            Ok(done) => done,
            Err(error) => {
                tracing::error!(%error, "the beacon is lost; no epoch closes until the server is started again");
                return;
            }
        };
        beacon = kept;
        match value {
            Ok(value) => {
                if let Err(error) = app.writer.event(Event::CloseEpoch { beacon: value }).await {
                    tracing::error!(epoch = next, sentence = error.sentence, "the epoch could not be closed");
                }
            }
            Err(error) => tracing::error!(epoch = next, %error, "the epoch has no beacon value"),
        }
    }
}
