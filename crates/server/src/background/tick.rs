//! Tells the market that time passed: leases, deadlines, dispute windows, unbonding.

use crate::app::App;
use std::{
    sync::Arc,
    time::{Duration, Instant},
};
use tatau_engine::Event;
use tatau_model::{Clock, SystemClock};

const EVERY: Duration = Duration::from_millis(250);

/// Until the server stops.
pub(crate) async fn run(app: Arc<App>) {
    let mut stopping = app.stopping.clone();
    let mut last = (SystemClock.now(), Instant::now());
    loop {
        tokio::select! {
            () = tokio::time::sleep(EVERY) => {}
            _ = stopping.wait_for(|stop| *stop) => return,
        }
        let now = (SystemClock.now(), Instant::now());
        let own = i64::try_from(now.1.duration_since(last.1).as_millis()).unwrap_or(i64::MAX);
        app.watch.clock(now.0, now.0.0.saturating_sub(last.0.0), own);
        last = now;
        if let Err(error) = app.writer.event(Event::Tick).await {
            tracing::warn!(sentence = error.sentence, "a tick was refused");
        }
    }
}
