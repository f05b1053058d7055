//! `POST /account/browsers`: signs out all browsers of the account but this one.

use super::{done, refused};
use crate::{
    app::App,
    archive,
    pages::{PageError, Posted},
};
use axum::{extract::State, response::Response};
use std::sync::Arc;

pub(crate) async fn end(State(app): State<Arc<App>>, posted: Posted) -> Result<Response, PageError> {
    let owner = posted.owner()?;
    if let Err(error) = posted.session.whole() {
        return refused(&app, &posted.session, error).await;
    }
    let this = posted.session.hash;
    let ended = app.writer.keep(move |store| store.end_sessions(Some(owner), Some(&this))).await?;
    ended.map_err(|e| archive::refused(&e))?;
    Ok(done("browsers"))
}
