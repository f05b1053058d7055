//! `POST /operator/books`: recomputes every balance from the journal, in the background.

use super::Operator;
use crate::{
    app::App,
    error::ApiError,
    facts::BOOKS,
    pages::{PageError, Posted},
    watch::BooksRun,
};
use axum::{
    extract::State,
    response::{IntoResponse, Redirect, Response},
};
use std::{sync::Arc, time::Instant};
use tatau_model::{Clock, SystemClock};

/// Problems that are kept; the command line lists all.
const MOST_PROBLEMS: usize = 10;

pub(crate) async fn audit(State(app): State<Arc<App>>, posted: Posted) -> Result<Response, PageError> {
    Operator::of(Some(posted.session), "/operator")?;
    let done = if app.watch.begin_books() {
        tokio::spawn(run(Arc::clone(&app)));
        "books"
    } else {
        "books-run"
    };
    Ok(Redirect::to(&format!("/operator?done={done}")).into_response())
}

async fn run(app: Arc<App>) {
    if let Err(error) = keep(&app).await {
        tracing::error!(sentence = error.sentence, "the audit of the books did not end");
    }
    app.watch.end_books();
}

async fn keep(app: &App) -> Result<(), ApiError> {
    let begun = Instant::now();
    let books = app.archive.books().await?;
    let run = BooksRun {
        at: SystemClock.now(),
        took_ms: u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX),
        sound: books.balanced,
        entries: books.entries,
        sum: books.sum,
        problems: books.problems.into_iter().take(MOST_PROBLEMS).collect(),
    };
    tracing::info!(sound = run.sound, entries = run.entries, took_ms = run.took_ms, "the books were audited");
    let text = serde_json::to_string(&run).map_err(|e| ApiError::internal(&e))?;
    let kept = app.writer.keep(move |store| store.put_setting(BOOKS, &text)).await?;
    kept.map_err(|e| ApiError::internal(&e))
}
