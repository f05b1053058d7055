//! `GET /operator`, `GET /operator/live`.

use super::{
    Operator,
    sections::{Section, sections},
};
use crate::{
    alarms::{Alarm, alarms},
    app::App,
    error::ApiError,
    facts::{self, Facts},
    pages::{Area, PageError, capital, frame, html},
    session::Session,
    words::short,
};
use askama::Template;
use axum::{
    extract::{Query, State},
    http::StatusCode,
    response::{IntoResponse, Response},
};
use serde::Deserialize;
use std::sync::Arc;
use tatau_engine::State as Market;
use tatau_model::{Account, Millis, Node};
use tatau_ui::{Frame, Notice, Tone, words};

/// Lines of each list; what is beyond is counted.
const LISTED: usize = 100;

const DONE: &[(&str, &str)] = &[
    ("books", "The books are being audited; the result appears below."),
    ("books-run", "An audit of the books runs already."),
    ("barred", "The account gets no new work. What is under way is still judged and paid."),
    ("unbarred", "The account may work again. Its faults are remembered: the next one bars it at once."),
];

#[derive(Deserialize)]
pub(crate) struct Asked {
    #[serde(default)]
    done: String,
}

struct BooksLine {
    at: String,
    sound: bool,
    text: String,
    problems: Vec<String>,
}

#[derive(Template)]
#[template(path = "pages/operator_live.html")]
struct Live {
    alarms: Vec<Alarm>,
    sections: Vec<Section>,
    books: Option<BooksLine>,
    auditing: String,
}

struct NodeLine {
    name: String,
    owner: String,
    online: bool,
    since: String,
    role: &'static str,
    cards: usize,
    version: String,
    block: String,
    draining: bool,
}

struct AccountLine {
    owner: String,
    accepted: u64,
    stake_faults: u64,
    lost: u64,
    audit_faults: u64,
    barred: bool,
}

#[derive(Template)]
#[template(path = "pages/operator.html")]
struct Page {
    frame: Frame,
    live: Live,
    nodes: Vec<NodeLine>,
    more_nodes: usize,
    versions: String,
    accounts: Vec<AccountLine>,
    more_accounts: usize,
}

pub(crate) async fn show(
    State(app): State<Arc<App>>,
    Query(asked): Query<Asked>,
    operator: Operator,
) -> Result<Response, PageError> {
    page(&app, &operator.session, None, &asked.done).await
}

pub(crate) async fn live(State(app): State<Arc<App>>, _: Operator) -> Result<Response, PageError> {
    Ok(html(&of(&facts::look(&app).await?))?.into_response())
}

/// The page, with the reason of a refusal or what was done.
pub(super) async fn page(
    app: &App,
    session: &Session,
    refusal: Option<ApiError>,
    done: &str,
) -> Result<Response, PageError> {
    let facts = facts::look(app).await?;
    let now = facts.now;
    let (nodes, more_nodes, accounts, more_accounts) =
        app.writer.read(move |state| lists(state, now)).await?;
    let mut frame = frame(app, Some(session), Area::Operator).await?;
    let mut status = StatusCode::OK;
    if let Some(error) = refusal {
        frame.notice = Some(Notice { tone: Tone::Bad, text: capital(&error.sentence) });
        status = error.status;
    } else if let Some((_, text)) = DONE.iter().find(|(what, _)| *what == done) {
        frame.notice = Some(Notice { tone: Tone::Good, text: (*text).to_owned() });
    }
    let versions = facts.market.census.versions.iter().map(|(version, n)| format!("{version}: {n}"));
    let versions = versions.collect::<Vec<_>>().join(", ");
    let page = Page { frame, live: of(&facts), nodes, more_nodes, versions, accounts, more_accounts };
    Ok((status, html(&page)?).into_response())
}

/// Nodes that are online first; accounts with faults, the worst first.
fn lists(state: &Market, now: Millis) -> (Vec<NodeLine>, usize, Vec<AccountLine>, usize) {
    let mut nodes: Vec<(&Node, bool)> =
        state.nodes().filter(|n| !n.settings.removed).map(|n| (n, state.is_online(&n.id, now))).collect();
    nodes.sort_by(|(a, here), (b, there)| {
        there.cmp(here).then_with(|| a.name.cmp(&b.name)).then(a.id.cmp(&b.id))
    });
    let more_nodes = nodes.len().saturating_sub(LISTED);
    let nodes = nodes.into_iter().take(LISTED).map(|(node, online)| NodeLine {
        name: node.name.clone(),
        owner: short(&node.owner),
        online,
        since: state.last_heard(&node.id).map(words::utc).unwrap_or_default(),
        role: match (node.offer.provides, node.offer.validates) {
            (true, false) => "provides",
            (false, true) => "validates",
            (true, true) => "both",
            (false, false) => "nothing",
        },
        cards: node.cards.len(),
        version: node.version.clone(),
        block: node.block.clone(),
        draining: node.draining,
    });
    let nodes = nodes.collect();
    let fault = |a: &&Account| a.barred || a.stake_faults > 0 || a.audit_faults > 0;
    let mut accounts: Vec<&Account> = state.accounts().filter(fault).collect();
    accounts.sort_by_key(|a| (std::cmp::Reverse((a.barred, a.stake_faults, a.audit_faults)), a.owner));
    let more_accounts = accounts.len().saturating_sub(LISTED);
    let accounts = accounts.into_iter().take(LISTED).map(|a| AccountLine {
        owner: a.owner.to_string(),
        accepted: a.accepted,
        stake_faults: a.stake_faults,
        lost: a.lost_leases,
        audit_faults: a.audit_faults,
        barred: a.barred,
    });
    (nodes, more_nodes, accounts.collect(), more_accounts)
}

fn of(facts: &Facts) -> Live {
    Live {
        alarms: alarms(facts),
        sections: sections(facts),
        books: facts.books.as_ref().map(|run| BooksLine {
            at: words::utc(run.at),
            sound: run.sound,
            text: format!(
                "{} journal entries in {} ms; all accounts sum to {}",
                run.entries, run.took_ms, run.sum
            ),
            problems: run.problems.clone(),
        }),
        auditing: facts.auditing.map(|at| words::ago(at, facts.now)).unwrap_or_default(),
    }
}
