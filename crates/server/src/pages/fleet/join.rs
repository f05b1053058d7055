//! `POST /fleet/join`, `POST /fleet/join/remove`: codes by which machines join without the owner's key.

use super::list::{self, Said};
use crate::{
    app::App,
    archive,
    error::ApiError,
    joins,
    pages::{PageError, Posted},
};
use axum::{
    extract::State,
    response::{IntoResponse, Redirect, Response},
};
use serde::Deserialize;
use std::sync::Arc;
use tatau_model::{Address, Clock, SystemClock};
use tatau_store::JoinCode;
use tatau_ui::words;

/// A code counts so long, ms: 24 hours.
pub(super) const LASTS_MS: u64 = 24 * 3_600_000;

/// A code that counts, without the code itself, which nobody knows any more.
pub(super) struct CodeLine {
    pub id: String,
    pub made: String,
    pub ends: String,
    pub used: u32,
    pub uses: u32,
}

pub(super) async fn codes(app: &App, owner: Address) -> Result<Vec<CodeLine>, ApiError> {
    let line = |code: JoinCode| CodeLine {
        id: blake3::Hash::from_bytes(code.hash).to_hex().to_string(),
        made: words::utc(code.created),
        ends: words::utc(code.expires),
        used: code.used,
        uses: code.uses,
    };
    Ok(app.archive.join_codes_of(owner).await?.into_iter().map(line).collect())
}

#[derive(Deserialize)]
struct New {
    uses: String,
}

pub(crate) async fn make(State(app): State<Arc<App>>, posted: Posted) -> Result<Response, PageError> {
    let owner = posted.owner()?;
    let New { uses } = posted.form()?;
    let said = match code(&app, &posted, owner, &uses).await {
        Ok(code) => Said::Code(code),
        Err(error) if error.status.is_server_error() => return Err(error.into()),
        Err(error) => Said::Refusal(error),
    };
    list::page(&app, &posted.session, &posted.headers, "", said).await
}

async fn code(app: &App, posted: &Posted, owner: Address, uses: &str) -> Result<String, ApiError> {
    posted.session.whole()?;
    let uses =
        uses.trim().parse().map_err(|_| ApiError::invalid("say for how many machines, as a number"))?;
    let (code, created) = (joins::make(), SystemClock.now());
    let record = JoinCode {
        hash: joins::digest(&code),
        owner,
        created,
        expires: created.plus(LASTS_MS),
        uses,
        used: 0,
    };
    let kept = app.writer.keep(move |store| store.put_join_code(&record)).await?;
    kept.map_err(|e| match e {
        tatau_store::StoreError::Refused(sentence) => ApiError::invalid(sentence),
        other => archive::refused(&other),
    })?;
    Ok(code)
}

#[derive(Deserialize)]
struct Old {
    id: String,
}

pub(crate) async fn remove(State(app): State<Arc<App>>, posted: Posted) -> Result<Response, PageError> {
    let owner = posted.owner()?;
    posted.session.whole()?;
    let Old { id } = posted.form()?;
    let hash =
        blake3::Hash::from_hex(&id).map_err(|_| ApiError::bad_request("this is no code; reload the page"))?;
    let removed = app.writer.keep(move |store| store.remove_join_code(owner, hash.as_bytes())).await?;
    removed.map_err(|e| archive::refused(&e))?;
    Ok(Redirect::to("/fleet?done=code-removed").into_response())
}
