//! `POST /account/trust`, `POST /account/trust/remove`: accounts whose machines may see scenes that are for trusted machines.

use super::{done, refused};
use crate::{
    app::App,
    error::ApiError,
    pages::{PageError, Posted},
};
use axum::{extract::State, response::Response};
use serde::Deserialize;
use std::sync::Arc;
use tatau_engine::Event;
use tatau_model::Address;

#[derive(Deserialize)]
struct Fields {
    account: String,
}

pub(crate) async fn mark(State(app): State<Arc<App>>, posted: Posted) -> Result<Response, PageError> {
    act(&app, &posted, true).await
}

pub(crate) async fn take_back(State(app): State<Arc<App>>, posted: Posted) -> Result<Response, PageError> {
    act(&app, &posted, false).await
}

async fn act(app: &App, posted: &Posted, trusted: bool) -> Result<Response, PageError> {
    let owner = posted.owner()?;
    let Fields { account } = posted.form()?;
    let done_so = match account.trim().parse::<Address>() {
        Ok(account) => app.writer.event(Event::Trust { owner, account, trusted }).await.map(drop),
        Err(_) => Err(ApiError::invalid(
            "that is no account; its owner finds the address, 0x and 40 digits, at the end of their account page",
        )),
    };
    match done_so {
        Ok(()) => Ok(done(if trusted { "trusted" } else { "untrusted" })),
        Err(error) => refused(app, &posted.session, error).await,
    }
}
