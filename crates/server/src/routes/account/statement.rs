//! `GET /v1/account/statement?after=ENTRY&limit=N`.

use crate::{app::App, auth::Call, error::ApiError, words};
use axum::{
    Json,
    extract::{Query, State},
};
use serde::Deserialize;
use std::sync::Arc;
use tatau_api::StatementLine;

const MOST_LINES: usize = 1_000;

#[derive(Debug, Deserialize)]
pub(crate) struct Page {
    #[serde(default)]
    after: u64,
    limit: Option<usize>,
}

pub(crate) async fn statement(
    State(app): State<Arc<App>>,
    Query(page): Query<Page>,
    call: Call,
) -> Result<Json<Vec<StatementLine>>, ApiError> {
    let owner = call.account(&app).await?;
    let limit = page.limit.unwrap_or(100).min(MOST_LINES);
    let lines = app.archive.statement(owner, page.after, limit).await?;
    let told = lines.into_iter().map(|line| {
        let (why, text) = words::entry(&line.kind);
        StatementLine {
            entry: line.entry,
            at: line.at,
            why: why.into(),
            text,
            account: line.account.to_string(),
            amount: line.amount,
            balance: line.balance,
        }
    });
    Ok(Json(told.collect()))
}
