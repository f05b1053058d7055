//! `GET /account/statement?before=ENTRY`: the latest movements, newest first.

use super::{purse, why};
use crate::{
    app::App,
    pages::{Area, Member, PageError, frame, html},
};
use askama::Template;
use axum::{
    extract::{Query, State},
    response::Html,
};
use serde::Deserialize;
use std::sync::Arc;
use tatau_ui::{Frame, words};

/// Movements of one page, about.
const LINES: usize = 100;

#[derive(Debug, Deserialize)]
pub(crate) struct Page {
    before: Option<u64>,
}

#[derive(Template)]
#[template(path = "pages/statement/show.html")]
struct Statement {
    frame: Frame,
    balances: Vec<(String, String)>,
    total: String,
    lines: Vec<Line>,
    older: Option<u64>,
    first: bool,
}

struct Line {
    at: String,
    text: String,
    purse: String,
    amount: String,
    gain: bool,
    balance: String,
}

pub(crate) async fn show(
    State(app): State<Arc<App>>,
    Query(page): Query<Page>,
    member: Member,
) -> Result<Html<String>, PageError> {
    let frame = frame(&app, Some(&member.session), Area::Account).await?;
    let balances = app.archive.balances_of(member.owner).await?;
    let mut total = tatau_model::Amount::ZERO;
    for (_, amount) in &balances {
        total = total.add(*amount).map_err(|e| crate::error::ApiError::internal(&e))?;
    }
    let rows = app.archive.statement_before(member.owner, page.before, LINES).await?;
    let older = rows.last().filter(|_| rows.len() >= LINES).map(|row| row.entry);
    let balance = |(key, amount): &(tatau_model::AccountKey, tatau_model::Amount)| {
        let whole = key.to_string();
        let kind = whole.split_once('/').map_or(whole.clone(), |(_, kind)| kind.to_owned());
        (kind.replace('-', " ").replace('/', " of "), amount.to_string())
    };
    let line = |row: &tatau_store::StatementRow| Line {
        at: words::utc(row.at),
        text: why(row).1,
        purse: purse(row),
        amount: row.amount.to_string(),
        gain: row.amount.is_positive(),
        balance: row.balance.to_string(),
    };
    html(&Statement {
        frame,
        balances: balances.iter().map(balance).collect(),
        total: total.to_string(),
        lines: rows.iter().map(line).collect(),
        older,
        first: page.before.is_none(),
    })
}
