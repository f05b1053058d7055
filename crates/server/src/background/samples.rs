//! Writes down the market every minute: for curves, and for what was verified lately.

use crate::{app::App, error::ApiError, stats};
use std::{sync::Arc, time::Duration};
use tatau_model::{Clock, SystemClock};
use tatau_store::{ClassSample, Sample, Verified};

const EVERY: Duration = Duration::from_mins(1);

/// Until the server stops.
pub(crate) async fn run(app: Arc<App>) {
    let mut stopping = app.stopping.clone();
    loop {
        if let Err(error) = take(&app).await {
            tracing::warn!(
                sentence = error.sentence,
                "the market was not sampled; the next minute counts this one too"
            );
        }
        tokio::select! {
            () = tokio::time::sleep(EVERY) => {}
            _ = stopping.wait_for(|stop| *stop) => return,
        }
    }
}

/// One sample. Totals go on from the last one, so that a minute that was missed is missed by no total.
async fn take(app: &App) -> Result<(), ApiError> {
    let at = SystemClock.now();
    let census = app.writer.read(move |state| state.census(at)).await?;
    let last = app.archive.sample_before(at).await?;
    let (before, entry) = last.map_or((Verified::default(), 0), |sample| (sample.verified, sample.entry));
    let (more, entry) = app.archive.verified_since(entry).await?;
    let class = |(name, count): (&String, &tatau_engine::ClassCensus)| {
        let sample = ClassSample {
            online: count.online,
            working: count.working,
            low: count.asks.first().copied(),
            middle: count.middle_ask(),
        };
        (name.clone(), sample)
    };
    let (any, any_ms) = census.waiting_any;
    let waiting = census.classes.values().map(|c| c.waiting).sum::<u64>() + any;
    let waiting_ms = census.classes.values().fold(any_ms, |sum, c| sum.saturating_add(c.waiting_ms));
    let sample = Sample {
        at,
        entry,
        classes: census.classes.iter().map(class).collect(),
        waiting,
        waiting_ms,
        verified: stats::add(before, more)?,
    };
    let kept = app.writer.keep(move |store| store.put_sample(&sample)).await?;
    kept.map_err(|e| ApiError::internal(&e))
}
