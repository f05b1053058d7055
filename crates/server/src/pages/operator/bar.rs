//! `POST /operator/bar`: shuts an account out of new work, or lets it in again.

use super::{Operator, show};
use crate::{
    app::App,
    error::ApiError,
    pages::{PageError, Posted},
};
use axum::{
    extract::State,
    response::{IntoResponse, Redirect, Response},
};
use serde::Deserialize;
use std::sync::Arc;
use tatau_engine::Event;
use tatau_model::Address;

#[derive(Deserialize)]
struct Fields {
    account: String,
    what: String,
}

pub(crate) async fn bar(State(app): State<Arc<App>>, posted: Posted) -> Result<Response, PageError> {
    let fields: Fields = posted.form()?;
    let operator = Operator::of(Some(posted.session), "/operator")?;
    match act(&app, &fields).await {
        Ok(done) => Ok(Redirect::to(&format!("/operator?done={done}")).into_response()),
        Err(error) if error.status.is_server_error() => Err(error.into()),
        Err(error) => show::page(&app, &operator.session, Some(error), "").await,
    }
}

async fn act(app: &App, fields: &Fields) -> Result<&'static str, ApiError> {
    let account = fields.account.trim();
    let owner: Address =
        account.parse().map_err(|_| ApiError::invalid("an account is an address: 0x and 40 hex digits"))?;
    let (barred, done) = match fields.what.as_str() {
        "bar" => (true, "barred"),
        "unbar" => (false, "unbarred"),
        _ => return Err(ApiError::bad_request("the page sent something else than its buttons; reload it")),
    };
    app.writer.event(Event::Bar { owner, barred }).await?;
    tracing::info!(account = %owner, barred, "the operator decided about an account");
    Ok(done)
}
