//! `GET /fleet`, `GET /fleet/machines`: all machines of an account, and the form that joins another.

use super::{
    join::{self, CodeLine},
    rows::{self, Pay},
    zone,
};
use crate::{
    app::App,
    error::ApiError,
    pages::{Area, Member, PageError, capital, frame, html},
    session::Session,
    site,
};
use askama::Template;
use axum::{
    extract::{Query, State},
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
};
use serde::Deserialize;
use std::{collections::BTreeMap, sync::Arc};
use tatau_model::{Address, Amount};
use tatau_ui::{Frame, Notice, Tone, words};

/// Machines of one page; a search finds the others.
const SHOWN: usize = 200;
/// Longest search.
const MAX_FIND: usize = 100;

#[derive(Deserialize)]
pub(crate) struct Asked {
    #[serde(default)]
    find: String,
    #[serde(default)]
    done: String,
}

/// One machine in the list.
struct Row {
    id: String,
    title: String,
    word: &'static str,
    tag: &'static str,
    since: String,
    cards: String,
    role: &'static str,
    today: String,
    month: String,
    all: String,
    faults: String,
    ask: String,
    /// The owner's word is on its way to it.
    untold: bool,
}

/// All that is live.
#[derive(Template)]
#[template(path = "pages/fleet_machines.html")]
struct Machines {
    find: String,
    rows: Vec<Row>,
    /// Found, but not shown.
    more: usize,
    /// In the fleet at all.
    total: usize,
    online: usize,
    working: usize,
    sums: Sums,
}

struct Sums {
    today: String,
    month: String,
    all: String,
    pending: String,
    faults: String,
}

#[derive(Template)]
#[template(path = "pages/fleet.html")]
struct Page {
    frame: Frame,
    machines: Machines,
    codes: Vec<CodeLine>,
    /// The line of a code that was made just now.
    line: Option<String>,
    limited: bool,
    most_uses: u32,
    default_hours: u64,
    install: String,
}

/// What the page says at its top.
pub(super) enum Said {
    Nothing,
    Good(String),
    Refusal(ApiError),
    /// A fresh join code.
    Code(String),
}

pub(crate) async fn show(
    State(app): State<Arc<App>>,
    Query(asked): Query<Asked>,
    headers: HeaderMap,
    member: Member,
) -> Result<Response, PageError> {
    let said = super::set::DONE.iter().find(|(what, _)| *what == asked.done);
    let said = said.map_or(Said::Nothing, |(_, text)| Said::Good((*text).to_owned()));
    page(&app, &member.session, &headers, &asked.find, said).await
}

pub(crate) async fn machines(
    State(app): State<Arc<App>>,
    Query(asked): Query<Asked>,
    headers: HeaderMap,
    member: Member,
) -> Result<Response, PageError> {
    Ok(html(&look(&app, member.owner, &headers, &asked.find).await?)?.into_response())
}

/// The whole page.
pub(super) async fn page(
    app: &App,
    session: &Session,
    headers: &HeaderMap,
    find: &str,
    said: Said,
) -> Result<Response, PageError> {
    let owner = session
        .owner
        .ok_or_else(|| ApiError::forbidden("the operator has no machines; sign in with an account"))?;
    let url = site::url(app, headers);
    let mut frame = frame(app, Some(session), Area::Fleet).await?;
    let (mut line, mut status) = (None, StatusCode::OK);
    match said {
        Said::Nothing => {}
        Said::Good(text) => frame.notice = Some(Notice { tone: Tone::Good, text }),
        Said::Refusal(error) => {
            frame.notice = Some(Notice { tone: Tone::Bad, text: capital(&error.sentence) });
            status = error.status;
        }
        Said::Code(code) => line = Some(format!("tatau provide --server {url} --join {code}")),
    }
    let page = Page {
        frame,
        machines: look(app, owner, headers, find).await?,
        codes: join::codes(app, owner).await?,
        line,
        limited: session.limited,
        most_uses: tatau_store::MAX_JOINS,
        default_hours: join::LASTS_MS / 3_600_000,
        install: format!("curl -fsS {url}/install.sh | sh"),
    };
    Ok((status, html(&page)?).into_response())
}

async fn look(app: &App, owner: Address, headers: &HeaderMap, find: &str) -> Result<Machines, PageError> {
    let find: String = find.trim().to_lowercase().chars().take(MAX_FIND).collect();
    let seen = rows::seen(app, owner).await?;
    let pays = rows::pays(app, owner, None, zone::begins(headers)).await?;
    let (total, online) = (seen.len(), seen.iter().filter(|s| s.online).count());
    let working = seen.iter().filter(|s| s.online && (!s.busy.is_empty() || s.audits > 0)).count();
    let all = rows::sum(pays.values().flat_map(BTreeMap::values))?;
    let fits = |seen: &rows::Seen| {
        let node = &seen.node;
        find.is_empty()
            || [
                node.title(),
                &node.name,
                &seen.cards(),
                seen.condition().word,
                &node.version,
                &node.id.to_string(),
            ]
            .iter()
            .any(|text| text.to_lowercase().contains(&find))
    };
    let found: Vec<&rows::Seen> = seen.iter().filter(|seen| fits(seen)).collect();
    let more = found.len().saturating_sub(SHOWN);
    let none = BTreeMap::new();
    let mut rows = Vec::with_capacity(found.len().min(SHOWN));
    for seen in found.into_iter().take(SHOWN) {
        let pay = rows::sum(pays.get(&seen.node.id).unwrap_or(&none).values())?;
        rows.push(row(seen, &pay));
    }
    let sums = Sums {
        today: words::money(all.today),
        month: words::money(all.month),
        all: words::money(all.all),
        pending: if all.pending.is_positive() { words::money(all.pending) } else { String::new() },
        faults: all.faults(),
    };
    Ok(Machines { find, rows, more, total, online, working, sums })
}

fn row(seen: &rows::Seen, pay: &Pay) -> Row {
    let (node, condition) = (&seen.node, seen.condition());
    Row {
        id: node.id.to_string(),
        title: node.title().to_owned(),
        word: condition.word,
        tag: condition.tag,
        since: condition.since,
        cards: seen.cards(),
        role: seen.role(),
        today: short(pay.today),
        month: short(pay.month),
        all: short(pay.all),
        faults: pay.faults(),
        ask: if node.offer.provides { node.offer.ask_per_reference_hour.to_string() } else { "–".into() },
        untold: node.heard < node.settings.revision && node.offer.provides,
    }
}

/// An amount in a column that says TATAU already; nothing is a dash.
pub(super) fn short(amount: Amount) -> String {
    if amount == Amount::ZERO { "–".into() } else { amount.to_string() }
}
