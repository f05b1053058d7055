//! `GET /account/statement.csv`: every movement from the first, for spreadsheets and bookkeepers.

use super::{purse, why};
use crate::{
    app::App,
    error::ApiError,
    pages::{Member, PageError},
};
use axum::{
    body::{Body, Bytes},
    extract::State,
    http::header,
    response::{IntoResponse, Response},
};
use futures_util::stream;
use std::{fmt::Write as _, io, sync::Arc};
use tatau_model::Address;
use tatau_store::StatementRow;
use tatau_ui::words;

/// Movements that are read at once.
const LINES: usize = 2_000;
const HEAD: &str = "entry,time_utc,why,text,account,amount_tatau,balance_tatau\r\n";

struct Reading {
    app: Arc<App>,
    owner: Address,
    after: u64,
    head: bool,
}

pub(crate) async fn csv(State(app): State<Arc<App>>, member: Member) -> Result<Response, PageError> {
    let mut reading = Reading { app, owner: member.owner, after: 0, head: true };
    // The first part now: what cannot be read is a page that says so, not half a file.
    let first = reading.next().await?;
    let rest = stream::unfold((first, reading), |(part, mut reading)| async move {
        if let Some(part) = part {
            let next = reading.next().await;
            return match next {
                Ok(next) => Some((Ok::<_, io::Error>(part), (next, reading))),
                // Broken off, so that it is not taken for whole.
                Err(error) => Some((Err(io::Error::other(error.sentence)), (None, reading))),
            };
        }
        None
    });
    let headers = [
        (header::CONTENT_TYPE, "text/csv; charset=utf-8; header=present"),
        (header::CONTENT_DISPOSITION, "attachment; filename=\"tatau-statement.csv\""),
    ];
    Ok((headers, Body::from_stream(rest)).into_response())
}

impl Reading {
    async fn next(&mut self) -> Result<Option<Bytes>, ApiError> {
        let rows = self.app.archive.statement(self.owner, self.after, LINES).await?;
        let mut text = if std::mem::take(&mut self.head) { HEAD.to_owned() } else { String::new() };
        for row in &rows {
            self.after = row.entry;
            line(&mut text, row);
        }
        Ok((!text.is_empty()).then(|| Bytes::from(text)))
    }
}

fn line(out: &mut String, row: &StatementRow) {
    let (code, text) = why(row);
    let at = words::utc(row.at);
    let (text, purse) = (field(&text), field(&purse(row)));
    let _ = write!(out, "{},{at},{code},{text},{purse},{},{}\r\n", row.entry, row.amount, row.balance);
}

/// A field in quotes (RFC 4180). One that a spreadsheet would compute gets an apostrophe before it.
fn field(text: &str) -> String {
    let guard = if text.starts_with(['=', '+', '-', '@', '\t', '\r']) { "'" } else { "" };
    format!("\"{guard}{}\"", text.replace('"', "\"\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_text_and_nothing_else() {
        assert_eq!(field("a, \"b\""), "\"a, \"\"b\"\"\"");
        assert_eq!(field("=HYPERLINK(1)"), "\"'=HYPERLINK(1)\"");
    }
}
