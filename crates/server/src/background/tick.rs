//! Tells the market that time passed: leases, deadlines, dispute windows, unbonding.

use crate::app::App;
use std::{sync::Arc, time::Duration};
use tatau_engine::Event;

const EVERY: Duration = Duration::from_millis(250);

/// Until the server stops.
pub(crate) async fn run(app: Arc<App>) {
    let mut stopping = app.stopping.clone();
    loop {
        tokio::select! {
            () = tokio::time::sleep(EVERY) => {}
            _ = stopping.wait_for(|stop| *stop) => return,
        }
        if let Err(error) = app.writer.event(Event::Tick).await {
            tracing::warn!(sentence = error.sentence, "a tick was refused");
        }
    }
}
