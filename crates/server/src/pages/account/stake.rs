//! `POST /account/stake`, `POST /account/unstake`.

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
use tatau_model::{Address, Amount};

#[derive(Deserialize)]
struct Fields {
    amount: String,
}

pub(crate) async fn put_up(State(app): State<Arc<App>>, posted: Posted) -> Result<Response, PageError> {
    act(&app, &posted, "stake", |owner, amount| Event::Stake { owner, amount }).await
}

pub(crate) async fn take_back(State(app): State<Arc<App>>, posted: Posted) -> Result<Response, PageError> {
    act(&app, &posted, "unstake", |owner, amount| Event::Unstake { owner, amount }).await
}

async fn act(
    app: &App,
    posted: &Posted,
    what: &'static str,
    event: impl FnOnce(Address, Amount) -> Event,
) -> Result<Response, PageError> {
    let owner = posted.owner()?;
    let Fields { amount } = posted.form()?;
    let done_so = match amount.trim().replace(',', ".").parse::<Amount>() {
        Ok(amount) => app.writer.event(event(owner, amount)).await.map(drop),
        Err(_) => Err(ApiError::invalid("that is no amount; write TATAU, such as 12.5")),
    };
    match done_so {
        Ok(()) => Ok(done(what)),
        Err(error) => refused(app, &posted.session, error).await,
    }
}
