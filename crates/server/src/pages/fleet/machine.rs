//! `GET /fleet/machine/{id}`: one machine, card by card.

use super::{
    list::{Said, short},
    rows::{self, Pay, Seen},
    set, zone,
};
use crate::{
    app::App,
    error::ApiError,
    pages::{Area, Member, PageError, capital, frame, html},
    session::Session,
};
use askama::Template;
use axum::{
    extract::{Path, Query, State},
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
};
use serde::Deserialize;
use std::{collections::BTreeMap, sync::Arc};
use tatau_model::{Address, Card, CardKind};
use tatau_ui::{Frame, Notice, Tone, words};

#[derive(Deserialize)]
pub(crate) struct Asked {
    #[serde(default)]
    done: String,
}

struct CardLine {
    number: usize,
    name: String,
    class: &'static str,
    score: String,
    doing: String,
    today: String,
    month: String,
    all: String,
    accepted: u64,
    faults: String,
}

#[derive(Template)]
#[template(path = "pages/fleet_machine_live.html")]
struct Live {
    id: String,
    word: &'static str,
    tag: &'static str,
    since: String,
    today: String,
    month: String,
    all: String,
    pending: String,
    faults: String,
    cards: Vec<CardLine>,
    untold: bool,
}

#[derive(Template)]
#[template(path = "pages/fleet_machine.html")]
struct Page {
    frame: Frame,
    live: Live,
    title: String,
    label: String,
    host: String,
    role: &'static str,
    ask: String,
    floor: String,
    draining: bool,
    version: String,
    environments: String,
    registered: String,
}

pub(crate) async fn show(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    Query(asked): Query<Asked>,
    headers: HeaderMap,
    member: Member,
) -> Result<Response, PageError> {
    let said = set::DONE.iter().find(|(what, _)| *what == asked.done);
    let said = said.map_or(Said::Nothing, |(_, text)| Said::Good((*text).to_owned()));
    page(&app, &member.session, &headers, address(&id)?, said).await
}

pub(crate) async fn live(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    headers: HeaderMap,
    member: Member,
) -> Result<Response, PageError> {
    let (_, live) = look(&app, member.owner, address(&id)?, &headers).await?;
    Ok(html(&live)?.into_response())
}

fn address(id: &str) -> Result<Address, ApiError> {
    id.parse().map_err(|_| absent())
}

fn absent() -> ApiError {
    ApiError::not_found("you have no such machine; the list of your machines shows them all")
}

pub(super) async fn page(
    app: &App,
    session: &Session,
    headers: &HeaderMap,
    id: Address,
    said: Said,
) -> Result<Response, PageError> {
    let owner = session.owner.ok_or_else(|| ApiError::forbidden("the operator has no machines"))?;
    let (seen, live) = look(app, owner, id, headers).await?;
    let mut frame = frame(app, Some(session), Area::Fleet).await?;
    let mut status = StatusCode::OK;
    match said {
        Said::Good(text) => frame.notice = Some(Notice { tone: Tone::Good, text }),
        Said::Refusal(error) => {
            frame.notice = Some(Notice { tone: Tone::Bad, text: capital(&error.sentence) });
            status = error.status;
        }
        Said::Nothing | Said::Code(_) => {}
    }
    let node = &seen.node;
    let page = Page {
        frame,
        live,
        title: node.title().to_owned(),
        label: node.settings.label.clone(),
        host: node.name.clone(),
        role: seen.role(),
        ask: words::money(node.offer.ask_per_reference_hour),
        floor: node.settings.floor.map(|f| f.to_string()).unwrap_or_default(),
        draining: node.settings.draining,
        version: node.version.clone(),
        environments: node.offer.environments.join(", "),
        registered: words::utc(node.registered),
    };
    Ok((status, html(&page)?).into_response())
}

async fn look(
    app: &App,
    owner: Address,
    id: Address,
    headers: &HeaderMap,
) -> Result<(Seen, Live), PageError> {
    let seen = rows::seen(app, owner).await?.into_iter().find(|s| s.node.id == id).ok_or_else(absent)?;
    let pays = rows::pays(app, owner, Some(id), zone::begins(headers)).await?;
    let pays = pays.get(&id).cloned().unwrap_or_default();
    let total = rows::sum(pays.values())?;
    let condition = seen.condition();
    let live = Live {
        id: id.to_string(),
        word: condition.word,
        tag: condition.tag,
        since: condition.since,
        today: words::money(total.today),
        month: words::money(total.month),
        all: words::money(total.all),
        pending: words::money(total.pending),
        faults: total.faults(),
        cards: cards(&seen, &pays),
        untold: seen.node.heard < seen.node.settings.revision && seen.node.offer.provides,
    };
    Ok((seen, live))
}

/// Cards that it has, and those of before that earned something.
fn cards(seen: &Seen, pays: &BTreeMap<u16, Pay>) -> Vec<CardLine> {
    let have = seen.node.cards.len();
    let last = pays.keys().next_back().map_or(0, |card| usize::from(*card) + 1);
    let none = Pay::default();
    let line = |number: usize| {
        let card = seen.node.cards.get(number);
        let pay = u16::try_from(number).ok().and_then(|n| pays.get(&n)).unwrap_or(&none);
        let doing =
            seen.busy.iter().filter(|(card, _)| usize::from(*card) == number).map(|(_, what)| what.as_str());
        CardLine {
            number,
            name: card.map_or_else(|| "not there any more".into(), name),
            class: card.and_then(Card::class).map_or("", |class| class.name),
            score: card.map_or_else(String::new, score),
            doing: doing.collect::<Vec<_>>().join(", then "),
            today: short(pay.today),
            month: short(pay.month),
            all: short(pay.all),
            accepted: pay.accepted,
            faults: pay.faults(),
        }
    };
    (0..have.max(last)).map(line).collect()
}

fn name(card: &Card) -> String {
    match card.kind {
        CardKind::Cpu => format!("CPU slot, {}", words::count(u64::from(card.threads), "thread")),
        CardKind::Gpu => card.name.clone(),
    }
}

/// Speed against a GTX 1080 Ti.
fn score(card: &Card) -> String {
    match card.score_milli {
        Some(milli) => format!("{}.{:02} × a GTX 1080 Ti", milli / 1_000, milli % 1_000 / 10),
        None => "not measured yet".into(),
    }
}
