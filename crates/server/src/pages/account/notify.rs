//! `POST /account/notify`: where the account is told of its jobs.

use super::{done, refused};
use crate::{
    app::App,
    notices::settings,
    pages::{PageError, Posted},
};
use axum::{extract::State, response::Response};
use serde::Deserialize;
use std::sync::Arc;
use tatau_api::SetNotify;

#[derive(Debug, Deserialize)]
struct Form {
    webhook: Option<String>,
    mail: Option<String>,
    code: Option<String>,
}

pub(crate) async fn set(State(app): State<Arc<App>>, posted: Posted) -> Result<Response, PageError> {
    let owner = posted.owner()?;
    let Form { webhook, mail, code } = posted.form()?;
    let code = code.filter(|code| !code.trim().is_empty());
    match settings::set(&app, owner, SetNotify { webhook, mail, code, test: false }).await {
        Ok(_) => Ok(done("notify")),
        Err(error) => refused(&app, &posted.session, error).await,
    }
}
