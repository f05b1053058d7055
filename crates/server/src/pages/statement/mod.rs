//! Statements of account: to the last unit, on a page and as a file.

mod csv;
mod show;

use crate::{app::App, words};
use axum::{Router, routing::get};
use std::sync::Arc;
use tatau_store::StatementRow;

pub(super) fn router() -> Router<Arc<App>> {
    Router::new().route("/account/statement", get(show::show)).route("/account/statement.csv", get(csv::csv))
}

/// What kind of purse a line is about, without the owner's address.
fn purse(row: &StatementRow) -> String {
    let whole = row.account.to_string();
    let kind = whole.split_once('/').map_or(&whole[..], |(_, kind)| kind);
    kind.replace('-', " ").replace('/', " of ")
}

/// Why it moved, for people.
fn why(row: &StatementRow) -> (&'static str, String) {
    let (code, text) = words::entry(&row.kind);
    (code, crate::pages::capital(&text))
}
