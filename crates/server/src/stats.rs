//! The market in numbers, looked up at most every few seconds: a crowd before the market page costs as much as one visitor.

use crate::{app::App, error::ApiError};
use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};
use tatau_engine::Census;
use tatau_model::{Clock, Millis, SystemClock};
use tatau_store::{Sample, Verified};
use tokio::sync::Mutex;

/// So long an answer is good.
const FRESH: Duration = Duration::from_secs(4);
/// So long a curve is.
const CURVE_FRESH: Duration = Duration::from_secs(30);
const DAY_MS: i64 = 86_400_000;

/// The market at one moment, and what it did lately.
#[derive(Debug, Clone, Default)]
pub(crate) struct Snapshot {
    /// Who is here, what waits.
    pub census: Census,
    /// Work verified in the last 24 hours, as far as samples go back.
    pub day: Verified,
    /// Work verified ever.
    pub all: Verified,
}

/// How far back a curve goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Span {
    Day,
    Week,
    Month,
    Year,
}

impl Span {
    pub(crate) const ALL: [Self; 4] = [Self::Day, Self::Week, Self::Month, Self::Year];

    /// Its name in addresses.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Day => "day",
            Self::Week => "week",
            Self::Month => "month",
            Self::Year => "year",
        }
    }

    pub(crate) fn of(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|span| span.name() == name)
    }

    /// Its length.
    pub(crate) fn ms(self) -> i64 {
        match self {
            Self::Day => DAY_MS,
            Self::Week => 7 * DAY_MS,
            Self::Month => 30 * DAY_MS,
            Self::Year => 365 * DAY_MS,
        }
    }
}

type Curves = HashMap<Span, (Instant, Arc<Vec<Sample>>)>;

/// Answers for everybody who asks.
#[derive(Debug, Default)]
pub(crate) struct Stats {
    now: Mutex<Option<(Instant, Arc<Snapshot>)>>,
    looks: AtomicU64,
    curves: Mutex<Curves>,
}

impl Stats {
    /// The market now. Whoever comes while it is looked up waits for that one look.
    pub(crate) async fn now(&self, app: &App) -> Result<Arc<Snapshot>, ApiError> {
        let mut known = self.now.lock().await;
        if let Some((at, snapshot)) = &*known
            && at.elapsed() < FRESH
        {
            return Ok(Arc::clone(snapshot));
        }
        self.looks.fetch_add(1, Ordering::Relaxed);
        let snapshot = Arc::new(look(app).await?);
        *known = Some((Instant::now(), Arc::clone(&snapshot)));
        Ok(snapshot)
    }

    /// How often the market was looked at for this.
    pub(crate) fn looks(&self) -> u64 {
        self.looks.load(Ordering::Relaxed)
    }

    /// Samples of that span, oldest first.
    pub(crate) async fn curve(&self, app: &App, span: Span) -> Result<Arc<Vec<Sample>>, ApiError> {
        let mut curves = self.curves.lock().await;
        if let Some((at, samples)) = curves.get(&span)
            && at.elapsed() < CURVE_FRESH
        {
            return Ok(Arc::clone(samples));
        }
        let since = Millis(SystemClock.now().0 - span.ms());
        let samples = Arc::new(app.archive.samples(since).await?);
        curves.insert(span, (Instant::now(), Arc::clone(&samples)));
        Ok(samples)
    }
}

async fn look(app: &App) -> Result<Snapshot, ApiError> {
    let at = SystemClock.now();
    let census = app.writer.read(move |state| state.census(at)).await?;
    let last = app.archive.sample_before(at.plus(1)).await?;
    let (before, entry) = last.map_or((Verified::default(), 0), |sample| (sample.verified, sample.entry));
    let (more, _) = app.archive.verified_since(entry).await?;
    let all = add(before, more)?;
    let yesterday = app.archive.sample_before(Millis(at.0 - DAY_MS)).await?.map(|sample| sample.verified);
    let day = since(all, yesterday.unwrap_or_default())?;
    Ok(Snapshot { census, day, all })
}

/// Both together.
pub(crate) fn add(a: Verified, b: Verified) -> Result<Verified, ApiError> {
    let sum = |a: tatau_model::Amount, b| a.add(b).map_err(|e| ApiError::internal(&e));
    Ok(Verified {
        frames: a.frames + b.frames,
        tasks: a.tasks + b.tasks,
        audits: a.audits + b.audits,
        caught: a.caught + b.caught,
        paid: sum(a.paid, b.paid)?,
        audit_pay: sum(a.audit_pay, b.audit_pay)?,
    })
}

/// What came after `before`.
fn since(all: Verified, before: Verified) -> Result<Verified, ApiError> {
    let rest = |a: tatau_model::Amount, b| a.sub(b).map_err(|e| ApiError::internal(&e));
    Ok(Verified {
        frames: all.frames.saturating_sub(before.frames),
        tasks: all.tasks.saturating_sub(before.tasks),
        audits: all.audits.saturating_sub(before.audits),
        caught: all.caught.saturating_sub(before.caught),
        paid: rest(all.paid, before.paid)?,
        audit_pay: rest(all.audit_pay, before.audit_pay)?,
    })
}
