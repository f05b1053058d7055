//! `GET /market?span=…&class=…`, `GET /market/live`: looked up once every few seconds, for however many look.

use super::chart::{Curve, Point, Svg, draw};
use crate::{
    app::App,
    pages::{Area, PageError, Visitor, frame, html},
    stats::{Snapshot, Span},
};
use askama::Template;
use axum::{
    extract::{Query, State},
    response::{IntoResponse, Response},
};
use serde::Deserialize;
use std::sync::Arc;
use tatau_model::{Amount, Clock, Millis, SystemClock, card};
use tatau_store::Sample;
use tatau_ui::{Frame, words};

#[derive(Deserialize)]
pub(crate) struct Asked {
    #[serde(default)]
    span: String,
    #[serde(default)]
    class: String,
}

struct Row {
    class: String,
    online: u32,
    working: u32,
    free: u32,
    low: String,
    middle: String,
    /// The middle ask for an hour of this class' own speed.
    card_hour: String,
    waiting: u64,
    waiting_hours: String,
}

#[derive(Template)]
#[template(path = "pages/market_live.html")]
struct Live {
    rows: Vec<Row>,
    online: u32,
    working: u32,
    waiting_any: u64,
    waiting_any_hours: String,
    waiting: u64,
    waiting_hours: String,
    validators: u32,
    frames: u64,
    audits: u64,
    caught: u64,
    paid: String,
    frames_ever: u64,
    jobs: u32,
}

struct Choice {
    href: String,
    text: String,
    current: bool,
}

#[derive(Template)]
#[template(path = "pages/market.html")]
struct Page {
    frame: Frame,
    live: Live,
    spans: Vec<Choice>,
    classes: Vec<Choice>,
    class: String,
    price: Option<Svg>,
    supply: Option<Svg>,
    waiting: Option<Svg>,
}

pub(crate) async fn show(
    State(app): State<Arc<App>>,
    Query(asked): Query<Asked>,
    visitor: Visitor,
) -> Result<Response, PageError> {
    let span = Span::of(&asked.span).unwrap_or(Span::Day);
    let snapshot = app.stats.now(&app).await?;
    let samples = app.stats.curve(&app, span).await?;
    let known = classes(&samples);
    let class =
        known.iter().find(|name| **name == asked.class).or(known.first()).cloned().unwrap_or_default();
    let to = SystemClock.now();
    let from = Millis(to.0 - span.ms());
    let [price, supply, waiting] = charts(&samples, &class, from, to);
    let link = |span: Span, class: &str| format!("/market?span={}&class={class}", span.name());
    let page = Page {
        frame: frame(&app, visitor.session.as_ref(), Area::Market).await?,
        live: of(&snapshot),
        spans: Span::ALL
            .map(|s| Choice { href: link(s, &class), text: s.name().to_owned(), current: s == span })
            .into(),
        classes: known
            .iter()
            .map(|c| Choice { href: link(span, c), text: c.clone(), current: *c == class })
            .collect(),
        class,
        price,
        supply,
        waiting,
    };
    Ok(html(&page)?.into_response())
}

pub(crate) async fn live(State(app): State<Arc<App>>) -> Result<Response, PageError> {
    let snapshot = app.stats.now(&app).await?;
    Ok(html(&of(&snapshot))?.into_response())
}

/// Classes that were here in the span, by name.
fn classes(samples: &[Sample]) -> Vec<String> {
    let mut names: Vec<String> = samples.iter().flat_map(|s| s.classes.keys().cloned()).collect();
    names.sort_unstable();
    names.dedup();
    names.retain(|name| card::class(name).is_some());
    names
}

fn charts(samples: &[Sample], class: &str, from: Millis, to: Millis) -> [Option<Svg>; 3] {
    let of = |value: &dyn Fn(&Sample) -> Option<i64>| -> Vec<Point> {
        samples.iter().map(|s| (s.at, value(s))).collect()
    };
    let price = of(&|s| Some(s.classes.get(class)?.middle?.0));
    let supply = of(&|s| Some(s.classes.values().map(|c| i64::from(c.online)).sum()));
    let waiting = of(&|s| i64::try_from(s.waiting_ms).ok());
    let money = |nano: i64| coarse(Amount(nano));
    let count = |n: i64| n.to_string();
    let hours = |ms: i64| words::duration(u64::try_from(ms).unwrap_or(0));
    let curve = |points: &[Point], area, text: &dyn Fn(i64) -> String, title: &str| {
        draw(&Curve { points, from, to, area, text, title })
    };
    [
        curve(
            &price,
            false,
            &money,
            &format!("Middle ask for an hour of a GTX 1080 Ti's worth of work on {class}, TATAU"),
        ),
        curve(&supply, true, &count, "Cards online"),
        curve(&waiting, true, &hours, "Work that waits, in time of one GTX 1080 Ti"),
    ]
}

/// For an axis: three places are enough.
fn coarse(amount: Amount) -> String {
    let milli = amount.0 / 1_000_000;
    format!("{}.{:03}", milli / 1_000, milli % 1_000)
}

fn of(snapshot: &Snapshot) -> Live {
    let (census, day) = (&snapshot.census, &snapshot.day);
    let rows: Vec<Row> = census
        .classes
        .iter()
        .map(|(name, count)| Row {
            class: name.clone(),
            online: count.online,
            working: count.working,
            free: count.online.saturating_sub(count.working),
            low: count.asks.first().map_or_else(|| "–".into(), ToString::to_string),
            middle: count.middle_ask().map_or_else(|| "–".into(), |a| a.to_string()),
            card_hour: card_hour(name, count.middle_ask()),
            waiting: count.waiting,
            waiting_hours: hours(count.waiting_ms),
        })
        .collect();
    let (any, any_ms) = census.waiting_any;
    let waiting_ms = census.classes.values().fold(any_ms, |sum, c| sum.saturating_add(c.waiting_ms));
    Live {
        online: rows.iter().map(|r| r.online).sum(),
        working: rows.iter().map(|r| r.working).sum(),
        waiting: rows.iter().map(|r| r.waiting).sum::<u64>() + any,
        waiting_hours: hours(waiting_ms),
        rows,
        waiting_any: any,
        waiting_any_hours: hours(any_ms),
        validators: census.validators_online,
        frames: day.frames,
        audits: day.audits,
        caught: day.caught,
        paid: words::money(day.paid),
        frames_ever: snapshot.all.frames,
        jobs: census.jobs_running,
    }
}

/// Price of an hour of a card of that class, by its speed in the class table.
fn card_hour(class: &str, ask: Option<Amount>) -> String {
    let price = card::class(class).zip(ask).and_then(|(class, ask)| ask.scale(class.score_milli, 1_000).ok());
    price.map_or_else(|| "–".into(), |price| price.to_string())
}

fn hours(ms: u64) -> String {
    if ms == 0 { "nothing".into() } else { words::duration(ms) }
}
