//! `POST /v1/quotes`: price and time by card class and strategy, from the probe and the offers of now.

use crate::{
    app::App,
    auth::Call,
    error::ApiError,
    known, program, tiling,
    work::{self, Inspected},
};
use axum::{Json, extract::State as Shared};
use std::{collections::BTreeMap, sync::Arc};
use tatau_api::{Quote, QuoteRequest, QuoteRow, TasksQuoteRequest};
use tatau_engine::State;
use tatau_model::{Amount, Card, CardKind, Clock, Device, Job, Millis, Node, SystemClock, Who};
use tatau_workload::{
    frames, inspection,
    quote::{self as workload_quote, OfferLine, Wanted},
    tiles::Wish as Tiles,
    units,
};

pub(crate) async fn make(Shared(app): Shared<Arc<App>>, call: Call) -> Result<Json<Quote>, ApiError> {
    let owner = call.account(&app).await?;
    let QuoteRequest { inspection, frames, video, who, fresh, tiles, device } = call.json()?;
    let found = work::inspected(&app, inspection, owner).await?;
    let frames = frames::parse(&frames).map_err(|e| ApiError::invalid(e.to_string()))?;
    quote(&app, &found, &frames, Asked { video, who, fresh, tiles, device }).await.map(Json)
}

/// `POST /v1/quotes/tasks`: of a bundle's tasks, whose time is what their buyer says.
pub(crate) async fn tasks(Shared(app): Shared<Arc<App>>, call: Call) -> Result<Json<Quote>, ApiError> {
    let owner = call.account(&app).await?;
    let request: TasksQuoteRequest = call.json()?;
    let TasksQuoteRequest { template, parameters, inputs, task_reference_ms, environment, who } = request;
    let reference_ms = program::check_time(task_reference_ms)?;
    let manifest = crate::reach::manifest(&app, inputs).await?;
    let spec = program::check(template, parameters, manifest, true).await?.spec;
    let tasks = u32::try_from(spec.tasks()).unwrap_or(u32::MAX);
    let now = SystemClock.now();
    let offers = app.writer.read(move |state| {
        let fits = |node: &Node| node.offer.has(&environment) && state.may_be_seen(who, &owner, &node.owner);
        // As they are leased: to processors.
        lines(state, fits, |_, card| placed(card, Device::Cpu, 0), now)
    });
    let wanted = Wanted {
        frame_parts: vec![reference_ms],
        frames: u64::from(tasks),
        known: 0,
        picture_reference_ms: None,
        picture: (0, 0),
        video: false,
        least_price: app.config.least_price,
    };
    let rows = rows(&wanted, &offers.await?, who)?;
    let tiles = Tiles::Off.to_string();
    Ok(Json(Quote { frames: tasks, known: 0, reference_ms, tiles, fee_ppm: app.config.fee_ppm, rows }))
}

/// How frames are asked for.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    pub video: bool,
    pub who: Who,
    /// Results of earlier jobs are not taken over.
    pub fresh: bool,
    /// `auto`, `off`, or columns and rows.
    pub tiles: String,
    /// What renders.
    pub device: Device,
}

/// What so many frames of an inspected scene would cost and take now.
pub(crate) async fn quote(
    app: &App,
    found: &Inspected,
    frames: &[i32],
    Asked { video, who, fresh, tiles, device }: Asked,
) -> Result<Quote, ApiError> {
    let mut spec = found.spec(frames, video)?;
    spec.device = device;
    spec.tiles = tiling::grid(app, found, &spec, who, &tiles).await?;
    let reference_ms = found.reference_ms()?;
    let known = if fresh { 0 } else { known::frames(&known::results(app, &found.job, &spec).await?) };
    let mut job = found.job.clone();
    job.machines.who = who;
    job.memory_mib = inspection::memory_mib(&found.report, &spec);
    let now = SystemClock.now();
    let offers = app.writer.read(move |state| offers(state, &job, device, now)).await?;
    let wanted = Wanted {
        frame_parts: units::frame_parts(&spec, reference_ms),
        frames: frames.len() as u64,
        known: u64::from(known),
        picture_reference_ms: Some(units::picture_reference_ms(&spec)),
        picture: spec.picture(),
        video,
        least_price: app.config.least_price,
    };
    let rows = rows(&wanted, &offers, who)?;
    let frames = u32::try_from(frames.len()).unwrap_or(u32::MAX);
    let tiles = spec.tiles.map_or_else(|| Tiles::Off.to_string(), |grid| grid.to_string());
    Ok(Quote { frames, known, reference_ms, tiles, fee_ppm: app.config.fee_ppm, rows })
}

/// The rows of a quote; work on one's own machines costs nothing.
fn rows(wanted: &Wanted, offers: &[OfferLine], who: Who) -> Result<Vec<QuoteRow>, ApiError> {
    let rows = workload_quote::quote(wanted, offers).map_err(|e| ApiError::invalid(e.to_string()))?;
    let free = who == Who::Own;
    let rows = rows.into_iter().map(|row| QuoteRow {
        class: row.class,
        strategy: row.strategy,
        cards: row.cards,
        price: if free { Amount::ZERO } else { row.price },
        cap: if free { Amount::ZERO } else { row.cap },
        time_ms: row.time_ms,
    });
    Ok(rows.collect())
}

/// Placed cards of online nodes that would render such a job on that device now.
pub(crate) fn offers(state: &State, job: &Job, device: Device, now: Millis) -> Vec<OfferLine> {
    let fits = |n: &Node| n.offer.has(&job.environment) && state.may_see(job, &n.owner);
    let suits = |node: &Node, card: &Card| {
        placed(card, device, job.memory_mib).or_else(|| {
            // One's own graphics card needs no place on the market.
            let own = job.machines.who == Who::Own && node.owner == job.owner && card.kind == CardKind::Gpu;
            let class = card.class().filter(|_| own && able(card, device, job.memory_mib))?;
            Some((class.name, class.score_milli))
        })
    };
    lines(state, fits, suits, now)
}

fn able(card: &Card, device: Device, memory_mib: u64) -> bool {
    card.memory_mib >= memory_mib && card.renders_on(device)
}

/// Class and score of a card that can do it and was measured.
fn placed(card: &Card, device: Device, memory_mib: u64) -> Option<(&'static str, u64)> {
    let class = card.class().filter(|_| able(card, device, memory_mib))?;
    Some((class.name, card.score_milli?))
}

fn lines(
    state: &State,
    fits: impl Fn(&Node) -> bool,
    suits: impl Fn(&Node, &Card) -> Option<(&'static str, u64)>,
    now: Millis,
) -> Vec<OfferLine> {
    let mut lines: BTreeMap<(&'static str, u64, Amount), u32> = BTreeMap::new();
    let open = state.nodes().filter(|n| state.is_open_for_work(n, now) && fits(n));
    for node in open {
        for (class, score) in node.cards.iter().filter_map(|card| suits(node, card)) {
            *lines.entry((class, score, node.offer.ask_per_reference_hour)).or_default() += 1;
        }
    }
    let line = |((class, score_milli, ask), cards): ((&'static str, u64, Amount), u32)| OfferLine {
        class: class.to_owned(),
        score_milli,
        ask_per_reference_hour: ask,
        cards,
    };
    lines.into_iter().map(line).collect()
}
